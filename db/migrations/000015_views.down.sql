DROP VIEW weir.v_callbacks;
DROP VIEW weir.v_renditions;
DROP VIEW weir.v_transcodes;

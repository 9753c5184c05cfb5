DROP VIEW weir.my_callbacks;
DROP VIEW weir.my_renditions;
DROP VIEW weir.my_transcodes;

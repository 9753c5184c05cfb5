DROP VIEW weir.v_usage;
DROP TRIGGER transcodes_use ON weir.transcodes;
DROP FUNCTION weir.transcodes_use();
DROP TABLE weir.usage;

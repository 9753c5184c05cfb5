DROP TABLE weir.transcodes;
DROP FUNCTION weir.transcodes_check_state();

DROP INDEX weir.transcodes_by_code;

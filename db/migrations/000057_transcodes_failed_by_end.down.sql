DROP INDEX weir.transcodes_failed_by_end;

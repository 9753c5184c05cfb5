DROP INDEX weir.transcodes_queued_urgent;
DROP INDEX weir.transcodes_queued_by_tenant;
DROP FUNCTION weir.turn_of(timestamptz, smallint);
ALTER TABLE weir.transcodes DROP COLUMN priority;

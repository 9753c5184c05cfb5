DROP TABLE weir.identity;
ALTER TABLE weir.hosts DROP COLUMN mist_silent_from, DROP COLUMN spool_id;

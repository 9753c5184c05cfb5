ALTER TABLE weir.hosts DROP COLUMN drain_reason, DROP COLUMN drained_by, DROP COLUMN drained_at;

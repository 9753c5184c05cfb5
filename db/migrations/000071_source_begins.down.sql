ALTER TABLE weir.attempts DROP COLUMN source_begins;

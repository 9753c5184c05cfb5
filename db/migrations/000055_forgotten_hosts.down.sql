ALTER TABLE weir.hosts DROP COLUMN forgotten_at;

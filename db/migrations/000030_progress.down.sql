ALTER TABLE weir.transcodes DROP COLUMN progress;

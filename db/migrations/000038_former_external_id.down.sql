ALTER TABLE weir.transcodes DROP COLUMN former_external_id;

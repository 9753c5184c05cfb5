ALTER TABLE weir.river_job ALTER COLUMN tags SET DEFAULT '{}';
UPDATE weir.river_job SET tags = '{}' WHERE tags IS NULL;
ALTER TABLE weir.river_job ALTER COLUMN tags SET NOT NULL;

ALTER TABLE weir.leads DROP COLUMN urgent_percent;

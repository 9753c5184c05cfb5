DROP TRIGGER callbacks_missed ON weir.callbacks;
DROP FUNCTION weir.callbacks_missed();
ALTER TABLE weir.callbacks DROP COLUMN missed;
DROP TABLE weir.missed_events;

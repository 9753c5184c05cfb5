DROP TRIGGER events_deliver ON weir.events;
DROP FUNCTION weir.events_deliver();
DROP TABLE weir.event_delivery_attempts;
DROP TABLE weir.event_deliveries;
DROP FUNCTION weir.event_deliveries_missed();
ALTER TABLE weir.transcodes DROP COLUMN events_sealed, DROP COLUMN events_url, DROP COLUMN events;

DROP TABLE weir.mist_events;

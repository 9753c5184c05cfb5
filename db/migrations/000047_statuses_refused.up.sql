-- The run whose statuses the receiver refused for good: no more of it are sent.
ALTER TABLE weir.transcodes ADD COLUMN statuses_refused_run integer NOT NULL DEFAULT 0;

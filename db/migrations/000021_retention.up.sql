-- What retention removes is found oldest first.
CREATE INDEX transcodes_by_end ON weir.transcodes (finished_at, id) WHERE finished_at IS NOT NULL;
CREATE INDEX callback_attempts_by_time ON weir.callback_attempts (sent_at);

-- A trigger's payload is for people, who need its head: 64 KiB are several times the
-- longest list of tracks. Anything may be posted as a trigger, and all of it is kept
-- for days.
UPDATE weir.mist_events SET payload = substring(payload FROM 1 FOR 65536) WHERE octet_length(payload) > 65536;
ALTER TABLE weir.mist_events ADD CONSTRAINT mist_events_payload_capped CHECK (octet_length(payload) <= 65536);

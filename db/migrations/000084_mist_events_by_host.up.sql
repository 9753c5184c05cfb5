-- The triggers of one host, also of one that has been silent for long.
CREATE INDEX mist_events_by_host ON weir.mist_events (host_id, id DESC);

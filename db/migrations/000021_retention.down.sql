ALTER TABLE weir.mist_events DROP CONSTRAINT mist_events_payload_capped;
DROP INDEX weir.callback_attempts_by_time;
DROP INDEX weir.transcodes_by_end;

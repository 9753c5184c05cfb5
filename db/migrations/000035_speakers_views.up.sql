-- What a tenant sees of its own by SQL. The barrier keeps conditions of the caller's behind
-- the tenant's; the sub-select asks once, so that indexes are used.
CREATE VIEW weir.my_transcodes WITH (security_barrier) AS
SELECT t.id, t.external_id, t.state, t.ratio, t.run, t.attempt, t.source_url, t.output_url, t.source_duration_ms,
       t.error_code, t.error_stage, t.error_message, t.warnings, t.created_at, t.placed_at, t.started_at, t.finished_at
  FROM weir.transcodes t
 WHERE t.tenant = (SELECT weir.speaks_for())
UNION ALL
SELECT i.id, i.external_id, 'queued', 0, 1, 0, NULL, NULL, NULL, NULL, NULL, NULL, '[]', i.created_at, NULL, NULL, NULL
  FROM weir.inbox i
 WHERE i.tenant = (SELECT weir.speaks_for());
COMMENT ON VIEW weir.my_transcodes IS 'The tenant''s own requests, also those that no daemon has accepted yet: these are queued, and have no locations.';
COMMENT ON COLUMN weir.my_transcodes.id IS 'As weir.enqueue_transcode returned it; request_id in callbacks.';
COMMENT ON COLUMN weir.my_transcodes.external_id IS 'The tenant''s own id.';
COMMENT ON COLUMN weir.my_transcodes.state IS 'queued, placed, running, storing, succeeded, failed or cancelled.';
COMMENT ON COLUMN weir.my_transcodes.ratio IS 'Completion from 0 to 1; it never goes down.';
COMMENT ON COLUMN weir.my_transcodes.run IS '1, and one more for each retry.';
COMMENT ON COLUMN weir.my_transcodes.attempt IS 'Number of the newest attempt; 0 before the first.';
COMMENT ON COLUMN weir.my_transcodes.source_url IS 'Where the source is, without secrets.';
COMMENT ON COLUMN weir.my_transcodes.output_url IS 'The folder of the renditions, without secrets.';
COMMENT ON COLUMN weir.my_transcodes.source_duration_ms IS 'Null before the probe.';
COMMENT ON COLUMN weir.my_transcodes.error_code IS 'Why it failed: a code of the failure table; before the end, what is in the way.';
COMMENT ON COLUMN weir.my_transcodes.error_stage IS 'Where it failed.';
COMMENT ON COLUMN weir.my_transcodes.error_message IS 'Why it failed, in words.';
COMMENT ON COLUMN weir.my_transcodes.warnings IS 'What was done otherwise than asked.';
COMMENT ON COLUMN weir.my_transcodes.created_at IS 'When it was asked for.';
COMMENT ON COLUMN weir.my_transcodes.placed_at IS 'When a host was last chosen.';
COMMENT ON COLUMN weir.my_transcodes.started_at IS 'When its newest attempt began to run.';
COMMENT ON COLUMN weir.my_transcodes.finished_at IS 'When it reached its end.';

CREATE VIEW weir.my_renditions WITH (security_barrier) AS
SELECT r.transcode_id, r.name, r.state, r.planned_width AS width, r.planned_height AS height, r.bitrate, r.frames, r.duration_ms,
       r.object_url, r.object_bytes, r.object_checksum, r.error_code, r.error_stage, r.error_message, r.stored_at
  FROM weir.renditions r JOIN weir.transcodes t ON t.id = r.transcode_id
 WHERE t.tenant = (SELECT weir.speaks_for());
COMMENT ON VIEW weir.my_renditions IS 'The renditions of the tenant''s own transcodes; the columns are those of v_renditions.';

CREATE VIEW weir.my_callbacks WITH (security_barrier) AS
SELECT c.id, c.transcode_id, c.run, c.state, c.url, c.attempts, c.last_status, c.last_error, c.next_attempt_at, c.created_at, c.delivered_at
  FROM weir.callbacks c JOIN weir.transcodes t ON t.id = c.transcode_id
 WHERE t.tenant = (SELECT weir.speaks_for());
COMMENT ON VIEW weir.my_callbacks IS 'The terminal callbacks of the tenant''s own transcodes; the columns are those of v_callbacks.';

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
COMMENT ON COLUMN weir.my_renditions.transcode_id IS 'The transcode it belongs to.';
COMMENT ON COLUMN weir.my_renditions.name IS 'The profile''s name.';
COMMENT ON COLUMN weir.my_renditions.state IS 'expected, pushing, pushed, ok or failed; ok only when its object is verified.';
COMMENT ON COLUMN weir.my_renditions.width IS 'Width of its file: planned by the source, judged to be so when ok; null before the probe.';
COMMENT ON COLUMN weir.my_renditions.height IS 'Height of its file: planned by the source, judged to be so when ok; null before the probe.';
COMMENT ON COLUMN weir.my_renditions.bitrate IS 'Bits a second asked for.';
COMMENT ON COLUMN weir.my_renditions.frames IS 'Frames counted in the file.';
COMMENT ON COLUMN weir.my_renditions.duration_ms IS 'Duration by its frames, in milliseconds.';
COMMENT ON COLUMN weir.my_renditions.object_url IS 'Where the object is, without secrets.';
COMMENT ON COLUMN weir.my_renditions.object_bytes IS 'The object''s size.';
COMMENT ON COLUMN weir.my_renditions.object_checksum IS 'The object''s checksum, as verified after the upload.';
COMMENT ON COLUMN weir.my_renditions.error_code IS 'Why it failed: a code of the failure table; on a pushed one, what is in the way of its store.';
COMMENT ON COLUMN weir.my_renditions.error_stage IS 'Where it failed.';
COMMENT ON COLUMN weir.my_renditions.error_message IS 'Why it failed, in words.';
COMMENT ON COLUMN weir.my_renditions.stored_at IS 'When its object was verified.';

CREATE VIEW weir.my_callbacks WITH (security_barrier) AS
SELECT c.id, c.transcode_id, c.run, c.state, c.url, c.attempts, c.last_status, c.last_error, c.next_attempt_at, c.created_at, c.delivered_at
  FROM weir.callbacks c JOIN weir.transcodes t ON t.id = c.transcode_id
 WHERE t.tenant = (SELECT weir.speaks_for());
COMMENT ON VIEW weir.my_callbacks IS 'The terminal callbacks of the tenant''s own transcodes; the columns are those of v_callbacks.';
COMMENT ON COLUMN weir.my_callbacks.id IS 'The event id that Studio sees, the same in every delivery.';
COMMENT ON COLUMN weir.my_callbacks.transcode_id IS 'The transcode whose outcome it tells.';
COMMENT ON COLUMN weir.my_callbacks.run IS 'The run that ended.';
COMMENT ON COLUMN weir.my_callbacks.state IS 'pending, delivered, refused (a final answer), expired (a day without success) or superseded (a newer run began before).';
COMMENT ON COLUMN weir.my_callbacks.url IS 'Where it goes, without secrets.';
COMMENT ON COLUMN weir.my_callbacks.attempts IS 'How often it was sent.';
COMMENT ON COLUMN weir.my_callbacks.last_status IS 'The last HTTP status; null when no answer came.';
COMMENT ON COLUMN weir.my_callbacks.last_error IS 'What went wrong the last time.';
COMMENT ON COLUMN weir.my_callbacks.next_attempt_at IS 'When it is sent next.';
COMMENT ON COLUMN weir.my_callbacks.created_at IS 'When the outcome was decided.';
COMMENT ON COLUMN weir.my_callbacks.delivered_at IS 'When it was first taken.';

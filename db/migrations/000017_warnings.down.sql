DROP VIEW weir.v_transcodes;
ALTER TABLE weir.transcodes DROP COLUMN warnings;
CREATE VIEW weir.v_transcodes AS
SELECT t.id, t.tenant, t.external_id, t.state, t.ratio, t.host_id, t.run, t.attempt, t.attempts_left,
       a.stage AS attempt_stage,
       t.source_url, t.output_url, t.source_duration_ms,
       (SELECT count(*) FROM weir.renditions r WHERE r.transcode_id = t.id) AS renditions,
       (SELECT count(*) FROM weir.renditions r WHERE r.transcode_id = t.id AND r.state = 'ok') AS renditions_ok,
       t.error_code, t.error_stage, t.error_message,
       c.state AS callback_state,
       t.created_at, t.placed_at, t.started_at, t.finished_at,
       EXTRACT(epoch FROM COALESCE(t.placed_at, now()) - t.created_at)::float8 AS waited_seconds,
       EXTRACT(epoch FROM COALESCE(t.finished_at, now()) - t.created_at)::float8 AS took_seconds
  FROM weir.transcodes t
  LEFT JOIN weir.attempts a ON a.transcode_id = t.id AND a.number = t.attempt
  LEFT JOIN weir.callbacks c ON c.transcode_id = t.id AND c.run = t.run;
COMMENT ON VIEW weir.v_transcodes IS 'One row per request, with where it is and how it ended.';
COMMENT ON COLUMN weir.v_transcodes.id IS 'The id that the API answered; request_id in callbacks.';
COMMENT ON COLUMN weir.v_transcodes.tenant IS 'Whose request it is.';
COMMENT ON COLUMN weir.v_transcodes.external_id IS 'The caller''s own id; unique within a tenant.';
COMMENT ON COLUMN weir.v_transcodes.state IS 'queued, placed, running, storing, succeeded, failed or cancelled.';
COMMENT ON COLUMN weir.v_transcodes.ratio IS 'Completion from 0 to 1; it never goes down.';
COMMENT ON COLUMN weir.v_transcodes.host_id IS 'The host of the newest attempt.';
COMMENT ON COLUMN weir.v_transcodes.run IS '1, and one more for each retry by an operator.';
COMMENT ON COLUMN weir.v_transcodes.attempt IS 'The newest attempt''s number; it counts on over runs.';
COMMENT ON COLUMN weir.v_transcodes.attempts_left IS 'How many more attempts this run may start.';
COMMENT ON COLUMN weir.v_transcodes.attempt_stage IS 'The newest attempt''s last finished step.';
COMMENT ON COLUMN weir.v_transcodes.source_url IS 'The source, without secrets.';
COMMENT ON COLUMN weir.v_transcodes.output_url IS 'Where renditions go, without secrets.';
COMMENT ON COLUMN weir.v_transcodes.source_duration_ms IS 'The source''s duration in milliseconds, once probed.';
COMMENT ON COLUMN weir.v_transcodes.renditions IS 'How many renditions were asked for.';
COMMENT ON COLUMN weir.v_transcodes.renditions_ok IS 'How many are stored and verified.';
COMMENT ON COLUMN weir.v_transcodes.error_code IS 'Why it failed: a code of the failure table; on a queued one, why the last attempt failed.';
COMMENT ON COLUMN weir.v_transcodes.error_stage IS 'Where it failed.';
COMMENT ON COLUMN weir.v_transcodes.error_message IS 'Why it failed, in words.';
COMMENT ON COLUMN weir.v_transcodes.callback_state IS 'pending, delivered, refused or expired; null before the end.';
COMMENT ON COLUMN weir.v_transcodes.created_at IS 'When it was accepted.';
COMMENT ON COLUMN weir.v_transcodes.placed_at IS 'When a host was last chosen.';
COMMENT ON COLUMN weir.v_transcodes.started_at IS 'When its newest attempt began to run.';
COMMENT ON COLUMN weir.v_transcodes.finished_at IS 'When it reached its terminal state.';
COMMENT ON COLUMN weir.v_transcodes.waited_seconds IS 'From the acceptance to the last placement, or until now.';
COMMENT ON COLUMN weir.v_transcodes.took_seconds IS 'From the acceptance to the end, or until now.';

-- What a transcode does otherwise than asked, for its caller: [{code, text, rendition}].
ALTER TABLE weir.transcodes
    ADD COLUMN warnings jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(warnings) = 'array');

CREATE OR REPLACE VIEW weir.v_transcodes AS
SELECT t.id, t.tenant, t.external_id, t.state, t.ratio, t.host_id, t.run, t.attempt, t.attempts_left,
       a.stage AS attempt_stage,
       t.source_url, t.output_url, t.source_duration_ms,
       (SELECT count(*) FROM weir.renditions r WHERE r.transcode_id = t.id) AS renditions,
       (SELECT count(*) FROM weir.renditions r WHERE r.transcode_id = t.id AND r.state = 'ok') AS renditions_ok,
       t.error_code, t.error_stage, t.error_message,
       c.state AS callback_state,
       t.created_at, t.placed_at, t.started_at, t.finished_at,
       EXTRACT(epoch FROM COALESCE(t.placed_at, now()) - t.created_at)::float8 AS waited_seconds,
       EXTRACT(epoch FROM COALESCE(t.finished_at, now()) - t.created_at)::float8 AS took_seconds,
       t.warnings
  FROM weir.transcodes t
  LEFT JOIN weir.attempts a ON a.transcode_id = t.id AND a.number = t.attempt
  LEFT JOIN weir.callbacks c ON c.transcode_id = t.id AND c.run = t.run;
COMMENT ON COLUMN weir.v_transcodes.warnings IS 'What was done otherwise than asked: a list of code, text and, where it is about one, rendition.';

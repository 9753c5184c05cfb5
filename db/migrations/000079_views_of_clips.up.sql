-- Of a clip the part that was asked for, and of each attempt when its recording began: what
-- a time of day is counted from.
CREATE OR REPLACE VIEW weir.v_transcodes AS
 SELECT t.id,
    t.tenant,
    t.external_id,
    t.state,
    t.ratio,
    t.host_id,
    t.run,
    t.attempt,
    t.attempts_left,
    a.stage AS attempt_stage,
    t.source_url,
    t.output_url,
    t.source_duration_ms,
    ( SELECT count(*) AS count
           FROM weir.renditions r
          WHERE (r.transcode_id = t.id)) AS renditions,
    ( SELECT count(*) AS count
           FROM weir.renditions r
          WHERE ((r.transcode_id = t.id) AND (r.state = 'ok'::text))) AS renditions_ok,
    t.error_code,
    t.error_stage,
    t.error_message,
    ( SELECT c.state FROM weir.callbacks c WHERE c.transcode_id = t.id AND c.run = t.run) AS callback_state,
    t.created_at,
    t.placed_at,
    t.started_at,
    t.finished_at,
    (EXTRACT(epoch FROM (COALESCE(t.placed_at, now()) - t.created_at)))::double precision AS waited_seconds,
    (EXTRACT(epoch FROM (COALESCE(t.finished_at, now()) - t.created_at)))::double precision AS took_seconds,
    t.warnings,
    t.priority,
    t.progress,
    t.form,
    t.ladder,
    t.packages,
    t.metadata,
    t.labels,
    t.events,
    t.events_url,
    t.statuses_refused_run,
    t.former_external_id,
    t.callback_url,
    t.run_at,
    t.not_before,
    t.updated_at,
    t.status_sent_at,
    a.broadcaster,
    t.clip_start_ms,
    t.clip_end_ms,
    t.clip_clock
   FROM weir.transcodes t
     -- One by one: where some thousands are open, a hash of the whole table would seem to be less.
     LEFT JOIN LATERAL ( SELECT n.stage, n.broadcaster FROM weir.attempts n WHERE n.transcode_id = t.id AND n.number = t.attempt LIMIT 1) a ON true;
COMMENT ON COLUMN weir.v_transcodes.clip_start_ms IS 'Of a clip: where it begins, in milliseconds of clip_clock; a frame there belongs to it. Null: all of the source.';
COMMENT ON COLUMN weir.v_transcodes.clip_end_ms IS 'Where it ends; a frame there belongs to it no more.';
COMMENT ON COLUMN weir.v_transcodes.clip_clock IS 'What these count from: source, its first picture, or unix, the time of day that the playlist of a recording tells.';

CREATE OR REPLACE VIEW weir.v_attempts AS
 SELECT a.transcode_id,
    t.tenant,
    t.external_id,
    a.number,
    a.host_id,
    a.stage,
    a.outcome,
    a.hung_starts,
    a.reruns,
    a.broadcaster,
    a.error_code,
    a.error_stage,
    a.error_message,
    a.error_detail,
    a.created_at,
    a.started_at,
    a.fetched_at,
    a.prepared_at,
    a.process_started_at,
    a.transcoded_at,
    a.ended_at,
    a.cleaned_at,
    a.package_from,
    a.publish_from,
    t.state AS transcode_state,
    a.source_begins
   FROM (weir.attempts a
     JOIN weir.transcodes t ON ((t.id = a.transcode_id)));
COMMENT ON COLUMN weir.v_attempts.source_begins IS 'When the recording that it fetched began, as its playlist tells; null where it tells nothing.';

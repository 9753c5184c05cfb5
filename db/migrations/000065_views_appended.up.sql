-- Columns that questions need, and in each view's comment the WHERE that keeps it fast.
CREATE OR REPLACE VIEW weir.v_callbacks AS
 SELECT c.id,
    c.transcode_id,
    t.tenant,
    t.external_id,
    c.run,
    t.state AS outcome,
    c.state,
    c.url,
    c.attempts,
    c.last_status,
    c.last_error,
    c.next_attempt_at,
    c.created_at,
    c.delivered_at,
    (EXTRACT(epoch FROM (COALESCE(c.delivered_at, now()) - c.created_at)))::double precision AS lag_seconds,
    COALESCE(lower(substring(c.url FROM '://([^/?#]+)')), '')::text AS receiver
   FROM (weir.callbacks c
     JOIN weir.transcodes t ON ((t.id = c.transcode_id)));
COMMENT ON COLUMN weir.v_callbacks.receiver IS 'The host of its address, and its port where one is given.';
COMMENT ON VIEW weir.v_callbacks IS 'One row per terminal callback and the state of its delivery. WHERE state IN (''pending'', ''refused'', ''expired'') reads those that were not taken, created_at > now() - interval ''1 day'' those since then; one is found by id or transcode_id.';

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
    t.state AS transcode_state
   FROM (weir.attempts a
     JOIN weir.transcodes t ON ((t.id = a.transcode_id)));
COMMENT ON COLUMN weir.v_attempts.transcode_state IS 'Where the transcode is now.';
COMMENT ON VIEW weir.v_attempts IS 'One row per attempt: which host tried, how far it came, how it ended. WHERE cleaned_at IS NULL reads what hosts have in hand; those of a transcode are found by transcode_id; failed ones by time are in v_failures.';

CREATE OR REPLACE VIEW weir.v_renditions AS
 SELECT r.transcode_id,
    t.tenant,
    r.name,
    r.state,
    r.attempt,
    r.planned_width AS width,
    r.planned_height AS height,
    r.width AS asked_width,
    r.height AS asked_height,
    r.bitrate,
    r.quality,
    r.fps,
    r.fps_den,
    r.gop,
    r.codec_profile,
    r.track_index,
    r.pushed_ms,
    r.recorded_reason,
    r.object_url,
    r.object_bytes,
    r.object_checksum,
    r.frames,
    r.duration_ms,
    r.error_code,
    r.error_stage,
    r.error_message,
    r.push_started_at,
    r.pushed_at,
    r.stored_at,
    t.external_id,
    t.state AS transcode_state,
    t.host_id,
    r.error_detail
   FROM (weir.renditions r
     JOIN weir.transcodes t ON ((t.id = r.transcode_id)));
COMMENT ON COLUMN weir.v_renditions.external_id IS 'The caller''s own id.';
COMMENT ON COLUMN weir.v_renditions.transcode_state IS 'Where the transcode is now.';
COMMENT ON COLUMN weir.v_renditions.host_id IS 'The host of the transcode''s newest attempt.';
COMMENT ON COLUMN weir.v_renditions.error_detail IS 'Why it failed, with what is for operators alone.';
COMMENT ON VIEW weir.v_renditions IS 'One row per requested rendition, with the evidence of its object. Those of a transcode are found by transcode_id; WHERE transcode_state = ''storing'' (or another open state) reads those of the open ones.';

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
    a.broadcaster
   FROM weir.transcodes t
     -- One by one: where some thousands are open, a hash of the whole table would seem to be less.
     LEFT JOIN LATERAL ( SELECT n.stage, n.broadcaster FROM weir.attempts n WHERE n.transcode_id = t.id AND n.number = t.attempt LIMIT 1) a ON true;
COMMENT ON COLUMN weir.v_transcodes.callback_url IS 'Where callbacks go, without secrets.';
COMMENT ON COLUMN weir.v_transcodes.run_at IS 'When this run began: the acceptance, or the last retry by a person.';
COMMENT ON COLUMN weir.v_transcodes.not_before IS 'While it is queued: it is not placed before this.';
COMMENT ON COLUMN weir.v_transcodes.updated_at IS 'When its row last changed; while it runs, its progress changes it.';
COMMENT ON COLUMN weir.v_transcodes.status_sent_at IS 'When its receiver was last told how far it is.';
COMMENT ON COLUMN weir.v_transcodes.broadcaster IS 'The Broadcaster that its newest attempt uses, where one is known.';
COMMENT ON VIEW weir.v_transcodes IS 'One row per request, with where it is and how it ended. WHERE state IN (''queued'', ''placed'', ''running'', ''storing'') reads what is open, created_at > now() - interval ''1 day'' (with a tenant or a host, too) what came since then; one is found by id or external_id.';

COMMENT ON VIEW weir.v_outputs IS 'One row per output that a request asked for, with the evidence of what was written. Those of a transcode are found by transcode_id.';
COMMENT ON VIEW weir.v_usage IS 'One row per tenant and day: what the runs that ended on it used. It is kept by the day, so that WHERE day >= ... or tenant = ... reads a handful of rows, whatever was done.';

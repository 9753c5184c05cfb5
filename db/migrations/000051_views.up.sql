-- What people ask of the columns that came with outputs, tenants and Studio's own fields.
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
    c.state AS callback_state,
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
    t.former_external_id
   FROM ((weir.transcodes t
     LEFT JOIN weir.attempts a ON (((a.transcode_id = t.id) AND (a.number = t.attempt))))
     LEFT JOIN weir.callbacks c ON (((c.transcode_id = t.id) AND (c.run = t.run))));
COMMENT ON COLUMN weir.v_transcodes.priority IS '0, the most urgent, to 9: its place in the tenant''s queue.';
COMMENT ON COLUMN weir.v_transcodes.progress IS 'How far its newest attempt is in what it does, as its host told it last.';
COMMENT ON COLUMN weir.v_transcodes.form IS 'How it was asked for: v1, vod or file.';
COMMENT ON COLUMN weir.v_transcodes.ladder IS 'Whether its renditions are the default ladder, made from the source.';
COMMENT ON COLUMN weir.v_transcodes.packages IS 'Whether more is made of its renditions than their files.';
COMMENT ON COLUMN weir.v_transcodes.metadata IS 'The caller''s own, as the request had it.';
COMMENT ON COLUMN weir.v_transcodes.labels IS 'What lists are filtered by, as the request had them.';
COMMENT ON COLUMN weir.v_transcodes.events IS 'The types of events that it subscribes to.';
COMMENT ON COLUMN weir.v_transcodes.events_url IS 'Where these go, where that is not where the callback goes; without secrets.';
COMMENT ON COLUMN weir.v_transcodes.statuses_refused_run IS 'The run whose statuses the receiver refused for good; null: none.';
COMMENT ON COLUMN weir.v_transcodes.former_external_id IS 'The caller''s own id, which a newer transcode has taken over; null: none has.';

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
    a.publish_from
   FROM (weir.attempts a
     JOIN weir.transcodes t ON ((t.id = a.transcode_id)));
COMMENT ON COLUMN weir.v_attempts.package_from IS 'Since when what is made of its renditions is being made.';
COMMENT ON COLUMN weir.v_attempts.publish_from IS 'Since when players may find what it packaged.';

-- One row per output, with the evidence of what was written.
CREATE VIEW weir.v_outputs AS
 SELECT o.transcode_id,
    t.tenant,
    o.ordinal,
    o.type,
    o.url,
    o.segment_ms,
    o.only_short,
    o.state,
    o.attempt,
    o.manifest_url,
    o.bytes,
    o.objects,
    o.stored_at,
    o.skipped_reason,
    o.error_code,
    o.error_stage,
    o.error_message,
    o.error_detail
   FROM weir.outputs o
     JOIN weir.transcodes t ON t.id = o.transcode_id;
COMMENT ON VIEW weir.v_outputs IS 'One row per output that a request asked for, with the evidence of what was written.';
COMMENT ON COLUMN weir.v_outputs.transcode_id IS 'The transcode it belongs to.';
COMMENT ON COLUMN weir.v_outputs.tenant IS 'Whose it is.';
COMMENT ON COLUMN weir.v_outputs.ordinal IS 'Its place in the request.';
COMMENT ON COLUMN weir.v_outputs.type IS 'ts, hls, mp4, fmp4, source or thumbnails.';
COMMENT ON COLUMN weir.v_outputs.url IS 'Its folder, of a source copy the object; without secrets.';
COMMENT ON COLUMN weir.v_outputs.segment_ms IS 'How long segments shall be, in milliseconds; 0: the default.';
COMMENT ON COLUMN weir.v_outputs.only_short IS 'Whether it is only made of sources of up to two minutes.';
COMMENT ON COLUMN weir.v_outputs.state IS 'expected, ok, failed or skipped; ok only when all its objects are verified.';
COMMENT ON COLUMN weir.v_outputs.attempt IS 'The attempt that the row speaks of.';
COMMENT ON COLUMN weir.v_outputs.manifest_url IS 'Where a player begins, without secrets.';
COMMENT ON COLUMN weir.v_outputs.bytes IS 'All its objects together.';
COMMENT ON COLUMN weir.v_outputs.objects IS 'What was written: each kind with its location, bytes and checksum.';
COMMENT ON COLUMN weir.v_outputs.stored_at IS 'When it was whole.';
COMMENT ON COLUMN weir.v_outputs.skipped_reason IS 'Why there is none.';
COMMENT ON COLUMN weir.v_outputs.error_code IS 'Why it failed: a code of the failure table.';
COMMENT ON COLUMN weir.v_outputs.error_stage IS 'Where it failed.';
COMMENT ON COLUMN weir.v_outputs.error_message IS 'Why it failed, as the tenant is told.';
COMMENT ON COLUMN weir.v_outputs.error_detail IS 'Why it failed, with what is for operators alone.';

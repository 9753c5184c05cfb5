-- The views as they were: a column that was appended can't be taken away otherwise.
DROP VIEW weir.v_transcodes, weir.v_attempts, weir.v_renditions, weir.v_callbacks;
CREATE VIEW weir.v_transcodes AS
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
COMMENT ON COLUMN weir.v_transcodes.error_code IS 'Why it failed: a code of the failure table; on a queued one, why the last attempt failed; on one that is stored, what is in the way.';
COMMENT ON COLUMN weir.v_transcodes.error_stage IS 'Where it failed.';
COMMENT ON COLUMN weir.v_transcodes.error_message IS 'Why it failed, in words.';
COMMENT ON COLUMN weir.v_transcodes.callback_state IS 'pending, delivered, refused or expired; null before the end.';
COMMENT ON COLUMN weir.v_transcodes.created_at IS 'When it was accepted.';
COMMENT ON COLUMN weir.v_transcodes.placed_at IS 'When a host was last chosen.';
COMMENT ON COLUMN weir.v_transcodes.started_at IS 'When its newest attempt began to run.';
COMMENT ON COLUMN weir.v_transcodes.finished_at IS 'When it reached its terminal state.';
COMMENT ON COLUMN weir.v_transcodes.waited_seconds IS 'From the acceptance to the last placement, or until now.';
COMMENT ON COLUMN weir.v_transcodes.took_seconds IS 'From the acceptance to the end, or until now.';
COMMENT ON COLUMN weir.v_transcodes.warnings IS 'What was done otherwise than asked: a list of code, text and, where it is about one, rendition.';
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
CREATE VIEW weir.v_attempts AS
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
COMMENT ON VIEW weir.v_attempts IS 'One row per attempt: which host tried, how far it came, how it ended.';
COMMENT ON COLUMN weir.v_attempts.transcode_id IS 'The transcode that was tried.';
COMMENT ON COLUMN weir.v_attempts.tenant IS 'Whose it is.';
COMMENT ON COLUMN weir.v_attempts.external_id IS 'The caller''s own id.';
COMMENT ON COLUMN weir.v_attempts.number IS 'Counts from 1, over all runs.';
COMMENT ON COLUMN weir.v_attempts.host_id IS 'The host that tried.';
COMMENT ON COLUMN weir.v_attempts.stage IS 'Its last finished step: placed, fetched, prepared, started, transcoded or cleaned.';
COMMENT ON COLUMN weir.v_attempts.outcome IS 'succeeded, failed, cancelled or lost; null while it runs.';
COMMENT ON COLUMN weir.v_attempts.hung_starts IS 'How often MistProcLivepeer hung at its start and was started anew.';
COMMENT ON COLUMN weir.v_attempts.reruns IS 'How often it was started anew for renditions whose push was lost at its end.';
COMMENT ON COLUMN weir.v_attempts.broadcaster IS 'The Broadcaster that it was last seen with.';
COMMENT ON COLUMN weir.v_attempts.error_code IS 'Why it failed: a code of the failure table.';
COMMENT ON COLUMN weir.v_attempts.error_stage IS 'Where it failed.';
COMMENT ON COLUMN weir.v_attempts.error_message IS 'Why it failed, as the tenant is told.';
COMMENT ON COLUMN weir.v_attempts.error_detail IS 'Why it failed, with what is for operators alone: processes, paths, ends of logs.';
COMMENT ON COLUMN weir.v_attempts.created_at IS 'When it was placed.';
COMMENT ON COLUMN weir.v_attempts.started_at IS 'When its host took it up.';
COMMENT ON COLUMN weir.v_attempts.fetched_at IS 'When the source was on the host.';
COMMENT ON COLUMN weir.v_attempts.prepared_at IS 'When the source was ready for Mist.';
COMMENT ON COLUMN weir.v_attempts.process_started_at IS 'When MistProcLivepeer was last started.';
COMMENT ON COLUMN weir.v_attempts.transcoded_at IS 'When Mist was done.';
COMMENT ON COLUMN weir.v_attempts.ended_at IS 'When its outcome was decided.';
COMMENT ON COLUMN weir.v_attempts.cleaned_at IS 'When nothing of it was left in Mist.';
COMMENT ON COLUMN weir.v_attempts.package_from IS 'Since when what is made of its renditions is being made.';
COMMENT ON COLUMN weir.v_attempts.publish_from IS 'Since when players may find what it packaged.';
CREATE VIEW weir.v_renditions AS
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
    r.stored_at
   FROM (weir.renditions r
     JOIN weir.transcodes t ON ((t.id = r.transcode_id)));
COMMENT ON VIEW weir.v_renditions IS 'One row per requested output, with the evidence of its object.';
COMMENT ON COLUMN weir.v_renditions.transcode_id IS 'The transcode it belongs to.';
COMMENT ON COLUMN weir.v_renditions.tenant IS 'Whose it is.';
COMMENT ON COLUMN weir.v_renditions.name IS 'The profile''s name.';
COMMENT ON COLUMN weir.v_renditions.state IS 'expected, pushing, pushed, ok or failed; ok only when its object is verified.';
COMMENT ON COLUMN weir.v_renditions.attempt IS 'The attempt that the row speaks of.';
COMMENT ON COLUMN weir.v_renditions.width IS 'Width of its file: planned by the source, judged to be so when ok; null before the probe.';
COMMENT ON COLUMN weir.v_renditions.height IS 'Height of its file: planned by the source, judged to be so when ok; null before the probe.';
COMMENT ON COLUMN weir.v_renditions.asked_width IS 'Width asked for.';
COMMENT ON COLUMN weir.v_renditions.asked_height IS 'Height asked for.';
COMMENT ON COLUMN weir.v_renditions.bitrate IS 'Bits a second asked for.';
COMMENT ON COLUMN weir.v_renditions.quality IS 'Constant quality asked for, with bitrate as its limit; 0: none.';
COMMENT ON COLUMN weir.v_renditions.fps IS 'Frames asked for in fps_den seconds; 0 is the source''s rate.';
COMMENT ON COLUMN weir.v_renditions.fps_den IS 'The seconds that fps counts its frames in; 0 stands for 1.';
COMMENT ON COLUMN weir.v_renditions.gop IS 'Seconds between keyframes asked for, or intra; empty: none asked for.';
COMMENT ON COLUMN weir.v_renditions.codec_profile IS 'The codec''s profile asked for; empty is H264High.';
COMMENT ON COLUMN weir.v_renditions.track_index IS 'Mist''s track.';
COMMENT ON COLUMN weir.v_renditions.pushed_ms IS 'Media time pushed so far, in milliseconds.';
COMMENT ON COLUMN weir.v_renditions.recorded_reason IS 'What Mist said at the push''s end: a hint, no proof.';
COMMENT ON COLUMN weir.v_renditions.object_url IS 'Where the object is, without secrets.';
COMMENT ON COLUMN weir.v_renditions.object_bytes IS 'The object''s size.';
COMMENT ON COLUMN weir.v_renditions.object_checksum IS 'The object''s checksum, as verified after the upload.';
COMMENT ON COLUMN weir.v_renditions.frames IS 'Frames counted in the file.';
COMMENT ON COLUMN weir.v_renditions.duration_ms IS 'Duration by its frames, in milliseconds.';
COMMENT ON COLUMN weir.v_renditions.error_code IS 'Why it failed: a code of the failure table; on a pushed one, what is in the way of its store.';
COMMENT ON COLUMN weir.v_renditions.error_stage IS 'Where it failed.';
COMMENT ON COLUMN weir.v_renditions.error_message IS 'Why it failed, in words.';
COMMENT ON COLUMN weir.v_renditions.push_started_at IS 'When Mist began to write it.';
COMMENT ON COLUMN weir.v_renditions.pushed_at IS 'When its file was complete on the host.';
COMMENT ON COLUMN weir.v_renditions.stored_at IS 'When its object was verified.';
CREATE VIEW weir.v_callbacks AS
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
    (EXTRACT(epoch FROM (COALESCE(c.delivered_at, now()) - c.created_at)))::double precision AS lag_seconds
   FROM (weir.callbacks c
     JOIN weir.transcodes t ON ((t.id = c.transcode_id)));
COMMENT ON VIEW weir.v_callbacks IS 'One row per terminal callback and the state of its delivery.';
COMMENT ON COLUMN weir.v_callbacks.id IS 'The event id that Studio sees, the same in every delivery.';
COMMENT ON COLUMN weir.v_callbacks.transcode_id IS 'The transcode whose outcome it tells.';
COMMENT ON COLUMN weir.v_callbacks.tenant IS 'Whose it is.';
COMMENT ON COLUMN weir.v_callbacks.external_id IS 'The caller''s own id.';
COMMENT ON COLUMN weir.v_callbacks.run IS 'The run that ended.';
COMMENT ON COLUMN weir.v_callbacks.outcome IS 'The transcode''s state now.';
COMMENT ON COLUMN weir.v_callbacks.state IS 'pending, delivered, refused (a final answer), expired (a day without success) or superseded (a newer run began before).';
COMMENT ON COLUMN weir.v_callbacks.url IS 'Where it goes, without secrets.';
COMMENT ON COLUMN weir.v_callbacks.attempts IS 'How often it was sent.';
COMMENT ON COLUMN weir.v_callbacks.last_status IS 'The last HTTP status; null when no answer came.';
COMMENT ON COLUMN weir.v_callbacks.last_error IS 'What went wrong the last time.';
COMMENT ON COLUMN weir.v_callbacks.next_attempt_at IS 'When it is sent next.';
COMMENT ON COLUMN weir.v_callbacks.created_at IS 'When the outcome was decided.';
COMMENT ON COLUMN weir.v_callbacks.delivered_at IS 'When it was first taken.';
COMMENT ON COLUMN weir.v_callbacks.lag_seconds IS 'From the decision to the delivery, or until now.';
COMMENT ON VIEW weir.v_outputs IS 'One row per output that a request asked for, with the evidence of what was written.';
COMMENT ON VIEW weir.v_usage IS 'One row per tenant and day: what the runs that ended on it used.';

-- The views as they were: a column that was appended can't be taken away otherwise.
DROP VIEW weir.v_transcodes, weir.v_attempts;
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
    ( SELECT c.state
           FROM weir.callbacks c
          WHERE ((c.transcode_id = t.id) AND (c.run = t.run))) AS callback_state,
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
   FROM (weir.transcodes t
     LEFT JOIN LATERAL ( SELECT n.stage,
            n.broadcaster
           FROM weir.attempts n
          WHERE ((n.transcode_id = t.id) AND (n.number = t.attempt))
         LIMIT 1) a ON (true));
COMMENT ON VIEW weir.v_transcodes IS 'One row per request, with where it is and how it ended. WHERE state IN (''queued'', ''placed'', ''running'', ''storing'') reads what is open, created_at > now() - interval ''1 day'' (with a tenant or a host, too) what came since then; one is found by id or external_id.';
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
COMMENT ON COLUMN weir.v_transcodes.callback_url IS 'Where callbacks go, without secrets.';
COMMENT ON COLUMN weir.v_transcodes.run_at IS 'When this run began: the acceptance, or the last retry by a person.';
COMMENT ON COLUMN weir.v_transcodes.not_before IS 'While it is queued: it is not placed before this.';
COMMENT ON COLUMN weir.v_transcodes.updated_at IS 'When its row last changed; while it runs, its progress changes it.';
COMMENT ON COLUMN weir.v_transcodes.status_sent_at IS 'When its receiver was last told how far it is.';
COMMENT ON COLUMN weir.v_transcodes.broadcaster IS 'The Broadcaster that its newest attempt uses, where one is known.';
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
    a.publish_from,
    t.state AS transcode_state
   FROM (weir.attempts a
     JOIN weir.transcodes t ON ((t.id = a.transcode_id)));
COMMENT ON VIEW weir.v_attempts IS 'One row per attempt: which host tried, how far it came, how it ended. WHERE cleaned_at IS NULL reads what hosts have in hand; those of a transcode are found by transcode_id; failed ones by time are in v_failures.';
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
COMMENT ON COLUMN weir.v_attempts.transcode_state IS 'Where the transcode is now.';

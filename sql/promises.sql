-- name: PromiseFaults :many
-- What breaks a promise: which, what it is of, and the line that mends it, a page of each.
-- The schema and the daemons let none of it happen; a restored dump, a server that lost
-- writes, or a hand may have. Of what has ended only what did so since then is looked at, one
-- after the other: so it reads no more than that.
(SELECT 'schema.index'::text AS promise, c.relname::text AS what,
        format('REINDEX INDEX CONCURRENTLY weir.%I; or, where its name ends in _ccnew or _ccold: DROP INDEX CONCURRENTLY weir.%I', c.relname, c.relname)::text AS mend
   FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = 'weir' AND NOT i.indisvalid LIMIT @page_size)
UNION ALL
(SELECT 'schema.trigger', c.relname || '.' || g.tgname, format('ALTER TABLE weir.%I ENABLE TRIGGER %I', c.relname, g.tgname)
   FROM pg_catalog.pg_trigger g JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = 'weir' AND NOT g.tgisinternal AND g.tgenabled = 'D' LIMIT @page_size)
UNION ALL
(SELECT 'schema.constraint', c.relname || '.' || k.conname, format('ALTER TABLE weir.%I VALIDATE CONSTRAINT %I', c.relname, k.conname)
   FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = 'weir' AND NOT k.convalidated LIMIT @page_size)
UNION ALL
(SELECT 'schema.sequence', s.name, format('SELECT setval(%L, %s)', s.name, s.most)
   FROM (SELECT 'weir.events_id_seq' AS name, COALESCE(pg_sequence_last_value('weir.events_id_seq'::regclass), 0) AS last, (SELECT COALESCE(max(e.id), 0) FROM weir.events e) AS most
         UNION ALL
         SELECT 'weir.mist_events_id_seq', COALESCE(pg_sequence_last_value('weir.mist_events_id_seq'::regclass), 0), (SELECT COALESCE(max(m.id), 0) FROM weir.mist_events m)
         UNION ALL
         SELECT 'weir.river_job_id_seq', COALESCE(pg_sequence_last_value('weir.river_job_id_seq'::regclass), 0), (SELECT COALESCE(max(j.id), 0) FROM weir.river_job j)) s
  WHERE s.most > s.last)
UNION ALL
(SELECT 'end.callback', t.state || ' ' || t.id,
        CASE t.state WHEN 'failed' THEN 'weir-admin transcodes retry ' || t.id
             ELSE 'weir-admin transcodes show ' || t.id || ' has what its receiver was not told: tell it by hand' END
   FROM weir.transcodes t
  WHERE t.finished_at >= @since::timestamptz AND (SELECT c.id FROM weir.callbacks c WHERE c.transcode_id = t.id AND c.run = t.run) IS NULL LIMIT @page_size)
UNION ALL
(SELECT 'success.evidence', 'succeeded ' || t.id, 'weir-admin transcodes show ' || t.id || ' has which object is missing: ask for it anew'
   FROM weir.transcodes t
  WHERE t.finished_at >= @since::timestamptz AND t.state = 'succeeded'
    AND ((SELECT COALESCE(bool_and(r.state = 'ok' AND r.object_url IS NOT NULL AND r.object_bytes > 0 AND r.object_checksum IS NOT NULL), false)
            FROM weir.renditions r WHERE r.transcode_id = t.id) IS NOT TRUE
      OR (SELECT bool_or(o.state NOT IN ('ok', 'skipped')) FROM weir.outputs o WHERE o.transcode_id = t.id)) LIMIT @page_size)
UNION ALL
(SELECT 'attempt.host', 'attempt ' || a.number || ' of ' || a.transcode_id || ' on ' || a.host_id, 'start weir-daemon with WEIR_HOST_ID=' || a.host_id || ': it cleans up; or, where the host never comes back: weir-admin hosts forget ' || a.host_id
   FROM weir.attempts a LEFT JOIN weir.hosts h ON h.id = a.host_id
  WHERE a.cleaned_at IS NULL AND (h.id IS NULL OR h.lease_until < now() - interval '1 hour') LIMIT @page_size)
UNION ALL
(SELECT 'attempt.ended', 'attempt ' || a.number || ' of ' || a.transcode_id || ' on ' || a.host_id, 'start weir-daemon with WEIR_HOST_ID=' || a.host_id || ': it ends and cleans up'
   FROM weir.attempts a JOIN weir.transcodes t ON t.id = a.transcode_id
  WHERE a.cleaned_at IS NULL AND a.outcome IS NULL AND t.state IN ('succeeded', 'failed', 'cancelled') LIMIT @page_size)
UNION ALL
-- Daemons give what has no job another one within half a minute.
(SELECT 'job.transcode', t.state || ' ' || t.id, 'start weir-daemon with WEIR_HOST_ID=' || t.host_id || ': it makes the job anew'
   FROM weir.transcodes t
  WHERE t.state IN ('placed', 'running') AND t.updated_at < now() - interval '2 minutes'
    AND (SELECT j.id FROM weir.attempts a JOIN weir.river_job j ON j.id = a.job_id WHERE a.transcode_id = t.id AND a.number = t.attempt AND j.finalized_at IS NULL) IS NULL LIMIT @page_size)
UNION ALL
(SELECT 'job.store', r.name || ' of ' || r.transcode_id, 'start weir-daemon with WEIR_HOST_ID=' || t.host_id || ': it makes the job anew'
   FROM weir.transcodes t CROSS JOIN LATERAL (
        SELECT r.transcode_id, r.name, r.job_id, r.pushed_at FROM weir.renditions r WHERE r.transcode_id = t.id AND r.attempt = t.attempt AND r.state = 'pushed' LIMIT 16) r
  WHERE t.state IN ('running', 'storing') AND r.pushed_at < now() - interval '2 minutes'
    AND (SELECT j.id FROM weir.river_job j WHERE j.id = r.job_id AND j.finalized_at IS NULL) IS NULL LIMIT @page_size)
UNION ALL
(SELECT 'job.callback', 'callback ' || c.id, 'start a weir-daemon that leads: it makes the job anew'
   FROM weir.callbacks c
  WHERE c.state = 'pending' AND c.created_at < now() - interval '2 minutes'
    AND (SELECT j.id FROM weir.river_job j WHERE j.id = c.job_id AND j.finalized_at IS NULL) IS NULL LIMIT @page_size)
UNION ALL
(SELECT 'job.accept', 'request ' || i.id, 'start a weir-daemon that leads: it makes the job anew'
   FROM weir.inbox i
  WHERE i.created_at < now() - interval '2 minutes'
    AND (SELECT j.id FROM weir.river_job j WHERE j.id = i.job_id AND j.finalized_at IS NULL) IS NULL LIMIT @page_size);

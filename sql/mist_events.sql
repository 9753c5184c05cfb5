-- name: MistEventInsert :one
-- No row: this event is here already (Mist's retries share a UUID).
INSERT INTO weir.mist_events (
    uuid, host_id, trigger, stream, headers, payload, payload_bytes, transcode_id, attempt, rendition, verdict, note)
VALUES (
    @uuid, @host_id, @trigger, @stream, @headers, @payload, @payload_bytes, @transcode_id, @attempt, @rendition, @verdict, @note)
ON CONFLICT (uuid) DO NOTHING
RETURNING id;

-- name: MistEventSetVerdict :exec
UPDATE weir.mist_events SET verdict = @verdict, note = @note WHERE id = @id;

-- name: MistEventList :many
-- Newest first. What narrows it by the transcode joins that; nothing else does. One comes
-- behind the acceptance.
SELECT e.* FROM weir.mist_events e LEFT JOIN weir.transcodes t ON t.id = e.transcode_id
 WHERE (sqlc.narg('transcode_id')::uuid IS NULL OR e.transcode_id = sqlc.narg('transcode_id'))
   AND (sqlc.narg('trigger')::text IS NULL OR e.trigger = sqlc.narg('trigger'))
   AND (sqlc.narg('verdict')::text IS NULL OR e.verdict = sqlc.narg('verdict'))
   AND (sqlc.narg('hosts')::text[] IS NULL OR e.host_id = ANY(sqlc.narg('hosts')))
   AND (sqlc.narg('received_from')::timestamptz IS NULL OR e.received_at >= sqlc.narg('received_from'))
   AND (sqlc.narg('tenants')::text[] IS NULL OR t.tenant = ANY(sqlc.narg('tenants')))
   AND (sqlc.narg('states')::text[] IS NULL OR t.state = ANY(sqlc.narg('states')))
   AND (sqlc.narg('destinations')::text[] IS NULL OR weir.receiver_of(t.callback_url) = ANY(sqlc.narg('destinations')))
   AND (sqlc.narg('callback_states')::text[] IS NULL OR (
        SELECT c.state FROM weir.callbacks c WHERE c.transcode_id = t.id AND c.run = t.run) = ANY(sqlc.narg('callback_states')))
   AND (sqlc.narg('codes')::text[] IS NULL OR t.error_code = ANY(sqlc.narg('codes')))
   AND (sqlc.narg('external_ids')::text[] IS NULL OR t.external_id = ANY(sqlc.narg('external_ids')) OR t.former_external_id = ANY(sqlc.narg('external_ids')))
   AND (sqlc.narg('broadcasters')::text[] IS NULL OR (
        SELECT a.broadcaster FROM weir.attempts a WHERE a.transcode_id = t.id AND a.number = t.attempt) = ANY(sqlc.narg('broadcasters')))
   AND (sqlc.narg('labels')::text[] IS NULL OR t.labels @> ANY(sqlc.narg('labels')::text[]::jsonb[]))
   AND (sqlc.narg('created_from')::timestamptz IS NULL OR (t.created_at >= sqlc.narg('created_from') AND e.received_at >= sqlc.narg('created_from')))
   AND (sqlc.narg('created_to')::timestamptz IS NULL OR t.created_at < sqlc.narg('created_to'))
   AND (sqlc.narg('ended_from')::timestamptz IS NULL OR t.finished_at >= sqlc.narg('ended_from'))
   AND (sqlc.narg('ended_to')::timestamptz IS NULL OR t.finished_at < sqlc.narg('ended_to'))
   AND (sqlc.narg('before_id')::bigint IS NULL OR e.id < sqlc.narg('before_id'))
 ORDER BY e.id DESC
 LIMIT @page_size;

-- name: MistEventPrune :execrows
-- Removes the oldest of those that came so many days ago.
DELETE FROM weir.mist_events
 WHERE ctid = ANY(ARRAY(
    SELECT e.ctid FROM weir.mist_events e
     WHERE e.received_at < now() - make_interval(days => @days::int)
     ORDER BY e.received_at
     LIMIT @page_size
     FOR UPDATE SKIP LOCKED));

-- name: MistEventGet :one
SELECT * FROM weir.mist_events WHERE id = @id;

-- name: MistEventTakeProbe :one
-- What doctor posted and saw recorded goes at once: it is of nothing that anybody looks for.
DELETE FROM weir.mist_events WHERE uuid = @uuid AND trigger = 'WEIR_DOCTOR' RETURNING host_id, verdict;

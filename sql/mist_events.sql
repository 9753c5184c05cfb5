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
SELECT * FROM weir.mist_events
 WHERE (sqlc.narg('transcode_id')::uuid IS NULL OR transcode_id = sqlc.narg('transcode_id'))
   AND (sqlc.narg('trigger')::text IS NULL OR trigger = sqlc.narg('trigger'))
   AND (sqlc.narg('verdict')::text IS NULL OR verdict = sqlc.narg('verdict'))
   AND (sqlc.narg('before_id')::bigint IS NULL OR id < sqlc.narg('before_id'))
 ORDER BY id DESC
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

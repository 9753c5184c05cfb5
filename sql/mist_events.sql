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

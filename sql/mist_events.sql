-- name: MistEventInsert :many
-- Events that came at once, with what they say of renditions (each saying is of the of-th
-- event): all or nothing. Of those in the answer, each by its place: what is not in it is here
-- already (Mist's retries share a UUID) and changes nothing. Of several that say the same kind
-- of thing of a rendition the first track counts, and the last file. changed are the renditions
-- of the event's transcode that were changed.
WITH given AS MATERIALIZED (
    SELECT nextval('weir.mist_events_id_seq') AS id, row_number() OVER () AS n, e.*
      FROM (SELECT unnest(@uuids::text[]) AS uuid, unnest(@triggers::text[]) AS trigger, unnest(@streams::text[]) AS stream,
                   unnest(@headers::text[]) AS headers, unnest(@payloads::bytea[]) AS payload, unnest(@payload_bytes::bigint[]) AS payload_bytes,
                   unnest(@transcodes::uuid[]) AS transcode_id, unnest(@attempts::integer[]) AS attempt, unnest(@renditions::text[]) AS rendition,
                   unnest(@verdicts::text[]) AS verdict, unnest(@notes::text[]) AS note) e
), inserted AS (
    INSERT INTO weir.mist_events (
        id, uuid, host_id, trigger, stream, headers, payload, payload_bytes, transcode_id, attempt, rendition, verdict, note)
    OVERRIDING SYSTEM VALUE
    SELECT g.id, NULLIF(g.uuid, ''), @host_id, g.trigger, g.stream, g.headers::jsonb, g.payload, g.payload_bytes,
           NULLIF(g.transcode_id, '00000000-0000-0000-0000-000000000000'), NULLIF(g.attempt, 0), NULLIF(g.rendition, ''), g.verdict, g.note
      FROM given g ORDER BY g.n
    ON CONFLICT (uuid) DO NOTHING
    RETURNING id
), said AS (
    SELECT g.transcode_id, g.attempt, s.name,
           (array_agg(s.track_index ORDER BY s.n) FILTER (WHERE s.track_index >= 0))[1] AS track_index,
           (array_agg(s.recorded_bytes ORDER BY s.n DESC) FILTER (WHERE s.recorded_bytes >= 0))[1] AS recorded_bytes,
           (array_agg(s.recorded_reason ORDER BY s.n DESC) FILTER (WHERE s.recorded_bytes >= 0))[1] AS recorded_reason,
           max(s.pushed_ms) AS pushed_ms
      FROM (SELECT unnest(@of::integer[]) AS n, unnest(@names::text[]) AS name, unnest(@track_indexes::integer[]) AS track_index,
                   unnest(@recorded_bytes::bigint[]) AS recorded_bytes, unnest(@recorded_reasons::text[]) AS recorded_reason,
                   unnest(@pushed_ms::bigint[]) AS pushed_ms) s
      JOIN given g ON g.n = s.n JOIN inserted i ON i.id = g.id
     GROUP BY g.transcode_id, g.attempt, s.name
), changed AS (
    UPDATE weir.renditions r
       SET track_index = CASE WHEN r.state = 'expected' THEN COALESCE(r.track_index, s.track_index) ELSE r.track_index END,
           recorded_bytes = COALESCE(s.recorded_bytes, r.recorded_bytes), recorded_reason = COALESCE(s.recorded_reason, r.recorded_reason),
           pushed_ms = GREATEST(r.pushed_ms, s.pushed_ms)
      FROM said s
     WHERE r.transcode_id = s.transcode_id AND r.name = s.name AND r.attempt = s.attempt
       AND (s.track_index IS NOT NULL AND r.state = 'expected' AND r.track_index IS NULL
         OR s.recorded_bytes IS NOT NULL AND r.state IN ('expected', 'pushing'))
    RETURNING r.transcode_id, r.name
)
SELECT g.id::bigint AS id, g.n::integer AS n,
       ARRAY(SELECT c.name FROM changed c WHERE c.transcode_id = g.transcode_id)::text[] AS changed
  FROM given g JOIN inserted i ON i.id = g.id;

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

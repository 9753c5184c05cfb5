-- name: MissedEventList :many
-- What is still to be told to a tenant, the oldest first.
SELECT event_id FROM weir.missed_events WHERE tenant = @tenant ORDER BY missed_at, event_id LIMIT @page_size;

-- name: MissedEventTold :exec
DELETE FROM weir.missed_events WHERE event_id = ANY(@ids::uuid[]);

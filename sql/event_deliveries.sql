-- name: EventDeliveryLanes :many
-- Whom something is to be told now: each tenant's receivers, found one after the other in
-- the index, whatever waits for each.
WITH RECURSIVE lanes AS (
    (SELECT d.tenant, d.receiver FROM weir.event_deliveries d WHERE d.state = 'pending' ORDER BY d.tenant, d.receiver LIMIT 1)
    UNION ALL
    SELECT n.tenant, n.receiver FROM lanes l CROSS JOIN LATERAL (
        SELECT d.tenant, d.receiver FROM weir.event_deliveries d
         WHERE d.state = 'pending' AND (d.tenant, d.receiver) > (l.tenant, l.receiver)
         ORDER BY d.tenant, d.receiver LIMIT 1) n
)
SELECT l.tenant::text AS tenant, l.receiver::text AS receiver FROM lanes l
 WHERE EXISTS (SELECT FROM weir.event_deliveries d
                WHERE d.state = 'pending' AND d.tenant = l.tenant AND d.receiver = l.receiver AND d.next_attempt_at <= now());

-- name: EventDeliveryClaim :many
-- The oldest of those that are due to a receiver, for one that sends them now. One that
-- dies at it leaves them due again a moment later.
UPDATE weir.event_deliveries SET next_attempt_at = now() + make_interval(secs => @tell_seconds::float8)
 WHERE id = ANY(ARRAY(
    SELECT d.id FROM weir.event_deliveries d
     WHERE d.state = 'pending' AND d.tenant = @tenant AND d.receiver = @receiver AND d.next_attempt_at <= now()
     ORDER BY d.next_attempt_at, d.id LIMIT @page_size
     FOR UPDATE SKIP LOCKED))
   AND state = 'pending' AND next_attempt_at <= now()
RETURNING *;

-- name: EventDeliveryContent :one
-- What is told, and by what it is sent.
SELECT sqlc.embed(e), t.callback_sealed, t.events_sealed, t.callback_secret_sealed, t.metadata, t.labels
  FROM weir.events e JOIN weir.transcodes t ON t.id = e.transcode_id
 WHERE e.id = @event_id;

-- name: EventDeliveryRecord :one
-- What an attempt came to; no row when it has come to its end already.
UPDATE weir.event_deliveries
   SET attempts = attempts + 1, state = @state::text, last_status = @last_status, last_error = @last_error,
       next_attempt_at = now() + make_interval(secs => @wait_seconds::float8),
       delivered_at = CASE WHEN @state::text = 'delivered' THEN now() END
 WHERE id = @id AND state = 'pending'
RETURNING attempts;

-- name: EventDeliveryAttemptInsert :exec
INSERT INTO weir.event_delivery_attempts (delivery_id, number, status, latency_ms, error, answer)
VALUES (@delivery_id, @number, @status, @latency_ms, @error, @answer);

-- name: EventDeliveryListOfTranscode :many
-- What its subscriber was told, the newest first.
SELECT sqlc.embed(d), e.type, t.external_id, COALESCE(t.events_url, t.callback_url)::text AS url
  FROM weir.event_deliveries d JOIN weir.events e ON e.id = d.event_id JOIN weir.transcodes t ON t.id = d.transcode_id
 WHERE d.transcode_id = @transcode_id AND (sqlc.narg('state')::text IS NULL OR d.state = sqlc.narg('state'))
 ORDER BY d.event_id DESC LIMIT @page_size;

-- name: EventDeliveryListPending :many
-- What is still to be told, in the order that it is told in.
SELECT sqlc.embed(d), e.type, t.external_id, COALESCE(t.events_url, t.callback_url)::text AS url
  FROM weir.event_deliveries d JOIN weir.events e ON e.id = d.event_id JOIN weir.transcodes t ON t.id = d.transcode_id
 WHERE d.state = 'pending' AND (sqlc.narg('tenant')::text IS NULL OR d.tenant = sqlc.narg('tenant'))
 ORDER BY d.tenant, d.receiver, d.next_attempt_at, d.id LIMIT @page_size;

-- name: EventDeliveryGet :one
SELECT sqlc.embed(d), e.type, t.external_id, COALESCE(t.events_url, t.callback_url)::text AS url
  FROM weir.event_deliveries d JOIN weir.events e ON e.id = d.event_id JOIN weir.transcodes t ON t.id = d.transcode_id
 WHERE d.id = @id;

-- name: EventDeliveryAttemptList :many
SELECT * FROM weir.event_delivery_attempts WHERE delivery_id = @delivery_id ORDER BY number;

-- name: EventDeliveryDrop :execrows
-- Of each tenant that has more than so many waiting lets the oldest of them expire.
WITH RECURSIVE waiting AS (
    (SELECT d.tenant FROM weir.event_deliveries d WHERE d.state = 'pending' ORDER BY d.tenant LIMIT 1)
    UNION ALL
    SELECT (SELECT d.tenant FROM weir.event_deliveries d WHERE d.state = 'pending' AND d.tenant > w.tenant ORDER BY d.tenant LIMIT 1)
      FROM waiting w WHERE w.tenant IS NOT NULL
), beyond AS (
    SELECT w.tenant, (SELECT d.event_id FROM weir.event_deliveries d WHERE d.state = 'pending' AND d.tenant = w.tenant
                       ORDER BY d.event_id DESC OFFSET @most::int LIMIT 1) AS newest
      FROM waiting w WHERE w.tenant IS NOT NULL
)
UPDATE weir.event_deliveries SET state = 'expired', last_error = 'too many wait'
 WHERE state = 'pending' AND id = ANY(ARRAY(
    SELECT d.id FROM beyond b JOIN weir.event_deliveries d ON d.tenant = b.tenant AND d.state = 'pending' AND d.event_id <= b.newest
     ORDER BY d.event_id LIMIT @page_size
     FOR UPDATE OF d SKIP LOCKED));

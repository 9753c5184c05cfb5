-- name: CallbackInsert :one
INSERT INTO weir.callbacks (id, transcode_id, run, url, body, missed, job_id)
VALUES (@id, @transcode_id, @run, @url, @body, @missed, @job_id)
RETURNING *;

-- name: CallbackSetJob :exec
UPDATE weir.callbacks SET job_id = @job_id WHERE id = @id;

-- name: CallbackToDeliver :one
-- One and whose it is.
SELECT sqlc.embed(c), t.tenant FROM weir.callbacks c JOIN weir.transcodes t ON t.id = c.transcode_id WHERE c.id = @id;

-- name: CallbackGet :one
SELECT * FROM weir.callbacks WHERE id = @id;

-- name: CallbackListOf :many
SELECT c.* FROM weir.callbacks c
  JOIN weir.transcodes t ON t.id = c.transcode_id AND t.run = c.run
 WHERE c.transcode_id = ANY(@transcode_ids::uuid[]);

-- name: CallbackClaim :one
-- The last look before it is sent, and the claim to be the only one who tells of the
-- transcode: no row when it is not to be sent, or when somebody else tells still. An
-- operator's redelivery is sent in any state, but never behind a newer run.
UPDATE weir.transcodes t SET telling_until = now() + make_interval(secs => @tell_seconds::float8)
  FROM weir.callbacks c
 WHERE c.id = @id AND t.id = c.transcode_id AND t.run = c.run AND (c.state = 'pending' OR @redelivery::boolean)
   AND (t.telling_until IS NULL OR t.telling_until < now())
RETURNING t.id, t.tenant, t.callback_sealed, t.callback_secret_sealed, t.telling_until::timestamptz AS telling_until;

-- name: CallbackIsDue :one
-- Whether it is to be sent at all.
SELECT EXISTS (SELECT FROM weir.callbacks c JOIN weir.transcodes t ON t.id = c.transcode_id AND t.run = c.run
                WHERE c.id = @id AND (c.state = 'pending' OR @redelivery::boolean));

-- name: CallbackSupersede :exec
-- A new run begins: what the ones before it have not delivered goes out no more.
UPDATE weir.callbacks SET state = 'superseded', next_attempt_at = NULL
 WHERE transcode_id = @transcode_id AND state = 'pending';

-- name: CallbackRecord :one
-- What an attempt at delivery came to. A delivered one stays delivered, and a superseded
-- one superseded.
UPDATE weir.callbacks
   SET attempts = attempts + 1, last_status = @last_status, last_error = @last_error,
       next_attempt_at = CASE WHEN state <> 'superseded' THEN sqlc.narg('next_attempt_at')::timestamptz END,
       state = CASE WHEN state IN ('delivered', 'superseded') THEN state ELSE @state::text END,
       delivered_at = CASE WHEN state IN ('delivered', 'superseded') THEN delivered_at WHEN @state::text = 'delivered' THEN now() END
 WHERE id = @id
RETURNING *;

-- name: CallbackAttemptInsert :exec
INSERT INTO weir.callback_attempts (callback_id, number, status, latency_ms, error, answer, redelivery)
VALUES (@callback_id, @number, @status, @latency_ms, @error, @answer, @redelivery);

-- name: CallbackAttemptList :many
SELECT * FROM weir.callback_attempts WHERE callback_id = @callback_id ORDER BY number;

-- name: CallbackAttemptPrune :execrows
-- Removes the oldest of those that were made so many days ago. Their callbacks keep the
-- number, and what came of the last one.
DELETE FROM weir.callback_attempts
 WHERE ctid = ANY(ARRAY(
    SELECT a.ctid FROM weir.callback_attempts a
     WHERE a.sent_at < now() - make_interval(days => @days::int)
     ORDER BY a.sent_at
     LIMIT @page_size
     FOR UPDATE SKIP LOCKED));

-- name: CallbackViewList :many
-- Newest first. What narrows it by the transcode joins that; nothing else does. One is
-- decided when its run ends, and behind the acceptance.
SELECT v.* FROM weir.v_callbacks v LEFT JOIN weir.transcodes t ON t.id = v.transcode_id
 WHERE (sqlc.narg('tenants')::text[] IS NULL OR v.tenant = ANY(sqlc.narg('tenants')))
   AND (sqlc.narg('callback_states')::text[] IS NULL OR v.state = ANY(sqlc.narg('callback_states')))
   AND (sqlc.narg('transcode_id')::uuid IS NULL OR v.transcode_id = sqlc.narg('transcode_id'))
   AND (sqlc.narg('destinations')::text[] IS NULL OR v.receiver = ANY(sqlc.narg('destinations')))
   AND (sqlc.narg('states')::text[] IS NULL OR t.state = ANY(sqlc.narg('states')))
   AND (sqlc.narg('codes')::text[] IS NULL OR t.error_code = ANY(sqlc.narg('codes')))
   AND (sqlc.narg('hosts')::text[] IS NULL OR t.host_id = ANY(sqlc.narg('hosts')))
   AND (sqlc.narg('external_ids')::text[] IS NULL OR t.external_id = ANY(sqlc.narg('external_ids')) OR t.former_external_id = ANY(sqlc.narg('external_ids')))
   AND (sqlc.narg('broadcasters')::text[] IS NULL OR (
        SELECT a.broadcaster FROM weir.attempts a WHERE a.transcode_id = t.id AND a.number = t.attempt) = ANY(sqlc.narg('broadcasters')))
   AND (sqlc.narg('labels')::text[] IS NULL OR t.labels @> ANY(sqlc.narg('labels')::text[]::jsonb[]))
   AND (sqlc.narg('created_from')::timestamptz IS NULL OR (t.created_at >= sqlc.narg('created_from') AND v.created_at >= sqlc.narg('created_from')))
   AND (sqlc.narg('created_to')::timestamptz IS NULL OR t.created_at < sqlc.narg('created_to'))
   AND (sqlc.narg('ended_from')::timestamptz IS NULL OR v.created_at >= sqlc.narg('ended_from'))
   AND (sqlc.narg('ended_to')::timestamptz IS NULL OR v.created_at < sqlc.narg('ended_to'))
 ORDER BY v.created_at DESC, v.id DESC
 LIMIT @page_size;

-- name: CallbackBacklog :one
-- What is still to be told, counted to a number.
SELECT count(*) AS pending, COALESCE(EXTRACT(epoch FROM now() - min(p.created_at)), 0)::float8 AS oldest_seconds,
       count(*) FILTER (WHERE p.attempts > 0) AS tried
  FROM (SELECT c.created_at, c.attempts FROM weir.callbacks c WHERE c.state = 'pending' ORDER BY c.created_at, c.id LIMIT @page_size) p;

-- name: CallbackViewGet :one
SELECT * FROM weir.v_callbacks WHERE id = @id;

-- name: CallbackInsert :one
INSERT INTO weir.callbacks (id, transcode_id, run, url, body)
VALUES (@id, @transcode_id, @run, @url, @body)
RETURNING *;

-- name: CallbackSetJob :exec
UPDATE weir.callbacks SET job_id = @job_id WHERE id = @id;

-- name: CallbackGet :one
SELECT * FROM weir.callbacks WHERE id = @id;

-- name: CallbackListOf :many
SELECT c.* FROM weir.callbacks c
  JOIN weir.transcodes t ON t.id = c.transcode_id AND t.run = c.run
 WHERE c.transcode_id = ANY(@transcode_ids::uuid[]);

-- name: CallbackRecord :one
-- What an attempt at delivery came to. A delivered one stays delivered.
UPDATE weir.callbacks
   SET attempts = attempts + 1, last_status = @last_status, last_error = @last_error, next_attempt_at = @next_attempt_at,
       state = CASE WHEN state = 'delivered' THEN state ELSE @state::text END,
       delivered_at = CASE WHEN state = 'delivered' THEN delivered_at WHEN @state::text = 'delivered' THEN now() END
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
SELECT * FROM weir.v_callbacks
 WHERE (sqlc.narg('tenant')::text IS NULL OR tenant = sqlc.narg('tenant'))
   AND (sqlc.narg('state')::text IS NULL OR state = sqlc.narg('state'))
   AND (sqlc.narg('transcode_id')::uuid IS NULL OR transcode_id = sqlc.narg('transcode_id'))
 ORDER BY created_at DESC, id DESC
 LIMIT @page_size;

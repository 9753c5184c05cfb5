-- name: BulkInsert :one
INSERT INTO weir.bulk_operations (id, kind, filter, who, via, reason, per_second, counted)
VALUES (@id, @kind, @filter, @who, @via, @reason, @per_second, @counted)
RETURNING *;

-- name: BulkGet :one
SELECT * FROM weir.bulk_operations WHERE id = @id;

-- name: BulkGetForUpdate :one
-- The lock that each of its items is done under, and that it is paused under: before the
-- transcode's, never after it.
SELECT * FROM weir.bulk_operations WHERE id = @id FOR UPDATE;

-- name: BulkList :many
-- Newest first; the page after (before_at, before_id).
SELECT * FROM weir.bulk_operations
 WHERE (NOT @open::boolean OR state IN ('running', 'paused'))
   AND (sqlc.narg('before_at')::timestamptz IS NULL
        OR (frozen_at, id) < (sqlc.narg('before_at'), sqlc.narg('before_id')::uuid))
 ORDER BY frozen_at DESC, id DESC
 LIMIT @page_size;

-- name: BulkSetState :one
-- From an open state alone.
UPDATE weir.bulk_operations
   SET state = @state, updated_at = now(), trouble = '', ended_at = CASE WHEN @state IN ('done', 'cancelled') THEN now() END
 WHERE id = @id AND state IN ('running', 'paused')
RETURNING *;

-- name: BulkSetJob :exec
UPDATE weir.bulk_operations SET job_id = @job_id, updated_at = now() WHERE id = @id;

-- name: BulkSetTrouble :exec
UPDATE weir.bulk_operations SET trouble = @trouble WHERE id = @id AND state = 'running';

-- name: BulkAdvance :one
-- An item is dealt with; the next one is due when its rate allows it.
UPDATE weir.bulk_operations
   SET before_at = @before_at::timestamptz, before_id = @before_id::uuid, done = @done, skipped = @skipped, failed = @failed,
       whys = @whys, examples = @examples, trouble = '', updated_at = now(),
       next_at = GREATEST(next_at, now() - interval '1 second') + make_interval(secs => 1.0 / per_second)
 WHERE id = @id
RETURNING *;

-- name: BulkWait :one
-- How many seconds it has to wait for its rate, by the database's clock.
SELECT GREATEST(0, EXTRACT(epoch FROM next_at - clock_timestamp()))::float8 AS seconds FROM weir.bulk_operations WHERE id = @id;

-- name: BulkLost :many
-- Those that go on by no job any more, or by one that is in a dead daemon's hand. Two jobs
-- are no matter: each item is done under the lock.
SELECT b.id FROM weir.bulk_operations b
 WHERE b.state = 'running' AND b.updated_at < now() - make_interval(secs => @silent_seconds::float8)
   AND NOT EXISTS (SELECT FROM weir.river_job j
                    WHERE j.id = b.job_id AND j.state IN ('available', 'pending', 'retryable', 'scheduled'))
 ORDER BY b.id;

-- name: BulkPrune :execrows
-- Removes the oldest of those that ended so many days ago. What began later has not ended
-- before, so the index of the beginnings bounds it.
DELETE FROM weir.bulk_operations
 WHERE ctid = ANY(ARRAY(
    SELECT b.ctid FROM weir.bulk_operations b
     WHERE b.frozen_at < now() - make_interval(days => @days::int)
       AND b.ended_at < now() - make_interval(days => @days::int)
     ORDER BY b.frozen_at
     LIMIT @page_size
     FOR UPDATE SKIP LOCKED));

-- The only statements that touch River's own table: River has no call for a job
-- whose owner died. A test runs them against each pinned River.

-- name: RiverJobDismiss :execrows
-- Ends a job that nobody is going to do, as it was seen, so that what a zombie answers
-- finds nothing to complete.
UPDATE weir.river_job SET state = 'cancelled', finalized_at = now()
 WHERE id = @id AND state::text = @state::text AND finalized_at IS NULL
   AND COALESCE(attempted_by[array_upper(attempted_by, 1)], '') = @owner::text;

-- name: RiverJobGiveBack :execrows
-- What an older boot of a host was running when it died, and no row of the host's names:
-- a transcode's, a store's or a package's has ended without it, the rest is for anybody.
UPDATE weir.river_job
   SET state = CASE WHEN kind IN ('transcode', 'store', 'package') THEN 'cancelled' ELSE 'available' END::weir.river_job_state,
       finalized_at = CASE WHEN kind IN ('transcode', 'store', 'package') THEN now() END
 WHERE state = 'running'
   AND split_part(attempted_by[array_upper(attempted_by, 1)], '_', 1) = @host_id::text
   AND attempted_by[array_upper(attempted_by, 1)] <> @client_id::text
   AND EXISTS (SELECT FROM weir.hosts h WHERE h.id = @host_id::text AND h.boot_id = @boot_id);

-- name: RiverJobForget :exec
-- Ends what waits in the queues of a host that never comes back, and what it had in hand of
-- them: all of it has ended without it.
UPDATE weir.river_job SET state = 'cancelled', finalized_at = now()
 WHERE queue = ANY (@queues::text[]) AND state IN ('available', 'pending', 'retryable', 'running', 'scheduled');

-- name: RiverJobFinalize :execrows
-- Ends a dead owner's row, so that a zombie's answer finds nothing to complete.
UPDATE weir.river_job SET state = 'cancelled', finalized_at = now()
 WHERE id = @id AND state = 'running'
   AND starts_with(attempted_by[array_upper(attempted_by, 1)], @host_id::text || '_');

-- name: RiverJobAhead :execrows
-- Jobs that are to be fetched now, by the clock of a client that is ahead of ours: River
-- dates a snooze so. It does the same on purpose for waits up to 5 s.
UPDATE weir.river_job SET scheduled_at = now()
 WHERE state = 'available' AND scheduled_at > now() + interval '10 seconds';

-- name: RiverJobLostCallbacks :many
-- Callbacks that no job delivers any more, or one that a dead daemon had in hand: Studio
-- takes a minute of silence for lost, and River's rescuer comes later. A daemon that no
-- row speaks of is believed for as long as a delivery may take.
SELECT c.id FROM weir.callbacks c
 WHERE c.state = 'pending'
   AND NOT EXISTS (SELECT FROM weir.river_job j
                     LEFT JOIN weir.leads l ON l.client_id = j.attempted_by[array_upper(j.attempted_by, 1)]
                    WHERE j.id = c.job_id AND (j.state IN ('available', 'pending', 'retryable', 'scheduled')
                       OR j.state = 'running' AND COALESCE(l.lease_until,
                              j.attempted_at + make_interval(secs => @delivery_seconds::float8)) > now()));

-- name: RiverJobLostAccepts :many
-- Requests of the inbox that no job accepts any more. Two that do are no matter: the row
-- goes to one of them.
SELECT i.id FROM weir.inbox i
 WHERE NOT EXISTS (SELECT FROM weir.river_job j
                    WHERE j.id = i.job_id AND (j.state IN ('available', 'pending', 'retryable', 'scheduled')
                       OR j.state = 'running' AND j.attempted_at + make_interval(secs => @accept_seconds::float8) > now()))
 ORDER BY i.id
 LIMIT @page_size;

-- name: RiverJobOpenOfCallback :many
-- The jobs that are to deliver a callback, as its arguments say ({"callback_id": ID}); the
-- next one to be worked comes first.
SELECT j.id, (j.state = 'running')::boolean AS running FROM weir.river_job j
 WHERE j.args @> @args::jsonb AND j.kind = 'callback'
   AND j.state IN ('available', 'pending', 'retryable', 'running', 'scheduled')
 ORDER BY j.state = 'running' DESC, j.scheduled_at, j.id;

-- name: RiverJobPlaceWaits :one
-- Whether a placement round is about to be fetched.
SELECT EXISTS (SELECT FROM weir.river_job
                WHERE queue = 'place' AND state = 'available' AND scheduled_at <= now());

-- name: RiverJobPlaceComes :one
-- Whether a placement round is due at a time.
SELECT EXISTS (SELECT FROM weir.river_job
                WHERE queue = 'place' AND state IN ('available', 'scheduled') AND scheduled_at = @due::timestamptz);

-- name: RiverQueuePaused :many
SELECT name FROM weir.river_queue WHERE paused_at IS NOT NULL ORDER BY name;

-- name: RiverJobDue :many
-- Which of some queues have a job to be fetched: what a daemon asks that does not LISTEN.
-- LATERAL keeps it to the first of each, whatever waits in others.
SELECT q.name::text AS queue FROM unnest(@queues::text[]) AS q(name),
       LATERAL (SELECT FROM weir.river_job j WHERE j.state = 'available' AND j.queue = q.name AND j.scheduled_at <= now() LIMIT 1) due;

-- name: RiverJobLook :many
-- How the jobs are that rows name.
SELECT j.id, j.kind, j.state::text AS state, j.queue, j.attempt::int AS attempt, j.max_attempts::int AS max_attempts,
       j.scheduled_at::timestamptz AS scheduled_at, j.attempted_at,
       COALESCE(j.attempted_by[array_upper(j.attempted_by, 1)], '')::text AS owner,
       COALESCE(j.errors[array_upper(j.errors, 1)]->>'error', '')::text AS last_error
  FROM weir.river_job j WHERE j.id = ANY(@ids::bigint[]) ORDER BY j.id;

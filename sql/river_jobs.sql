-- The only statements that touch River's own table: River has no call for a job
-- whose owner died. A test runs them against each pinned River.

-- name: RiverJobOrphans :many
-- Running jobs of an older boot of this host: its clients' ids are HOST_BOOT.
SELECT id, kind, queue, args, attempted_by FROM weir.river_job
 WHERE state = 'running'
   AND split_part(attempted_by[array_upper(attempted_by, 1)], '_', 1) = @host_id::text
   AND attempted_by[array_upper(attempted_by, 1)] <> @client_id::text
 ORDER BY id
 FOR UPDATE SKIP LOCKED;

-- name: RiverJobTaken :many
-- Jobs of these queues that this client fetched some time ago and has not ended.
SELECT id, kind, queue, args, attempted_by FROM weir.river_job
 WHERE state = 'running' AND queue = ANY(@queues::text[])
   AND attempted_by[array_upper(attempted_by, 1)] = @client_id::text
   AND attempted_at < now() - make_interval(secs => @older_seconds::float8)
 ORDER BY id;

-- name: RiverJobFinalize :execrows
-- Ends a dead owner's row, so that a zombie's answer finds nothing to complete.
UPDATE weir.river_job SET state = 'cancelled', finalized_at = now()
 WHERE id = @id AND state = 'running'
   AND starts_with(attempted_by[array_upper(attempted_by, 1)], @host_id::text || '_');

-- name: RiverJobLostTranscodes :many
-- A host's attempts that no job supervises any more.
SELECT a.transcode_id, a.number FROM weir.attempts a
 WHERE a.host_id = @host_id AND a.cleaned_at IS NULL
   AND NOT EXISTS (SELECT FROM weir.river_job j
                    WHERE j.id = a.job_id AND j.state IN ('available', 'pending', 'retryable', 'running', 'scheduled'));

-- name: RiverJobLostStores :many
-- A host's pushed files that no job stores any more. All are of the newest attempts of
-- open transcodes: a placement takes back what is not stored, an end fails it.
SELECT r.transcode_id, r.attempt, r.name FROM weir.transcodes t
  JOIN weir.renditions r ON r.transcode_id = t.id AND r.attempt = t.attempt
 WHERE t.host_id = @host_id::text AND t.state IN ('queued', 'placed', 'running', 'storing') AND r.state = 'pushed'
   AND NOT EXISTS (SELECT FROM weir.river_job j
                    WHERE j.id = r.job_id AND j.state IN ('available', 'pending', 'retryable', 'running', 'scheduled'));

-- name: RiverJobAhead :execrows
-- Jobs that are to be fetched now, by the clock of a client that is ahead of ours: River
-- dates a snooze so. It does the same on purpose for waits up to 5 s.
UPDATE weir.river_job SET scheduled_at = now()
 WHERE state = 'available' AND scheduled_at > now() + interval '10 seconds';

-- name: RiverJobLostCallbacks :many
-- Callbacks that no job delivers any more, or one that a dead host had in hand: Studio
-- takes a minute of silence for lost, and River's rescuer comes later.
SELECT c.id FROM weir.callbacks c
 WHERE c.state = 'pending'
   AND NOT EXISTS (SELECT FROM weir.river_job j
                    WHERE j.id = c.job_id AND (j.state IN ('available', 'pending', 'retryable', 'scheduled')
                       OR j.state = 'running' AND NOT EXISTS (SELECT FROM weir.hosts h WHERE h.lease_until < now()
                              AND starts_with(j.attempted_by[array_upper(j.attempted_by, 1)], h.id || '_'))));

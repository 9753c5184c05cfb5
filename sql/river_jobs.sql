-- The only statements that touch River's own table: River has no call for a job
-- whose owner died. A test runs them against each pinned River.

-- name: RiverJobOrphans :many
-- Running jobs of a host's queues whose owner is not this client: an older boot's.
SELECT id, kind, queue, args, attempted_by FROM weir.river_job
 WHERE state = 'running' AND queue = ANY(@queues::text[])
   AND attempted_by[array_upper(attempted_by, 1)] <> @client_id::text
 ORDER BY id
 FOR UPDATE SKIP LOCKED;

-- name: RiverJobFinalize :execrows
-- Ends a dead owner's row, so that a zombie's answer finds nothing to complete.
UPDATE weir.river_job SET state = 'cancelled', finalized_at = now()
 WHERE id = @id AND state = 'running' AND attempted_by[array_upper(attempted_by, 1)] = @owner::text;

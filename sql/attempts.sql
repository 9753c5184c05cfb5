-- name: AttemptInsert :exec
INSERT INTO weir.attempts (transcode_id, number, host_id, job_id)
SELECT unnest(@transcode_ids::uuid[]), unnest(@numbers::integer[]), unnest(@host_ids::text[]), unnest(@job_ids::bigint[]);

-- name: AttemptGet :one
SELECT * FROM weir.attempts WHERE transcode_id = @transcode_id AND number = @number;

-- name: AttemptList :many
SELECT * FROM weir.attempts WHERE transcode_id = @transcode_id ORDER BY number;

-- name: AttemptTakeUp :execrows
-- The newest boot of the attempt's host makes it its own; an older one can write no more.
UPDATE weir.attempts SET boot_id = @boot_id, job_id = @job_id, started_at = COALESCE(started_at, now())
 WHERE transcode_id = @transcode_id AND number = @number AND host_id = @host_id AND cleaned_at IS NULL
   AND EXISTS (SELECT FROM weir.hosts h WHERE h.id = @host_id AND h.boot_id = @boot_id);

-- name: AttemptOwn :one
-- Locks the attempt if this boot has it still; no row when another has taken it up.
SELECT number FROM weir.attempts
 WHERE transcode_id = @transcode_id AND number = @number AND boot_id = @boot_id
   FOR UPDATE;

-- name: AttemptSetFetched :execrows
UPDATE weir.attempts
   SET stage = 'fetched', source_bytes = @source_bytes, source_etag = @source_etag, source_identity = @source_identity,
       source_begins = @source_begins, fetched_at = now()
 WHERE transcode_id = @transcode_id AND number = @number AND boot_id = @boot_id AND stage = 'placed';

-- name: AttemptSetPrepared :execrows
UPDATE weir.attempts SET stage = 'prepared', prepared = @prepared, prepared_at = now()
 WHERE transcode_id = @transcode_id AND number = @number AND boot_id = @boot_id AND stage = 'fetched';

-- name: AttemptSetStarted :execrows
UPDATE weir.attempts
   SET stage = 'started', process = @process, process_started_at = now()
 WHERE transcode_id = @transcode_id AND number = @number AND boot_id = @boot_id AND stage = 'prepared';

-- name: AttemptStartAgain :execrows
-- Its process is stopped; the next one is started from what is prepared.
UPDATE weir.attempts
   SET stage = 'prepared', process = NULL,
       hung_starts = hung_starts + @hung_starts::int, reruns = reruns + @reruns::int
 WHERE transcode_id = @transcode_id AND number = @number AND boot_id = @boot_id AND stage = 'started' AND outcome IS NULL;

-- name: AttemptSetTranscoded :execrows
UPDATE weir.attempts SET stage = 'transcoded', transcoded_at = now()
 WHERE transcode_id = @transcode_id AND number = @number AND boot_id = @boot_id AND stage <> 'cleaned';

-- name: AttemptSetCleaned :execrows
UPDATE weir.attempts SET stage = 'cleaned', cleaned_at = now()
 WHERE transcode_id = @transcode_id AND number = @number AND cleaned_at IS NULL;

-- name: AttemptEnd :execrows
UPDATE weir.attempts
   SET outcome = @outcome::text, ended_at = now(),
       error_code = sqlc.narg('error_code'), error_stage = sqlc.narg('error_stage'),
       error_message = sqlc.narg('error_message'), error_detail = sqlc.narg('error_detail')
 WHERE transcode_id = @transcode_id AND number = @number AND outcome IS NULL;

-- name: AttemptListNewest :many
-- The newest attempt of each transcode.
SELECT a.* FROM weir.attempts a
  JOIN weir.transcodes t ON t.id = a.transcode_id AND t.attempt = a.number
 WHERE a.transcode_id = ANY(@transcode_ids::uuid[]);

-- name: AttemptSpoolNeeds :one
-- The folder is needed while its supervisor works, or a file of it is to be stored or packaged; what was
-- made of the source until Mist is done, or a copy of the source is stored. Files that wait to be stored may need that as well:
-- whether they are finished shows beside them.
SELECT (EXISTS (SELECT FROM weir.attempts a WHERE a.transcode_id = @transcode_id AND a.number = @number AND a.cleaned_at IS NULL)
    OR EXISTS (SELECT FROM weir.attempts a WHERE a.transcode_id = @transcode_id AND a.number = @number AND a.package_from IS NOT NULL AND a.outcome IS NULL)
    OR EXISTS (SELECT FROM weir.renditions r WHERE r.transcode_id = @transcode_id AND r.attempt = @number AND r.state = 'pushed'))::boolean AS folder,
       EXISTS (SELECT FROM weir.attempts a WHERE a.transcode_id = @transcode_id AND a.number = @number
                  AND (a.transcoded_at IS NULL AND a.cleaned_at IS NULL OR a.outcome IS NULL AND EXISTS (
                       SELECT FROM weir.outputs o WHERE o.transcode_id = a.transcode_id AND o.type = 'source' AND o.state = 'expected')))::boolean AS inputs,
       ARRAY (SELECT r.name FROM weir.renditions r
               WHERE r.transcode_id = @transcode_id AND r.attempt = @number AND r.state = 'pushed')::text[] AS pushed;

-- name: AttemptsKnown :many
-- Of some attempts those that rows know, and what of them is left to do.
SELECT a.transcode_id, a.number, a.cleaned_at,
       (a.package_from IS NOT NULL AND a.outcome IS NULL OR EXISTS (SELECT FROM weir.renditions r
                WHERE r.transcode_id = a.transcode_id AND r.attempt = a.number AND r.state = 'pushed'))::boolean AS storing
  FROM weir.attempts a
  JOIN (SELECT unnest(@transcodes::uuid[]) AS id, unnest(@numbers::int[]) AS number) f ON f.id = a.transcode_id AND f.number = a.number;

-- name: AttemptSetPackage :exec
-- Names the job that packages; the first one begins the time that there is for it.
UPDATE weir.attempts SET package_job_id = @job_id, package_from = COALESCE(package_from, now())
 WHERE transcode_id = @transcode_id AND number = @number AND outcome IS NULL;

-- name: AttemptSetPublish :execrows
-- From here on players may find what this attempt has packaged. Only the newest boot of the
-- host of the newest attempt may begin with it.
UPDATE weir.attempts a SET publish_from = COALESCE(a.publish_from, now())
  FROM weir.transcodes t, weir.hosts h
 WHERE a.transcode_id = @transcode_id AND a.number = @number AND a.package_from IS NOT NULL AND a.outcome IS NULL
   AND t.id = a.transcode_id AND t.attempt = a.number AND t.state IN ('running', 'storing')
   AND h.id = a.host_id AND h.id = @host_id AND h.boot_id = @boot_id AND h.lease_until > now();

-- name: AttemptSetJob :exec
UPDATE weir.attempts SET job_id = @job_id WHERE transcode_id = @transcode_id AND number = @number;

-- name: AttemptSetBroadcaster :exec
UPDATE weir.attempts SET broadcaster = @broadcaster
 WHERE transcode_id = @transcode_id AND number = @number AND boot_id = @boot_id;

-- name: AttemptListFailedBroadcasters :many
-- Those of attempts that failed with one of these codes.
SELECT DISTINCT broadcaster::text FROM weir.attempts
 WHERE transcode_id = @transcode_id AND outcome = 'failed' AND broadcaster IS NOT NULL AND error_code = ANY(@codes::text[]);

-- name: AttemptFailedBy :one
-- Whether an attempt of a transcode ended with a code.
SELECT EXISTS (SELECT FROM weir.attempts WHERE transcode_id = @transcode_id AND error_code = @error_code::text);

-- name: AttemptPace :one
-- How long a host's last transcodes took from the end of a stage to their own: in seconds,
-- for each byte of the source behind the fetch, for each second of media behind the others.
-- 0: nobody knows.
SELECT COALESCE(avg(EXTRACT(epoch FROM l.ended_at - l.fetched_at) / NULLIF(l.source_bytes, 0)), 0)::float8 AS byte_fetched,
       COALESCE(avg(EXTRACT(epoch FROM l.ended_at - l.prepared_at) * 1000 / l.source_duration_ms), 0)::float8 AS second_prepared,
       COALESCE(avg(EXTRACT(epoch FROM l.ended_at - l.pushed_at) * 1000 / l.source_duration_ms), 0)::float8 AS second_pushed
  FROM (SELECT a.fetched_at, a.prepared_at, a.ended_at, a.source_bytes, t.source_duration_ms,
               (SELECT max(r.pushed_at) FROM weir.renditions r WHERE r.transcode_id = t.id) AS pushed_at
          FROM (SELECT o.* FROM weir.transcodes o WHERE o.host_id = @host_id::text ORDER BY o.created_at DESC, o.id DESC LIMIT 20) t
          JOIN weir.attempts a ON a.transcode_id = t.id AND a.number = t.attempt AND a.outcome = 'succeeded'
         WHERE t.attempt = 1) l;

-- name: AttemptHoldSeconds :one
-- How long those of the last day's ends that succeeded held their slot, on average; none: 0.
-- OFFSET 0 keeps it from reading all attempts instead.
SELECT count(*) AS ended, COALESCE(avg(h.seconds), 0)::float8 AS seconds
  FROM (SELECT t.id, t.attempt FROM weir.transcodes t
         WHERE t.finished_at > now() - interval '1 day' ORDER BY t.finished_at DESC, t.id DESC LIMIT @page_size) l
 CROSS JOIN LATERAL (
    SELECT EXTRACT(epoch FROM COALESCE(a.transcoded_at, a.ended_at) - a.created_at) AS seconds FROM weir.attempts a
     WHERE a.transcode_id = l.id AND a.number = l.attempt AND a.outcome = 'succeeded' OFFSET 0) h;

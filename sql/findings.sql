-- What daemons find around them (jobs/doctor).

-- name: ExaminationInsert :exec
INSERT INTO weir.examinations (id, asked_by, only_, cheap, ends_at)
VALUES (@id, @asked_by, @only_, @cheap, now() + make_interval(secs => @seconds::float8));

-- name: ExaminationGet :one
-- No row: it is gone. Who comes too late is not asked any more.
SELECT only_, cheap, ends_at > now() AS open FROM weir.examinations WHERE id = @id;

-- name: ExaminationPrune :exec
-- Askings are of no use once they are answered; a day is for a person who looks.
DELETE FROM weir.examinations WHERE asked_at < now() - make_interval(secs => @kept_seconds::float8);

-- name: ExaminedInsert :exec
INSERT INTO weir.examined (examination_id, daemon, job_id) VALUES (@examination_id, @daemon, @job_id);

-- name: ExaminedList :many
SELECT daemon, answered_at FROM weir.examined WHERE examination_id = @examination_id ORDER BY daemon;

-- name: ExaminedAnswer :execrows
UPDATE weir.examined SET answered_at = now()
 WHERE examination_id = @examination_id AND daemon = @daemon AND answered_at IS NULL;

-- name: ExaminedSilent :many
-- Who did not answer the newest asking that has ended.
SELECT d.daemon, e.asked_at FROM weir.examinations e JOIN weir.examined d ON d.examination_id = e.id
 WHERE d.answered_at IS NULL
   AND e.id = (SELECT n.id FROM weir.examinations n WHERE n.ends_at < now() AND n.cheap ORDER BY n.asked_at DESC LIMIT 1)
 ORDER BY d.daemon;

-- name: ExamineHosts :many
-- Whom to ask: hosts that were not stopped. One that was lost long ago is no news, and one
-- that was forgotten is not missed.
SELECT id, up, lease_until > now() AS alive, lease_until, seen_at FROM weir.hosts
 WHERE up AND forgotten_at IS NULL AND seen_at > now() - interval '7 days' ORDER BY id;

-- name: ExamineLeads :one
SELECT count(*) FROM weir.leads WHERE lease_until > now();

-- name: FindingSet :exec
-- `since` stays while the verdict does.
INSERT INTO weir.findings AS f (daemon, code, subject, verdict, evidence, mend, took_ms)
VALUES (@daemon, @code, @subject, @verdict, @evidence, @mend, @took_ms)
ON CONFLICT (daemon, code, subject) DO UPDATE
   SET verdict = excluded.verdict, evidence = excluded.evidence, mend = excluded.mend, took_ms = excluded.took_ms,
       found_at = now(), since = CASE WHEN f.verdict = excluded.verdict THEN f.since ELSE now() END;

-- name: FindingDrop :exec
-- What was looked for again and is not there any more: a store that was removed.
DELETE FROM weir.findings WHERE daemon = @daemon AND code = ANY (@codes::text[]) AND found_at < now();

-- name: FindingForget :exec
-- Of daemons that nobody asks any more.
DELETE FROM weir.findings WHERE found_at < now() - make_interval(secs => @kept_seconds::float8);

-- name: FindingDropOf :exec
-- Of one of them.
DELETE FROM weir.findings WHERE daemon = @daemon;

-- name: FindingList :many
SELECT * FROM weir.findings ORDER BY daemon, code, subject;

-- name: ReceiverList :many
-- Where open transcodes are told of, by the host and port in what is shown.
SELECT (split_part(t.callback_url, '/', 1) || '//' || weir.receiver_of(t.callback_url))::text AS receiver, count(*) AS transcodes
  FROM weir.transcodes t
 WHERE t.state IN ('queued', 'placed', 'running', 'storing') AND (starts_with(t.callback_url, 'http://') OR starts_with(t.callback_url, 'https://'))
 GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT @page_size;

-- name: StoreListAll :many
SELECT * FROM weir.stores ORDER BY tenant, name;

-- name: DatabaseClock :one
SELECT clock_timestamp()::timestamptz AS now;

-- name: DatabaseSettings :one
SELECT current_setting('server_version_num')::int AS version_num, current_setting('server_version')::text AS version,
       current_setting('fsync')::text AS fsync, current_setting('full_page_writes')::text AS full_page_writes,
       current_setting('autovacuum')::text AS autovacuum, current_setting('synchronous_commit')::text AS synchronous_commit,
       current_setting('track_counts')::text AS track_counts,
       current_setting('max_connections')::int AS max_connections, current_setting('superuser_reserved_connections')::int AS reserved,
       pg_is_in_recovery() AS standby, current_database()::text AS database, current_user::text AS role;

-- name: DatabaseBounds :one
-- The bounds that a connection works under; what is 0 is waited for without end.
SELECT current_setting('statement_timeout')::text AS statement_timeout, current_setting('lock_timeout')::text AS lock_timeout,
       current_setting('idle_in_transaction_session_timeout')::text AS idle_in_transaction;

-- name: DatabasePlanning :one
-- How what is prepared on a connection is planned.
SELECT current_setting('plan_cache_mode')::text AS plan_cache_mode, current_setting('enable_seqscan')::text AS enable_seqscan,
       current_setting('jit')::text AS jit;

-- name: StatementPrepared :one
-- Whether Postgres has a prepared statement of that name on this connection.
SELECT EXISTS (SELECT FROM pg_prepared_statement() s WHERE s.name = @name::text);

-- name: RiverLeader :many
SELECT leader_id, expires_at > now() AS alive FROM weir.river_leader;

-- name: RiverQueuesPaused :many
SELECT name, extract(epoch FROM now() - paused_at)::float8 AS seconds FROM weir.river_queue WHERE paused_at IS NOT NULL ORDER BY name;

-- name: RiverJobsLate :many
-- Jobs that are due and that nobody fetches, by queue. A store or a callback that waits its
-- turn is scheduled anew, so being late is a queue that nobody works on, or too much work.
SELECT queue, count(*) AS jobs, extract(epoch FROM now() - min(scheduled_at))::float8 AS seconds FROM (
    SELECT j.queue, j.scheduled_at FROM weir.river_job j
     WHERE j.state = 'available' AND j.scheduled_at < now() - make_interval(secs => @late_seconds::float8)
     ORDER BY j.scheduled_at LIMIT 1000) late
 GROUP BY queue ORDER BY 3 DESC;

-- name: RiverJobsOrphaned :many
-- Jobs that run, by their rows, in the hands of daemons whose lease ended.
SELECT split_part(j.attempted_by[array_upper(j.attempted_by, 1)], '_', 1)::text AS host, count(*) AS jobs
  FROM weir.river_job j
 WHERE j.state = 'running' AND j.attempted_at < now() - interval '2 minutes'
   AND NOT EXISTS (SELECT FROM weir.hosts h WHERE h.id = split_part(j.attempted_by[array_upper(j.attempted_by, 1)], '_', 1) AND h.lease_until > now())
   AND NOT EXISTS (SELECT FROM weir.leads l WHERE l.client_id = j.attempted_by[array_upper(j.attempted_by, 1)] AND l.lease_until > now())
 GROUP BY 1 ORDER BY 2 DESC;

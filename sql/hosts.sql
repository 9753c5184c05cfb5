-- name: HostBoot :one
-- A daemon starts on this host. Its boot id fences what an older boot still writes. No
-- row: another machine, with another spool, holds the host by a lease that runs.
INSERT INTO weir.hosts AS h (id, boot_id, slots, lease_until, weir_version, mist_version, mist_iid, mist_silent_from, spool_id, spool_room_bytes)
VALUES (@id, @boot_id, @slots, now() + make_interval(secs => @lease_seconds::float8), @weir_version, @mist_version, @mist_iid, CASE WHEN NOT @mist_answers::boolean THEN now() END, @spool_id, @spool_room_bytes)
ON CONFLICT (id) DO UPDATE
   SET boot_id = excluded.boot_id, up = true, slots = excluded.slots, lease_until = excluded.lease_until,
       weir_version = excluded.weir_version, mist_version = excluded.mist_version, mist_iid = excluded.mist_iid,
       mist_silent_from = excluded.mist_silent_from, spool_id = excluded.spool_id,
       spool_room_bytes = excluded.spool_room_bytes, booted_at = now(), seen_at = now(), forgotten_at = NULL
 WHERE h.spool_id IS NULL OR h.spool_id = excluded.spool_id OR h.lease_until < now()
RETURNING *;

-- name: HostRenew :one
-- No row: a newer boot has the host, and this one must stop. Gives the database's time.
UPDATE weir.hosts
   SET lease_until = now() + make_interval(secs => @lease_seconds::float8), mist_version = @mist_version, mist_iid = @mist_iid,
       mist_silent_from = CASE WHEN @mist_answers::boolean THEN NULL ELSE COALESCE(mist_silent_from, now()) END,
       spool_room_bytes = @spool_room_bytes, seen_at = now(), forgotten_at = NULL
 WHERE id = @id AND boot_id = @boot_id
RETURNING seen_at;

-- name: HostLookVersions :many
-- All attempts of a host that are not cleaned up, and of which version their rows are: another
-- whenever one of them was written, as xmin is the transaction that wrote a row; and on another
-- server, as what a failover has lost had transactions of the same numbers.
SELECT a.transcode_id, a.number,
       concat_ws(' ', pg_postmaster_start_time(), a.xmin, t.xmin, (SELECT string_agg(concat(r.ordinal, ':', r.xmin), ' ' ORDER BY r.ordinal)
                                                                     FROM weir.renditions r WHERE r.transcode_id = a.transcode_id))::text AS version
  FROM weir.attempts a
  JOIN weir.transcodes t ON t.id = a.transcode_id
 WHERE a.host_id = @host_id AND a.cleaned_at IS NULL
 ORDER BY a.transcode_id, a.number;

-- name: HostLookAt :many
-- The attempts of some transcodes that are not cleaned up, with their renditions.
SELECT sqlc.embed(a), sqlc.embed(t), sqlc.embed(r)
  FROM weir.attempts a
  JOIN weir.transcodes t ON t.id = a.transcode_id
  JOIN weir.renditions r ON r.transcode_id = a.transcode_id
 WHERE a.transcode_id = ANY(@transcodes::uuid[]) AND a.host_id = @host_id AND a.cleaned_at IS NULL
 ORDER BY a.transcode_id, a.number, r.ordinal;

-- name: HostLookAtUnplanned :many
-- Those of them that have no renditions yet: their source is to be probed first.
SELECT sqlc.embed(a), sqlc.embed(t)
  FROM weir.attempts a
  JOIN weir.transcodes t ON t.id = a.transcode_id
 WHERE a.transcode_id = ANY(@transcodes::uuid[]) AND a.host_id = @host_id AND a.cleaned_at IS NULL
   AND NOT EXISTS (SELECT FROM weir.renditions r WHERE r.transcode_id = a.transcode_id);

-- name: HostIdle :one
-- Whether a host has nothing in hand: then HostLookVersions, HostWork and RiverJobGiveBack
-- find nothing, whose planning is most of what an idle host costs.
SELECT (NOT EXISTS (SELECT FROM weir.attempts a WHERE a.host_id = @host_id::text AND a.cleaned_at IS NULL)
    AND NOT EXISTS (SELECT FROM weir.transcodes t WHERE t.host_id = @host_id::text AND t.state IN ('queued', 'placed', 'running', 'storing'))
    AND NOT EXISTS (SELECT FROM weir.river_job j
                     WHERE j.state = 'running' AND split_part(j.attempted_by[array_upper(j.attempted_by, 1)], '_', 1) = @host_id::text))::boolean AS idle;

-- name: HostWork :many
-- What a host's jobs have to do, and the job that each row names: every attempt that is
-- not cleaned up, every file that is not stored, what is not packaged. All of those are of the newest attempts of
-- open transcodes: a placement takes back what is not stored, an end fails it.
SELECT a.transcode_id, a.number AS attempt, ''::text AS rendition, false AS package, a.job_id AS named,
       j.id AS job_id, COALESCE(j.state::text, '')::text AS job_state, COALESCE(j.queue, '')::text AS job_queue, j.scheduled_at, j.attempted_at,
       COALESCE(j.attempted_by[array_upper(j.attempted_by, 1)], '')::text AS owner
  FROM weir.attempts a LEFT JOIN weir.river_job j ON j.id = a.job_id
 WHERE a.host_id = @host_id AND a.cleaned_at IS NULL
UNION ALL
SELECT r.transcode_id, r.attempt, r.name, false, r.job_id,
       j.id, COALESCE(j.state::text, ''), COALESCE(j.queue, ''), j.scheduled_at, j.attempted_at,
       COALESCE(j.attempted_by[array_upper(j.attempted_by, 1)], '')
  FROM weir.transcodes t
  JOIN weir.renditions r ON r.transcode_id = t.id AND r.attempt = t.attempt
  LEFT JOIN weir.river_job j ON j.id = r.job_id
 WHERE t.host_id = @host_id AND t.state IN ('queued', 'placed', 'running', 'storing') AND r.state = 'pushed'
UNION ALL
SELECT a.transcode_id, a.number, '', true, a.package_job_id,
       j.id, COALESCE(j.state::text, ''), COALESCE(j.queue, ''), j.scheduled_at, j.attempted_at,
       COALESCE(j.attempted_by[array_upper(j.attempted_by, 1)], '')
  FROM weir.transcodes t
  JOIN weir.attempts a ON a.transcode_id = t.id AND a.number = t.attempt
  LEFT JOIN weir.river_job j ON j.id = a.package_job_id
 WHERE t.host_id = @host_id AND t.state IN ('running', 'storing') AND a.package_from IS NOT NULL AND a.outcome IS NULL;

-- name: HostOfSpool :one
-- Another host that lives on this spool.
SELECT id FROM weir.hosts WHERE spool_id = @spool_id AND id <> @id AND lease_until > now() LIMIT 1;

-- name: IdentityGet :one
-- Which database this is.
SELECT id FROM weir.identity;

-- name: HostOwn :one
-- Keeps a newer boot from taking the host until the transaction ends; no row when
-- one has.
SELECT id FROM weir.hosts WHERE id = @id AND boot_id = @boot_id FOR SHARE;

-- name: HostStop :exec
-- A soft stop: what runs here goes on and waits for the next boot for as long as
-- the lease says; nothing new is placed meanwhile.
UPDATE weir.hosts SET up = false, lease_until = now() + make_interval(secs => @lease_seconds::float8)
 WHERE id = @id AND boot_id = @boot_id;

-- name: HostDrain :execrows
UPDATE weir.hosts
   SET draining = @draining::boolean, drained_at = CASE WHEN @draining::boolean THEN COALESCE(drained_at, now()) END,
       drained_by = CASE WHEN @draining::boolean THEN @drained_by::text END, drain_reason = CASE WHEN @draining::boolean THEN @drain_reason::text END
 WHERE id = @id AND forgotten_at IS NULL;

-- name: HostListDead :many
-- Hosts whose lease has ended with transcodes in hand.
SELECT h.id FROM weir.hosts h
 WHERE h.lease_until < now()
   AND EXISTS (SELECT FROM weir.transcodes t WHERE t.host_id = h.id AND t.state IN ('placed', 'running', 'storing'))
 ORDER BY h.id;

-- name: HostGetDead :one
-- Locks a host whose lease has ended, so that it can't renew meanwhile; no row when
-- it has, or when another daemon is at it.
SELECT id FROM weir.hosts WHERE id = @id AND lease_until < now() FOR UPDATE SKIP LOCKED;

-- name: HostList :many
SELECT sqlc.embed(h),
       (SELECT count(*) FROM weir.transcodes t WHERE t.host_id = h.id AND t.state IN ('placed', 'running')) AS used,
       (SELECT count(*) FROM weir.transcodes t WHERE t.host_id = h.id AND t.state = 'storing') AS storing,
       h.lease_until > now() AS alive
  FROM weir.hosts h WHERE h.forgotten_at IS NULL ORDER BY h.id;

-- name: HostGetForUpdate :one
-- Keeps a host from renewing its lease meanwhile.
SELECT sqlc.embed(h), h.lease_until > now() AS alive FROM weir.hosts h WHERE h.id = @id AND h.forgotten_at IS NULL FOR UPDATE;

-- name: HostHolds :many
-- What a host has in hand, the oldest first.
SELECT t.id, t.tenant, t.external_id, t.state, t.attempt, t.ratio, t.progress, t.source_duration_ms, a.stage, a.created_at,
       (a.package_from IS NOT NULL AND a.outcome IS NULL)::boolean AS packaging
  FROM weir.transcodes t JOIN weir.attempts a ON a.transcode_id = t.id AND a.number = t.attempt
 WHERE t.host_id = @host_id::text AND t.state IN ('placed', 'running', 'storing')
 ORDER BY a.created_at, t.id LIMIT @page_size;

-- name: HostUncleaned :one
-- How many ended attempts it has still to clean up behind; counting ends at a number.
SELECT count(*) FROM (SELECT FROM weir.attempts a WHERE a.host_id = @host_id AND a.cleaned_at IS NULL AND a.outcome IS NOT NULL LIMIT @page_size) u;

-- name: HostForget :execrows
-- What it had not cleaned up is taken for gone with it.
WITH gone AS (
    UPDATE weir.attempts SET stage = 'cleaned', cleaned_at = now() WHERE host_id = @id AND cleaned_at IS NULL
)
UPDATE weir.hosts SET forgotten_at = now() WHERE id = @id AND lease_until < now() AND forgotten_at IS NULL;

-- name: HostFree :many
-- Hosts that may take work, with their slots and how many are free; and, with each, how many
-- urgent transcodes hold one of any. A storing transcode holds none. What hosts have and what is
-- held of it are summed up together: a join of the two is planned as one of a few rows where
-- nothing ran when somebody last counted, and then compares each host with each.
WITH held AS MATERIALIZED (
    SELECT t.host_id, count(*) AS slots, count(*) FILTER (WHERE t.priority <= 2) AS urgent FROM weir.transcodes t
     WHERE t.state IN ('placed', 'running') GROUP BY t.host_id
)
SELECT o.id, sum(o.slots)::int AS slots, sum(o.slots - o.held)::int AS free,
       (SELECT COALESCE(sum(u.urgent), 0) FROM held u)::bigint AS urgent_held
  FROM (SELECT h.id, h.slots, 0 AS held FROM weir.hosts h
         WHERE h.lease_until > now() AND h.up AND NOT h.draining AND h.spool_room_bytes > 0 AND h.mist_silent_from IS NULL
        UNION ALL
        SELECT held.host_id, 0, held.slots FROM held) o
 GROUP BY o.id HAVING sum(o.slots) > 0
 ORDER BY o.id;

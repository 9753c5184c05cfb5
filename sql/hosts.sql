-- name: HostBoot :one
-- A daemon starts on this host. Its boot id fences what an older boot still writes.
INSERT INTO weir.hosts (id, boot_id, slots, lease_until, weir_version, mist_version, mist_iid, spool_room_bytes)
VALUES (@id, @boot_id, @slots, now() + make_interval(secs => @lease_seconds::float8), @weir_version, @mist_version, @mist_iid, @spool_room_bytes)
ON CONFLICT (id) DO UPDATE
   SET boot_id = excluded.boot_id, up = true, slots = excluded.slots, lease_until = excluded.lease_until,
       weir_version = excluded.weir_version, mist_version = excluded.mist_version, mist_iid = excluded.mist_iid,
       spool_room_bytes = excluded.spool_room_bytes, booted_at = now(), seen_at = now()
RETURNING *;

-- name: HostRenew :one
-- No row: a newer boot has the host, and this one must stop. Gives the database's time.
UPDATE weir.hosts
   SET lease_until = now() + make_interval(secs => @lease_seconds::float8), mist_version = @mist_version, mist_iid = @mist_iid,
       spool_room_bytes = @spool_room_bytes, seen_at = now()
 WHERE id = @id AND boot_id = @boot_id
RETURNING seen_at;

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
UPDATE weir.hosts SET draining = @draining WHERE id = @id;

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
  FROM weir.hosts h ORDER BY h.id;

-- name: HostFree :many
-- Hosts that may take work, with their free slots. A storing transcode holds no slot.
SELECT h.id,
       (h.slots - (SELECT count(*) FROM weir.transcodes t WHERE t.host_id = h.id AND t.state IN ('placed', 'running')))::int AS free
  FROM weir.hosts h
 WHERE h.lease_until > now() AND h.up AND NOT h.draining AND h.spool_room_bytes > 0
 ORDER BY h.id;

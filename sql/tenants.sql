-- name: TenantGet :one
SELECT * FROM weir.tenants WHERE name = @name;

-- name: TenantList :many
-- Those with a row, and those that hold or wait for a slot.
WITH RECURSIVE waiting AS (
    (SELECT t.tenant FROM weir.transcodes t WHERE t.state = 'queued' ORDER BY t.tenant LIMIT 1)
    UNION ALL
    SELECT (SELECT t.tenant FROM weir.transcodes t WHERE t.state = 'queued' AND t.tenant > w.tenant ORDER BY t.tenant LIMIT 1)
      FROM waiting w WHERE w.tenant IS NOT NULL
), held AS (
    SELECT t.tenant, count(*) FILTER (WHERE t.state <> 'storing') AS slots, count(*) FILTER (WHERE t.state = 'storing') AS storing
      FROM weir.transcodes t WHERE t.state IN ('placed', 'running', 'storing') GROUP BY t.tenant
), names AS (
    SELECT name FROM weir.tenants UNION SELECT tenant FROM waiting WHERE tenant IS NOT NULL UNION SELECT tenant FROM held
)
SELECT names.name::text AS name, COALESCE(n.weight, 1)::int AS weight, n.running_most, n.queued_most, n.spool_percent, n.hosts,
       n.paused_at, n.paused_by, n.pause_reason,
       COALESCE(held.slots, 0)::bigint AS running, COALESCE(held.storing, 0)::bigint AS storing,
       (SELECT count(*) FROM (SELECT FROM weir.transcodes t WHERE t.tenant = names.name AND t.state = 'queued' LIMIT @page_size) q) AS queued,
       COALESCE(EXTRACT(epoch FROM now() - first.created_at), 0)::float8 AS waits_seconds
  FROM names LEFT JOIN weir.tenants n ON n.name = names.name LEFT JOIN held ON held.tenant = names.name
  LEFT JOIN LATERAL (SELECT t.created_at FROM weir.transcodes t WHERE t.tenant = names.name AND t.state = 'queued'
                      ORDER BY weir.turn_of(t.created_at, t.priority), t.id LIMIT 1) first ON true
 WHERE sqlc.narg('tenant')::text IS NULL OR names.name = sqlc.narg('tenant')
 ORDER BY names.name;

-- name: TenantMake :exec
-- A row with the defaults, for one that has none.
INSERT INTO weir.tenants (name) VALUES (@name) ON CONFLICT DO NOTHING;

-- name: TenantGetForUpdate :one
SELECT * FROM weir.tenants WHERE name = @name FOR UPDATE;

-- name: TenantSet :exec
UPDATE weir.tenants
   SET weight = @weight, running_most = sqlc.narg('running_most'), queued_most = sqlc.narg('queued_most'),
       spool_percent = sqlc.narg('spool_percent'), hosts = sqlc.narg('hosts'), updated_at = now()
 WHERE name = @name;

-- name: TenantPause :exec
-- Pausing again says why now.
UPDATE weir.tenants SET paused_at = COALESCE(paused_at, now()), paused_by = @paused_by::text, pause_reason = @pause_reason::text, updated_at = now()
 WHERE name = @name;

-- name: TenantResume :execrows
UPDATE weir.tenants SET paused_at = NULL, paused_by = NULL, pause_reason = NULL, updated_at = now()
 WHERE name = @name AND paused_at IS NOT NULL;

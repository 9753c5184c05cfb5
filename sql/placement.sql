-- name: PlacementGet :one
SELECT * FROM weir.placement;

-- name: PlacementPause :exec
-- Nothing is placed until PlacementResume. Pausing again says why now.
UPDATE weir.placement SET paused_at = COALESCE(paused_at, now()), paused_by = @paused_by::text, pause_reason = @pause_reason::text;

-- name: PlacementResume :execrows
UPDATE weir.placement SET paused_at = NULL, paused_by = NULL, pause_reason = NULL WHERE paused_at IS NOT NULL;

-- name: PlacementLook :one
-- What decides about a tenant's turn: whether it, or all, are paused, what it may have and
-- has, and whom it shares the slots with. Counting what waits ends at a number.
WITH RECURSIVE waiting AS (
    (SELECT t.tenant FROM weir.transcodes t WHERE t.state = 'queued' ORDER BY t.tenant LIMIT 1)
    UNION ALL
    SELECT (SELECT t.tenant FROM weir.transcodes t WHERE t.state = 'queued' AND t.tenant > w.tenant ORDER BY t.tenant LIMIT 1)
      FROM waiting w WHERE w.tenant IS NOT NULL
), held AS (
    SELECT t.tenant, count(*) AS slots, count(*) FILTER (WHERE t.priority <= 2) AS urgent FROM weir.transcodes t
     WHERE t.state IN ('placed', 'running') GROUP BY t.tenant
)
SELECT p.paused_at, p.paused_by, p.pause_reason,
       COALESCE(n.weight, 1)::int AS weight, n.running_most, n.hosts,
       n.paused_at AS tenant_paused_at, n.paused_by AS tenant_paused_by, n.pause_reason AS tenant_pause_reason,
       COALESCE((SELECT h.slots FROM held h WHERE h.tenant = @tenant::text), 0)::bigint AS held,
       COALESCE((SELECT sum(h.urgent) FROM held h), 0)::bigint AS urgent_held,
       COALESCE((SELECT sum(COALESCE(o.weight, 1)) FROM waiting w LEFT JOIN weir.tenants o ON o.name = w.tenant
                  WHERE w.tenant IS NOT NULL AND o.paused_at IS NULL), 0)::bigint AS weights,
       (SELECT count(*) FROM (SELECT FROM weir.transcodes t WHERE t.state = 'queued' LIMIT @page_size) q) AS queued
  FROM weir.placement p LEFT JOIN weir.tenants n ON n.name = @tenant::text;

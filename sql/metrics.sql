-- What a scrape of /metrics reads of the whole. Each is capped: it costs about the same
-- whatever waits, and whatever was ever done.

-- name: MetricsQueue :many
-- What waits, by tenant and class, of each tenant the first of its queue, and for how long
-- the longest of those has that may be placed now; held: its tenant may not have any more.
WITH RECURSIVE waiting AS (
    (SELECT t.tenant FROM weir.transcodes t WHERE t.state = 'queued' ORDER BY t.tenant LIMIT 1)
    UNION ALL
    SELECT (SELECT t.tenant FROM weir.transcodes t WHERE t.state = 'queued' AND t.tenant > w.tenant ORDER BY t.tenant LIMIT 1)
      FROM waiting w WHERE w.tenant IS NOT NULL
), shown AS (
    SELECT w.tenant FROM waiting w WHERE w.tenant IS NOT NULL LIMIT @most_tenants
), running AS (
    SELECT t.tenant, count(*) AS slots FROM weir.transcodes t WHERE t.state IN ('placed', 'running') GROUP BY t.tenant
)
SELECT s.tenant::text AS tenant, (q.priority <= 2)::boolean AS urgent, count(*) AS waiting,
       COALESCE(max(EXTRACT(epoch FROM now() - GREATEST(q.run_at, q.not_before))) FILTER (WHERE q.not_before <= now()), 0)::float8 AS oldest_seconds,
       COALESCE(bool_or(n.paused_at IS NOT NULL OR n.running_most <= COALESCE(running.slots, 0) OR n.hosts IS NOT NULL), false)::boolean AS held
  FROM shown s
  LEFT JOIN weir.tenants n ON n.name = s.tenant
  LEFT JOIN running ON running.tenant = s.tenant
  CROSS JOIN LATERAL (
    SELECT t.priority, t.run_at, t.not_before FROM weir.transcodes t
     WHERE t.tenant = s.tenant AND t.state = 'queued'
     ORDER BY weir.turn_of(t.created_at, t.priority), t.id LIMIT @page_size) q
 GROUP BY s.tenant, (q.priority <= 2);

-- name: MetricsCallbacks :one
-- What Studio and other receivers have not been told yet.
SELECT (SELECT count(*) FROM (SELECT FROM weir.callbacks c WHERE c.state = 'pending' LIMIT @page_size) p) AS pending,
       COALESCE((SELECT EXTRACT(epoch FROM now() - c.created_at) FROM weir.callbacks c WHERE c.state = 'pending'
                  ORDER BY c.created_at, c.id LIMIT 1), 0)::float8 AS oldest_seconds,
       (SELECT count(*) FROM (SELECT FROM weir.event_deliveries d WHERE d.state = 'pending' LIMIT @page_size) p) AS deliveries,
       COALESCE((SELECT EXTRACT(epoch FROM now() - min(p.created_at)) FROM (
                  SELECT d.created_at FROM weir.event_deliveries d WHERE d.state = 'pending' LIMIT @page_size) p), 0)::float8 AS oldest_delivery_seconds;

-- name: MetricsEventsFrom :one
-- Where counting begins.
SELECT COALESCE(weir.events_settled(), 0)::bigint AS id;

-- name: MetricsEvents :many
-- What has happened behind an event, counted; tried: to one that had an attempt.
SELECT e.type, e.tenant, COALESCE(e.error_code, '')::text AS error_code, (e.attempt > 0)::boolean AS tried, count(*) AS happened, max(e.id)::bigint AS last
  FROM (SELECT o.id, o.type, o.tenant, o.error_code, o.attempt FROM weir.events o
         WHERE o.id > @after AND o.id <= @settled ORDER BY o.id LIMIT @page_size) e
 GROUP BY e.type, e.tenant, e.error_code, (e.attempt > 0);

-- name: MetricsLeads :one
-- Daemons that lead, and whether one of them is River's leader.
SELECT (SELECT count(*) FROM weir.leads l WHERE l.lease_until > now()) AS leads,
       EXISTS (SELECT FROM weir.river_leader r WHERE r.expires_at > now())::boolean AS leader;

-- name: MetricsDatabase :one
-- How long the oldest transaction has been open, of those that the schema's owner may see; and for how
-- many transactions, of anybody, nothing can be vacuumed.
SELECT weir.oldest_transaction_seconds()::float8 AS oldest_seconds,
       (pg_snapshot_xmax(pg_current_snapshot())::text::bigint - pg_snapshot_xmin(pg_current_snapshot())::text::bigint)::bigint AS held;

-- name: MetricsTables :many
SELECT s.name::text AS name, s.live::bigint AS live, s.dead::bigint AS dead FROM weir.table_rows() s;

-- name: MetricsHistory :one
-- How old the oldest of each history is; 0: there is none.
SELECT COALESCE((SELECT EXTRACT(epoch FROM now() - t.finished_at) FROM weir.transcodes t WHERE t.finished_at IS NOT NULL ORDER BY t.finished_at, t.id LIMIT 1), 0)::float8 AS transcodes,
       COALESCE((SELECT EXTRACT(epoch FROM now() - m.received_at) FROM weir.mist_events m ORDER BY m.received_at LIMIT 1), 0)::float8 AS triggers,
       COALESCE((SELECT EXTRACT(epoch FROM now() - e.created_at) FROM weir.events e ORDER BY e.id LIMIT 1), 0)::float8 AS events,
       COALESCE((SELECT EXTRACT(epoch FROM now() - a.sent_at) FROM weir.callback_attempts a ORDER BY a.sent_at LIMIT 1), 0)::float8 AS callback_attempts;

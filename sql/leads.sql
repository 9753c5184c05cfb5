-- name: LeadRenew :exec
-- Keeps a daemon that leads alive in the rows, and drops those that are long gone.
WITH gone AS (
    DELETE FROM weir.leads WHERE client_id <> @client_id AND lease_until < now() - make_interval(secs => @kept_seconds::float8)
)
INSERT INTO weir.leads (client_id, lease_until, urgent_percent)
VALUES (@client_id, now() + make_interval(secs => @lease_seconds::float8), @urgent_percent)
ON CONFLICT (client_id) DO UPDATE SET lease_until = excluded.lease_until, urgent_percent = excluded.urgent_percent;

-- name: LeadLook :one
-- How many daemons lead, what of all slots they keep for the urgent, and what time it is.
SELECT now()::timestamptz AS now, count(*) FILTER (WHERE lease_until > now()) AS alive,
       COALESCE(max(urgent_percent) FILTER (WHERE lease_until > now()), 0)::int AS urgent_percent
  FROM weir.leads;

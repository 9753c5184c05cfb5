-- name: LeadRenew :exec
-- Keeps a daemon that leads alive in the rows, and drops those that are long gone.
WITH gone AS (
    DELETE FROM weir.leads WHERE client_id <> @client_id AND lease_until < now() - make_interval(secs => @kept_seconds::float8)
)
INSERT INTO weir.leads (client_id, lease_until)
VALUES (@client_id, now() + make_interval(secs => @lease_seconds::float8))
ON CONFLICT (client_id) DO UPDATE SET lease_until = excluded.lease_until;

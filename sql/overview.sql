-- name: OverviewEnds :many
-- What ended within the last hour, by slices of it; the newest page_size of them.
SELECT (EXTRACT(epoch FROM now() - e.finished_at) / @slice_seconds::float8)::int AS slice, e.state, count(*) AS ended
  FROM (SELECT t.finished_at, t.state FROM weir.transcodes t
         WHERE t.finished_at > now() - interval '1 hour' ORDER BY t.finished_at DESC, t.id DESC LIMIT @page_size) e
 GROUP BY 1, 2;

-- name: OverviewDays :many
-- What ended on each of the last days, of all tenants.
SELECT u.day, sum(u.succeeded)::bigint AS succeeded, sum(u.failed)::bigint AS failed, sum(u.cancelled)::bigint AS cancelled
  FROM weir.usage u WHERE u.day > now()::date - @days::int GROUP BY u.day ORDER BY u.day;

-- name: OverviewFailures :many
-- Why transcodes failed that were accepted in the last day, the newest page_size of them.
SELECT f.error_code::text AS code, count(*) AS failed, max(f.created_at)::timestamptz AS newest
  FROM (SELECT t.error_code, t.created_at FROM weir.transcodes t
         WHERE t.state = 'failed' AND t.created_at > now() - interval '1 day' ORDER BY t.created_at DESC, t.id DESC LIMIT @page_size) f
 GROUP BY f.error_code ORDER BY count(*) DESC, f.error_code;

-- name: OverviewCallbacks :many
-- Callbacks that are not taken, page_size of a state at the most, and the oldest that waits.
SELECT s.state::text AS state, c.told, c.oldest::timestamptz AS oldest
  FROM (VALUES ('pending'), ('refused'), ('expired')) AS s (state)
 CROSS JOIN LATERAL (
    SELECT count(*) AS told, COALESCE(min(q.created_at), now()) AS oldest
      FROM (SELECT k.created_at FROM weir.callbacks k WHERE k.state = s.state AND k.state <> 'delivered'
             ORDER BY k.created_at DESC, k.id DESC LIMIT @page_size) q) c;

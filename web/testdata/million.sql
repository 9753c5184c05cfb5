-- A million transcodes that ended within the last month, and 500 that wait. Neither foreign
-- keys nor the triggers that watch over states are in question here.
SET session_replication_role = replica;
SET statement_timeout = 0;

INSERT INTO weir.transcodes (
    id, tenant, external_id, form, request, request_digest, source_url, source_sealed, output_url, output_sealed,
    callback_url, callback_sealed, state, attempt, attempts_left, host_id, ratio, error_code, error_stage, error_message, created_at, finished_at)
SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'tenant-' || n % 8, 'request-' || n, 'v1', '{}', '', 's', '', 'o', '', 'c', '',
       state, CASE WHEN state = 'queued' THEN 0 ELSE 1 END, 2, CASE WHEN state <> 'queued' THEN 'mist-1' END, CASE WHEN state = 'queued' THEN 0 ELSE 1 END,
       CASE WHEN state = 'failed' THEN 'internal' END, CASE WHEN state = 'failed' THEN 'fetch' END, CASE WHEN state = 'failed' THEN 'm' END,
       at, CASE WHEN state <> 'queued' THEN at + interval '1 minute' END
  FROM (SELECT n, now() - (1000500 - n) * interval '2.6 seconds' AS at,
               CASE WHEN n > 1000000 THEN 'queued' WHEN n % 50 = 0 THEN 'failed' WHEN n % 100 = 1 THEN 'cancelled' ELSE 'succeeded' END AS state
          FROM generate_series(1, 1000500) n) h;

INSERT INTO weir.callbacks (id, transcode_id, run, state, url, body, attempts, created_at, delivered_at)
SELECT id, id, 1, state, 'c', '{}', 1, finished_at, CASE WHEN state = 'delivered' THEN finished_at END
  FROM (SELECT id, finished_at, CASE WHEN substring(external_id FROM 9)::int % 20 = 7 THEN 'refused' ELSE 'delivered' END AS state
          FROM weir.transcodes WHERE state <> 'queued') h;

INSERT INTO weir.usage (tenant, day, part, succeeded)
SELECT 'tenant-' || t, now()::date - d, p, 1000 FROM generate_series(0, 7) t, generate_series(0, 700) d, generate_series(0, 7) p;

INSERT INTO weir.admin_actions (at, who, via, what, target, reason)
SELECT now() - n * interval '1 min', 'jo', 'cli', 'transcodes retry', 'target-' || n, 'asked for' FROM generate_series(100000, 1, -1) n;

ANALYZE weir.transcodes, weir.callbacks, weir.usage, weir.admin_actions;

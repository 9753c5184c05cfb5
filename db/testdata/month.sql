-- A fleet of twenty hosts with a month behind it, of as many finished transcodes as the session's
-- weir.finished says, and 2,000 in hand: what the views read. Neither foreign keys nor the
-- triggers that watch over states are in question here. Indexes are made anew behind the rows,
-- which takes a third of the time.
SET session_replication_role = replica;
SET statement_timeout = 0; -- a million rows take longer than any statement of a daemon
SET synchronous_commit = off;
SET maintenance_work_mem = '128MB';

CREATE TEMPORARY TABLE taken AS
SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS text FROM pg_index i
 WHERE indrelid IN ('weir.transcodes'::regclass, 'weir.attempts'::regclass, 'weir.renditions'::regclass, 'weir.callbacks'::regclass, 'weir.ends'::regclass)
   AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid);
DO $$ DECLARE one record; BEGIN
    FOR one IN SELECT name FROM taken LOOP EXECUTE 'DROP INDEX ' || one.name; END LOOP;
END $$;

INSERT INTO weir.hosts (id, boot_id, slots, lease_until, spool_room_bytes)
SELECT 'mist-' || n, gen_random_uuid(), 50, now() + interval '1 hour', 1 FROM generate_series(1, 20) n;
INSERT INTO weir.tenants (name) SELECT 'tenant-' || n FROM generate_series(0, 7) n;

CREATE TEMPORARY TABLE month AS
SELECT n, n > f AS open, ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid AS id,
       'mist-' || 1 + n % 20 AS host, 'tenant-' || n % 8 AS tenant,
       now() - interval '2 minutes' - CASE WHEN n > f THEN (f + 2000 - n) * interval '1 second' ELSE (f - n) * interval '30 days' / f END AS at,
       CASE WHEN n > f + 1000 THEN 'queued' WHEN n > f + 500 THEN 'running' WHEN n > f THEN 'storing'
            WHEN n % 50 = 0 THEN 'failed' WHEN n % 100 = 1 THEN 'cancelled' ELSE 'succeeded' END AS state
  FROM (SELECT current_setting('weir.finished')::int AS f) of, generate_series(1, f + 2000) n;

INSERT INTO weir.transcodes (
    id, tenant, external_id, form, request, request_digest, source_url, source_sealed, output_url, output_sealed,
    callback_url, callback_sealed, state, attempt, attempts_left, host_id, ratio, status_sent_at, source_duration_ms,
    error_code, error_stage, error_message, created_at, run_at, updated_at, placed_at, started_at, finished_at)
SELECT id, tenant, 'request-' || n, 'v1', '{}', '', 's', '', 'o', '', 'https://studio.example/hook', '',
       state, CASE WHEN state = 'queued' OR n % 250 = 0 AND NOT open THEN 0 ELSE 1 END, 2, CASE WHEN state <> 'queued' THEN host END,
       CASE WHEN open THEN 0.5 ELSE 1 END, at, 60000,
       CASE WHEN state = 'failed' THEN 'internal' END, CASE WHEN state = 'failed' THEN 'fetch' END, CASE WHEN state = 'failed' THEN 'm' END,
       at, at, at, CASE WHEN state <> 'queued' THEN at + interval '5 seconds' END, CASE WHEN state <> 'queued' THEN at + interval '6 seconds' END,
       CASE WHEN NOT open THEN at + interval '1 minute' END
  FROM month;

INSERT INTO weir.attempts (transcode_id, number, host_id, boot_id, job_id, stage, outcome, error_code, error_stage, broadcaster,
       created_at, started_at, transcoded_at, ended_at, cleaned_at)
SELECT id, 1, host, gen_random_uuid(), n, CASE WHEN state = 'running' THEN 'started' ELSE 'cleaned' END,
       CASE WHEN NOT open THEN state END, CASE WHEN state = 'failed' THEN 'internal' END, CASE WHEN state = 'failed' THEN 'fetch' END,
       'https://broadcaster-' || n % 3 || '.example:8935',
       at + interval '5 seconds', at + interval '6 seconds', CASE WHEN state <> 'running' THEN at + interval '36 seconds' END,
       CASE WHEN NOT open THEN at + interval '1 minute' END, CASE WHEN state <> 'running' THEN at + interval '1 minute' END
  FROM month WHERE state <> 'queued' AND (open OR n % 250 <> 0);

INSERT INTO weir.renditions (
    transcode_id, name, ordinal, width, height, bitrate, planned_width, planned_height, state, attempt, job_id,
    object_url, object_bytes, object_checksum, frames, duration_ms, pushed_at, stored_at, error_code, error_stage)
SELECT id, 'r', 0, 640, 360, 1, 640, 360,
       CASE state WHEN 'queued' THEN 'expected' WHEN 'running' THEN 'pushing' WHEN 'storing' THEN 'pushed'
            WHEN 'succeeded' THEN 'ok' ELSE 'failed' END, 1, n, 'o', 1, 'c', 1, 1, at + interval '36 seconds', at + interval '1 minute', 'internal', 'fetch'
  FROM month;

INSERT INTO weir.callbacks (id, transcode_id, run, state, url, body, attempts, job_id, created_at, delivered_at)
SELECT id, id, 1, CASE WHEN n % 2000 = 7 THEN 'expired' WHEN n % 100000 = 9 THEN 'pending' ELSE 'delivered' END, 'https://studio.example/hook', '{}', 1, n, at + interval '1 minute',
       CASE WHEN n % 2000 <> 7 AND n % 100000 <> 9 THEN at + interval '61 seconds' END
  FROM month WHERE NOT open;

INSERT INTO weir.ends (transcode_id, run, finished_at, tenant, host_id, state, queue_wait, speed, store)
SELECT id, 1, at + interval '1 minute', tenant, host, state, CASE WHEN n % 250 <> 0 THEN 5 END, CASE WHEN n % 250 <> 0 THEN 2 END, CASE WHEN state = 'succeeded' THEN 24 END
  FROM month WHERE NOT open;

INSERT INTO weir.outputs (transcode_id, ordinal, type, url, sealed, state, attempt, bytes, objects, stored_at, error_code, error_stage, error_message)
SELECT id, 0, 'hls', 'o', '', CASE state WHEN 'succeeded' THEN 'ok' WHEN 'failed' THEN 'failed' ELSE 'expected' END, 1, 1, '[{}]', at, 'internal', 'package', 'm'
  FROM month WHERE n % 10 = 0;

INSERT INTO weir.usage (tenant, day, part, succeeded)
SELECT 'tenant-' || t, now()::date - d, p, 1 FROM generate_series(0, 7) t, generate_series(0, 700) d, generate_series(0, 7) p;

INSERT INTO weir.admin_actions (at, who, via, what, target, reason)
SELECT now() - n * interval '26 seconds', 'operator-' || n % 5, 'cli', 'transcodes retry', 'request-' || n, 'it failed' FROM generate_series(1, 100000) n;

DO $$ DECLARE one record; BEGIN
    FOR one IN SELECT text FROM taken LOOP EXECUTE one.text; END LOOP;
END $$;
SET session_replication_role = DEFAULT;
ANALYZE;
RESET statement_timeout;

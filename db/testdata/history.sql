-- A fleet of twenty hosts with 200,000 finished transcodes behind it and 2,000 in hand.
-- Neither foreign keys nor the triggers that watch over states are in question here.
SET session_replication_role = replica;
SET statement_timeout = 0; -- on a busy machine some of it takes longer than any statement of a daemon

INSERT INTO weir.hosts (id, boot_id, slots, lease_until, spool_room_bytes)
SELECT 'mist-' || n, gen_random_uuid(), 50, now() + interval '1 hour', 1 FROM generate_series(1, 20) n;

CREATE TEMPORARY TABLE history AS
SELECT n, ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid AS id,
       'mist-' || 1 + n % 20 AS host,
       now() - (202000 - n) * interval '13 seconds' AS at,
       CASE WHEN n > 201000 THEN 'queued' WHEN n > 200500 THEN 'running' WHEN n > 200000 THEN 'storing'
            WHEN n % 50 = 0 THEN 'failed' WHEN n % 100 = 1 THEN 'cancelled' ELSE 'succeeded' END AS state
  FROM generate_series(1, 202000) n;

INSERT INTO weir.transcodes (
    id, tenant, external_id, form, request, request_digest, source_url, source_sealed, output_url, output_sealed,
    callback_url, callback_sealed, state, attempt, attempts_left, host_id, ratio, status_sent_at,
    error_code, error_stage, error_message, created_at, finished_at)
SELECT id, CASE WHEN n % 1000 = 3 THEN 'small' ELSE 'tenant-' || n % 8 END, 'request-' || n, 'v1', '{}', '', 's', '', 'o', '', 'c', '',
       state, CASE WHEN state = 'queued' THEN 0 ELSE 1 END, 2, CASE WHEN state <> 'queued' THEN host END,
       CASE WHEN n > 200000 THEN 0.5 ELSE 1 END, at,
       CASE WHEN state = 'failed' THEN 'internal' END, CASE WHEN state = 'failed' THEN 'fetch' END, CASE WHEN state = 'failed' THEN 'm' END,
       at, CASE WHEN n <= 200000 THEN at + interval '1 minute' END
  FROM history;

INSERT INTO weir.transcode_labels (transcode_id, tenant, key, value, created_at)
SELECT id, tenant, 'customer', CASE WHEN substring(external_id FROM 9)::int % 5000 = 1 THEN 'rare' ELSE 'acme' END, created_at FROM weir.transcodes;

-- Years of it, of operators and of scripts.
INSERT INTO weir.admin_actions (at, who, via, what, target, reason)
SELECT now() - n * interval '10 min', 'jo', 'cli', 'transcodes retry', 'target-' || n, 'asked for' FROM generate_series(100000, 1, -1) n;
INSERT INTO weir.usage (tenant, day, part, succeeded)
SELECT 'tenant-' || t, now()::date - d, p, 1 FROM generate_series(1, 10) t, generate_series(0, 700) d, generate_series(0, 7) p;

INSERT INTO weir.enqueued (id, transcode_id, digest)
SELECT id, id, '' FROM history WHERE n % 2 = 0;

INSERT INTO weir.attempts (transcode_id, number, host_id, boot_id, job_id, package_job_id, package_from, stage, outcome, error_code, created_at, ended_at, cleaned_at)
SELECT id, 1, host, gen_random_uuid(), n, n, at, CASE WHEN state = 'running' THEN 'started' ELSE 'cleaned' END,
       CASE WHEN n <= 200000 THEN state END, CASE WHEN state = 'failed' THEN 'internal' END,
       at, CASE WHEN n <= 200000 THEN at END, CASE WHEN state <> 'running' THEN at END
  FROM history WHERE state <> 'queued';

INSERT INTO weir.renditions (
    transcode_id, name, ordinal, width, height, bitrate, planned_width, planned_height, state, attempt, job_id,
    object_url, object_bytes, object_checksum, frames, duration_ms, stored_at, error_code, error_stage)
SELECT id, 'r' || ordinal, ordinal, 640, 360, 1, 640, 360,
       CASE state WHEN 'queued' THEN 'expected' WHEN 'running' THEN 'pushing' WHEN 'storing' THEN 'pushed'
            WHEN 'succeeded' THEN 'ok' ELSE 'failed' END, 1, n,
       'o', 1, 'c', 1, 1, at, 'internal', 'fetch'
  FROM history, generate_series(0, CASE WHEN n > 200000 THEN 2 ELSE 0 END) ordinal;

INSERT INTO weir.outputs (transcode_id, ordinal, type, url, sealed, state, attempt, bytes, objects, stored_at, error_code, error_stage, error_message)
SELECT id, ordinal, CASE ordinal WHEN 0 THEN 'hls' ELSE 'mp4' END, 'o', '',
       CASE state WHEN 'succeeded' THEN 'ok' WHEN 'failed' THEN 'failed' ELSE 'expected' END, 1, 1, '[{}]', at, 'internal', 'package', 'm'
  FROM history, generate_series(0, 1) ordinal;

INSERT INTO weir.callbacks (id, transcode_id, run, state, url, body, attempts, job_id, created_at, delivered_at)
SELECT id, id, 1, CASE WHEN n % 2000 = 7 THEN 'refused' WHEN n > 199990 THEN 'pending' ELSE 'delivered' END, 'c', '{}', 1, n, at,
       CASE WHEN n % 2000 <> 7 AND n <= 199990 THEN at END
  FROM history WHERE n <= 200000;

INSERT INTO weir.missed_events (event_id, transcode_id, tenant, missed_at)
SELECT id, id, 'tenant-' || n % 8, at FROM history WHERE n % 10 = 7;

INSERT INTO weir.callback_attempts (callback_id, number, status, latency_ms, sent_at)
SELECT id, 1, 200, 5, at FROM history WHERE n <= 200000;

INSERT INTO weir.mist_events (uuid, host_id, trigger, stream, headers, payload, payload_bytes, transcode_id, attempt, rendition, verdict, received_at)
SELECT n, host, CASE WHEN n % 3 = 0 THEN 'PUSH_END' ELSE 'RECORDING_END' END, 's', '{}', '', 0, CASE WHEN n % 20 <> 0 THEN id END, 1, 'r0',
       CASE WHEN n % 20 = 0 THEN 'unmatched' WHEN n % 500 = 1 THEN 'stale' ELSE 'applied' END, at
  FROM history WHERE state <> 'queued';

INSERT INTO weir.events (transcode_id, tenant, type, state, run, attempt, ratio, created_at)
SELECT id, CASE WHEN n % 1000 = 3 THEN 'small' ELSE 'tenant-' || n % 8 END, 'transcode.queued', 'queued', 1, 0, 0, at FROM history;

INSERT INTO weir.event_deliveries (event_id, transcode_id, tenant, receiver, state, delivered_at, created_at)
SELECT e.id, e.transcode_id, e.tenant, 'h-' || e.id % 20, CASE WHEN e.id % 100 = 1 THEN 'pending' ELSE 'delivered' END,
       CASE WHEN e.id % 100 <> 1 THEN now() END, e.created_at FROM weir.events e;

INSERT INTO weir.event_delivery_attempts (delivery_id, number, status, latency_ms) SELECT id, 1, 200, 5 FROM weir.event_deliveries;

INSERT INTO weir.river_job (id, state, kind, queue, args, attempted_by, attempted_at, finalized_at, scheduled_at)
SELECT n, CASE WHEN n <= 199990 THEN 'completed' WHEN n <= 200000 THEN 'available' WHEN state = 'queued' THEN 'scheduled' ELSE 'running'
     END::weir.river_job_state,
       CASE state WHEN 'running' THEN 'transcode' WHEN 'storing' THEN 'store' ELSE 'callback' END,
       CASE state WHEN 'running' THEN 'host-' || host WHEN 'storing' THEN 'host-' || host || '-store' ELSE 'callback' END,
       '{}', ARRAY [host || '_' || id], at, CASE WHEN n <= 199990 THEN at END, at
  FROM history;

INSERT INTO weir.bulk_operations (id, kind, filter, frozen_at, who, via, reason, per_second, counted, state, ended_at)
SELECT id, 'retry', 'state:failed', at, 'jo', 'cli', 'r', 20, 1, CASE WHEN n > 201990 THEN 'running' ELSE 'done' END,
       CASE WHEN n <= 201990 THEN at END
  FROM history WHERE n % 20 = 0 OR n > 201990;

SET session_replication_role = DEFAULT;
ANALYZE;
RESET statement_timeout;

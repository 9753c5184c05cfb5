-- A night that has everything that docs/queries.md asks for. The triggers that watch over
-- states are not in question here.
SET session_replication_role = replica;

INSERT INTO weir.hosts (id, boot_id, slots, lease_until, seen_at, spool_room_bytes, draining, drained_at, drained_by, drain_reason, mist_silent_from) VALUES
    ('mist-1', gen_random_uuid(), 4, now() + interval '1 hour', now(), 1000, false, NULL, NULL, NULL, NULL),
    ('mist-2', gen_random_uuid(), 4, now() - interval '3 minutes', now() - interval '200 seconds', 1000, false, NULL, NULL, NULL, NULL),
    ('mist-3', gen_random_uuid(), 4, now() + interval '1 hour', now(), 1000, true, now(), 'jo', 'new disk', NULL),
    ('mist-4', gen_random_uuid(), 4, now() + interval '1 hour', now(), 1000, false, NULL, NULL, NULL, now() - interval '1 minute');
INSERT INTO weir.tenants (name, paused_at, paused_by, pause_reason) VALUES ('acme', now(), 'jo', 'its source is down');

CREATE TEMPORARY TABLE night (n integer, tenant text, state text, host text, attempt integer, code text, ago interval);
INSERT INTO night VALUES
    (1, 'acme', 'queued', NULL, 0, NULL, '20 minutes'), (2, 'acme', 'queued', NULL, 0, NULL, '10 minutes'),
    (3, 'globex', 'queued', 'mist-2', 1, 'fetch_failed', '5 minutes'), (4, 'globex', 'running', 'mist-1', 1, NULL, '30 minutes'),
    (5, 'globex', 'storing', 'mist-1', 1, 'store_failed', '40 minutes'),
    (6, 'globex', 'failed', 'mist-3', 1, 'push_failed', '3 minutes'), (7, 'globex', 'failed', 'mist-3', 1, 'push_failed', '2 minutes'),
    (8, 'acme', 'failed', 'mist-4', 1, 'fetch_failed', '1 minute'), (9, 'acme', 'failed', NULL, 0, 'request_refused', '30 seconds'),
    (10, 'acme', 'succeeded', 'mist-1', 2, NULL, '4 minutes');

INSERT INTO weir.transcodes (id, tenant, external_id, form, request, request_digest, source_url, source_sealed, output_url, output_sealed,
       callback_url, callback_sealed, state, attempt, attempts_left, host_id, ratio, error_code, error_stage, error_message, source_duration_ms,
       created_at, run_at, updated_at, started_at, not_before, finished_at)
SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, tenant, CASE n WHEN 10 THEN 'task-4711' END, 'v1', '{}', '', 's', 'sealed', 'o', 'sealed',
       'https://studio.example/hook', 'sealed', state, attempt, 2, host, CASE state WHEN 'succeeded' THEN 1 ELSE 0.5 END, code, code, code, 60000,
       now() - ago - interval '2 minutes', now() - ago - interval '2 minutes', now() - ago, now() - ago - interval '60 seconds', now() + CASE n WHEN 3 THEN interval '1 minute' ELSE interval '-1 minute' END,
       CASE WHEN state IN ('failed', 'succeeded') THEN now() - ago END
  FROM night;

INSERT INTO weir.attempts (transcode_id, number, host_id, stage, outcome, error_code, error_stage, error_message, error_detail, broadcaster, created_at, started_at, transcoded_at, ended_at, cleaned_at)
SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, a.number, CASE WHEN a.number < attempt THEN 'mist-2' ELSE host END,
       CASE WHEN state IN ('running', 'queued') THEN 'started' ELSE 'cleaned' END,
       CASE WHEN state = 'queued' OR a.number < attempt THEN 'lost' WHEN state IN ('running', 'storing') THEN NULL ELSE state END,
       CASE WHEN a.number < attempt OR state = 'queued' THEN 'host_lost' WHEN state = 'failed' THEN code END,
       CASE state WHEN 'failed' THEN code END, CASE state WHEN 'failed' THEN code END, CASE WHEN state = 'failed' THEN 'its log ends: ' || code END,
       CASE WHEN state = 'failed' THEN 'https://b-1.example:8935' END,
       now() - ago - interval '90 seconds', now() - ago - interval '60 seconds', CASE WHEN state NOT IN ('queued', 'running') THEN now() - ago - interval '30 seconds' END,
       CASE WHEN state NOT IN ('running', 'storing') THEN now() - ago END, CASE WHEN state NOT IN ('queued', 'running') THEN now() - ago END
  FROM night, generate_series(1, attempt) AS a (number);

UPDATE weir.transcodes SET clip_start_ms = 1790000000000, clip_end_ms = 1790000060000, clip_clock = 'unix' WHERE external_id = 'task-4711';
UPDATE weir.attempts SET source_begins = '2026-09-21 00:00:00Z' WHERE transcode_id = (SELECT id FROM weir.transcodes WHERE external_id = 'task-4711') AND number = 2;

INSERT INTO weir.renditions (transcode_id, name, ordinal, width, height, bitrate, planned_width, planned_height, state, attempt,
       object_url, object_bytes, object_checksum, frames, duration_ms, pushed_at, stored_at, error_code, error_stage, error_message)
SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, '720p', 0, 1280, 720, 1, 1280, 720,
       CASE state WHEN 'succeeded' THEN 'ok' WHEN 'storing' THEN 'pushed' WHEN 'failed' THEN 'failed' ELSE 'expected' END, attempt,
       CASE state WHEN 'succeeded' THEN 's3://media/out/720p.ts' END, 12, 'c', 1, 1, now() - ago - interval '30 seconds', CASE state WHEN 'succeeded' THEN now() - ago - interval '10 seconds' END, code, code, code
  FROM night;

INSERT INTO weir.callbacks (id, transcode_id, run, state, url, body, attempts, last_status, last_error, created_at, delivered_at)
SELECT ('00000000-0000-7000-9000-' || lpad(n::text, 12, '0'))::uuid, ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 1,
       CASE n WHEN 6 THEN 'expired' WHEN 7 THEN 'refused' WHEN 8 THEN 'pending' ELSE 'delivered' END, 'https://Studio.example/hook', '{}', 3,
       CASE n WHEN 6 THEN 503 WHEN 7 THEN 410 WHEN 8 THEN 503 ELSE 200 END, CASE WHEN n <= 8 THEN 'answered' ELSE '' END, now() - ago, CASE WHEN n > 8 THEN now() - ago + interval '5 seconds' END
  FROM night WHERE state IN ('failed', 'succeeded');

INSERT INTO weir.inbox (id, tenant, body, digest, job_id, created_at)
VALUES ('00000000-0000-7000-8000-000000000099', 'initech', '{"callback_url": "https://u:hush@studio.example/"}', '', 1, now() - interval '1 second');

INSERT INTO weir.usage (tenant, day, part, succeeded, failed, source_ms, output_ms, bytes) VALUES
    ('acme', (now() AT TIME ZONE 'UTC')::date, 0, 3, 1, 120000, 240000, 1048576), ('acme', (now() AT TIME ZONE 'UTC')::date, 1, 2, 0, 60000, 60000, 1048576),
    ('acme', date_trunc('month', now() AT TIME ZONE 'UTC')::date - 1, 0, 100, 0, 1, 1, 1), ('globex', (now() AT TIME ZONE 'UTC')::date, 0, 50, 0, 1, 1, 1);

INSERT INTO weir.admin_actions (at, who, via, what, target, reason, detail) VALUES
    (now() - interval '3 days', 'jo', 'cli', 'hosts drain', 'mist-3', 'long ago', '{}'), (now() - interval '2 hours', 'jo', 'cli', 'hosts drain', 'mist-3', 'new disk', '{}'),
    (now() - interval '1 hour', 'jo', 'web', 'tenants pause', 'acme', 'its source is down', '{}'), (now() - interval '1 hour', 'kim', 'cli', 'transcodes retry', 'x', 'asked', '{}');
SET session_replication_role = DEFAULT;

-- What people ask at night: what waits, for what; which host; what fails; how fast it all is.
-- Each view says in its comment which WHERE keeps it fast whatever was ever done.
CREATE VIEW weir.v_queue AS
WITH held AS (
    SELECT t.tenant, count(*) AS slots FROM weir.transcodes t WHERE t.state IN ('placed', 'running') GROUP BY t.tenant
), hosts AS (
    SELECT COALESCE(sum(h.slots), 0) AS slots, count(*) AS taking,
           COALESCE(sum((SELECT count(*) FROM weir.transcodes t WHERE t.host_id = h.id AND t.state IN ('placed', 'running'))), 0) AS used
      FROM weir.hosts h
     WHERE h.lease_until > now() AND h.up AND NOT h.draining AND h.spool_room_bytes > 0 AND h.mist_silent_from IS NULL
)
SELECT t.id, t.tenant, t.external_id, true AS accepted,
       row_number() OVER (PARTITION BY t.tenant ORDER BY weir.turn_of(t.created_at, t.priority), t.id) AS place,
       t.priority, t.created_at,
       EXTRACT(epoch FROM now() - t.run_at)::float8 AS waited_seconds,
       CASE WHEN p.paused_at IS NOT NULL THEN 'the queue is paused' WHEN n.paused_at IS NOT NULL THEN 'its tenant is paused'
            WHEN t.not_before > now() THEN 'its next try' WHEN hosts.taking = 0 THEN 'a host'
            WHEN held.slots >= n.running_most THEN 'its tenant''s limit' WHEN hosts.used >= hosts.slots THEN 'a slot'
            ELSE 'its turn' END AS waits_for,
       CASE WHEN p.paused_at IS NOT NULL THEN 'by ' || p.paused_by || ': ' || p.pause_reason
            WHEN n.paused_at IS NOT NULL THEN 'by ' || n.paused_by || ': ' || n.pause_reason
            WHEN t.not_before > now() THEN 'after ' || COALESCE(t.error_code, 'a failure') || ', in ' || ceil(EXTRACT(epoch FROM t.not_before - now())) || ' s'
            WHEN hosts.taking = 0 THEN 'none is alive, up and has room'
            WHEN held.slots >= n.running_most THEN held.slots || ' of ' || n.running_most || ' run'
            ELSE hosts.used || ' of ' || hosts.slots || ' slots are taken' END AS detail,
       t.run, t.attempt, t.attempts_left, t.not_before, t.error_code, t.error_message
  FROM weir.transcodes t
 CROSS JOIN weir.placement p
 CROSS JOIN hosts
  LEFT JOIN weir.tenants n ON n.name = t.tenant
  LEFT JOIN held ON held.tenant = t.tenant
 WHERE t.state = 'queued'
UNION ALL
SELECT i.id, i.tenant, i.external_id, false, NULL, NULL, i.created_at, EXTRACT(epoch FROM now() - i.created_at)::float8,
       'acceptance', 'asked for by SQL; a daemon that leads accepts it', 1, 0, NULL, NULL, NULL, NULL
  FROM weir.inbox i;
COMMENT ON VIEW weir.v_queue IS 'One row per transcode that waits for a slot, also those asked for by SQL that no daemon has accepted yet. It reads what waits and nothing else; WHERE tenant = ... reads that tenant''s alone.';
COMMENT ON COLUMN weir.v_queue.id IS 'The transcode.';
COMMENT ON COLUMN weir.v_queue.tenant IS 'Whose it is.';
COMMENT ON COLUMN weir.v_queue.external_id IS 'The caller''s own id.';
COMMENT ON COLUMN weir.v_queue.accepted IS 'Whether a daemon has accepted it; what was asked for by SQL waits for that first.';
COMMENT ON COLUMN weir.v_queue.place IS 'Where it stands in its tenant''s queue; the first stands at 1. Null before the acceptance.';
COMMENT ON COLUMN weir.v_queue.priority IS '0, the most urgent, to 9. Null before the acceptance.';
COMMENT ON COLUMN weir.v_queue.created_at IS 'When it was asked for.';
COMMENT ON COLUMN weir.v_queue.waited_seconds IS 'Since its run began: the acceptance, or the last retry by a person.';
COMMENT ON COLUMN weir.v_queue.waits_for IS 'acceptance, the queue is paused, its tenant is paused, its next try, a host, its tenant''s limit, a slot, or its turn: the first of these that is so.';
COMMENT ON COLUMN weir.v_queue.detail IS 'The same, with who, why, when or how many.';
COMMENT ON COLUMN weir.v_queue.run IS '1, and one more for each retry.';
COMMENT ON COLUMN weir.v_queue.attempt IS 'Number of the newest attempt; 0 before the first.';
COMMENT ON COLUMN weir.v_queue.attempts_left IS 'How many more attempts this run may start.';
COMMENT ON COLUMN weir.v_queue.not_before IS 'It is not placed before this.';
COMMENT ON COLUMN weir.v_queue.error_code IS 'Why its last attempt failed: a code of the failure table.';
COMMENT ON COLUMN weir.v_queue.error_message IS 'Why its last attempt failed, in words.';

CREATE VIEW weir.v_hosts AS
SELECT h.id,
       CASE WHEN h.lease_until <= now() THEN 'lost' WHEN NOT h.up THEN 'stopped' WHEN h.mist_silent_from IS NOT NULL THEN 'mist silent'
            WHEN h.draining THEN 'draining' ELSE 'alive' END AS state,
       h.slots, used.slots::bigint AS used, GREATEST(h.slots - used.slots, 0)::bigint AS free, used.storing::bigint AS storing,
       h.lease_until > now() AND h.up AND NOT h.draining AND h.spool_room_bytes > 0 AND h.mist_silent_from IS NULL AS takes_work,
       h.spool_room_bytes, h.mist_silent_from, h.draining, h.drained_at, h.drained_by, h.drain_reason,
       h.lease_until, h.seen_at, EXTRACT(epoch FROM now() - h.seen_at)::float8 AS silent_seconds,
       h.boot_id, h.booted_at, h.weir_version, h.mist_version
  FROM weir.hosts h
 CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE t.state <> 'storing') AS slots, count(*) FILTER (WHERE t.state = 'storing') AS storing
      FROM weir.transcodes t WHERE t.host_id = h.id AND t.state IN ('placed', 'running', 'storing')) used;
COMMENT ON VIEW weir.v_hosts IS 'One row per machine: whether it is alive, what it holds and what it may take. It reads what is open and needs no WHERE.';
COMMENT ON COLUMN weir.v_hosts.id IS 'WEIR_HOST_ID of its daemon.';
COMMENT ON COLUMN weir.v_hosts.state IS 'alive, draining (takes no more), mist silent (nothing is placed there), stopped (what runs there waits for its daemon for a minute) or lost (its lease has ended).';
COMMENT ON COLUMN weir.v_hosts.slots IS 'How many transcodes it runs at once.';
COMMENT ON COLUMN weir.v_hosts.used IS 'Slots that are taken.';
COMMENT ON COLUMN weir.v_hosts.free IS 'Slots that are not.';
COMMENT ON COLUMN weir.v_hosts.storing IS 'Transcodes that only store; they hold no slot.';
COMMENT ON COLUMN weir.v_hosts.takes_work IS 'Whether something may be placed there now.';
COMMENT ON COLUMN weir.v_hosts.spool_room_bytes IS 'Room in its spool beyond the reserve; 0: nothing is placed there.';
COMMENT ON COLUMN weir.v_hosts.mist_silent_from IS 'Since when its Mist does not answer; null: it does.';
COMMENT ON COLUMN weir.v_hosts.draining IS 'Whether it takes no more, over restarts too.';
COMMENT ON COLUMN weir.v_hosts.drained_at IS 'Since when.';
COMMENT ON COLUMN weir.v_hosts.drained_by IS 'Who drained it.';
COMMENT ON COLUMN weir.v_hosts.drain_reason IS 'Why, where that was said.';
COMMENT ON COLUMN weir.v_hosts.lease_until IS 'Until when the machine holds what runs there, unless it renews.';
COMMENT ON COLUMN weir.v_hosts.seen_at IS 'When its daemon last renewed.';
COMMENT ON COLUMN weir.v_hosts.silent_seconds IS 'How long ago that is; above 20 it is lost.';
COMMENT ON COLUMN weir.v_hosts.boot_id IS 'This run of its daemon.';
COMMENT ON COLUMN weir.v_hosts.booted_at IS 'When its daemon started.';
COMMENT ON COLUMN weir.v_hosts.weir_version IS 'Its daemon''s version.';
COMMENT ON COLUMN weir.v_hosts.mist_version IS 'Its Mist''s version.';

CREATE VIEW weir.v_failures AS
SELECT a.ended_at AS at, a.transcode_id, t.tenant, t.external_id, t.state AS transcode_state, t.run, a.number AS attempt, a.host_id, a.broadcaster,
       a.outcome, COALESCE(a.error_code, a.outcome) AS code, a.error_stage AS stage, a.error_message AS message, a.error_detail AS detail,
       -- Not plain conditions: by those a query would begin with all transcodes that ever failed.
       CASE WHEN t.state = 'failed' AND a.number = t.attempt THEN true ELSE false END AS final
  FROM weir.attempts a
  JOIN weir.transcodes t ON t.id = a.transcode_id
 WHERE a.outcome IN ('failed', 'lost')
UNION ALL
SELECT t.finished_at, t.id, t.tenant, t.external_id, t.state, t.run, NULL, NULL, NULL,
       'failed', t.error_code, t.error_stage, t.error_message, NULL, true
  FROM weir.transcodes t
 WHERE t.state = 'failed' AND t.attempt = 0;
COMMENT ON VIEW weir.v_failures IS 'One row per attempt that failed or was lost with its host, and one per transcode that failed before its first. WHERE at > now() - interval ''1 day'' reads the failures since then alone; one of a transcode is found by transcode_id.';
COMMENT ON COLUMN weir.v_failures.at IS 'When it failed.';
COMMENT ON COLUMN weir.v_failures.transcode_id IS 'The transcode.';
COMMENT ON COLUMN weir.v_failures.tenant IS 'Whose it is.';
COMMENT ON COLUMN weir.v_failures.external_id IS 'The caller''s own id.';
COMMENT ON COLUMN weir.v_failures.transcode_state IS 'Where the transcode is now: it may have gone on.';
COMMENT ON COLUMN weir.v_failures.run IS 'The transcode''s run now.';
COMMENT ON COLUMN weir.v_failures.attempt IS 'The attempt''s number; null: it failed before the first.';
COMMENT ON COLUMN weir.v_failures.host_id IS 'Where it was tried; null: nowhere.';
COMMENT ON COLUMN weir.v_failures.broadcaster IS 'The Broadcaster that it used, where one was known.';
COMMENT ON COLUMN weir.v_failures.outcome IS 'failed, or lost: its host''s lease ended.';
COMMENT ON COLUMN weir.v_failures.code IS 'Why: a code of the failure table (docs/errors.md), or lost.';
COMMENT ON COLUMN weir.v_failures.stage IS 'Where in its way.';
COMMENT ON COLUMN weir.v_failures.message IS 'Why, as the tenant is told.';
COMMENT ON COLUMN weir.v_failures.detail IS 'Why, with what is for operators alone: processes, paths, ends of logs.';
COMMENT ON COLUMN weir.v_failures.final IS 'Whether the transcode failed by it; else another attempt followed.';

-- What an hour came to. A function, because it is planned for an hour whatever a query's WHERE
-- is, and because compiling it (jit) takes longer than running it.
CREATE FUNCTION weir.slo_of_hour(hour timestamptz)
RETURNS TABLE (grouped integer, tenant text, host_id text, ended bigint, succeeded bigint, failed bigint, cancelled bigint,
               queue_wait float8[], speed float8[], store float8[], callback_lag float8[])
LANGUAGE sql STABLE SECURITY DEFINER COST 10000 ROWS 50 SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
    SELECT GROUPING(t.tenant, t.host_id), t.tenant, t.host_id,
           count(*), count(*) FILTER (WHERE t.state = 'succeeded'),
           count(*) FILTER (WHERE t.state = 'failed'), count(*) FILTER (WHERE t.state = 'cancelled'),
           percentile_cont(ARRAY[0.5, 0.95, 0.99]::float8[]) WITHIN GROUP (ORDER BY placed.wait),
           percentile_cont(ARRAY[0.5, 0.05, 0.01]::float8[]) WITHIN GROUP (ORDER BY ran.speed),
           percentile_cont(ARRAY[0.5, 0.95, 0.99]::float8[]) WITHIN GROUP (ORDER BY stored.took),
           percentile_cont(ARRAY[0.5, 0.95, 0.99]::float8[]) WITHIN GROUP (ORDER BY told.lag)
      FROM weir.transcodes t
      LEFT JOIN LATERAL (SELECT EXTRACT(epoch FROM min(a.created_at) - t.run_at)::float8 AS wait FROM weir.attempts a
                          WHERE a.transcode_id = t.id AND a.created_at >= t.run_at) placed ON true
      LEFT JOIN LATERAL (SELECT max(t.source_duration_ms / 1000.0 / NULLIF(EXTRACT(epoch FROM a.transcoded_at - a.started_at), 0))::float8 AS speed FROM weir.attempts a
                          WHERE a.transcode_id = t.id AND a.number = t.attempt) ran ON true
      LEFT JOIN LATERAL (SELECT EXTRACT(epoch FROM max(r.stored_at - r.pushed_at))::float8 AS took FROM weir.renditions r
                          WHERE r.transcode_id = t.id AND r.attempt = t.attempt AND r.state = 'ok') stored ON true
      LEFT JOIN LATERAL (SELECT max(EXTRACT(epoch FROM COALESCE(c.delivered_at, now()) - c.created_at))::float8 AS lag FROM weir.callbacks c
                          WHERE c.transcode_id = t.id AND c.run = t.run AND c.state IN ('pending', 'delivered')) told ON true
     WHERE t.finished_at >= $1 AND t.finished_at < $1 + interval '1 hour'
     GROUP BY GROUPING SETS ((), (t.tenant), (t.host_id), (t.tenant, t.host_id))
    HAVING count(*) > 0
$$;
-- It sees all tenants: db/roles/rights.sql says who may call it, by the view.
REVOKE ALL ON FUNCTION weir.slo_of_hour FROM PUBLIC;

CREATE VIEW weir.v_slo AS
SELECT hours.hour,
       CASE of.grouped WHEN 3 THEN 'all' WHEN 1 THEN 'tenant' WHEN 2 THEN 'host' ELSE 'tenant and host' END AS per,
       of.tenant, of.host_id, of.ended, of.succeeded, of.failed, of.cancelled,
       of.queue_wait[1] AS queue_wait_p50, of.queue_wait[2] AS queue_wait_p95, of.queue_wait[3] AS queue_wait_p99,
       of.speed[1] AS speed_p50, of.speed[2] AS speed_p95, of.speed[3] AS speed_p99,
       of.store[1] AS store_p50, of.store[2] AS store_p95, of.store[3] AS store_p99,
       of.callback_lag[1] AS callback_lag_p50, of.callback_lag[2] AS callback_lag_p95, of.callback_lag[3] AS callback_lag_p99
  FROM generate_series(date_trunc('hour', (SELECT e.finished_at FROM weir.transcodes e WHERE e.finished_at IS NOT NULL ORDER BY e.finished_at, e.id LIMIT 1), 'UTC'),
                       now(), interval '1 hour') AS hours (hour)
 CROSS JOIN LATERAL weir.slo_of_hour(hours.hour) AS of (grouped, tenant, host_id, ended, succeeded, failed, cancelled, queue_wait, speed, store, callback_lag);
COMMENT ON VIEW weir.v_slo IS 'How fast and how well it went, by the hour in which transcodes ended: of all, of each tenant, of each host, and of each tenant on each host. WHERE hour >= now() - interval ''1 day'' reads what ended since then, and takes as long as that is much; percentiles can''t be added up, so take the rows of one kind by per = ''all''.';
COMMENT ON COLUMN weir.v_slo.hour IS 'The beginning of the hour in which they ended.';
COMMENT ON COLUMN weir.v_slo.per IS 'What the row is of: all, tenant, host, or tenant and host.';
COMMENT ON COLUMN weir.v_slo.tenant IS 'Whose they are; null where the row is of all tenants.';
COMMENT ON COLUMN weir.v_slo.host_id IS 'The host of their newest attempt; null where the row is of all hosts, or they never had one.';
COMMENT ON COLUMN weir.v_slo.ended IS 'How many ended.';
COMMENT ON COLUMN weir.v_slo.succeeded IS 'How many of those succeeded.';
COMMENT ON COLUMN weir.v_slo.failed IS 'How many failed.';
COMMENT ON COLUMN weir.v_slo.cancelled IS 'How many were cancelled.';
COMMENT ON COLUMN weir.v_slo.queue_wait_p50 IS 'Seconds from the beginning of the run to its first placement: half waited no longer.';
COMMENT ON COLUMN weir.v_slo.queue_wait_p95 IS 'The same of 95 of 100.';
COMMENT ON COLUMN weir.v_slo.queue_wait_p99 IS 'The same of 99 of 100.';
COMMENT ON COLUMN weir.v_slo.speed_p50 IS 'Seconds of source transcoded in a second, from the start on the host until Mist was done: half were at least as fast. Below 1 is slower than it plays.';
COMMENT ON COLUMN weir.v_slo.speed_p95 IS '95 of 100 were at least as fast.';
COMMENT ON COLUMN weir.v_slo.speed_p99 IS '99 of 100 were at least as fast.';
COMMENT ON COLUMN weir.v_slo.store_p50 IS 'Seconds from a rendition''s file being complete to its object being verified, of each transcode''s slowest one: half took no longer.';
COMMENT ON COLUMN weir.v_slo.store_p95 IS 'The same of 95 of 100.';
COMMENT ON COLUMN weir.v_slo.store_p99 IS 'The same of 99 of 100.';
COMMENT ON COLUMN weir.v_slo.callback_lag_p50 IS 'Seconds from the outcome to the callback''s delivery, or until now while it is pending: half took no longer. Those that were refused or have expired are left out.';
COMMENT ON COLUMN weir.v_slo.callback_lag_p95 IS 'The same of 95 of 100.';
COMMENT ON COLUMN weir.v_slo.callback_lag_p99 IS 'The same of 99 of 100.';

CREATE VIEW weir.v_admin_actions AS
SELECT a.id, a.at, a.who, a.via, a.what, a.target, a.reason, a.detail FROM weir.admin_actions a;
COMMENT ON VIEW weir.v_admin_actions IS 'One row per change that a person made. WHERE at > now() - interval ''12 hours'', or target = ..., reads those alone.';
COMMENT ON COLUMN weir.v_admin_actions.id IS 'In the order that they were made in.';
COMMENT ON COLUMN weir.v_admin_actions.at IS 'When.';
COMMENT ON COLUMN weir.v_admin_actions.who IS 'Who: a name of the machine, or of the pages'' login.';
COMMENT ON COLUMN weir.v_admin_actions.via IS 'cli, web or api.';
COMMENT ON COLUMN weir.v_admin_actions.what IS 'The command''s words.';
COMMENT ON COLUMN weir.v_admin_actions.target IS 'What it was done to: an id, a host, a tenant, a filter.';
COMMENT ON COLUMN weir.v_admin_actions.reason IS 'Why.';
COMMENT ON COLUMN weir.v_admin_actions.detail IS 'What it was set to, without secrets.';

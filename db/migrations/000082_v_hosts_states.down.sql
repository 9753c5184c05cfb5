CREATE OR REPLACE VIEW weir.v_hosts AS
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
      FROM weir.transcodes t WHERE t.host_id = h.id AND t.state IN ('placed', 'running', 'storing')) used
 WHERE h.forgotten_at IS NULL;
COMMENT ON COLUMN weir.v_hosts.state IS 'alive, draining (takes no more), mist silent (nothing is placed there), stopped (what runs there waits for its daemon for a minute) or lost (its lease has ended).';

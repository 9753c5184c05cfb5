DROP TRIGGER transcodes_end_again ON weir.transcodes;
DROP TRIGGER transcodes_end_at_once ON weir.transcodes;
DROP TRIGGER transcodes_end ON weir.transcodes;
CREATE OR REPLACE FUNCTION weir.slo_of_hour(hour timestamptz)
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
DROP TABLE weir.ends;
DROP FUNCTION weir.transcodes_end();
COMMENT ON VIEW weir.v_slo IS 'How fast and how well it went, by the hour in which transcodes ended: of all, of each tenant, of each host, and of each tenant on each host. WHERE hour >= now() - interval ''1 day'' reads what ended since then, and takes as long as that is much; percentiles can''t be added up, so take the rows of one kind by per = ''all''.';

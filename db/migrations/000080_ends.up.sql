-- How long each transcode that has ended waited, ran and stored, in a row of some hundred
-- bytes beside those that ended with it. v_slo found it out anew each time, by four rows
-- apiece from all over tables of a thousand bytes: of a day's, that was most of what a cold
-- server read. It is written once, in the transaction that ends the transcode.
CREATE TABLE weir.ends (
    transcode_id uuid        PRIMARY KEY REFERENCES weir.transcodes (id) ON DELETE CASCADE,
    run          integer     NOT NULL,
    finished_at  timestamptz NOT NULL,
    tenant       text        NOT NULL,
    host_id      text,
    state        text        NOT NULL CHECK (state IN ('succeeded', 'failed', 'cancelled')),
    -- As of v_slo.
    queue_wait   double precision,
    speed        double precision,
    store        double precision
);
CREATE INDEX ends_by_time ON weir.ends (finished_at);

CREATE FUNCTION weir.transcodes_end() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.finished_at IS NULL THEN -- another run
        DELETE FROM weir.ends WHERE transcode_id = NEW.id;
        RETURN NULL;
    END IF;
    INSERT INTO weir.ends (transcode_id, run, finished_at, tenant, host_id, state, queue_wait, speed, store)
    SELECT NEW.id, NEW.run, NEW.finished_at, NEW.tenant, NEW.host_id, NEW.state,
           (SELECT EXTRACT(epoch FROM min(a.created_at) - NEW.run_at)::float8 FROM weir.attempts a
             WHERE a.transcode_id = NEW.id AND a.created_at >= NEW.run_at),
           (SELECT max(NEW.source_duration_ms / 1000.0 / NULLIF(EXTRACT(epoch FROM a.transcoded_at - a.started_at), 0))::float8 FROM weir.attempts a
             WHERE a.transcode_id = NEW.id AND a.number = NEW.attempt),
           (SELECT EXTRACT(epoch FROM max(r.stored_at - r.pushed_at))::float8 FROM weir.renditions r
             WHERE r.transcode_id = NEW.id AND r.attempt = NEW.attempt AND r.state = 'ok');
    RETURN NULL;
END $$;
CREATE TRIGGER transcodes_end AFTER UPDATE OF state ON weir.transcodes
    FOR EACH ROW WHEN (OLD.finished_at IS NULL AND NEW.finished_at IS NOT NULL) EXECUTE FUNCTION weir.transcodes_end();
CREATE TRIGGER transcodes_end_at_once AFTER INSERT ON weir.transcodes
    FOR EACH ROW WHEN (NEW.finished_at IS NOT NULL) EXECUTE FUNCTION weir.transcodes_end();
CREATE TRIGGER transcodes_end_again AFTER UPDATE OF state ON weir.transcodes
    FOR EACH ROW WHEN (OLD.finished_at IS NOT NULL AND NEW.finished_at IS NULL) EXECUTE FUNCTION weir.transcodes_end();

CREATE OR REPLACE FUNCTION weir.slo_of_hour(hour timestamptz)
RETURNS TABLE (grouped integer, tenant text, host_id text, ended bigint, succeeded bigint, failed bigint, cancelled bigint,
               queue_wait float8[], speed float8[], store float8[], callback_lag float8[])
LANGUAGE sql STABLE SECURITY DEFINER COST 10000 ROWS 50 SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
    WITH since AS (
        -- What ended before there were such rows is found out as ever, until retention has removed it.
        SELECT COALESCE((SELECT e.finished_at FROM weir.ends e WHERE e.finished_at > '-infinity' ORDER BY e.finished_at LIMIT 1), 'infinity') AS at
    ), told AS (
        -- A callback is written by the transaction that ends the transcode: at the same time.
        SELECT c.transcode_id, c.run, EXTRACT(epoch FROM COALESCE(c.delivered_at, now()) - c.created_at)::float8 AS lag FROM weir.callbacks c
         WHERE c.created_at >= $1 AND c.created_at < $1 + interval '1 hour' AND c.state IN ('pending', 'delivered')
    ), ended AS (
        SELECT e.transcode_id, e.run, e.tenant, e.host_id, e.state, e.queue_wait, e.speed, e.store FROM weir.ends e
         WHERE e.finished_at >= $1 AND e.finished_at < $1 + interval '1 hour'
        UNION ALL
        SELECT t.id, t.run, t.tenant, t.host_id, t.state,
               (SELECT EXTRACT(epoch FROM min(a.created_at) - t.run_at)::float8 FROM weir.attempts a
                 WHERE a.transcode_id = t.id AND a.created_at >= t.run_at),
               (SELECT max(t.source_duration_ms / 1000.0 / NULLIF(EXTRACT(epoch FROM a.transcoded_at - a.started_at), 0))::float8 FROM weir.attempts a
                 WHERE a.transcode_id = t.id AND a.number = t.attempt),
               (SELECT EXTRACT(epoch FROM max(r.stored_at - r.pushed_at))::float8 FROM weir.renditions r
                 WHERE r.transcode_id = t.id AND r.attempt = t.attempt AND r.state = 'ok')
          FROM weir.transcodes t
         WHERE t.finished_at >= $1 AND t.finished_at < LEAST($1 + interval '1 hour', (SELECT since.at FROM since))
    )
    SELECT GROUPING(e.tenant, e.host_id), e.tenant, e.host_id,
           count(*), count(*) FILTER (WHERE e.state = 'succeeded'),
           count(*) FILTER (WHERE e.state = 'failed'), count(*) FILTER (WHERE e.state = 'cancelled'),
           percentile_cont(ARRAY[0.5, 0.95, 0.99]::float8[]) WITHIN GROUP (ORDER BY e.queue_wait),
           percentile_cont(ARRAY[0.5, 0.05, 0.01]::float8[]) WITHIN GROUP (ORDER BY e.speed),
           percentile_cont(ARRAY[0.5, 0.95, 0.99]::float8[]) WITHIN GROUP (ORDER BY e.store),
           percentile_cont(ARRAY[0.5, 0.95, 0.99]::float8[]) WITHIN GROUP (ORDER BY told.lag)
      FROM ended e
      LEFT JOIN told ON told.transcode_id = e.transcode_id AND told.run = e.run
     GROUP BY GROUPING SETS ((), (e.tenant), (e.host_id), (e.tenant, e.host_id))
    HAVING count(*) > 0
$$;
COMMENT ON VIEW weir.v_slo IS 'How fast and how well it went, by the hour in which transcodes ended: of all, of each tenant, of each host, and of each tenant on each host. WHERE hour >= now() - interval ''1 day'' reads what ended since then, and takes as long as that is much, so give one; percentiles can''t be added up, so take the rows of one kind by per = ''all''.';

-- What tenants used, by the day on which a run ended, in UTC. It is counted by the
-- transaction that ends the run and outlives the transcode's own row, so that reading a
-- year reads its days. Several parts a day, by the transcode's id: ends of one tenant
-- don't wait for each other.
CREATE TABLE weir.usage (
    tenant     text     NOT NULL,
    day        date     NOT NULL,
    part       smallint NOT NULL CHECK (part BETWEEN 0 AND 7),
    succeeded  bigint   NOT NULL DEFAULT 0,
    failed     bigint   NOT NULL DEFAULT 0,
    cancelled  bigint   NOT NULL DEFAULT 0,
    attempts   bigint   NOT NULL DEFAULT 0,
    source_ms  bigint   NOT NULL DEFAULT 0,
    output_ms  bigint   NOT NULL DEFAULT 0,
    pixels     bigint   NOT NULL DEFAULT 0,
    bytes      bigint   NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, day, part)
) WITH (fillfactor = 50);
CREATE INDEX usage_by_day ON weir.usage (day, tenant);

CREATE FUNCTION weir.transcodes_use() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO weir.usage AS u (tenant, day, part, succeeded, failed, cancelled, attempts, source_ms, output_ms, pixels, bytes)
    SELECT NEW.tenant, (NEW.finished_at AT TIME ZONE 'UTC')::date, abs(hashtext(NEW.id::text) % 8),
           (NEW.state = 'succeeded')::int, (NEW.state = 'failed')::int, (NEW.state = 'cancelled')::int,
           (SELECT count(*) FROM weir.attempts a WHERE a.transcode_id = NEW.id AND a.created_at >= NEW.run_at),
           COALESCE(NEW.source_duration_ms, 0), COALESCE(sum(r.duration_ms), 0),
           COALESCE(sum(r.frames * r.planned_width * r.planned_height), 0), COALESCE(sum(r.object_bytes), 0)
      FROM weir.renditions r WHERE r.transcode_id = NEW.id AND r.state = 'ok' AND r.stored_at >= NEW.run_at
    ON CONFLICT (tenant, day, part) DO UPDATE SET
           succeeded = u.succeeded + EXCLUDED.succeeded, failed = u.failed + EXCLUDED.failed, cancelled = u.cancelled + EXCLUDED.cancelled,
           attempts = u.attempts + EXCLUDED.attempts, source_ms = u.source_ms + EXCLUDED.source_ms, output_ms = u.output_ms + EXCLUDED.output_ms,
           pixels = u.pixels + EXCLUDED.pixels, bytes = u.bytes + EXCLUDED.bytes;
    RETURN NULL;
END $$;

CREATE TRIGGER transcodes_use AFTER UPDATE OF state ON weir.transcodes
    FOR EACH ROW WHEN (OLD.state <> NEW.state AND NEW.state IN ('succeeded', 'failed', 'cancelled'))
    EXECUTE FUNCTION weir.transcodes_use();

CREATE VIEW weir.v_usage AS
SELECT tenant, day, sum(succeeded)::bigint AS succeeded, sum(failed)::bigint AS failed, sum(cancelled)::bigint AS cancelled,
       sum(attempts)::bigint AS attempts, (sum(source_ms)::double precision / 60000)::double precision AS source_minutes,
       (sum(output_ms)::double precision / 60000)::double precision AS output_minutes, sum(pixels)::bigint AS pixels, sum(bytes)::bigint AS bytes
  FROM weir.usage GROUP BY tenant, day;

COMMENT ON VIEW weir.v_usage IS 'One row per tenant and day: what the runs that ended on it used.';
COMMENT ON COLUMN weir.v_usage.tenant IS 'Whose it is.';
COMMENT ON COLUMN weir.v_usage.day IS 'The day on which the runs ended, in UTC.';
COMMENT ON COLUMN weir.v_usage.succeeded IS 'Runs that succeeded.';
COMMENT ON COLUMN weir.v_usage.failed IS 'Runs that failed.';
COMMENT ON COLUMN weir.v_usage.cancelled IS 'Runs that were cancelled.';
COMMENT ON COLUMN weir.v_usage.attempts IS 'Attempts that these runs made, whatever came of them.';
COMMENT ON COLUMN weir.v_usage.source_minutes IS 'Length of their sources, once a run, where it was found out.';
COMMENT ON COLUMN weir.v_usage.output_minutes IS 'Length of the renditions that these runs stored and verified.';
COMMENT ON COLUMN weir.v_usage.pixels IS 'Pixels of those renditions: frames by width by height.';
COMMENT ON COLUMN weir.v_usage.bytes IS 'Bytes of those renditions.';

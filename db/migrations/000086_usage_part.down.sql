CREATE OR REPLACE FUNCTION weir.transcodes_use() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
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

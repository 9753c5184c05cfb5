-- 0 is the most urgent, 9 what may wait longest.
ALTER TABLE weir.transcodes ADD COLUMN priority smallint NOT NULL DEFAULT 5
    CONSTRAINT transcodes_priority_check CHECK (priority BETWEEN 0 AND 9);

-- A transcode's place in its tenant's queue: each class waits ten minutes longer than the
-- one before it, so that nothing starves, and a place never moves. Minutes are the same in
-- every time zone: the sum is immutable, which the operator can't know.
CREATE FUNCTION weir.turn_of(created_at timestamptz, priority smallint) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN created_at + priority * interval '10 minutes';

-- The queue, a tenant's after the other's; and in it what the slots that stay for the
-- urgent are for.
CREATE INDEX transcodes_queued_by_tenant ON weir.transcodes (tenant, weir.turn_of(created_at, priority), id, not_before)
    WHERE state = 'queued';
CREATE INDEX transcodes_queued_urgent ON weir.transcodes (tenant, weir.turn_of(created_at, priority), id, not_before)
    WHERE state = 'queued' AND priority <= 2;

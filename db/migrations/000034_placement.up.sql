-- What placement rounds know of each other, and whether any may place.
CREATE TABLE weir.placement (
    one          boolean          PRIMARY KEY DEFAULT true CHECK (one),
    -- The turn that was taken last: who has not waited lately begins here.
    clock        double precision NOT NULL DEFAULT 0,
    paused_at    timestamptz,
    paused_by    text,
    pause_reason text,

    CONSTRAINT placement_paused_by_somebody_for_something
        CHECK ((paused_at IS NULL) = (paused_by IS NULL) AND (paused_at IS NULL) = (pause_reason IS NULL))
) WITH (fillfactor = 10);
INSERT INTO weir.placement DEFAULT VALUES;

-- Tenants whose next turn is ahead of the clock: each slot that one takes moves its own
-- by one, divided by its weight. Written by rounds alone, under their lock.
CREATE TABLE weir.turns (
    tenant text             PRIMARY KEY CHECK (tenant <> ''),
    turn   double precision NOT NULL
) WITH (fillfactor = 50);

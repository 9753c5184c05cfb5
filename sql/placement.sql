-- name: PlacementTake :exec
-- What a round took: the clock stands at its last turn, those served have their next ones
-- ahead of it. What the clock has passed says nothing any more.
WITH clock AS (
    UPDATE weir.placement SET clock = @clock::float8 WHERE clock < @clock::float8
), passed AS (
    DELETE FROM weir.turns WHERE turn <= @clock::float8 AND tenant <> ALL (@tenants::text[])
)
INSERT INTO weir.turns (tenant, turn)
SELECT unnest(@tenants::text[]), unnest(@turns::float8[])
    ON CONFLICT (tenant) DO UPDATE SET turn = excluded.turn;

-- name: PlacementGet :one
SELECT * FROM weir.placement;

-- name: PlacementPause :exec
-- Nothing is placed until PlacementResume. Pausing again says why now.
UPDATE weir.placement SET paused_at = COALESCE(paused_at, now()), paused_by = @paused_by::text, pause_reason = @pause_reason::text;

-- name: PlacementResume :execrows
UPDATE weir.placement SET paused_at = NULL, paused_by = NULL, pause_reason = NULL WHERE paused_at IS NOT NULL;

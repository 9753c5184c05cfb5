-- name: PlaceLock :exec
-- One placement round at a time over all daemons; held to the end of the transaction. Its
-- statements read few rows by plans that Postgres takes for dear ones, since it can't know
-- how few: compiling them would take a hundred times as long as they do.
SELECT pg_advisory_xact_lock(8447110001), set_config('jit', 'off', true);

-- name: PlaceWakeHold :exec
-- Held to the end of a transaction that found a round waiting and relies on it: a round
-- that begins meanwhile is followed by another (PlaceWakesHeld). It excludes nobody.
SELECT pg_advisory_xact_lock_shared(8447110004);

-- name: PlaceWakesHeld :one
-- Whether such a transaction is under way. Not within another transaction, which would
-- hold the lock to its end.
SELECT (NOT pg_try_advisory_xact_lock(8447110004))::boolean AS held;

-- name: TaskLock :exec
-- One post of an external_id at a time, to the end of its transaction: what it replaces is
-- found and cancelled by it alone. The first number tells these locks from others.
SELECT pg_advisory_xact_lock(84471, hashtext(jsonb_build_array(@tenant::text, @external_id::text)::text));

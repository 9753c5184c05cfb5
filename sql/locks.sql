-- name: PlaceLock :exec
-- One placement round at a time over all daemons; held to the end of the transaction.
SELECT pg_advisory_xact_lock(8447110001);

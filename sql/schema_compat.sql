-- name: SchemaServesFrom :one
SELECT serves_from FROM weir.schema_compat;

-- name: SchemaBeingMigrated :one
-- Whether a migrator is at work: it holds this lock.
SELECT (NOT pg_try_advisory_xact_lock_shared(@migrate_lock::bigint))::boolean AS migrating;

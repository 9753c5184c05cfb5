-- name: CallbackSecretInsert :one
-- No row when the tenant has two.
INSERT INTO weir.callback_secrets (id, tenant, place, sealed)
SELECT @id, @tenant, free.place, @sealed
  FROM (VALUES (1::smallint), (2::smallint)) free (place)
 WHERE NOT EXISTS (SELECT FROM weir.callback_secrets s WHERE s.tenant = @tenant AND s.place = free.place)
 ORDER BY free.place
 LIMIT 1
ON CONFLICT (tenant, place) DO NOTHING
RETURNING *;

-- name: CallbackSecretList :many
-- The older one first.
SELECT * FROM weir.callback_secrets WHERE tenant = @tenant ORDER BY created_at, id;

-- name: CallbackSecretDelete :execrows
DELETE FROM weir.callback_secrets WHERE tenant = @tenant AND id = @id;

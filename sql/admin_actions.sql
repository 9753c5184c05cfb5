-- name: AdminActionInsert :exec
INSERT INTO weir.admin_actions (who, via, what, target, reason, detail)
VALUES (@who, @via, @what, @target, @reason, @detail);

-- name: AdminActionList :many
-- Newest first.
SELECT * FROM weir.admin_actions
 WHERE (sqlc.narg('target')::text IS NULL OR target = sqlc.narg('target')::text)
   AND (sqlc.narg('since')::timestamptz IS NULL OR at >= sqlc.narg('since')::timestamptz)
   AND (sqlc.narg('before_id')::bigint IS NULL OR id < sqlc.narg('before_id')::bigint)
 ORDER BY id DESC
 LIMIT @page_size;

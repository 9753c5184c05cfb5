-- Requests by SQL that no daemon has accepted yet. Only what accepts or shows them to their
-- tenant may read a body: there are open secrets in it.

-- name: InboxTake :one
-- No row: another has it.
DELETE FROM weir.inbox WHERE id = @id RETURNING *;

-- name: InboxFind :one
SELECT id FROM weir.inbox WHERE tenant = @tenant AND external_id = @external_id::text;

-- name: InboxGet :one
SELECT id, tenant, external_id, created_at FROM weir.inbox WHERE id = @id;

-- name: InboxList :many
-- Newest first; the page after (before_at, before_id), as of TranscodeList.
SELECT id, tenant, external_id, created_at FROM weir.inbox
 WHERE (sqlc.narg('tenant')::text IS NULL OR tenant = sqlc.narg('tenant'))
   AND (sqlc.narg('external_id')::text IS NULL OR external_id = sqlc.narg('external_id'))
   AND (sqlc.narg('created_from')::timestamptz IS NULL OR created_at >= sqlc.narg('created_from'))
   AND (sqlc.narg('created_to')::timestamptz IS NULL OR created_at < sqlc.narg('created_to'))
   AND (sqlc.narg('before_at')::timestamptz IS NULL
        OR (created_at, id) < (sqlc.narg('before_at'), sqlc.narg('before_id')::uuid))
 ORDER BY created_at DESC, id DESC
 LIMIT @page_size;

-- name: InboxBodies :many
SELECT id, body FROM weir.inbox WHERE id = ANY (@ids::uuid[]);

-- name: InboxSetJob :execrows
UPDATE weir.inbox SET job_id = @job_id WHERE id = @id;

-- name: EnqueuedInsert :exec
INSERT INTO weir.enqueued (id, transcode_id, digest) VALUES (@id, @transcode_id, @digest);

-- name: EnqueuedGet :one
-- The transcode that an id stands for.
SELECT transcode_id FROM weir.enqueued WHERE id = @id;

-- name: InboxLook :one
SELECT id, tenant, external_id, created_at, job_id FROM weir.inbox WHERE id = @id;

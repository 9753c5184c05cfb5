-- name: OutputInsert :exec
-- All of some transcodes at once: of those that stand, what does not stand yet.
INSERT INTO weir.outputs (transcode_id, ordinal, type, url, sealed, segment_ms, only_short)
SELECT w.transcode_id, w.ordinal, w.type, w.url, w.sealed, w.segment_ms, w.only_short
  FROM (SELECT unnest(@transcode_ids::uuid[]) AS transcode_id, unnest(@ordinals::integer[]) AS ordinal, unnest(@types::text[]) AS type,
               unnest(@urls::text[]) AS url, unnest(@sealed::bytea[]) AS sealed,
               unnest(@segment_ms::integer[]) AS segment_ms, unnest(@only_short::boolean[]) AS only_short) w
 WHERE (SELECT true FROM weir.transcodes t WHERE t.id = w.transcode_id LIMIT 1)
ON CONFLICT (transcode_id, ordinal) DO NOTHING;

-- name: OutputList :many
SELECT * FROM weir.outputs WHERE transcode_id = @transcode_id ORDER BY ordinal;

-- name: OutputListOf :many
SELECT * FROM weir.outputs WHERE transcode_id = ANY(@transcode_ids::uuid[]) ORDER BY transcode_id, ordinal;

-- name: OutputExpect :exec
-- New attempts begin: all but what stands is expected again.
UPDATE weir.outputs o
   SET state = 'expected', attempt = p.attempt, error_code = NULL, error_stage = NULL, error_message = NULL, error_detail = NULL
  FROM (SELECT unnest(@transcode_ids::uuid[]) AS id, unnest(@attempts::integer[]) AS attempt) p
 WHERE o.transcode_id = p.id AND o.state IN ('expected', 'failed') AND o.attempt < p.attempt;

-- name: OutputSetOK :execrows
UPDATE weir.outputs
   SET state = 'ok', manifest_url = @manifest_url, bytes = @bytes, objects = @objects, stored_at = now(),
       error_code = NULL, error_stage = NULL, error_message = NULL, error_detail = NULL
 WHERE transcode_id = @transcode_id AND ordinal = @ordinal AND attempt = @attempt AND state = 'expected';

-- name: OutputSetFiles :exec
-- The renditions' files are an output: their own rows are the evidence.
UPDATE weir.outputs o
   SET state = 'ok', objects = '[]', stored_at = now(),
       bytes = (SELECT sum(r.object_bytes) FROM weir.renditions r WHERE r.transcode_id = o.transcode_id)
 WHERE o.transcode_id = @transcode_id AND o.attempt = @attempt AND o.type = 'ts' AND o.state = 'expected';

-- name: OutputSkip :execrows
UPDATE weir.outputs
   SET state = 'skipped', skipped_reason = @skipped_reason,
       error_code = NULL, error_stage = NULL, error_message = NULL, error_detail = NULL
 WHERE transcode_id = @transcode_id AND ordinal = @ordinal AND attempt = @attempt AND state = 'expected';

-- name: OutputSetTrouble :exec
-- What is in the way of outputs, while that is tried again.
UPDATE weir.outputs
   SET error_code = @error_code::text, error_stage = @error_stage::text,
       error_message = @error_message::text, error_detail = @error_detail::text
 WHERE transcode_id = @transcode_id AND attempt = @attempt AND type <> 'ts' AND state = 'expected';

-- name: OutputFailOpen :exec
UPDATE weir.outputs
   SET state = 'failed', error_code = @error_code::text, error_stage = @error_stage::text,
       error_message = @error_message::text, error_detail = @error_detail::text
 WHERE transcode_id = @transcode_id AND state = 'expected';

-- name: RenditionInsert :exec
-- All of some transcodes at once: of those that stand, what does not stand yet.
INSERT INTO weir.renditions (
    transcode_id, attempt, name, ordinal, width, height, bitrate, quality, fps, fps_den, gop, codec_profile)
SELECT w.transcode_id, @attempt, w.name, w.ordinal, w.width, w.height, w.bitrate, w.quality, w.fps, w.fps_den, w.gop, w.codec_profile
  FROM (SELECT unnest(@transcode_ids::uuid[]) AS transcode_id, unnest(@names::text[]) AS name, unnest(@ordinals::integer[]) AS ordinal,
               unnest(@widths::integer[]) AS width, unnest(@heights::integer[]) AS height, unnest(@bitrates::bigint[]) AS bitrate,
               unnest(@qualities::integer[]) AS quality, unnest(@fps::integer[]) AS fps, unnest(@fps_dens::integer[]) AS fps_den,
               unnest(@gops::text[]) AS gop, unnest(@codec_profiles::text[]) AS codec_profile) w
 WHERE (SELECT true FROM weir.transcodes t WHERE t.id = w.transcode_id LIMIT 1)
ON CONFLICT (transcode_id, name) DO NOTHING;

-- name: RenditionDeleteLadder :exec
-- The attempt has another source than the ladder was made from: nothing of it is stored.
DELETE FROM weir.renditions r
 WHERE r.transcode_id = @transcode_id
   AND NOT EXISTS (SELECT FROM weir.renditions o WHERE o.transcode_id = r.transcode_id AND o.state = 'ok');

-- name: RenditionList :many
SELECT * FROM weir.renditions WHERE transcode_id = @transcode_id ORDER BY ordinal;

-- name: RenditionListOf :many
SELECT * FROM weir.renditions WHERE transcode_id = ANY(@transcode_ids::uuid[]) ORDER BY transcode_id, ordinal;

-- name: RenditionHinted :many
-- What a trigger may speak of, in the order in which it changes them.
SELECT transcode_id, name, ordinal, attempt, state, track_index FROM weir.renditions
 WHERE transcode_id = ANY(@transcode_ids::uuid[]) ORDER BY transcode_id, ordinal;

-- name: RenditionToStore :one
-- One that an attempt has pushed, with all that its store goes by.
SELECT sqlc.embed(t), sqlc.embed(a), sqlc.embed(r)
  FROM weir.transcodes t JOIN weir.attempts a ON a.transcode_id = t.id JOIN weir.renditions r ON r.transcode_id = t.id
 WHERE t.id = @transcode_id AND a.number = @attempt AND r.name = @name;

-- name: RenditionGet :one
SELECT * FROM weir.renditions WHERE transcode_id = @transcode_id AND name = @name;

-- name: RenditionExpect :exec
-- New attempts begin: all but the stored ones are expected again.
UPDATE weir.renditions r
   SET state = 'expected', attempt = p.attempt, track_index = NULL, push_pid = NULL, push_started_at = NULL,
       pushed_ms = 0, recorded_bytes = NULL, recorded_reason = NULL, pushed_at = NULL,
       job_id = NULL, error_code = NULL, error_stage = NULL, error_message = NULL, error_detail = NULL
  FROM (SELECT unnest(@transcode_ids::uuid[]) AS id, unnest(@attempts::integer[]) AS attempt) p
 WHERE r.transcode_id = p.id AND r.state <> 'ok' AND r.attempt < p.attempt;

-- name: RenditionRenew :execrows
-- The attempt has fetched another source than stored renditions are of: it makes them anew.
UPDATE weir.renditions r
   SET state = 'expected', attempt = a.number, planned_width = NULL, planned_height = NULL, track_index = NULL, push_pid = NULL,
       push_started_at = NULL, pushed_ms = 0, recorded_bytes = NULL, recorded_reason = NULL, pushed_at = NULL,
       job_id = NULL, object_url = NULL, object_bytes = NULL, object_etag = NULL, object_checksum = NULL,
       frames = NULL, duration_ms = NULL, verdict = NULL, stored_at = NULL
  FROM weir.attempts a, weir.attempts o
 WHERE r.transcode_id = @transcode_id AND r.state = 'ok'
   AND a.transcode_id = r.transcode_id AND a.number = @attempt AND o.transcode_id = r.transcode_id AND o.number = r.attempt
   AND o.source_identity <> a.source_identity;

-- name: RenditionPlan :exec
-- The sizes that an attempt's files must have, by the source that it has prepared.
UPDATE weir.renditions r SET planned_width = p.width, planned_height = p.height
  FROM (SELECT unnest(@names::text[]) AS name, unnest(@widths::integer[]) AS width, unnest(@heights::integer[]) AS height) p
 WHERE r.transcode_id = @transcode_id AND r.name = p.name AND r.attempt = @attempt AND r.state <> 'ok';

-- name: RenditionSetTrack :execrows
-- A hint of LIVE_TRACK_LIST: which of Mist's tracks it is.
UPDATE weir.renditions SET track_index = @track_index
 WHERE transcode_id = @transcode_id AND attempt = @attempt AND ordinal = @ordinal
   AND state = 'expected' AND track_index IS NULL;

-- name: RenditionSetPush :execrows
-- Pushes of an attempt that Mist has taken, each with its process there.
UPDATE weir.renditions r SET state = 'pushing', push_pid = p.pid, push_started_at = now()
  FROM (SELECT unnest(@names::text[]) AS name, unnest(@pids::int[]) AS pid) p
 WHERE r.transcode_id = @transcode_id AND r.attempt = @attempt AND r.name = p.name AND r.state IN ('expected', 'pushing');

-- name: RenditionSetRecorded :execrows
-- A hint of RECORDING_END.
UPDATE weir.renditions
   SET recorded_bytes = @recorded_bytes, recorded_reason = @recorded_reason, pushed_ms = GREATEST(pushed_ms, @pushed_ms)
 WHERE transcode_id = @transcode_id AND name = @name AND attempt = @attempt AND state IN ('expected', 'pushing');

-- name: RenditionSetPushed :execrows
UPDATE weir.renditions SET state = 'pushed', pushed_at = now(), job_id = @job_id
 WHERE transcode_id = @transcode_id AND name = @name AND attempt = @attempt AND state IN ('expected', 'pushing');

-- name: RenditionSetOK :execrows
UPDATE weir.renditions
   SET state = 'ok', object_url = @object_url, object_bytes = @object_bytes, object_etag = @object_etag,
       object_checksum = @object_checksum, frames = @frames, duration_ms = @duration_ms, verdict = @verdict,
       stored_at = now(), error_code = NULL, error_stage = NULL, error_message = NULL, error_detail = NULL
 WHERE transcode_id = @transcode_id AND name = @name AND attempt = @attempt AND state = 'pushed';

-- name: RenditionSetTrouble :execrows
-- What is in the way of its store, while that is tried again.
UPDATE weir.renditions
   SET error_code = @error_code::text, error_stage = @error_stage::text,
       error_message = @error_message::text, error_detail = @error_detail::text
 WHERE transcode_id = @transcode_id AND name = @name AND attempt = @attempt AND state = 'pushed';

-- name: RenditionFail :execrows
UPDATE weir.renditions
   SET state = 'failed', error_code = @error_code::text, error_stage = @error_stage::text,
       error_message = @error_message::text, error_detail = @error_detail::text
 WHERE transcode_id = @transcode_id AND name = @name AND attempt = @attempt AND state IN ('expected', 'pushing', 'pushed');

-- name: RenditionFailUnpushed :exec
-- The attempt can push no more: what is pushed already may still be stored.
UPDATE weir.renditions
   SET state = 'failed', error_code = @error_code::text, error_stage = @error_stage::text,
       error_message = @error_message::text, error_detail = @error_detail::text
 WHERE transcode_id = @transcode_id AND attempt = @attempt AND state IN ('expected', 'pushing');

-- name: RenditionFailOpen :exec
-- The transcode ended: nothing of it is worked on any more.
UPDATE weir.renditions
   SET state = 'failed', error_code = @error_code::text, error_stage = @error_stage::text,
       error_message = @error_message::text, error_detail = @error_detail::text
 WHERE transcode_id = @transcode_id AND state IN ('expected', 'pushing', 'pushed');

-- name: RenditionExpectAgain :exec
-- Within its attempt: the process that made its track has ended before its push had it.
UPDATE weir.renditions
   SET state = 'expected', track_index = NULL, push_pid = NULL, push_started_at = NULL,
       recorded_bytes = NULL, recorded_reason = NULL
 WHERE transcode_id = @transcode_id AND attempt = @attempt AND state IN ('expected', 'pushing');

-- name: RenditionSetJob :exec
UPDATE weir.renditions SET job_id = @job_id
 WHERE transcode_id = @transcode_id AND name = @name AND attempt = @attempt AND state = 'pushed';

SELECT r.transcode_id, r.name, r.ordinal, r.width, r.height, r.bitrate, r.planned_width, r.planned_height, r.state, r.attempt, r.job_id, r.object_url, r.object_bytes,
       r.object_checksum, r.frames, r.duration_ms, r.pushed_at, r.stored_at, r.error_code, r.error_stage, r.error_message
  FROM (SELECT id, created_at FROM weir.transcodes WHERE created_at > $1 ORDER BY created_at DESC, id DESC LIMIT 2000) t
  JOIN weir.renditions r ON r.transcode_id = t.id

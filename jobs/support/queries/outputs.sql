SELECT o.transcode_id, o.ordinal, o.type, o.url, o.state, o.attempt, o.bytes, o.stored_at, o.skipped_reason, o.error_code, o.error_stage, o.error_message, o.error_detail
  FROM (SELECT id, created_at FROM weir.transcodes WHERE created_at > $1 ORDER BY created_at DESC, id DESC LIMIT 2000) t
  JOIN weir.outputs o ON o.transcode_id = t.id

SELECT a.callback_id, a.number, a.status, a.latency_ms, a.error, a.redelivery, a.sent_at
  FROM (SELECT id, created_at FROM weir.transcodes WHERE created_at > $1 ORDER BY created_at DESC, id DESC LIMIT 2000) t
  JOIN weir.callbacks c ON c.transcode_id = t.id JOIN weir.callback_attempts a ON a.callback_id = c.id

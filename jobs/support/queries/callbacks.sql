SELECT c.id, c.transcode_id, c.run, c.state, substring(c.url FROM '^[a-z]+://[^/?#]+') AS host, c.attempts, c.last_status, c.last_error,
       c.next_attempt_at, c.job_id, c.created_at, c.delivered_at, octet_length(c.body) AS body_bytes
  FROM (SELECT id, created_at FROM weir.transcodes WHERE created_at > $1 ORDER BY created_at DESC, id DESC LIMIT 2000) t
  JOIN weir.callbacks c ON c.transcode_id = t.id

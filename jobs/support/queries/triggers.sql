SELECT e.id, e.host_id, e.trigger, e.stream, e.transcode_id, e.attempt, e.rendition, e.verdict, e.note, e.payload_bytes, e.received_at
  FROM (SELECT * FROM weir.mist_events ORDER BY id DESC LIMIT 20000) e WHERE e.received_at > $1 ORDER BY e.id DESC

SELECT a.transcode_id, a.number, a.host_id, a.boot_id, a.job_id, a.stage, a.outcome, a.error_code, a.error_stage, a.error_message, a.error_detail,
       a.source_bytes, a.process, a.broadcaster, a.hung_starts, a.reruns, a.created_at, a.started_at, a.fetched_at, a.prepared_at, a.process_started_at,
       a.transcoded_at, a.package_from, a.publish_from, a.ended_at, a.cleaned_at
  FROM (SELECT id, created_at FROM weir.transcodes WHERE created_at > $1 ORDER BY created_at DESC, id DESC LIMIT 2000) t
  JOIN weir.attempts a ON a.transcode_id = t.id

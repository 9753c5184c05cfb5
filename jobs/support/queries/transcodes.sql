SELECT id, tenant, external_id, form, state, run, attempt, attempts_left, host_id, priority, ratio, not_before, source_url, output_url,
       substring(callback_url FROM '^[a-z]+://[^/?#]+') AS callback_host, source_duration_ms, error_code, error_stage, error_message, warnings,
       created_at, placed_at, started_at, finished_at, updated_at, free_tries
  FROM weir.transcodes WHERE created_at > $1 ORDER BY created_at DESC, id DESC

SELECT id, tenant, state, host_id, run, attempt, attempts_left, priority, ratio, not_before, error_code, error_stage, error_message, created_at, placed_at, started_at, updated_at
  FROM weir.transcodes WHERE state IN ('queued', 'placed', 'running', 'storing') ORDER BY created_at, id

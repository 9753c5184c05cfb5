SELECT id, kind, queue, state, attempt, max_attempts, scheduled_at, attempted_at, attempted_by[array_upper(attempted_by, 1)] AS owner,
       args->>'transcode_id' AS transcode_id, errors[array_upper(errors, 1)]->>'error' AS error, errors[array_upper(errors, 1)]->>'at' AS error_at
  FROM weir.river_job WHERE state IN ('running', 'retryable', 'scheduled') OR state = 'discarded' AND finalized_at > $1 ORDER BY id DESC

SELECT kind, queue, state, count(*) AS jobs, min(scheduled_at) AS first, max(attempt) AS attempt FROM weir.river_job
 WHERE state IN ('available', 'pending', 'retryable', 'running', 'scheduled') GROUP BY 1, 2, 3 ORDER BY 4 DESC

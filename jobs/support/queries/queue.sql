SELECT tenant, state, host_id, count(*) AS transcodes, min(created_at) AS oldest FROM weir.transcodes
 WHERE state IN ('queued', 'placed', 'running', 'storing') GROUP BY 1, 2, 3 ORDER BY 4 DESC

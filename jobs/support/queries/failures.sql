SELECT t.error_code, t.error_stage, t.host_id, t.tenant, count(*) AS transcodes, min(t.finished_at) AS first, max(t.finished_at) AS last
  FROM weir.transcodes t WHERE t.state = 'failed' AND t.finished_at > $1 GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC

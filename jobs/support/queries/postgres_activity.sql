SELECT pid, usename AS role, application_name, backend_type, state, wait_event_type, wait_event, backend_start, xact_start, query_start, state_change,
       pg_blocking_pids(pid) AS blocked_by, CASE WHEN application_name = 'weir' THEN left(query, 200) END AS query
  FROM pg_stat_activity WHERE datname = current_database() ORDER BY xact_start NULLS LAST

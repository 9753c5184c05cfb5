-- Transactions that hold up the removal of old rows, the oldest first.
SELECT pid::int AS pid, COALESCE(usename::text, '')::text AS role, COALESCE(application_name, '')::text AS application, COALESCE(state, '')::text AS state,
       extract(epoch FROM clock_timestamp() - xact_start)::float8 AS seconds
  FROM pg_stat_activity WHERE xact_start IS NOT NULL AND backend_type = 'client backend' AND pid <> pg_backend_pid() AND datname = current_database()
 ORDER BY xact_start LIMIT 3;

CREATE OR REPLACE FUNCTION weir.oldest_transaction_seconds() RETURNS double precision LANGUAGE sql STABLE SECURITY INVOKER AS $$
    SELECT COALESCE(max(EXTRACT(epoch FROM clock_timestamp() - a.xact_start)), 0)::float8 FROM pg_stat_activity a
     WHERE a.datname = current_database() AND a.backend_type = 'client backend' AND a.pid <> pg_backend_pid()
$$;
DROP FUNCTION weir.sees_all_sessions();
DROP FUNCTION weir.client_connections();
DROP FUNCTION weir.open_transactions();

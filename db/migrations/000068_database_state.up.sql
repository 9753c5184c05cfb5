-- What /metrics tells of Postgres itself, of the sessions that the daemon's role may see.
CREATE FUNCTION weir.oldest_transaction_seconds() RETURNS double precision LANGUAGE sql STABLE AS $$
    SELECT COALESCE(max(EXTRACT(epoch FROM clock_timestamp() - a.xact_start)), 0)::float8 FROM pg_stat_activity a
     WHERE a.datname = current_database() AND a.backend_type = 'client backend' AND a.pid <> pg_backend_pid()
$$;

CREATE FUNCTION weir.table_rows() RETURNS TABLE (name text, live bigint, dead bigint) LANGUAGE sql STABLE AS $$
    SELECT s.relname::text, s.n_live_tup, s.n_dead_tup FROM pg_stat_user_tables s WHERE s.schemaname = 'weir' ORDER BY s.relname
$$;

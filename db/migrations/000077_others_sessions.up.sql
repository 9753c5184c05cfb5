-- What doctor and /metrics tell of the sessions of all roles. Postgres shows a role no other
-- one's transactions, and a membership in pg_read_all_stats would show it the texts of all
-- statements too, requests by SQL among them. The owner sees what it needs (db/roles).
CREATE FUNCTION weir.open_transactions() RETURNS TABLE (pid integer, role text, application text, state text, seconds double precision)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT a.pid, COALESCE(a.usename::text, ''), COALESCE(a.application_name, ''), COALESCE(a.state, ''),
           EXTRACT(epoch FROM clock_timestamp() - a.xact_start)::float8
      FROM pg_stat_activity a
     WHERE a.datname = current_database() AND a.backend_type = 'client backend' AND a.xact_start IS NOT NULL AND a.pid <> pg_backend_pid()
     ORDER BY a.xact_start, a.pid
$$;

CREATE FUNCTION weir.client_connections() RETURNS TABLE (all_ bigint, weir bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT count(*), count(*) FILTER (WHERE a.application_name = 'weir') FROM pg_stat_activity a WHERE a.backend_type = 'client backend'
$$;

-- It tells nothing but a number: whoever finds it may call it, as ever.
CREATE OR REPLACE FUNCTION weir.oldest_transaction_seconds() RETURNS double precision
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT COALESCE(max(o.seconds), 0)::float8 FROM weir.open_transactions() o
$$;

-- Whether the owner of these sees them all; else what they return is what it sees.
CREATE FUNCTION weir.sees_all_sessions() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')
$$;
REVOKE ALL ON FUNCTION weir.open_transactions, weir.client_connections, weir.sees_all_sessions FROM PUBLIC;

-- Prepared transactions outlive their sessions, and hold their locks for ever.
SELECT count(*) AS count, COALESCE(extract(epoch FROM clock_timestamp() - min(prepared)), 0)::float8 AS seconds FROM pg_prepared_xacts WHERE database = current_database();

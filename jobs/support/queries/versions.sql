SELECT version() AS postgres, now() AS at, current_database() AS database, current_user AS role, pg_postmaster_start_time() AS postgres_since

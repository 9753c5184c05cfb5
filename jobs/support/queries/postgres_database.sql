SELECT datname AS database, numbackends AS backends, xact_commit AS commits, xact_rollback AS rollbacks, blks_read, blks_hit, deadlocks, temp_files, temp_bytes,
       stats_reset, pg_database_size(datname) AS bytes, age(d.datfrozenxid) AS xid_age
  FROM pg_stat_database s JOIN pg_database d USING (datname) WHERE datname = current_database()

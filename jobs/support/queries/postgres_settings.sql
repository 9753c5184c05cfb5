SELECT name, setting, unit, source FROM pg_settings
 WHERE name IN ('max_connections', 'shared_buffers', 'work_mem', 'maintenance_work_mem', 'effective_cache_size', 'fsync', 'full_page_writes', 'synchronous_commit',
       'wal_level', 'max_wal_size', 'checkpoint_timeout', 'autovacuum', 'autovacuum_max_workers', 'autovacuum_naptime', 'autovacuum_vacuum_cost_delay',
       'autovacuum_vacuum_cost_limit', 'statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'random_page_cost', 'jit', 'track_counts', 'TimeZone')
 ORDER BY name

SELECT s.relname AS name, n_live_tup AS live, n_dead_tup AS dead, c.relpages * 8192::bigint AS table_bytes, t.relpages * 8192::bigint AS toast_bytes,
       seq_scan, idx_scan, n_tup_ins AS inserted, n_tup_upd AS updated, n_tup_hot_upd AS hot, n_tup_del AS deleted,
       last_vacuum, last_autovacuum, last_analyze, last_autoanalyze
  FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid LEFT JOIN pg_class t ON t.oid = c.reltoastrelid
 WHERE s.schemaname = 'weir' ORDER BY c.relpages DESC, s.relname

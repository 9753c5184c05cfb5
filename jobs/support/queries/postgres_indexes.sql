SELECT s.relname AS "table", s.indexrelname AS name, s.idx_scan AS scans, c.relpages * 8192::bigint AS bytes
  FROM pg_stat_user_indexes s JOIN pg_class c ON c.oid = s.indexrelid WHERE s.schemaname = 'weir' ORDER BY c.relpages DESC, s.indexrelname

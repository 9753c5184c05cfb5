-- Sizes are of the last vacuum: measuring them would wait for locks. The tables whose rows change most, with what is to be removed from each.
SELECT s.relname::text AS name, n_live_tup AS live, n_dead_tup AS dead, last_autovacuum, last_vacuum,
       c.relpages * 8192::bigint AS bytes
  FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid WHERE schemaname = 'weir'
   AND s.relname IN ('transcodes', 'renditions', 'attempts', 'callbacks', 'river_job', 'hosts', 'mist_events', 'events', 'inbox')
 ORDER BY n_dead_tup DESC, s.relname;

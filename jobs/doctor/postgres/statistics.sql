-- The tables that the planner knows nothing of, as behind pg_restore and pg_upgrade, the largest first. By the columns' statistics: an index that is built counts a table's rows too, and counters of when it was analyzed are lost in a crash. Only what has none is measured, as that waits for whoever locks the table: pg_upgrade leaves no other size.
SELECT c.relname::text AS name, pg_relation_size(c.oid) AS bytes
  FROM pg_class c
 WHERE c.relnamespace = 'weir'::regnamespace AND c.relkind = 'r'
   AND has_any_column_privilege(c.oid, 'SELECT') -- pg_stats hides the columns that one may not read
   AND NOT EXISTS (SELECT FROM pg_stats s WHERE s.schemaname = 'weir' AND s.tablename = c.relname)
 ORDER BY bytes DESC, name;

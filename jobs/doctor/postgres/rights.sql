-- What a daemon's role must be able to do and can't.
SELECT t.name::text AS name, r.privilege::text AS privilege
  FROM (SELECT c.oid, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = 'weir' AND c.relkind = 'r'
           AND c.relname NOT IN ('speakers', 'schema_migrations', 'schema_compat', 'identity')) t,
       unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) r(privilege)
 WHERE NOT has_table_privilege(t.oid, r.privilege) ORDER BY 1, 2;

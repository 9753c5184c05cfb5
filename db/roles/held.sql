-- What these roles may in schema weir, as a sum: the same is the same rights.
SELECT md5(COALESCE(string_agg(concat_ws(' ', r.rolname, h.on_, h.privilege_type, h.is_grantable), ',' ORDER BY r.rolname, h.on_, h.privilege_type), ''))
  FROM (
    SELECT n.nspname::text AS on_, a.* FROM pg_namespace n, aclexplode(n.nspacl) a WHERE n.nspname = 'weir'
    UNION ALL
    SELECT c.relname, a.* FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(c.relacl) a WHERE n.nspname = 'weir'
    UNION ALL
    SELECT c.relname || '.' || t.attname, a.* FROM pg_attribute t JOIN pg_class c ON c.oid = t.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(t.attacl) a
     WHERE n.nspname = 'weir'
    UNION ALL
    SELECT p.oid::regprocedure::text, a.* FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace, aclexplode(p.proacl) a WHERE n.nspname = 'weir') h
  JOIN pg_roles r ON r.oid = h.grantee
 WHERE r.rolname = ANY ($1)

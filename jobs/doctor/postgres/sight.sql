-- Who has to see all sessions, so that they are told of; and whether it does.
SELECT r.rolname::text AS owner, weir.sees_all_sessions() AS sees
  FROM pg_proc p JOIN pg_roles r ON r.oid = p.proowner WHERE p.oid = 'weir.open_transactions()'::regprocedure;

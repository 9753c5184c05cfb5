-- The schema stays: the migrator's own table is in it.
SELECT 1;

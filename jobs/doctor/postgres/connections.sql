-- Backends of clients only.
SELECT count(*) AS all_, count(*) FILTER (WHERE application_name = 'weir') AS weir FROM pg_stat_activity WHERE backend_type = 'client backend';

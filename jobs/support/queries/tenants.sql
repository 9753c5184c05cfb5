SELECT name, weight, running_most, queued_most, spool_percent, hosts, paused_at, paused_by, pause_reason, updated_at FROM weir.tenants ORDER BY name

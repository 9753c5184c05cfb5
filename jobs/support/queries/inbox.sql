SELECT id, tenant, created_at, job_id FROM weir.inbox ORDER BY created_at

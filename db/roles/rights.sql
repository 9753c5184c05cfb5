-- What each role may, told anew as a whole by `weir-admin db roles` and `weir-admin db
-- migrate`: safe to run any number of times. docs/sql.md has the table.
GRANT USAGE ON SCHEMA weir TO weir_studio, weir_readonly, weir_admin, weir_daemon;
REVOKE ALL ON ALL TABLES IN SCHEMA weir FROM weir_studio, weir_readonly, weir_admin, weir_daemon;
REVOKE ALL (id, tenant, external_id, created_at, job_id) ON weir.inbox FROM weir_admin;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA weir FROM weir_studio, weir_readonly, weir_admin, weir_daemon;

-- A tenant: the function, and what is its own.
GRANT EXECUTE ON FUNCTION weir.enqueue_transcode(jsonb), weir.speaks_for() TO weir_studio;
GRANT SELECT ON weir.my_transcodes, weir.my_renditions, weir.my_callbacks TO weir_studio;

-- Whoever looks: the views, which have no sealed columns and nothing of the inbox.
DO $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT viewname FROM pg_catalog.pg_views WHERE schemaname = 'weir' AND viewname LIKE 'v\_%' LOOP
        EXECUTE format('GRANT SELECT ON weir.%I TO weir_readonly', name);
    END LOOP;
END $$;
GRANT EXECUTE ON FUNCTION weir.slo_of_hour TO weir_readonly, weir_admin, weir_daemon; -- behind v_slo

-- Whoever looks after Postgres: who is there and for how long, and no text of a statement.
GRANT EXECUTE ON FUNCTION weir.open_transactions, weir.client_connections, weir.sees_all_sessions TO weir_admin, weir_daemon;

-- weir-admin: it reads rows, ends and retries transcodes, drains hosts, sets what tenants
-- may, and names in the inbox what waits, without a body.
GRANT SELECT ON ALL TABLES IN SCHEMA weir TO weir_admin;
REVOKE SELECT ON weir.inbox, weir.web_sessions FROM weir_admin;
GRANT SELECT (id, tenant, external_id, created_at, job_id) ON weir.inbox TO weir_admin;
GRANT INSERT, UPDATE ON weir.transcodes, weir.renditions, weir.attempts, weir.outputs, weir.callbacks, weir.events, weir.river_job TO weir_admin;
GRANT INSERT, UPDATE, DELETE ON weir.tenants, weir.placement, weir.stores, weir.callback_secrets, weir.usage, weir.event_deliveries TO weir_admin;
GRANT INSERT, DELETE ON weir.ends TO weir_admin; -- ending and retrying writes it
GRANT INSERT ON weir.head_news TO weir_admin; -- as retrying and bumping does
GRANT UPDATE ON weir.hosts TO weir_admin;
GRANT INSERT ON weir.admin_actions TO weir_admin;
GRANT INSERT, UPDATE ON weir.bulk_operations TO weir_admin;
GRANT INSERT, UPDATE, DELETE ON weir.examinations, weir.examined, weir.findings TO weir_admin;
GRANT EXECUTE ON FUNCTION weir.sealed_page, weir.sealed_replace TO weir_admin;

-- The daemons: all rows. What a tenant is and which schema this is, they only read.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA weir TO weir_daemon;
REVOKE INSERT, UPDATE, DELETE ON weir.speakers, weir.schema_migrations, weir.schema_compat, weir.identity FROM weir_daemon;

GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA weir TO weir_admin, weir_daemon;

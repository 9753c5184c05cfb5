-- Requests by SQL: committed by the caller's own transaction, with their secrets as they
-- came, until a daemon's job `accept` has sealed them.
CREATE TABLE weir.inbox (
    -- That of the transcode that it is going to be.
    id          uuid        PRIMARY KEY,
    tenant      text        NOT NULL CHECK (tenant <> ''),
    external_id text        CHECK (external_id <> ''),
    body        jsonb       NOT NULL,
    -- SHA-256 of the id and the body.
    digest      bytea       NOT NULL,
    job_id      bigint      NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
) WITH (
    -- What was sealed is to leave the table's pages soon, too.
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50,
    autovacuum_vacuum_insert_threshold = -1, autovacuum_analyze_scale_factor = 0.05, autovacuum_analyze_threshold = 1000
);
CREATE UNIQUE INDEX inbox_external_id ON weir.inbox (tenant, external_id);
CREATE INDEX inbox_newest ON weir.inbox (created_at DESC, id DESC);

-- Which transcode an id of the inbox became: its own, or the one that it repeats.
CREATE TABLE weir.enqueued (
    id           uuid  PRIMARY KEY,
    transcode_id uuid  NOT NULL REFERENCES weir.transcodes (id) ON DELETE CASCADE,
    digest       bytea NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000);
CREATE INDEX enqueued_of ON weir.enqueued (transcode_id);

-- Which tenant a role speaks for. A name and no oid, so that a dump can be restored.
CREATE TABLE weir.speakers (
    role   text PRIMARY KEY CHECK (role <> ''),
    tenant text NOT NULL CHECK (tenant ~ '^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}$')
);

-- The tenant of whoever asks: of the role that is set, or else of the session's. It is the
-- same within functions of other owners, where current_user is not the caller any more.
CREATE FUNCTION weir.speaks_for() RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT s.tenant FROM weir.speakers s
     WHERE s.role = CASE current_setting('role') WHEN 'none' THEN session_user::text ELSE current_setting('role') END
$$;
REVOKE ALL ON FUNCTION weir.speaks_for() FROM PUBLIC;

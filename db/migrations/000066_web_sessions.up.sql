-- Who is logged in to the operators' pages. A session's id is known to its browser alone;
-- here is what it hashes to.
CREATE TABLE weir.web_sessions (
    id_hash    bytea       PRIMARY KEY,
    user_name  text        NOT NULL CHECK (user_name <> ''),
    -- What the user's setting hashed to at the login: one that changes ends the session.
    setting    bytea       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    seen_at    timestamptz NOT NULL DEFAULT now(),
    -- It moves with use.
    expires_at timestamptz NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50);

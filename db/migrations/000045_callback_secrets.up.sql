-- What signs that which a tenant is told, beside the daemon's own secret: the tenant's,
-- and a request's own.
CREATE TABLE weir.callback_secrets (
    id         uuid        PRIMARY KEY,
    tenant     text        NOT NULL CHECK (tenant <> ''),
    -- Two at the most are valid at once: the one of before, and the one that replaces it.
    place      smallint    NOT NULL CHECK (place IN (1, 2)),
    sealed     bytea       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT callback_secrets_two UNIQUE (tenant, place)
);

ALTER TABLE weir.transcodes ADD COLUMN callback_secret_sealed bytea;

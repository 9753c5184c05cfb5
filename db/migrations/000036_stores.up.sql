-- Where a tenant's s3://bucket/key leads: S3 servers with keys that requests don't bring.
CREATE TABLE weir.stores (
    tenant      text        NOT NULL CHECK (tenant <> ''),
    name        text        NOT NULL CHECK (name ~ '^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$'),
    -- '': AWS.
    endpoint    text        NOT NULL,
    -- '': found out.
    region      text        NOT NULL,
    path_style  boolean     NOT NULL,
    -- Access key and secret key, encrypted; NULL: anonymous.
    keys_sealed bytea,
    -- Buckets, each alone or with a prefix behind a slash; '*': any bucket.
    allowed     text[]      NOT NULL CHECK (cardinality(allowed) >= 1),
    may_read    boolean     NOT NULL,
    may_write   boolean     NOT NULL CHECK (may_read OR may_write),
    set_by      text        NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, name)
);

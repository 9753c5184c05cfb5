-- What an operator has said of a tenant. One without a row has the defaults.
CREATE TABLE weir.tenants (
    name          text        PRIMARY KEY CHECK (name <> ''),
    -- Turns that it gets for each one of a tenant with weight 1, while both wait.
    weight        integer     NOT NULL DEFAULT 1 CHECK (weight BETWEEN 1 AND 1000),
    -- Slots that it may hold at once; NULL: as many as its turns bring.
    running_most  integer     CHECK (running_most >= 1),
    -- Transcodes that may wait; more are refused. NULL: the default of the code.
    queued_most   integer     CHECK (queued_most >= 1),
    -- Of a host's spool, in percent; NULL: the default of the code.
    spool_percent integer     CHECK (spool_percent BETWEEN 1 AND 100),
    -- Where its transcodes may run; NULL: on every host.
    hosts         text[]      CHECK (cardinality(hosts) >= 1),
    paused_at     timestamptz,
    paused_by     text,
    pause_reason  text,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT tenants_paused_by_somebody_for_something
        CHECK ((paused_at IS NULL) = (paused_by IS NULL) AND (paused_at IS NULL) = (pause_reason IS NULL))
);

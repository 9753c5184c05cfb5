-- A host is a machine with a MistServer and a Weir daemon. It takes work while
-- its lease runs; the daemon renews the lease only while it works and Mist answers.
CREATE TABLE weir.hosts (
    -- In queue names and Mist's folders: a slug, because River takes no dots or capitals.
    id               text        PRIMARY KEY CHECK (id ~ '^[a-z0-9]+(-[a-z0-9]+)*$' AND length(id) <= 40),
    -- One run of the daemon. All writes of a host's workers are fenced by it.
    boot_id          uuid        NOT NULL,
    slots            integer     NOT NULL CHECK (slots BETWEEN 1 AND 1000),
    lease_until      timestamptz NOT NULL,
    -- False between a soft stop and the next boot: nothing is placed here meanwhile.
    up               boolean     NOT NULL DEFAULT true,
    draining         boolean     NOT NULL DEFAULT false,
    weir_version     text        NOT NULL DEFAULT '',
    mist_version     text        NOT NULL DEFAULT '',
    -- Random per start of Mist's controller: a change is a restart.
    mist_iid         text        NOT NULL DEFAULT '',
    -- Free on the spool's disk beyond what is reserved; without any it takes no work.
    spool_room_bytes bigint      NOT NULL DEFAULT 0,
    booted_at        timestamptz NOT NULL DEFAULT now(),
    seen_at          timestamptz NOT NULL DEFAULT now()
);

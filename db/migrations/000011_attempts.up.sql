-- An attempt is one try of a transcode on one host: who ran what where, and how
-- it ended. Its number is in every Mist name and fences every write.
CREATE TABLE weir.attempts (
    transcode_id        uuid        NOT NULL REFERENCES weir.transcodes (id) ON DELETE CASCADE,
    number              integer     NOT NULL CHECK (number >= 1),
    host_id             text        NOT NULL REFERENCES weir.hosts (id),
    -- The run of the daemon that holds it; empty until one has taken it up.
    boot_id             uuid,
    -- The River row that supervises it.
    job_id              bigint,

    -- The last step whose effect is on disk or in Mist; a restarted daemon goes on behind it.
    stage               text        NOT NULL DEFAULT 'placed'
        CHECK (stage IN ('placed', 'fetched', 'prepared', 'started', 'transcoded', 'cleaned')),
    outcome             text        CHECK (outcome IN ('succeeded', 'failed', 'cancelled', 'lost')),
    error_code          text,
    error_stage         text,
    error_message       text,

    source_bytes        bigint,
    source_etag         text,
    -- What the padding came to (media.Prepared): where pushes stop, and what is looked for.
    prepared            jsonb,
    -- MistProcLivepeer as pid, start time and boot of the machine: a pid alone may have
    -- been given to another process.
    process             text,

    -- The Broadcaster that it was last seen with: the next attempt avoids one that failed.
    broadcaster         text,

    created_at          timestamptz NOT NULL DEFAULT now(),
    started_at          timestamptz,
    fetched_at          timestamptz,
    prepared_at         timestamptz,
    process_started_at  timestamptz,
    transcoded_at       timestamptz,
    ended_at            timestamptz,
    cleaned_at          timestamptz,

    PRIMARY KEY (transcode_id, number),
    CONSTRAINT attempts_ended_with_outcome CHECK ((outcome IS NULL) = (ended_at IS NULL)),
    CONSTRAINT attempts_failed_has_code CHECK (outcome <> 'failed' OR error_code IS NOT NULL)
);

CREATE INDEX attempts_open ON weir.attempts (host_id) WHERE cleaned_at IS NULL;

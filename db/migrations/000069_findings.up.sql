-- What daemons found around them, and who asked them to look.
CREATE TABLE weir.examinations (
    id        uuid        PRIMARY KEY,
    asked_at  timestamptz NOT NULL DEFAULT now(),
    asked_by  text        NOT NULL CHECK (asked_by <> ''),
    -- Patterns of codes; empty: all.
    only_     text[]      NOT NULL DEFAULT '{}',
    -- The cheap checks alone.
    cheap     boolean     NOT NULL DEFAULT false,
    -- Who answers later has not answered.
    ends_at   timestamptz NOT NULL
);
CREATE INDEX examinations_by_time ON weir.examinations (asked_at);

CREATE TABLE weir.examined (
    examination_id uuid        NOT NULL REFERENCES weir.examinations (id) ON DELETE CASCADE,
    -- A host's id, or "control" for any daemon that leads.
    daemon         text        NOT NULL CHECK (daemon <> ''),
    job_id         bigint,
    answered_at    timestamptz,
    PRIMARY KEY (examination_id, daemon)
);

-- The newest word on each thing: who looks again writes over it, so the table does not grow.
CREATE TABLE weir.findings (
    daemon   text        NOT NULL CHECK (daemon <> ''),
    code     text        NOT NULL CHECK (code ~ '^[a-z]+\.[a-z_]+$'),
    -- Which one, where there are several: a store, a Broadcaster.
    subject  text        NOT NULL,
    verdict  text        NOT NULL CHECK (verdict IN ('ok', 'warn', 'fail', 'unknown')),
    evidence text        NOT NULL,
    mend     text        NOT NULL,
    took_ms  integer     NOT NULL,
    found_at timestamptz NOT NULL DEFAULT now(),
    -- Since when the verdict is this one.
    since    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (daemon, code, subject),
    -- What is wrong comes with what mends it.
    CONSTRAINT findings_have_a_way_out CHECK (verdict = 'ok' OR mend <> '')
);

CREATE VIEW weir.v_findings AS
SELECT daemon, code, subject, verdict, evidence, mend, took_ms, found_at, since FROM weir.findings;
COMMENT ON VIEW weir.v_findings IS 'What daemons found around them when they looked last, as `weir-admin doctor` shows it.';
COMMENT ON COLUMN weir.v_findings.daemon IS 'Who found it: a host''s id, "control" for a daemon that leads, "database" for the database itself.';
COMMENT ON COLUMN weir.v_findings.code IS 'What was looked at: a code of docs/doctor.md.';
COMMENT ON COLUMN weir.v_findings.subject IS 'Which one, where there are several: a store, a Broadcaster, a receiver.';
COMMENT ON COLUMN weir.v_findings.verdict IS 'ok, warn, fail or unknown.';
COMMENT ON COLUMN weir.v_findings.evidence IS 'What was seen.';
COMMENT ON COLUMN weir.v_findings.mend IS 'The line that mends it.';
COMMENT ON COLUMN weir.v_findings.took_ms IS 'How long the look took.';
COMMENT ON COLUMN weir.v_findings.found_at IS 'When it was seen last.';
COMMENT ON COLUMN weir.v_findings.since IS 'Since when it is so.';

-- A transcode is one request: one source, N renditions, one callback.
CREATE TABLE weir.transcodes (
    id                 uuid             PRIMARY KEY,
    tenant             text             NOT NULL CHECK (tenant <> ''),
    external_id        text             CHECK (external_id <> ''),
    -- Which form of the API it came by: /v1/transcodes or /api/transcode/file.
    form               text             NOT NULL CHECK (form IN ('v1', 'file')),
    -- The request as it came, its secrets taken out.
    request            jsonb            NOT NULL,
    -- A keyed digest of the whole request: tells a repeated one from a different one.
    request_digest     bytea            NOT NULL,

    -- The URL columns are for people and hold no secret; the sealed ones hold the
    -- whole URL, encrypted.
    source_url         text             NOT NULL,
    source_sealed      bytea            NOT NULL,
    output_url         text             NOT NULL,
    output_sealed      bytea            NOT NULL,
    callback_url       text             NOT NULL,
    callback_sealed    bytea            NOT NULL,
    -- Livepeer access token and API URL, when the request brings its own.
    livepeer_sealed    bytea,

    state              text             NOT NULL DEFAULT 'queued'
        CHECK (state IN ('queued', 'placed', 'running', 'storing', 'succeeded', 'failed', 'cancelled')),
    -- Counts from the acceptance, or from an operator's retry, to a terminal state.
    run                integer          NOT NULL DEFAULT 1 CHECK (run >= 1),
    -- The newest attempt; older ones may write nothing. 0: never placed.
    attempt            integer          NOT NULL DEFAULT 0 CHECK (attempt >= 0),
    attempts_left      integer          NOT NULL CHECK (attempts_left >= 0),
    host_id            text             REFERENCES weir.hosts (id),
    -- Not placed before this time.
    not_before         timestamptz      NOT NULL DEFAULT now(),

    -- What the probe found in the source (media.Source).
    source             jsonb,
    source_duration_ms bigint           CHECK (source_duration_ms > 0),
    -- The highest completion ratio told to anybody: it never goes down.
    ratio              double precision NOT NULL DEFAULT 0 CHECK (ratio BETWEEN 0 AND 1),
    -- When Studio last heard of it.
    status_sent_at     timestamptz,

    error_code         text,
    error_stage        text,
    error_message      text,

    created_at         timestamptz      NOT NULL DEFAULT now(),
    placed_at          timestamptz,
    started_at         timestamptz,
    finished_at        timestamptz,
    updated_at         timestamptz      NOT NULL DEFAULT now(),

    CONSTRAINT transcodes_external_id_once UNIQUE (tenant, external_id),
    CONSTRAINT transcodes_finished_when_terminal
        CHECK ((state IN ('succeeded', 'failed', 'cancelled')) = (finished_at IS NOT NULL)),
    CONSTRAINT transcodes_failed_has_code
        CHECK (state <> 'failed' OR (error_code IS NOT NULL AND error_stage IS NOT NULL AND error_message IS NOT NULL)),
    CONSTRAINT transcodes_held_by_host
        CHECK (state NOT IN ('placed', 'running', 'storing') OR (host_id IS NOT NULL AND attempt > 0)),
    CONSTRAINT transcodes_ratio_whole_on_success
        CHECK (state <> 'succeeded' OR ratio = 1)
);

-- The queue, in its order; and what a host holds.
CREATE INDEX transcodes_queued ON weir.transcodes (not_before, created_at, id) WHERE state = 'queued';
CREATE INDEX transcodes_held ON weir.transcodes (host_id) WHERE state IN ('placed', 'running', 'storing');
-- Statuses are due for what has not ended.
CREATE INDEX transcodes_status_due ON weir.transcodes (status_sent_at NULLS FIRST)
    WHERE state IN ('queued', 'placed', 'running', 'storing');
-- Lists: newest first, of a tenant or of all.
CREATE INDEX transcodes_by_tenant ON weir.transcodes (tenant, created_at DESC, id DESC);
CREATE INDEX transcodes_by_time ON weir.transcodes (created_at DESC, id DESC);

-- The states and the ways between them. A terminal state stays, but for an
-- operator's retry of a failed transcode, which begins a new run.
CREATE FUNCTION weir.transcodes_check_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.attempt < OLD.attempt OR NEW.run < OLD.run THEN
        RAISE EXCEPTION 'transcode %: attempt and run never go down', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    -- A ratio that goes down makes Studio take the transcode for lost.
    IF NEW.ratio < OLD.ratio THEN
        NEW.ratio := OLD.ratio;
    END IF;
    NEW.updated_at := now();
    IF NEW.state = OLD.state THEN
        RETURN NEW;
    END IF;
    IF (OLD.state, NEW.state) IN (
        ('queued', 'placed'), ('queued', 'failed'), ('queued', 'cancelled'),
        ('placed', 'running'), ('placed', 'queued'), ('placed', 'failed'), ('placed', 'cancelled'),
        ('running', 'storing'), ('running', 'queued'), ('running', 'succeeded'), ('running', 'failed'), ('running', 'cancelled'),
        ('storing', 'queued'), ('storing', 'succeeded'), ('storing', 'failed'), ('storing', 'cancelled'))
    OR (OLD.state = 'failed' AND NEW.state = 'queued' AND NEW.run = OLD.run + 1) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'transcode %: no way from % to %', OLD.id, OLD.state, NEW.state USING ERRCODE = 'check_violation';
END $$;

CREATE TRIGGER transcodes_check_state BEFORE UPDATE ON weir.transcodes
    FOR EACH ROW EXECUTE FUNCTION weir.transcodes_check_state();

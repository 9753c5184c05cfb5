-- A rendition is one requested output. All of a transcode's rows are written with
-- it, from the profiles, never from what Mist shows.
CREATE TABLE weir.renditions (
    transcode_id    uuid             NOT NULL REFERENCES weir.transcodes (id) ON DELETE CASCADE,
    name            text             NOT NULL CHECK (name ~ '^[a-z0-9A-Z][a-zA-Z0-9_.-]{0,63}$'),
    -- Its place in target_profiles: trackid >> 16 of Mist's track.
    ordinal         integer          NOT NULL CHECK (ordinal BETWEEN 0 AND 15),
    -- As asked for. fps 0: the source's.
    width           integer          NOT NULL,
    height          integer          NOT NULL,
    bitrate         bigint           NOT NULL,
    fps             integer          NOT NULL DEFAULT 0,
    gop             text             NOT NULL DEFAULT '',
    codec_profile   text             NOT NULL DEFAULT '',
    -- MistProcLivepeer floors sizes to multiples of 16; this is what the file must have.
    planned_width   integer          NOT NULL CHECK (planned_width % 16 = 0 AND planned_width > 0),
    planned_height  integer          NOT NULL CHECK (planned_height % 16 = 0 AND planned_height > 0),

    state           text             NOT NULL DEFAULT 'expected'
        CHECK (state IN ('expected', 'pushing', 'pushed', 'ok', 'failed')),
    -- The attempt that the columns below speak of.
    attempt         integer          NOT NULL DEFAULT 0 CHECK (attempt >= 0),

    -- Mist's track, from LIVE_TRACK_LIST.
    track_index     integer,
    push_pid        integer,
    push_started_at timestamptz,
    -- Media time pushed.
    pushed_ms       bigint           NOT NULL DEFAULT 0,
    -- Hints: what RECORDING_END and PUSH_END said. Nothing is decided by them alone.
    recorded_bytes  bigint,
    recorded_reason text,
    push_ended_at   timestamptz,
    pushed_at       timestamptz,

    -- The River row that stores it.
    job_id          bigint,
    uploaded_bytes  bigint           NOT NULL DEFAULT 0,
    -- The evidence.
    object_url      text,
    object_bytes    bigint,
    object_etag     text,
    object_checksum text,
    frames          bigint,
    duration_ms     bigint,
    -- The rest of what was judged (media.Verdict).
    verdict         jsonb,
    stored_at       timestamptz,

    error_code      text,
    error_stage     text,
    error_message   text,

    PRIMARY KEY (transcode_id, name),
    CONSTRAINT renditions_ordinal_once UNIQUE (transcode_id, ordinal),
    CONSTRAINT renditions_ok_is_evidence CHECK (state <> 'ok' OR (
        object_url IS NOT NULL AND object_bytes > 0 AND object_checksum IS NOT NULL
        AND frames > 0 AND duration_ms > 0 AND stored_at IS NOT NULL)),
    CONSTRAINT renditions_failed_has_code CHECK (state <> 'failed' OR (error_code IS NOT NULL AND error_stage IS NOT NULL))
);

-- ok is for ever; anything else begins again only with a newer attempt.
CREATE FUNCTION weir.renditions_check_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.attempt < OLD.attempt THEN
        RAISE EXCEPTION 'rendition % of %: attempt never goes down', OLD.name, OLD.transcode_id USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = OLD.state OR (OLD.state, NEW.state) IN (
        ('expected', 'pushing'), ('expected', 'pushed'), ('expected', 'failed'),
        ('pushing', 'pushed'), ('pushing', 'failed'),
        ('pushed', 'ok'), ('pushed', 'failed'))
    OR (NEW.state = 'expected' AND OLD.state <> 'ok' AND NEW.attempt > OLD.attempt) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'rendition % of %: no way from % to %', OLD.name, OLD.transcode_id, OLD.state, NEW.state
        USING ERRCODE = 'check_violation';
END $$;

CREATE TRIGGER renditions_check_state BEFORE UPDATE ON weir.renditions
    FOR EACH ROW EXECUTE FUNCTION weir.renditions_check_state();

-- Looked at when the transaction commits: a transcode has its renditions from its
-- first transaction on, and succeeds only with all of them ok.
CREATE FUNCTION weir.transcodes_check_renditions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM weir.renditions r WHERE r.transcode_id = NEW.id) THEN
        RAISE EXCEPTION 'transcode %: no renditions', NEW.id USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = 'succeeded'
        AND EXISTS (SELECT FROM weir.renditions r WHERE r.transcode_id = NEW.id AND r.state <> 'ok') THEN
        RAISE EXCEPTION 'transcode %: succeeded with a rendition that is not ok', NEW.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER transcodes_have_renditions AFTER INSERT ON weir.transcodes
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION weir.transcodes_check_renditions();
CREATE CONSTRAINT TRIGGER transcodes_succeed_whole AFTER UPDATE ON weir.transcodes
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.state = 'succeeded' AND OLD.state <> 'succeeded') EXECUTE FUNCTION weir.transcodes_check_renditions();

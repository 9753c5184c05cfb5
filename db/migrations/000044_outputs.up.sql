-- An output is one thing that is made of a transcode: files, playlists, pictures, a copy
-- of the source. A transcode without any has its renditions' files alone.
CREATE TABLE weir.outputs (
    transcode_id   uuid        NOT NULL REFERENCES weir.transcodes (id) ON DELETE CASCADE,
    ordinal        integer     NOT NULL CHECK (ordinal BETWEEN 0 AND 31),
    type           text        NOT NULL CHECK (type IN ('ts', 'hls', 'mp4', 'fmp4', 'source', 'thumbnails')),
    -- The place without secrets, for people; and the whole one, encrypted.
    url            text        NOT NULL,
    sealed         bytea       NOT NULL,
    -- How long segments shall be; 0: the default.
    segment_ms     integer     NOT NULL DEFAULT 0 CHECK (segment_ms >= 0),
    only_short     boolean     NOT NULL DEFAULT false,

    state          text        NOT NULL DEFAULT 'expected' CHECK (state IN ('expected', 'ok', 'failed', 'skipped')),
    -- The attempt that the columns below speak of.
    attempt        integer     NOT NULL DEFAULT 0 CHECK (attempt >= 0),
    -- The evidence: where a player begins, and what was written (jobs.StoredObject), its
    -- segments and pictures summed up so that it stays short.
    manifest_url   text,
    bytes          bigint,
    objects        jsonb       CHECK (jsonb_typeof(objects) = 'array' AND jsonb_array_length(objects) <= 64),
    stored_at      timestamptz,
    -- Why there is none.
    skipped_reason text,

    error_code     text,
    error_stage    text,
    error_message  text,
    error_detail   text,

    PRIMARY KEY (transcode_id, ordinal),
    CONSTRAINT outputs_once UNIQUE (transcode_id, type, url),
    CONSTRAINT outputs_ok_is_evidence CHECK (state <> 'ok' OR (
        bytes > 0 AND objects IS NOT NULL AND stored_at IS NOT NULL AND attempt > 0
        AND (type = 'ts' OR jsonb_array_length(objects) > 0))),
    CONSTRAINT outputs_skipped_says_why CHECK (state <> 'skipped' OR (skipped_reason IS NOT NULL AND skipped_reason <> '')),
    CONSTRAINT outputs_failed_has_code CHECK (state <> 'failed' OR (error_code IS NOT NULL AND error_stage IS NOT NULL AND error_message IS NOT NULL))
);

-- ok and skipped are for ever; anything else begins again only with a newer attempt.
CREATE FUNCTION weir.outputs_check_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.attempt < OLD.attempt THEN
        RAISE EXCEPTION 'output % of %: attempt never goes down', OLD.ordinal, OLD.transcode_id USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = OLD.state OR (OLD.state, NEW.state) IN (('expected', 'ok'), ('expected', 'failed'), ('expected', 'skipped'))
    OR (OLD.state = 'failed' AND NEW.state = 'expected' AND NEW.attempt > OLD.attempt) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'output % of %: no way from % to %', OLD.ordinal, OLD.transcode_id, OLD.state, NEW.state
        USING ERRCODE = 'check_violation';
END $$;

CREATE TRIGGER outputs_check_state BEFORE UPDATE ON weir.outputs
    FOR EACH ROW EXECUTE FUNCTION weir.outputs_check_state();

-- Whether more is made of it than its renditions' files: a package job comes before its end.
ALTER TABLE weir.transcodes ADD COLUMN packages boolean NOT NULL DEFAULT false;

-- The package job of the attempt, since when it has something to do, and since when players
-- may find what it wrote.
ALTER TABLE weir.attempts
    ADD COLUMN package_job_id bigint,
    ADD COLUMN package_from timestamptz,
    ADD COLUMN publish_from timestamptz;

-- Looked at when the transaction commits, as its renditions are: what is made of them is
-- there from its first transaction on, and it succeeds only when each stands or has a
-- reason not to.
CREATE FUNCTION weir.transcodes_check_outputs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.packages AND NOT EXISTS (SELECT FROM weir.outputs o WHERE o.transcode_id = NEW.id AND o.type <> 'ts') THEN
        RAISE EXCEPTION 'transcode %: nothing to package', NEW.id USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = 'succeeded'
        AND EXISTS (SELECT FROM weir.outputs o WHERE o.transcode_id = NEW.id AND o.state NOT IN ('ok', 'skipped')) THEN
        RAISE EXCEPTION 'transcode %: succeeded with an output that is neither ok nor skipped', NEW.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER transcodes_have_outputs AFTER INSERT ON weir.transcodes
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.packages) EXECUTE FUNCTION weir.transcodes_check_outputs();
CREATE CONSTRAINT TRIGGER transcodes_succeed_with_outputs AFTER UPDATE ON weir.transcodes
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.state = 'succeeded' AND OLD.state <> 'succeeded') EXECUTE FUNCTION weir.transcodes_check_outputs();

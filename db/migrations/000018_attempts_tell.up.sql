-- Failures tell operators more than tenants, and what is no fault of a transcode costs
-- it none of its attempts.

-- What is for operators alone: processes, paths, logs. error_message is for everybody.
ALTER TABLE weir.attempts ADD COLUMN error_detail text;
ALTER TABLE weir.renditions ADD COLUMN error_detail text;

-- When the run began: a day bounds what costs no attempt.
ALTER TABLE weir.transcodes ADD COLUMN run_at timestamptz NOT NULL DEFAULT now();
UPDATE weir.transcodes SET run_at = created_at WHERE finished_at IS NULL;
-- How often the run was tried again at no cost: each wait is longer than the one before.
ALTER TABLE weir.transcodes ADD COLUMN free_tries integer NOT NULL DEFAULT 0 CHECK (free_tries >= 0);

-- MistProcLivepeer is started anew within an attempt: where its start hung, and for
-- renditions whose push lost the race against its end.
ALTER TABLE weir.attempts ADD COLUMN hung_starts integer NOT NULL DEFAULT 0 CHECK (hung_starts >= 0);
ALTER TABLE weir.attempts ADD COLUMN reruns integer NOT NULL DEFAULT 0 CHECK (reruns >= 0);

-- A push that lost that race is begun again within its attempt.
CREATE OR REPLACE FUNCTION weir.renditions_check_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.attempt < OLD.attempt THEN
        RAISE EXCEPTION 'rendition % of %: attempt never goes down', OLD.name, OLD.transcode_id USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = OLD.state OR (OLD.state, NEW.state) IN (
        ('expected', 'pushing'), ('expected', 'pushed'), ('expected', 'failed'),
        ('pushing', 'pushed'), ('pushing', 'failed'), ('pushing', 'expected'),
        ('pushed', 'ok'), ('pushed', 'failed'))
    OR (NEW.state = 'expected' AND OLD.state <> 'ok' AND NEW.attempt > OLD.attempt) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'rendition % of %: no way from % to %', OLD.name, OLD.transcode_id, OLD.state, NEW.state
        USING ERRCODE = 'check_violation';
END $$;

CREATE VIEW weir.v_attempts AS
SELECT a.transcode_id, t.tenant, t.external_id, a.number, a.host_id, a.stage, a.outcome,
       a.hung_starts, a.reruns, a.broadcaster, a.error_code, a.error_stage, a.error_message, a.error_detail,
       a.created_at, a.started_at, a.fetched_at, a.prepared_at, a.process_started_at, a.transcoded_at, a.ended_at, a.cleaned_at
  FROM weir.attempts a
  JOIN weir.transcodes t ON t.id = a.transcode_id;
COMMENT ON VIEW weir.v_attempts IS 'One row per attempt: which host tried, how far it came, how it ended.';
COMMENT ON COLUMN weir.v_attempts.transcode_id IS 'The transcode that was tried.';
COMMENT ON COLUMN weir.v_attempts.tenant IS 'Whose it is.';
COMMENT ON COLUMN weir.v_attempts.external_id IS 'The caller''s own id.';
COMMENT ON COLUMN weir.v_attempts.number IS 'Counts from 1, over all runs.';
COMMENT ON COLUMN weir.v_attempts.host_id IS 'The host that tried.';
COMMENT ON COLUMN weir.v_attempts.stage IS 'Its last finished step: placed, fetched, prepared, started, transcoded or cleaned.';
COMMENT ON COLUMN weir.v_attempts.outcome IS 'succeeded, failed, cancelled or lost; null while it runs.';
COMMENT ON COLUMN weir.v_attempts.hung_starts IS 'How often MistProcLivepeer hung at its start and was started anew.';
COMMENT ON COLUMN weir.v_attempts.reruns IS 'How often it was started anew for renditions whose push was lost at its end.';
COMMENT ON COLUMN weir.v_attempts.broadcaster IS 'The Broadcaster that it was last seen with.';
COMMENT ON COLUMN weir.v_attempts.error_code IS 'Why it failed: a code of the failure table.';
COMMENT ON COLUMN weir.v_attempts.error_stage IS 'Where it failed.';
COMMENT ON COLUMN weir.v_attempts.error_message IS 'Why it failed, as the tenant is told.';
COMMENT ON COLUMN weir.v_attempts.error_detail IS 'Why it failed, with what is for operators alone: processes, paths, ends of logs.';
COMMENT ON COLUMN weir.v_attempts.created_at IS 'When it was placed.';
COMMENT ON COLUMN weir.v_attempts.started_at IS 'When its host took it up.';
COMMENT ON COLUMN weir.v_attempts.fetched_at IS 'When the source was on the host.';
COMMENT ON COLUMN weir.v_attempts.prepared_at IS 'When the source was ready for Mist.';
COMMENT ON COLUMN weir.v_attempts.process_started_at IS 'When MistProcLivepeer was last started.';
COMMENT ON COLUMN weir.v_attempts.transcoded_at IS 'When Mist was done.';
COMMENT ON COLUMN weir.v_attempts.ended_at IS 'When its outcome was decided.';
COMMENT ON COLUMN weir.v_attempts.cleaned_at IS 'When nothing of it was left in Mist.';

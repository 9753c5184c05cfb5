DROP VIEW weir.v_attempts;

CREATE OR REPLACE FUNCTION weir.renditions_check_state() RETURNS trigger LANGUAGE plpgsql AS $$
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

ALTER TABLE weir.attempts DROP COLUMN reruns, DROP COLUMN hung_starts, DROP COLUMN error_detail;
ALTER TABLE weir.transcodes DROP COLUMN free_tries, DROP COLUMN run_at;
ALTER TABLE weir.renditions DROP COLUMN error_detail;

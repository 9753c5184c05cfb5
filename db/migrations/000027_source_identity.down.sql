CREATE OR REPLACE FUNCTION weir.transcodes_check_renditions() RETURNS trigger LANGUAGE plpgsql AS $$
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

ALTER TABLE weir.attempts DROP COLUMN source_identity;

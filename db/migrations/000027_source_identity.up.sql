-- Renditions of one transcode are all of one source, whatever becomes of its location
-- between attempts.

-- What tells the source that the attempt fetched from another; null before the fetch, and
-- of attempts of an older daemon.
ALTER TABLE weir.attempts ADD COLUMN source_identity text;

-- What is stored stays, unless the new attempt has another source than it is of.
CREATE OR REPLACE FUNCTION weir.renditions_check_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.attempt < OLD.attempt THEN
        RAISE EXCEPTION 'rendition % of %: attempt never goes down', OLD.name, OLD.transcode_id USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = OLD.state OR (OLD.state, NEW.state) IN (
        ('expected', 'pushing'), ('expected', 'pushed'), ('expected', 'failed'),
        ('pushing', 'pushed'), ('pushing', 'failed'), ('pushing', 'expected'),
        ('pushed', 'ok'), ('pushed', 'failed'))
    OR (NEW.state = 'expected' AND OLD.state <> 'ok' AND NEW.attempt > OLD.attempt)
    OR (NEW.state = 'expected' AND EXISTS (
        SELECT FROM weir.attempts o JOIN weir.attempts n USING (transcode_id)
         WHERE transcode_id = NEW.transcode_id AND o.number = OLD.attempt AND n.number = NEW.attempt
           AND o.source_identity <> n.source_identity)) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'rendition % of %: no way from % to %', OLD.name, OLD.transcode_id, OLD.state, NEW.state
        USING ERRCODE = 'check_violation';
END $$;

CREATE OR REPLACE FUNCTION weir.transcodes_check_renditions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM weir.renditions r WHERE r.transcode_id = NEW.id) THEN
        RAISE EXCEPTION 'transcode %: no renditions', NEW.id USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = 'succeeded'
        AND EXISTS (SELECT FROM weir.renditions r WHERE r.transcode_id = NEW.id AND r.state <> 'ok') THEN
        RAISE EXCEPTION 'transcode %: succeeded with a rendition that is not ok', NEW.id USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = 'succeeded'
        AND (SELECT count(DISTINCT a.source_identity) FROM weir.renditions r
               JOIN weir.attempts a ON a.transcode_id = r.transcode_id AND a.number = r.attempt
              WHERE r.transcode_id = NEW.id) > 1 THEN
        RAISE EXCEPTION 'transcode %: succeeded with renditions of two sources', NEW.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

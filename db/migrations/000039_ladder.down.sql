-- What has no renditions yet can't be told by an older schema.
DELETE FROM weir.transcodes t WHERE t.ladder AND NOT EXISTS (SELECT FROM weir.renditions r WHERE r.transcode_id = t.id);
ALTER TABLE weir.transcodes DROP COLUMN ladder;

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

-- An output other than plain files is told of as renditions are.
CREATE FUNCTION weir.outputs_tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM weir.events_hold();
    INSERT INTO weir.events (transcode_id, tenant, external_id, type, state, run, attempt, host_id, ratio, output)
    SELECT t.id, t.tenant, t.external_id, 'output.ready', t.state, t.run, t.attempt, t.host_id, t.ratio, NEW.type
      FROM weir.transcodes t WHERE t.id = NEW.transcode_id;
    RETURN NULL;
END $$;

CREATE TRIGGER outputs_tell_state AFTER UPDATE OF state ON weir.outputs
    FOR EACH ROW WHEN (OLD.state <> NEW.state AND NEW.state = 'ok' AND NEW.type <> 'ts') EXECUTE FUNCTION weir.outputs_tell();

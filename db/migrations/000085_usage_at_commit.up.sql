-- A tenant's counters are rows that all its ends change: they are changed last, within the
-- commit, so that an end does not wait for the rest of another's transaction, nor has its
-- transcode's lock while it does.
DROP TRIGGER transcodes_use ON weir.transcodes;
CREATE CONSTRAINT TRIGGER transcodes_use AFTER UPDATE OF state ON weir.transcodes
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (OLD.state <> NEW.state AND NEW.state IN ('succeeded', 'failed', 'cancelled'))
    EXECUTE FUNCTION weir.transcodes_use();

DROP TRIGGER transcodes_use ON weir.transcodes;
CREATE TRIGGER transcodes_use AFTER UPDATE OF state ON weir.transcodes
    FOR EACH ROW WHEN (OLD.state <> NEW.state AND NEW.state IN ('succeeded', 'failed', 'cancelled'))
    EXECUTE FUNCTION weir.transcodes_use();

-- Tells of each job in the transaction that inserts it. River leaves out what comes within a
-- moment of what it told before, in the belief that whoever hears of the one finds the other.
-- Where that is fetched already the other waits for a poll, and idle daemons poll seldom.
CREATE FUNCTION weir.river_job_tell() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    -- As River writes it: Postgres tells the same twice in a transaction once.
    PERFORM pg_notify('weir.river_insert', format('{"queue": "%s"}', q.queue))
       FROM (SELECT DISTINCT n.queue FROM inserted n WHERE n.state = 'available') q;
    RETURN NULL;
END $$;
CREATE TRIGGER river_job_tell AFTER INSERT ON weir.river_job REFERENCING NEW TABLE AS inserted
    FOR EACH STATEMENT EXECUTE FUNCTION weir.river_job_tell();

-- What became of transcodes, one row for each change that callers are told of, written by
-- the transaction that makes the change. Triggers write them, so that no way to a state
-- can forget its event.
--
-- Ids come from a sequence, and transactions commit in any order: a reader that has seen
-- event 10 may find event 9 later. So each transaction holds, from before it draws its
-- first id to its end, a shared advisory lock that says behind which id it draws. What is
-- below all of these locks, and below the sequence, is as it will ever be:
-- weir.events_settled(). Readers go no further, and an id is a place to go on from. The
-- locks exclude nobody.
CREATE TABLE weir.events (
    id            bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- No foreign key: its lock on the transcode would come behind that on a rendition.
    transcode_id  uuid        NOT NULL,
    tenant        text        NOT NULL,
    external_id   text,
    type          text        NOT NULL CHECK (type ~ '^(transcode|rendition|output)\.[a-z]+$'),
    -- The transcode as it was then.
    state         text        NOT NULL,
    run           integer     NOT NULL,
    attempt       integer     NOT NULL,
    host_id       text,
    ratio         double precision NOT NULL,
    -- What it is about, where that is not the whole transcode.
    rendition     text,
    output        text,
    -- Why it failed; of one that is queued again, why its last attempt did.
    error_code    text,
    error_stage   text,
    created_at    timestamptz NOT NULL DEFAULT now()
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000);

CREATE INDEX events_by_transcode ON weir.events (transcode_id, id);
CREATE INDEX events_by_tenant ON weir.events (tenant, id);

-- One lock a transaction, however many its events: the setting is gone with the lock, at
-- the end or with the savepoint. Its key is the id, below a prefix (844711) that no other
-- lock here has.
CREATE FUNCTION weir.events_hold() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF COALESCE(current_setting('weir.events_hold', true), '') = '' THEN
        PERFORM pg_advisory_xact_lock_shared((844711::bigint << 40) | CASE WHEN is_called THEN last_value ELSE 0 END)
           FROM weir.events_id_seq;
        PERFORM set_config('weir.events_hold', 'held', true);
    END IF;
END $$;

-- The newest id up to which nothing comes any more. The sequence is read first: who draws
-- an id up to there holds its lock by then, or has ended. Rows must be read by a later
-- statement, whose snapshot then has all of them. It may be lower than it was a moment
-- before, as a lock says the lowest id that may come; what was settled is so for good.
CREATE FUNCTION weir.events_settled() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    drawn bigint;
    held bigint;
BEGIN
    SELECT CASE WHEN is_called THEN last_value ELSE 0 END INTO drawn FROM weir.events_id_seq;
    SELECT min((classid::bigint << 32 | objid::bigint) & ((1::bigint << 40) - 1)) INTO held FROM pg_locks
     WHERE locktype = 'advisory' AND objsubid = 1 AND classid::bigint >> 8 = 844711
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database());
    RETURN LEAST(drawn, held);
END $$;

CREATE FUNCTION weir.transcodes_tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM weir.events_hold();
    INSERT INTO weir.events (transcode_id, tenant, external_id, type, state, run, attempt, host_id, ratio, error_code, error_stage)
    VALUES (NEW.id, NEW.tenant, NEW.external_id,
            CASE NEW.state WHEN 'running' THEN 'transcode.started'
                 WHEN 'queued' THEN CASE WHEN TG_OP = 'UPDATE' AND NEW.run > OLD.run THEN 'transcode.retried' ELSE 'transcode.queued' END
                 ELSE 'transcode.' || NEW.state END,
            NEW.state, NEW.run, NEW.attempt, NEW.host_id, NEW.ratio, NEW.error_code, NEW.error_stage);
    RETURN NULL;
END $$;

CREATE TRIGGER transcodes_tell_new AFTER INSERT ON weir.transcodes
    FOR EACH ROW EXECUTE FUNCTION weir.transcodes_tell();
CREATE TRIGGER transcodes_tell_state AFTER UPDATE OF state ON weir.transcodes
    FOR EACH ROW WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION weir.transcodes_tell();

CREATE FUNCTION weir.renditions_tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM weir.events_hold();
    INSERT INTO weir.events (transcode_id, tenant, external_id, type, state, run, attempt, host_id, ratio, rendition, error_code, error_stage)
    SELECT t.id, t.tenant, t.external_id, 'rendition.' || CASE NEW.state WHEN 'ok' THEN 'ready' ELSE NEW.state END,
           t.state, t.run, t.attempt, t.host_id, t.ratio, NEW.name, NEW.error_code, NEW.error_stage
      FROM weir.transcodes t WHERE t.id = NEW.transcode_id;
    RETURN NULL;
END $$;

CREATE TRIGGER renditions_tell_state AFTER UPDATE OF state ON weir.renditions
    FOR EACH ROW WHEN (OLD.state <> NEW.state AND NEW.state IN ('pushed', 'ok', 'failed')) EXECUTE FUNCTION weir.renditions_tell();

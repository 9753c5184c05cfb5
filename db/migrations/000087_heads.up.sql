-- The tenants that have something to be placed, so that a placement round needn't look for
-- them in the queue. Written by rounds alone, under their lock.
CREATE TABLE weir.heads (
    tenant       text        PRIMARY KEY CHECK (tenant <> ''),
    -- Nothing of its queue that may be placed stands before it; and nothing urgent before
    -- urgent_place (NULL: nothing is urgent). What stood there may have left the queue.
    place        timestamptz NOT NULL,
    urgent_place timestamptz
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,
    autovacuum_analyze_scale_factor = 0.01, autovacuum_analyze_threshold = 1000);

-- What has begun to wait, or to stand farther in front, since the last round: it lists it.
-- Rows are inserted by whoever makes it wait and removed by rounds, and nobody waits for
-- another's: a transaction that is left open holds nobody up. What a round doesn't see yet
-- stays, so each of what waits is behind its tenant's head, or among the news.
CREATE TABLE weir.head_news (
    id       bigint      GENERATED ALWAYS AS IDENTITY,
    tenant   text        NOT NULL CHECK (tenant <> ''),
    place    timestamptz NOT NULL,
    urgent   boolean     NOT NULL,
    ready_at timestamptz NOT NULL,

    PRIMARY KEY (ready_at, id)
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);

CREATE FUNCTION weir.transcodes_head_new() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO weir.head_news (tenant, place, urgent, ready_at)
    SELECT n.tenant, min(weir.turn_of(n.created_at, n.priority)), n.priority <= 2, n.not_before
      FROM new_rows n WHERE n.state = 'queued' GROUP BY n.tenant, n.priority <= 2, n.not_before;
    RETURN NULL;
END $$;
CREATE FUNCTION weir.transcodes_head_again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO weir.head_news (tenant, place, urgent, ready_at)
    VALUES (NEW.tenant, weir.turn_of(NEW.created_at, NEW.priority), NEW.priority <= 2, NEW.not_before);
    RETURN NULL;
END $$;
CREATE TRIGGER transcodes_head_new AFTER INSERT ON weir.transcodes
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION weir.transcodes_head_new();
CREATE TRIGGER transcodes_head_again AFTER UPDATE OF state, priority, not_before ON weir.transcodes
    FOR EACH ROW WHEN (NEW.state = 'queued' AND (OLD.state <> 'queued' OR NEW.priority < OLD.priority OR NEW.not_before < OLD.not_before))
    EXECUTE FUNCTION weir.transcodes_head_again();

-- What waits already; nobody else writes while the triggers are made.
INSERT INTO weir.head_news (tenant, place, urgent, ready_at)
SELECT t.tenant, min(weir.turn_of(t.created_at, t.priority)), t.priority <= 2, t.not_before
  FROM weir.transcodes t WHERE t.state = 'queued' GROUP BY t.tenant, t.priority <= 2, t.not_before;

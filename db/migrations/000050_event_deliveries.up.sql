-- Events that a request asks to be told of, each as a message of its own. The row comes
-- with its event, by the transaction that makes the change: nothing that happened is
-- forgotten, and nothing is told that did not.
ALTER TABLE weir.transcodes
    ADD COLUMN events text[] NOT NULL DEFAULT '{}' CHECK (cardinality(events) <= 16),
    -- Where they go, for people and whole; null: where the callback goes.
    ADD COLUMN events_url text,
    ADD COLUMN events_sealed bytea,
    ADD CONSTRAINT transcodes_events_sealed CHECK ((events_url IS NULL) = (events_sealed IS NULL));

CREATE TABLE weir.event_deliveries (
    -- What the receiver sees, the same in every delivery.
    id              uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    event_id        bigint      NOT NULL UNIQUE REFERENCES weir.events (id) ON DELETE CASCADE,
    -- No foreign key: its lock on the transcode would come behind that on a rendition.
    transcode_id    uuid        NOT NULL,
    tenant          text        NOT NULL,
    -- Its host and port: what hangs, hangs together.
    receiver        text        NOT NULL,
    state           text        NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'refused', 'expired')),
    attempts        integer     NOT NULL DEFAULT 0,
    last_status     integer,
    last_error      text        NOT NULL DEFAULT '',
    -- Whoever sends it sets this ahead by what a delivery may take.
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    created_at      timestamptz NOT NULL DEFAULT now(),
    delivered_at    timestamptz,
    CONSTRAINT event_deliveries_delivered_has_time CHECK ((state = 'delivered') = (delivered_at IS NOT NULL))
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
CREATE INDEX event_deliveries_pending ON weir.event_deliveries (tenant, receiver, next_attempt_at, id) WHERE state = 'pending';
CREATE INDEX event_deliveries_by_transcode ON weir.event_deliveries (transcode_id, event_id);

CREATE TABLE weir.event_delivery_attempts (
    delivery_id uuid        NOT NULL REFERENCES weir.event_deliveries (id) ON DELETE CASCADE,
    number      integer     NOT NULL,
    -- HTTP status; null when no answer came.
    status      integer,
    latency_ms  integer     NOT NULL,
    error       text        NOT NULL DEFAULT '',
    -- The first bytes of the answer.
    answer      text        NOT NULL DEFAULT '',
    sent_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (delivery_id, number)
);

CREATE FUNCTION weir.events_deliver() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO weir.event_deliveries (event_id, transcode_id, tenant, receiver)
    SELECT NEW.id, t.id, t.tenant, COALESCE(lower(substring(COALESCE(t.events_url, t.callback_url) FROM '://([^/?#]+)')), '')
      FROM weir.transcodes t WHERE t.id = NEW.transcode_id AND NEW.type = ANY(t.events);
    RETURN NULL;
END $$;

CREATE TRIGGER events_deliver AFTER INSERT ON weir.events FOR EACH ROW EXECUTE FUNCTION weir.events_deliver();

-- As of callbacks: what nobody took in a day is told by the tenant's next message.
CREATE FUNCTION weir.event_deliveries_missed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO weir.missed_events (event_id, transcode_id, tenant)
    SELECT NEW.id, t.id, t.tenant FROM weir.transcodes t WHERE t.id = NEW.transcode_id
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

CREATE TRIGGER event_deliveries_missed AFTER UPDATE OF state ON weir.event_deliveries
    FOR EACH ROW WHEN (OLD.state <> 'expired' AND NEW.state = 'expired') EXECUTE FUNCTION weir.event_deliveries_missed();

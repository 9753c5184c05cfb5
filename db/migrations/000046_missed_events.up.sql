-- Events that no receiver took in a day: the tenant's next message that is delivered
-- names them. A row is one that is still to be told.
CREATE TABLE weir.missed_events (
    event_id     uuid        PRIMARY KEY,
    transcode_id uuid        NOT NULL REFERENCES weir.transcodes (id) ON DELETE CASCADE,
    tenant       text        NOT NULL,
    missed_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX missed_events_by_tenant ON weir.missed_events (tenant, missed_at, event_id);
CREATE INDEX missed_events_by_transcode ON weir.missed_events (transcode_id);

-- What a callback's body names.
ALTER TABLE weir.callbacks ADD COLUMN missed uuid[] NOT NULL DEFAULT '{}';

-- One that expires is to be told; one that is delivered after all is not, nor what it told.
CREATE FUNCTION weir.callbacks_missed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state = 'expired' THEN
        INSERT INTO weir.missed_events (event_id, transcode_id, tenant)
        SELECT NEW.id, t.id, t.tenant FROM weir.transcodes t WHERE t.id = NEW.transcode_id
        ON CONFLICT DO NOTHING;
    ELSE
        DELETE FROM weir.missed_events WHERE event_id = ANY(NEW.missed || NEW.id);
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER callbacks_missed AFTER UPDATE OF state ON weir.callbacks
    FOR EACH ROW WHEN (OLD.state <> NEW.state AND NEW.state IN ('expired', 'delivered')) EXECUTE FUNCTION weir.callbacks_missed();

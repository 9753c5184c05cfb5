CREATE OR REPLACE VIEW weir.v_callbacks AS
 SELECT c.id,
    c.transcode_id,
    t.tenant,
    t.external_id,
    c.run,
    t.state AS outcome,
    c.state,
    c.url,
    c.attempts,
    c.last_status,
    c.last_error,
    c.next_attempt_at,
    c.created_at,
    c.delivered_at,
    (EXTRACT(epoch FROM (COALESCE(c.delivered_at, now()) - c.created_at)))::double precision AS lag_seconds,
    COALESCE(lower(substring(c.url FROM '://([^/?#]+)')), '')::text AS receiver
   FROM (weir.callbacks c
     JOIN weir.transcodes t ON ((t.id = c.transcode_id)));

CREATE OR REPLACE FUNCTION weir.events_deliver() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO weir.event_deliveries (event_id, transcode_id, tenant, receiver)
    SELECT NEW.id, t.id, t.tenant, COALESCE(lower(substring(COALESCE(t.events_url, t.callback_url) FROM '://([^/?#]+)')), '')
      FROM weir.transcodes t WHERE t.id = NEW.transcode_id AND NEW.type = ANY(t.events);
    RETURN NULL;
END $$;

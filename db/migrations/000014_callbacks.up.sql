-- What Studio is told of an outcome. Its delivery is a state of its own and never
-- changes the outcome.
CREATE TABLE weir.callbacks (
    -- The event id that Studio sees, the same in every delivery.
    id              uuid        PRIMARY KEY,
    transcode_id    uuid        NOT NULL REFERENCES weir.transcodes (id) ON DELETE CASCADE,
    run             integer     NOT NULL,
    state           text        NOT NULL DEFAULT 'pending'
        CHECK (state IN ('pending', 'delivered', 'refused', 'expired')),
    -- For people: without a secret. The whole URL is the transcode's callback_sealed.
    url             text        NOT NULL,
    -- Sent byte for byte, so that a signature over it stays good.
    body            text        NOT NULL,
    attempts        integer     NOT NULL DEFAULT 0,
    last_status     integer,
    last_error      text        NOT NULL DEFAULT '',
    next_attempt_at timestamptz,
    -- The River row that delivers it.
    job_id          bigint,
    created_at      timestamptz NOT NULL DEFAULT now(),
    delivered_at    timestamptz,
    -- The one terminal callback of a run.
    CONSTRAINT callbacks_one_terminal UNIQUE (transcode_id, run),
    CONSTRAINT callbacks_delivered_has_time CHECK ((state = 'delivered') = (delivered_at IS NOT NULL))
);

CREATE INDEX callbacks_open ON weir.callbacks (created_at) WHERE state <> 'delivered';

CREATE TABLE weir.callback_attempts (
    callback_id uuid        NOT NULL REFERENCES weir.callbacks (id) ON DELETE CASCADE,
    number      integer     NOT NULL,
    -- HTTP status; null when no answer came.
    status      integer,
    latency_ms  integer     NOT NULL,
    error       text        NOT NULL DEFAULT '',
    -- The first bytes of the answer.
    answer      text        NOT NULL DEFAULT '',
    redelivery  boolean     NOT NULL DEFAULT false,
    sent_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (callback_id, number)
);

-- Delivered is for ever; an operator may have a refused or expired one sent again.
CREATE FUNCTION weir.callbacks_check_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.body <> OLD.body OR NEW.transcode_id <> OLD.transcode_id OR NEW.run <> OLD.run THEN
        RAISE EXCEPTION 'callback %: what is told never changes', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.state = 'delivered' AND NEW.state <> 'delivered' THEN
        RAISE EXCEPTION 'callback %: it is delivered', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER callbacks_check_state BEFORE UPDATE ON weir.callbacks
    FOR EACH ROW EXECUTE FUNCTION weir.callbacks_check_state();

-- Looked at when the transaction commits: who decides an outcome writes its callback.
CREATE FUNCTION weir.transcodes_check_callback() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM weir.callbacks c WHERE c.transcode_id = NEW.id AND c.run = NEW.run) THEN
        RAISE EXCEPTION 'transcode %: ended without its callback', NEW.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER transcodes_end_with_callback AFTER UPDATE ON weir.transcodes
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.state IN ('succeeded', 'failed', 'cancelled') AND OLD.state <> NEW.state)
    EXECUTE FUNCTION weir.transcodes_check_callback();

-- A callback that a newer run has taken the place of before it was delivered goes out no more.
ALTER TABLE weir.callbacks
    DROP CONSTRAINT callbacks_state_check,
    ADD CONSTRAINT callbacks_state_check CHECK (state IN ('pending', 'delivered', 'refused', 'expired', 'superseded'));

CREATE OR REPLACE FUNCTION weir.callbacks_check_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.body <> OLD.body OR NEW.transcode_id <> OLD.transcode_id OR NEW.run <> OLD.run THEN
        RAISE EXCEPTION 'callback %: what is told never changes', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.state IN ('delivered', 'superseded') AND NEW.state <> OLD.state THEN
        RAISE EXCEPTION 'callback %: it is %', OLD.id, OLD.state USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

COMMENT ON COLUMN weir.v_callbacks.state IS 'pending, delivered, refused (a final answer), expired (a day without success) or superseded (a newer run began before).';

-- Until when somebody is telling Studio of this transcode. One at a time: what is told
-- must arrive in its order, a status never behind the terminal callback.
ALTER TABLE weir.transcodes ADD COLUMN telling_until timestamptz;

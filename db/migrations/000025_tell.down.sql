ALTER TABLE weir.transcodes DROP COLUMN telling_until;

COMMENT ON COLUMN weir.v_callbacks.state IS 'pending, delivered, refused (a final answer) or expired (a day without success).';

CREATE OR REPLACE FUNCTION weir.callbacks_check_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.body <> OLD.body OR NEW.transcode_id <> OLD.transcode_id OR NEW.run <> OLD.run THEN
        RAISE EXCEPTION 'callback %: what is told never changes', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.state = 'delivered' AND NEW.state <> 'delivered' THEN
        RAISE EXCEPTION 'callback %: it is delivered', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

-- Its transcode has gone on, so it is never looked for again.
ALTER TABLE weir.callbacks DISABLE TRIGGER callbacks_check_state;
UPDATE weir.callbacks SET state = 'expired' WHERE state = 'superseded';
ALTER TABLE weir.callbacks ENABLE TRIGGER callbacks_check_state;
ALTER TABLE weir.callbacks
    DROP CONSTRAINT callbacks_state_check,
    ADD CONSTRAINT callbacks_state_check CHECK (state IN ('pending', 'delivered', 'refused', 'expired'));

-- What is in the way of a store is shown while it is tried again.
COMMENT ON COLUMN weir.v_transcodes.error_code IS 'Why it failed: a code of the failure table; on a queued one, why the last attempt failed; on one that is stored, what is in the way.';
COMMENT ON COLUMN weir.v_renditions.error_code IS 'Why it failed: a code of the failure table; on a pushed one, what is in the way of its store.';

COMMENT ON COLUMN weir.v_transcodes.error_code IS 'Why it failed: a code of the failure table; on a queued one, why the last attempt failed.';
COMMENT ON COLUMN weir.v_renditions.error_code IS 'Why it failed: a code of the failure table.';

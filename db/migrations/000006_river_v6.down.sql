--
-- Drop `river_job.unique_states` and its index.
--

DROP INDEX weir.river_job_unique_idx;

ALTER TABLE weir.river_job
    DROP COLUMN unique_states;

CREATE UNIQUE INDEX IF NOT EXISTS river_job_kind_unique_key_idx ON weir.river_job (kind, unique_key) WHERE unique_key IS NOT NULL;

--
-- Drop `river_job_state_in_bitmask` function.
--
DROP FUNCTION weir.river_job_state_in_bitmask;

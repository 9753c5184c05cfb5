DROP TRIGGER transcodes_have_outputs ON weir.transcodes;
DROP TRIGGER transcodes_succeed_with_outputs ON weir.transcodes;
DROP FUNCTION weir.transcodes_check_outputs();
ALTER TABLE weir.attempts DROP COLUMN package_job_id, DROP COLUMN package_from, DROP COLUMN publish_from;
ALTER TABLE weir.transcodes DROP COLUMN packages;
DROP TABLE weir.outputs;
DROP FUNCTION weir.outputs_check_state();

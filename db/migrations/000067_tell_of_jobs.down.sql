DROP TRIGGER river_job_tell ON weir.river_job;
DROP FUNCTION weir.river_job_tell();

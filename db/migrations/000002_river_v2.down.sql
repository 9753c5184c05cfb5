DROP TABLE weir.river_job;
DROP FUNCTION weir.river_job_notify;
DROP TYPE weir.river_job_state;

DROP TABLE weir.river_leader;

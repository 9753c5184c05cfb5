ALTER TABLE weir.transcodes DROP COLUMN statuses_refused_run;

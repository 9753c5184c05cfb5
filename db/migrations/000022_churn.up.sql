-- Rows of what is open are written many times, those of what has ended never again.
--
-- fillfactor: an update that changes no indexed column needs no new index entry if the
-- page has room for the new version of the row, and the old one is cleared away with the
-- next look at the page, without a vacuum. Rows fill up as they live (source, prepared,
-- verdict), so a page needs room for about as much again as it was inserted with.
--
-- autovacuum: by default it waits until a fifth of a table is dead. Of a history of ten
-- million that is two million, all among the few rows and index entries of what is open,
-- which every look for work steps over. A hundredth and some are a minute's work of a
-- busy fleet. Statistics go with it: plans depend on how few are open.

-- One row a host, renewed every 5 s: a page half empty takes every renewal in place.
ALTER TABLE weir.hosts SET (fillfactor = 50);

-- Progress once a second, a status every 15 s, the source's description.
ALTER TABLE weir.transcodes SET (fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,
    autovacuum_analyze_scale_factor = 0.01, autovacuum_analyze_threshold = 1000);

-- Eight steps, and what was prepared comes with the third.
ALTER TABLE weir.attempts SET (fillfactor = 50,
    autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,
    autovacuum_analyze_scale_factor = 0.01, autovacuum_analyze_threshold = 1000);

-- Progress once a second, and the evidence at the end. No index holds what changes: with
-- room in its page no update needs an index entry.
ALTER TABLE weir.renditions SET (fillfactor = 50,
    autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,
    autovacuum_analyze_scale_factor = 0.01, autovacuum_analyze_threshold = 1000);

-- Written twice, and the second time changes an indexed column: room would be lost. But
-- the index of what is pending is read every two seconds.
ALTER TABLE weir.callbacks SET (
    autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,
    autovacuum_analyze_scale_factor = 0.01, autovacuum_analyze_threshold = 1000);

-- Every change of a job's state is a new entry in River's index, and jobs are deleted six
-- hours after their end: no fillfactor helps, and fetching steps over what is dead.
ALTER TABLE weir.river_job SET (
    autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,
    autovacuum_analyze_scale_factor = 0.01, autovacuum_analyze_threshold = 1000);

-- Only inserted, and deleted from the old end by retention, which finds the rest of it
-- behind what it has removed.
ALTER TABLE weir.mist_events SET (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000);
ALTER TABLE weir.callback_attempts SET (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000);

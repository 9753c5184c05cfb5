-- A status is told every 15 s of all that is open, and its time was in an index: each time the
-- whole row was written anew with an entry in every index. Who looks for what is due reads all
-- that is open, most of which is due whenever there is much of it. Those who wait are in the
-- order of their coming in transcodes_by_state too.
DROP INDEX weir.transcodes_status_due;
DROP INDEX weir.transcodes_queued;

DROP FUNCTION weir.speaks_for();
DROP TABLE weir.speakers;
DROP TABLE weir.enqueued;
DROP TABLE weir.inbox;

DROP TRIGGER renditions_tell_state ON weir.renditions;
DROP FUNCTION weir.renditions_tell();
DROP TRIGGER transcodes_tell_state ON weir.transcodes;
DROP TRIGGER transcodes_tell_new ON weir.transcodes;
DROP FUNCTION weir.transcodes_tell();
DROP FUNCTION weir.events_settled();
DROP FUNCTION weir.events_hold();
DROP TABLE weir.events;

DROP TRIGGER transcodes_succeed_whole ON weir.transcodes;
DROP TRIGGER transcodes_have_renditions ON weir.transcodes;
DROP FUNCTION weir.transcodes_check_renditions();
DROP TABLE weir.renditions;
DROP FUNCTION weir.renditions_check_state();

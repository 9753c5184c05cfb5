DROP TRIGGER transcodes_end_with_callback ON weir.transcodes;
DROP FUNCTION weir.transcodes_check_callback();
DROP TABLE weir.callback_attempts;
DROP TABLE weir.callbacks;
DROP FUNCTION weir.callbacks_check_state();

DROP TRIGGER outputs_tell_state ON weir.outputs;
DROP FUNCTION weir.outputs_tell();

DROP FUNCTION weir.receiver_of(text);

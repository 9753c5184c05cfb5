DROP TRIGGER transcodes_head_again ON weir.transcodes;
DROP TRIGGER transcodes_head_new ON weir.transcodes;
DROP FUNCTION weir.transcodes_head_again();
DROP FUNCTION weir.transcodes_head_new();
DROP TABLE weir.head_news;
DROP TABLE weir.heads;

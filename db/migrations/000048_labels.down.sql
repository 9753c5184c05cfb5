DROP TRIGGER transcodes_label ON weir.transcodes;
DROP FUNCTION weir.transcodes_label();
DROP TABLE weir.transcode_labels;
ALTER TABLE weir.transcodes DROP COLUMN labels, DROP COLUMN metadata;

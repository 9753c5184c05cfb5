DELETE FROM weir.transcodes WHERE form = 'vod';
ALTER TABLE weir.transcodes DROP CONSTRAINT transcodes_form_check;
ALTER TABLE weir.transcodes ADD CONSTRAINT transcodes_form_check CHECK (form IN ('v1', 'file'));

-- A third form of the API: Studio's POST /api/vod.
ALTER TABLE weir.transcodes DROP CONSTRAINT transcodes_form_check;
ALTER TABLE weir.transcodes ADD CONSTRAINT transcodes_form_check CHECK (form IN ('v1', 'file', 'vod'));

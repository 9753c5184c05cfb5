ALTER TABLE weir.transcodes DROP CONSTRAINT transcodes_clip, DROP COLUMN clip_start_ms, DROP COLUMN clip_end_ms, DROP COLUMN clip_clock;

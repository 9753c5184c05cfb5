DROP VIEW weir.v_renditions;
ALTER TABLE weir.renditions
    DROP COLUMN quality,
    DROP COLUMN fps_den,
    DROP CONSTRAINT renditions_ok_has_size,
    DROP CONSTRAINT renditions_planned_whole,
    DROP CONSTRAINT renditions_planned_even;
-- What was planned before: by the request alone.
UPDATE weir.renditions SET planned_width = GREATEST(width - width % 16, 16), planned_height = GREATEST(height - height % 16, 16);
ALTER TABLE weir.renditions
    ADD CONSTRAINT renditions_planned_width_check CHECK (planned_width % 16 = 0 AND planned_width > 0),
    ADD CONSTRAINT renditions_planned_height_check CHECK (planned_height % 16 = 0 AND planned_height > 0),
    ALTER COLUMN planned_width SET NOT NULL,
    ALTER COLUMN planned_height SET NOT NULL;
CREATE VIEW weir.v_renditions AS
SELECT r.transcode_id, t.tenant, r.name, r.state, r.attempt, r.width, r.height, r.planned_width, r.planned_height,
       r.bitrate, r.fps, r.track_index, r.pushed_ms, r.recorded_reason, r.object_url, r.object_bytes, r.object_checksum,
       r.frames, r.duration_ms, r.error_code, r.error_stage, r.error_message, r.push_started_at, r.pushed_at, r.stored_at
  FROM weir.renditions r
  JOIN weir.transcodes t ON t.id = r.transcode_id;
COMMENT ON VIEW weir.v_renditions IS 'One row per requested output, with the evidence of its object.';
COMMENT ON COLUMN weir.v_renditions.transcode_id IS 'The transcode it belongs to.';
COMMENT ON COLUMN weir.v_renditions.tenant IS 'Whose it is.';
COMMENT ON COLUMN weir.v_renditions.name IS 'The profile''s name.';
COMMENT ON COLUMN weir.v_renditions.state IS 'expected, pushing, pushed, ok or failed; ok only when its object is verified.';
COMMENT ON COLUMN weir.v_renditions.attempt IS 'The attempt that the row speaks of.';
COMMENT ON COLUMN weir.v_renditions.width IS 'Width asked for.';
COMMENT ON COLUMN weir.v_renditions.height IS 'Height asked for.';
COMMENT ON COLUMN weir.v_renditions.planned_width IS 'Width that the file must have: floored to a multiple of 16.';
COMMENT ON COLUMN weir.v_renditions.planned_height IS 'Height that the file must have: floored to a multiple of 16.';
COMMENT ON COLUMN weir.v_renditions.bitrate IS 'Bits a second asked for.';
COMMENT ON COLUMN weir.v_renditions.fps IS 'Frames a second asked for; 0 is the source''s.';
COMMENT ON COLUMN weir.v_renditions.track_index IS 'Mist''s track.';
COMMENT ON COLUMN weir.v_renditions.pushed_ms IS 'Media time pushed so far, in milliseconds.';
COMMENT ON COLUMN weir.v_renditions.recorded_reason IS 'What Mist said at the push''s end: a hint, no proof.';
COMMENT ON COLUMN weir.v_renditions.object_url IS 'Where the object is, without secrets.';
COMMENT ON COLUMN weir.v_renditions.object_bytes IS 'The object''s size.';
COMMENT ON COLUMN weir.v_renditions.object_checksum IS 'The object''s checksum, as verified after the upload.';
COMMENT ON COLUMN weir.v_renditions.frames IS 'Frames counted in the file.';
COMMENT ON COLUMN weir.v_renditions.duration_ms IS 'Duration by its frames, in milliseconds.';
COMMENT ON COLUMN weir.v_renditions.error_code IS 'Why it failed: a code of the failure table.';
COMMENT ON COLUMN weir.v_renditions.error_stage IS 'Where it failed.';
COMMENT ON COLUMN weir.v_renditions.error_message IS 'Why it failed, in words.';
COMMENT ON COLUMN weir.v_renditions.push_started_at IS 'When Mist began to write it.';
COMMENT ON COLUMN weir.v_renditions.pushed_at IS 'When its file was complete on the host.';
COMMENT ON COLUMN weir.v_renditions.stored_at IS 'When its object was verified.';

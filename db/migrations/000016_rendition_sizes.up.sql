-- The size of a rendition's file is planned once its source is known: a Broadcaster keeps
-- the source's aspect. Rows from before hold a plan by the request alone; the next attempt
-- plans anew.
ALTER TABLE weir.renditions
    DROP CONSTRAINT renditions_planned_width_check,
    DROP CONSTRAINT renditions_planned_height_check,
    ALTER COLUMN planned_width DROP NOT NULL,
    ALTER COLUMN planned_height DROP NOT NULL,
    ADD CONSTRAINT renditions_planned_even CHECK (
        planned_width > 0 AND planned_width % 2 = 0 AND planned_height > 0 AND planned_height % 2 = 0),
    ADD CONSTRAINT renditions_planned_whole CHECK ((planned_width IS NULL) = (planned_height IS NULL)),
    ADD CONSTRAINT renditions_ok_has_size CHECK (state <> 'ok' OR planned_width IS NOT NULL),
    -- As asked for: fps counts the frames of so many seconds, 0 stands for 1; and a
    -- constant quality with bitrate as its limit, 0: none.
    ADD COLUMN fps_den integer NOT NULL DEFAULT 0 CHECK (fps_den >= 0),
    ADD COLUMN quality integer NOT NULL DEFAULT 0 CHECK (quality >= 0);

DROP VIEW weir.v_renditions;
CREATE VIEW weir.v_renditions AS
SELECT r.transcode_id, t.tenant, r.name, r.state, r.attempt, r.planned_width AS width, r.planned_height AS height,
       r.width AS asked_width, r.height AS asked_height, r.bitrate, r.quality, r.fps, r.fps_den, r.gop, r.codec_profile,
       r.track_index, r.pushed_ms, r.recorded_reason, r.object_url, r.object_bytes, r.object_checksum,
       r.frames, r.duration_ms, r.error_code, r.error_stage, r.error_message, r.push_started_at, r.pushed_at, r.stored_at
  FROM weir.renditions r
  JOIN weir.transcodes t ON t.id = r.transcode_id;
COMMENT ON VIEW weir.v_renditions IS 'One row per requested output, with the evidence of its object.';
COMMENT ON COLUMN weir.v_renditions.transcode_id IS 'The transcode it belongs to.';
COMMENT ON COLUMN weir.v_renditions.tenant IS 'Whose it is.';
COMMENT ON COLUMN weir.v_renditions.name IS 'The profile''s name.';
COMMENT ON COLUMN weir.v_renditions.state IS 'expected, pushing, pushed, ok or failed; ok only when its object is verified.';
COMMENT ON COLUMN weir.v_renditions.attempt IS 'The attempt that the row speaks of.';
COMMENT ON COLUMN weir.v_renditions.width IS 'Width of its file: planned by the source, judged to be so when ok; null before the probe.';
COMMENT ON COLUMN weir.v_renditions.height IS 'Height of its file: planned by the source, judged to be so when ok; null before the probe.';
COMMENT ON COLUMN weir.v_renditions.asked_width IS 'Width asked for.';
COMMENT ON COLUMN weir.v_renditions.asked_height IS 'Height asked for.';
COMMENT ON COLUMN weir.v_renditions.bitrate IS 'Bits a second asked for.';
COMMENT ON COLUMN weir.v_renditions.quality IS 'Constant quality asked for, with bitrate as its limit; 0: none.';
COMMENT ON COLUMN weir.v_renditions.fps IS 'Frames asked for in fps_den seconds; 0 is the source''s rate.';
COMMENT ON COLUMN weir.v_renditions.fps_den IS 'The seconds that fps counts its frames in; 0 stands for 1.';
COMMENT ON COLUMN weir.v_renditions.gop IS 'Seconds between keyframes asked for, or intra; empty: none asked for.';
COMMENT ON COLUMN weir.v_renditions.codec_profile IS 'The codec''s profile asked for; empty is H264High.';
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

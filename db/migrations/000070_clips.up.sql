-- A clip: the part of the source that is transcoded, instead of all of it. Its bounds count
-- from the source's first picture, or are times of day (Unix) that the source's playlist tells.
ALTER TABLE weir.transcodes
    ADD COLUMN clip_start_ms bigint,
    ADD COLUMN clip_end_ms   bigint,
    ADD COLUMN clip_clock    text,
    -- All of it or nothing, and never one that has no time in it.
    ADD CONSTRAINT transcodes_clip CHECK (
        clip_start_ms IS NULL AND clip_end_ms IS NULL AND clip_clock IS NULL
        OR clip_start_ms IS NOT NULL AND clip_end_ms IS NOT NULL AND clip_clock IS NOT NULL
           AND clip_start_ms >= 0 AND clip_end_ms > clip_start_ms AND clip_clock IN ('source', 'unix'));

-- When a recording began, as its playlist tells; null where it tells nothing. A clip's bounds
-- may be times of day, and the attempt that fetched the source may be taken up by another boot.
ALTER TABLE weir.attempts ADD COLUMN source_begins timestamptz;

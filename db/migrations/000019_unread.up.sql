-- What nobody reads: whether a push is over is seen in Mist's own list, and how far an
-- upload is was never written down.
ALTER TABLE weir.renditions DROP COLUMN push_ended_at, DROP COLUMN uploaded_bytes;

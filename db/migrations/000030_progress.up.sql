-- How far the newest attempt is in what it is doing, as its host says it along with the
-- ratio, in the same statement: it is shown and told, nothing depends on it.
ALTER TABLE weir.transcodes ADD COLUMN progress jsonb;

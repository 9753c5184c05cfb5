-- Who drained a host, when and why. A host that drains since before that has none.
ALTER TABLE weir.hosts
    ADD COLUMN drained_at timestamptz,
    ADD COLUMN drained_by text,
    ADD COLUMN drain_reason text;

-- What callers say about their requests, for themselves: metadata comes back as it came,
-- labels can be looked for. Neither holds a secret; the API refuses what looks like one.
-- Bounded here too, whichever way a request comes: jsonb's text is up to twice as long as
-- what was sent.
ALTER TABLE weir.transcodes
    ADD COLUMN metadata jsonb NOT NULL DEFAULT '{}'
        CONSTRAINT transcodes_metadata_bounded CHECK (jsonb_typeof(metadata) = 'object' AND octet_length(metadata::text) <= 8192),
    ADD COLUMN labels jsonb NOT NULL DEFAULT '{}'
        CONSTRAINT transcodes_labels_bounded CHECK (jsonb_typeof(labels) = 'object' AND octet_length(labels::text) <= 16384
            AND NOT jsonb_path_exists(labels, 'strict $.* ? (@.type() != "string")'));

-- Labels by their value, in the order of lists: a page costs the same however many
-- transcodes there are, and however many have the label.
CREATE TABLE weir.transcode_labels (
    transcode_id uuid        NOT NULL REFERENCES weir.transcodes (id) ON DELETE CASCADE,
    tenant       text        NOT NULL,
    key          text        NOT NULL,
    value        text        NOT NULL,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (transcode_id, key)
);
CREATE INDEX transcode_labels_by_value ON weir.transcode_labels (tenant, key, value, created_at DESC, transcode_id DESC);

CREATE FUNCTION weir.transcodes_label() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO weir.transcode_labels (transcode_id, tenant, key, value, created_at)
    SELECT NEW.id, NEW.tenant, l.key, l.value, NEW.created_at FROM jsonb_each_text(NEW.labels) l;
    RETURN NULL;
END $$;

CREATE TRIGGER transcodes_label AFTER INSERT ON weir.transcodes
    FOR EACH ROW WHEN (NEW.labels <> '{}') EXECUTE FUNCTION weir.transcodes_label();

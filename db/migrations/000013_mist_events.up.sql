-- Every trigger as Mist sent it, and what was made of it; unmatched ones too.
CREATE TABLE weir.mist_events (
    id            bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- X-Trigger-UUID: Mist's retries, and doubled handlers, share it. Old Mists send none.
    uuid          text        UNIQUE,
    host_id       text        NOT NULL,
    trigger       text        NOT NULL,
    stream        text        NOT NULL DEFAULT '',
    headers       jsonb       NOT NULL,
    -- As sent, up to the listener's limit; payload_bytes is the whole size.
    payload       bytea       NOT NULL,
    payload_bytes bigint      NOT NULL,
    -- What it was matched to: names carry the transcode and the attempt.
    transcode_id  uuid,
    attempt       integer,
    rendition     text,
    verdict       text        NOT NULL
        CHECK (verdict IN ('applied', 'noted', 'stale', 'unmatched', 'unreadable')),
    -- Why, in words.
    note          text        NOT NULL DEFAULT '',
    received_at   timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX mist_events_by_transcode ON weir.mist_events (transcode_id, id) WHERE transcode_id IS NOT NULL;
CREATE INDEX mist_events_by_time ON weir.mist_events (received_at);

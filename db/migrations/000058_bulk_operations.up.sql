-- What an operator has asked for of all transcodes that a filter means: to retry, to cancel
-- or to tell of again. It goes on from its row, whoever works on it.
CREATE TABLE weir.bulk_operations (
    id           uuid        PRIMARY KEY,
    kind         text        NOT NULL CHECK (kind IN ('retry', 'cancel', 'redeliver')),
    -- As it was meant: with the states that the kind implies. Times are counted from frozen_at.
    filter       text        NOT NULL CHECK (char_length(filter) <= 4000),
    -- What came, ended or began again later is not meant.
    frozen_at    timestamptz NOT NULL DEFAULT now(),
    who          text        NOT NULL CHECK (char_length(who) BETWEEN 1 AND 200),
    via          text        NOT NULL CHECK (via IN ('cli', 'web', 'api')),
    reason       text        NOT NULL CHECK (char_length(reason) BETWEEN 1 AND 1000),
    per_second   integer     NOT NULL CHECK (per_second BETWEEN 1 AND 500),
    -- How many it was told to mean; counting ends at a number.
    counted      bigint      NOT NULL CHECK (counted >= 0),
    state        text        NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'paused', 'done', 'cancelled')),
    -- The last one that it dealt with; those before it in the order of lists are done with.
    before_at    timestamptz,
    before_id    uuid,
    next_at      timestamptz NOT NULL DEFAULT now(),
    done         bigint      NOT NULL DEFAULT 0 CHECK (done >= 0),
    skipped      bigint      NOT NULL DEFAULT 0 CHECK (skipped >= 0),
    failed       bigint      NOT NULL DEFAULT 0 CHECK (failed >= 0),
    -- Why, with how many; and the first of them by id.
    whys         jsonb       NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(whys) = 'object'),
    examples     jsonb       NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(examples) = 'array'),
    -- What keeps it from going on; '' where nothing does.
    trouble      text        NOT NULL DEFAULT '',
    job_id       bigint,
    updated_at   timestamptz NOT NULL DEFAULT now(),
    ended_at     timestamptz,
    CONSTRAINT bulk_operations_cursor_whole CHECK ((before_at IS NULL) = (before_id IS NULL)),
    CONSTRAINT bulk_operations_ended CHECK ((state IN ('done', 'cancelled')) = (ended_at IS NOT NULL))
);
CREATE INDEX bulk_operations_open ON weir.bulk_operations (id) WHERE state IN ('running', 'paused');
CREATE INDEX bulk_operations_by_time ON weir.bulk_operations (frozen_at DESC, id DESC);

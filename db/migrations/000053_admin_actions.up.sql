-- What operators have changed, with who and why: written in the transaction that changes it.
CREATE TABLE weir.admin_actions (
    id     bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at     timestamptz NOT NULL DEFAULT now(),
    -- A name that a person is known by: of the machine, or of the pages' login.
    who    text        NOT NULL CHECK (char_length(who) BETWEEN 1 AND 200),
    via    text        NOT NULL CHECK (via IN ('cli', 'web', 'api')),
    -- The command's words, as `transcodes retry`.
    what   text        NOT NULL CHECK (char_length(what) BETWEEN 1 AND 100),
    -- What it was done to: an id, a host, a tenant, a filter.
    target text        NOT NULL CHECK (char_length(target) <= 1000),
    reason text        NOT NULL CHECK (char_length(reason) <= 1000),
    -- What it was set to, without secrets.
    detail jsonb       NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(detail) = 'object')
);
CREATE INDEX admin_actions_by_target ON weir.admin_actions (target, id);
CREATE INDEX admin_actions_by_time ON weir.admin_actions (at);

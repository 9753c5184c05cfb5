-- A schema says which programs it still serves, so that migrating it stops none that
-- runs: first it grows by what the next release needs, and what that one uses no more
-- goes only with a release after it.
CREATE TABLE weir.schema_compat (
    one boolean PRIMARY KEY DEFAULT true CHECK (one), -- there is one row
    -- The oldest schema version that a program may have been built for. A migration that
    -- only adds leaves it. One that takes away or changes what programs use raises it, to
    -- the version of the release that did without first.
    serves_from integer NOT NULL CHECK (serves_from > 0)
);
-- Programs from before this migration ask nobody, and refuse every newer schema.
INSERT INTO weir.schema_compat (serves_from) VALUES (22);

-- A daemon's life and its Mist's health are two facts: the lease is renewed as long as the
-- daemon lives; while Mist is silent nothing new is placed.
ALTER TABLE weir.hosts
  ADD COLUMN mist_silent_from timestamptz,
  ADD COLUMN spool_id uuid;

-- Which database this is: a spool belongs to one, and says so in a file.
CREATE TABLE weir.identity (
  id    uuid NOT NULL DEFAULT gen_random_uuid(),
  only_ boolean PRIMARY KEY DEFAULT true CHECK (only_)
);
INSERT INTO weir.identity DEFAULT VALUES;

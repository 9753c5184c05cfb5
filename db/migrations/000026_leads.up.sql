-- Daemons that lead, each run of one by its client id in River's rows: whether what one
-- has in hand is in living hands. A host's lease tells nothing of it: one that leads may
-- work for no Mist, and a Mist that is away ends the host's lease under a daemon that is well.
CREATE TABLE weir.leads (
    client_id   text        PRIMARY KEY CHECK (client_id <> ''),
    lease_until timestamptz NOT NULL
);

-- What the daemons that lead keep for the urgent is a setting of theirs: here it is a row, so
-- that rows alone say why a slot stays free.
ALTER TABLE weir.leads ADD COLUMN urgent_percent smallint NOT NULL DEFAULT 0 CHECK (urgent_percent BETWEEN 0 AND 100);

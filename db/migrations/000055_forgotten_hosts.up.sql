-- A lost host that an operator has forgotten: history still names it, lists do not.
ALTER TABLE weir.hosts ADD COLUMN forgotten_at timestamptz;

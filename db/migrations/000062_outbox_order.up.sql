-- A tenant's waiting messages in the order of their events: beyond a number of them the oldest
-- are dropped.
CREATE INDEX event_deliveries_waiting ON weir.event_deliveries (tenant, event_id) WHERE state = 'pending';

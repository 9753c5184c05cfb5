-- What is open is found without reading what has ended, and lists without reading
-- what they leave out. TestPlans pins it on 200,000 finished transcodes.

-- What a host holds, and what it held last and is queued again: files of that may
-- still lie in its spool.
DROP INDEX weir.transcodes_held;
CREATE INDEX transcodes_open_on_host ON weir.transcodes (host_id, state)
    WHERE state IN ('queued', 'placed', 'running', 'storing') AND host_id IS NOT NULL;

-- In the order of placement: a round that takes the oldest ten sorts no backlog.
DROP INDEX weir.transcodes_queued;
CREATE INDEX transcodes_queued ON weir.transcodes (created_at, id) WHERE state = 'queued';

-- Lists, newest first. Most of the history has succeeded: those are found by time.
CREATE INDEX transcodes_by_host ON weir.transcodes (host_id, created_at DESC, id DESC) WHERE host_id IS NOT NULL;
CREATE INDEX transcodes_by_state ON weir.transcodes (state, created_at DESC, id DESC) WHERE state <> 'succeeded';
CREATE INDEX transcodes_by_tenant_and_state ON weir.transcodes (tenant, state, created_at DESC, id DESC) WHERE state <> 'succeeded';

-- The other way round it also finds an external_id whose tenant is not known.
ALTER TABLE weir.transcodes DROP CONSTRAINT transcodes_external_id_once;
ALTER TABLE weir.transcodes ADD CONSTRAINT transcodes_external_id_once UNIQUE (external_id, tenant);

-- Pending ones are looked through every two seconds, those that were refused or have
-- expired stay for ever.
DROP INDEX weir.callbacks_open;
CREATE INDEX callbacks_by_state ON weir.callbacks (state, created_at DESC, id DESC) WHERE state <> 'delivered';
CREATE INDEX callbacks_by_time ON weir.callbacks (created_at DESC, id DESC);

-- What was made of nearly all triggers is that they were applied or noted.
CREATE INDEX mist_events_by_verdict ON weir.mist_events (verdict, id DESC) WHERE verdict IN ('stale', 'unmatched', 'unreadable');

-- Jobs in the hands of a host's daemon, whose client is HOST_BOOT: a host's id holds
-- no underscore.
CREATE INDEX river_job_running_by_host ON weir.river_job (split_part(attempted_by[array_upper(attempted_by, 1)], '_', 1))
    WHERE state = 'running';

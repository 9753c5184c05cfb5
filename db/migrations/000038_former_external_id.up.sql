-- Studio posts a task that failed again, under the same external_id: the newest transcode
-- has it, and those that it replaced keep it here. So an external_id stays unique within a
-- tenant, and at most one of a task's transcodes is open: both would write to one place.
ALTER TABLE weir.transcodes ADD COLUMN former_external_id text CHECK (former_external_id <> '');
ALTER TABLE weir.transcodes ADD CONSTRAINT transcodes_replaced_has_ended CHECK (
    former_external_id IS NULL OR external_id IS NULL AND state IN ('succeeded', 'failed', 'cancelled'));
CREATE INDEX transcodes_by_former_external_id ON weir.transcodes (former_external_id, tenant) WHERE former_external_id IS NOT NULL;

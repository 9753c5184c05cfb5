-- The newest failures, by when they came: what `weir-admin failures` groups.
CREATE INDEX transcodes_failed_by_end ON weir.transcodes (finished_at DESC, id DESC) WHERE state = 'failed';

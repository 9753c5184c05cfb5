CREATE INDEX transcodes_queued ON weir.transcodes (created_at, id) WHERE state = 'queued';
CREATE INDEX transcodes_status_due ON weir.transcodes (status_sent_at NULLS FIRST)
    WHERE state IN ('queued', 'placed', 'running', 'storing');

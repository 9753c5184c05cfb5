CREATE INDEX transcodes_failed_untried ON weir.transcodes (finished_at DESC) WHERE state = 'failed' AND attempt = 0;

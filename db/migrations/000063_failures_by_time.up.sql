-- What failed since when is found without reading what went well. Both indexes hold failures
-- alone, the second those that failed before their first attempt, and are written once for each.
CREATE INDEX attempts_failed ON weir.attempts (ended_at DESC) WHERE outcome IN ('failed', 'lost');
CREATE INDEX transcodes_failed_untried ON weir.transcodes (finished_at DESC) WHERE state = 'failed' AND attempt = 0;

DROP INDEX weir.transcodes_failed_untried;
DROP INDEX weir.attempts_failed;

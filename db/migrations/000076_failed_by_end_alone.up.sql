-- transcodes_failed_by_end has all that this one had, in the same order. What failed before its
-- first attempt is read from it along with what failed behind one, of which v_failures reads the
-- attempts of the same time anyway.
DROP INDEX weir.transcodes_failed_untried;

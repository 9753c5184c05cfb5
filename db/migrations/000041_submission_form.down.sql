DROP FUNCTION weir.submission_form();

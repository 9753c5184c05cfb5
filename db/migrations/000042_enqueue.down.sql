DROP FUNCTION weir.enqueue_transcode(jsonb);
DROP FUNCTION weir.submission_faults(jsonb);
DROP FUNCTION weir.location_fault(text);
DROP FUNCTION weir.bucket_fault(text);
DROP FUNCTION weir.host_fault(text);
DROP FUNCTION weir.form_faults(jsonb, jsonb, text);

DO $$ BEGIN
    EXECUTE replace(pg_get_functiondef('weir.submission_faults'::regproc),
        'jsonb_array_elements(NULLIF(request->''profiles'', ''null''))', 'jsonb_array_elements(request->''profiles'')');
END $$;

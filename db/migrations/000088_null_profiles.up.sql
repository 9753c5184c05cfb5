-- Profiles that are null are the default ladder, as where they are left out: the look at their
-- rates and names took null for something that has elements.
DO $$ BEGIN
    EXECUTE replace(pg_get_functiondef('weir.submission_faults'::regproc),
        'jsonb_array_elements(request->''profiles'')', 'jsonb_array_elements(NULLIF(request->''profiles'', ''null''))');
END $$;

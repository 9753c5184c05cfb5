CREATE OR REPLACE FUNCTION weir.enqueue_transcode(request jsonb) RETURNS uuid
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    asked    jsonb := COALESCE(request, 'null');
    whose    text := weir.speaks_for();
    named    text;
    wrong    record;
    known    uuid;
    job      bigint;
    first    uuid;
    same     boolean;
    inserted boolean;
BEGIN
    IF whose IS NULL THEN
        RAISE EXCEPTION 'this role speaks for no tenant'
            USING ERRCODE = 'WR403', DETAIL = 'role', HINT = 'An operator makes it one that does: weir-admin db speaker ROLE TENANT';
    END IF;
    SELECT min(f.field) FILTER (WHERE f.n = 1) AS field, min(f.says) FILTER (WHERE f.n = 1) AS says,
           string_agg(f.field || ': ' || f.says, E'\n' ORDER BY f.n) AS everything
      INTO wrong
      FROM (SELECT s.field, s.says, row_number() OVER () AS n FROM weir.submission_faults(asked) s LIMIT 32) f;
    IF wrong.field IS NOT NULL THEN
        RAISE EXCEPTION 'the request can''t be accepted as it is: % %', wrong.field, wrong.says
            USING ERRCODE = 'WR422', DETAIL = wrong.field, HINT = wrong.everything;
    END IF;
    -- Version 7, as the API's: in the order that they were made in.
    known := encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
             PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid;
    named := asked->>'external_id';
    job := nextval('weir.river_job_id_seq');
    LOOP
        INSERT INTO weir.inbox (id, tenant, external_id, body, digest, job_id)
        VALUES (known, whose, named, asked, sha256(uuid_send(known) || convert_to(asked::text, 'UTF8')), job)
        ON CONFLICT (tenant, external_id) DO NOTHING;
        inserted := FOUND;
        EXIT WHEN named IS NULL;
        -- What stands under this external_id: in the inbox, or accepted.
        IF NOT inserted THEN
            SELECT i.id, i.body = asked INTO first, same FROM weir.inbox i WHERE i.tenant = whose AND i.external_id = named;
        END IF;
        IF inserted OR first IS NULL THEN
            SELECT t.id, bool_or(e.digest = sha256(uuid_send(e.id) || convert_to(asked::text, 'UTF8'))) INTO first, same
              FROM weir.transcodes t LEFT JOIN weir.enqueued e ON e.transcode_id = t.id
             WHERE t.tenant = whose AND t.external_id = named GROUP BY t.id;
            IF same IS NOT NULL AND inserted THEN
                DELETE FROM weir.inbox i WHERE i.id = known;
            END IF;
        END IF;
        IF same THEN
            RETURN first;
        ELSIF NOT same THEN
            RAISE EXCEPTION 'this external_id was used for a different request'
                USING ERRCODE = 'WR409', DETAIL = 'body.external_id', HINT = 'Use a new one, or send the same request again.';
        END IF;
        -- Nobody has used it, or by the API alone: only the daemon can compare with that.
        EXIT WHEN inserted;
    END LOOP;
    -- As River inserts jobs, and tells of them.
    INSERT INTO weir.river_job (id, args, kind, max_attempts, queue)
    VALUES (job, jsonb_build_object('id', known), 'accept', 100, 'accept');
    PERFORM pg_notify('weir.river_insert', '{"queue": "accept"}');
    RETURN known;
END $$;

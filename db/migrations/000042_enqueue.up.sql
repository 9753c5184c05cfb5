-- What is wrong with a value by a form, as api/check.go says it: a null is as good as nothing.
CREATE FUNCTION weir.form_faults(form jsonb, value jsonb, at text) RETURNS TABLE (field text, says text)
    LANGUAGE plpgsql IMMUTABLE
    AS $$
DECLARE
    kind   text := form->>'type';
    got    text := jsonb_typeof(value);
    fields text;
    name   text;
    word   text;
    many   integer;
    number numeric;
BEGIN
    IF kind = 'object' THEN
        IF got <> 'object' THEN
            RETURN QUERY SELECT at, 'must be an object';
            RETURN;
        END IF;
        IF form ? 'free' THEN -- its fields are the caller's own: the daemon looks at them
            RETURN;
        END IF;
        RETURN QUERY SELECT at || '.' || r, 'is missing' FROM jsonb_array_elements_text(form->'required') WITH ORDINALITY AS of (r, n)
                      WHERE COALESCE(jsonb_typeof(value->r), 'null') = 'null' ORDER BY n;
        RETURN QUERY SELECT at || '.' || other.o, format('is missing beside %s; send both, or neither', needs.k)
                       FROM jsonb_each(form->'dependentRequired') AS needs (k, others), jsonb_array_elements_text(needs.others) WITH ORDINALITY AS other (o, n)
                      WHERE COALESCE(jsonb_typeof(value->needs.k), 'null') <> 'null' AND COALESCE(jsonb_typeof(value->other.o), 'null') = 'null'
                      ORDER BY needs.k COLLATE "C", other.n;
        SELECT string_agg(k, ', ' ORDER BY k COLLATE "C") INTO fields FROM jsonb_object_keys(form->'properties') k;
        FOR name IN SELECT k FROM jsonb_object_keys(value) k ORDER BY k COLLATE "C" LOOP
            IF form->'properties'->name IS NOT NULL THEN
                IF jsonb_typeof(value->name) <> 'null' THEN
                    RETURN QUERY SELECT f.field, f.says FROM weir.form_faults(form->'properties'->name, value->name, at || '.' || name) f;
                END IF;
            ELSIF name ~ '^[a-zA-Z0-9_-]{1,40}$' THEN
                RETURN QUERY SELECT at || '.' || name, 'is no field of this request; these are: ' || fields;
            ELSE -- it may be a secret
                RETURN QUERY SELECT at, 'has a field that is none of this request''s; these are: ' || fields;
            END IF;
        END LOOP;
    ELSIF kind = 'array' THEN
        IF got <> 'array' THEN
            RETURN QUERY SELECT at, 'must be an array';
            RETURN;
        END IF;
        many := jsonb_array_length(value);
        IF many < (form->>'minItems')::integer THEN
            RETURN QUERY SELECT at, format('has %s entries; send at least %s', many, form->>'minItems');
        ELSIF many > (form->>'maxItems')::integer THEN
            RETURN QUERY SELECT at, format('has %s entries; send at most %s', many, form->>'maxItems');
            RETURN;
        END IF;
        FOR i IN 0 .. many - 1 LOOP
            RETURN QUERY SELECT f.field, f.says FROM weir.form_faults(form->'items', value->i, at || '[' || i || ']') f;
        END LOOP;
    ELSIF kind = 'string' THEN
        IF got <> 'string' THEN
            RETURN QUERY SELECT at, 'must be a string';
            RETURN;
        END IF;
        word := value #>> '{}';
        many := length(word);
        IF many < (form->>'minLength')::integer AND many = 0 THEN
            RETURN QUERY SELECT at, 'is empty';
        ELSIF many < (form->>'minLength')::integer THEN
            RETURN QUERY SELECT at, format('has %s characters; send at least %s', many, form->>'minLength');
        ELSIF many > (form->>'maxLength')::integer THEN
            RETURN QUERY SELECT at, format('has %s characters; send at most %s', many, form->>'maxLength');
        ELSIF word !~ (form->>'pattern') THEN
            RETURN QUERY SELECT at, 'must be ' || (form->>'patternDescription');
        ELSIF form ? 'enum' AND NOT EXISTS (SELECT FROM jsonb_array_elements_text(form->'enum') e WHERE lower(e) = lower(word)) THEN
            RETURN QUERY SELECT at, 'must be one of ' || (SELECT trim(string_agg(e, ' ' ORDER BY n)) FROM jsonb_array_elements_text(form->'enum') WITH ORDINALITY AS of (e, n));
        END IF;
    ELSIF kind IN ('integer', 'number') THEN
        IF got <> 'number' THEN
            RETURN QUERY SELECT at, 'must be a number';
            RETURN;
        END IF;
        number := (value #>> '{}')::numeric;
        IF kind = 'integer' AND ((value #>> '{}') !~ '^-?[0-9]+$' OR abs(number) > 9223372036854775807) THEN
            RETURN QUERY SELECT at, 'must be a whole number';
            RETURN;
        END IF;
        IF form ? 'enum' AND NOT EXISTS (SELECT FROM jsonb_array_elements_text(form->'enum') e WHERE e::numeric = number) THEN
            RETURN QUERY SELECT at, 'must be one of ' || (SELECT string_agg(e, ' ' ORDER BY n) FROM jsonb_array_elements_text(form->'enum') WITH ORDINALITY AS of (e, n));
        END IF;
        IF number < (form->>'minimum')::numeric OR number > (form->>'maximum')::numeric THEN
            RETURN QUERY SELECT at, format('must be from %s to %s', form->>'minimum', form->>'maximum');
        END IF;
    ELSIF kind = 'boolean' AND got <> 'boolean' THEN
        RETURN QUERY SELECT at, 'must be true or false';
    END IF;
END $$;

-- What is wrong with a location, in the words of storage.ParseLocation, which is stricter
-- in corners: what it alone finds fails the transcode. Nothing of the location is repeated.
CREATE FUNCTION weir.host_fault(host text) RETURNS text
    LANGUAGE sql IMMUTABLE
    AS $$
    SELECT CASE
        WHEN host !~ '^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]*)?$' THEN 'it has no valid host'
        WHEN host ~ ':$' THEN 'its port is empty'
        WHEN host ~ ':[0-9]+$' AND host !~ '\]$' AND substring(host from ':([0-9]+)$')::numeric NOT BETWEEN 1 AND 65535
            THEN 'its port is not between 1 and 65535'
    END
$$;

CREATE FUNCTION weir.bucket_fault(place text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    AS $$
DECLARE
    bucket text := split_part(split_part(place, '?', 1), '/', 1);
    key    text := substr(split_part(place, '?', 1), length(bucket) + 2);
    plain  text := replace(regexp_replace(key, '%2e', '.', 'gi'), '%2F', '/');
BEGIN
    RETURN CASE
        WHEN split_part(place, '?', 1) LIKE '%#%' OR place ~ '\?' AND place !~ '^[^?]*\?region='
            THEN 'an S3 location has no query but ?region= and no fragment; write ? as %3F and # as %23'
        WHEN place ~ '\?' AND place !~ '\?region=[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$'
            THEN 'its region is no name of letters, digits and dashes'
        WHEN bucket = '' THEN 'it names no bucket'
        WHEN bucket LIKE '%@%' THEN 'what stands before the @ is no store''s name; credentials go with s3+https://KEY:SECRET@host/bucket/key, s3:// has none'
        WHEN bucket !~ '^[A-Za-z0-9][A-Za-z0-9._-]{2,254}$' THEN 'its bucket is no valid name: 3 to 255 letters, digits, ''.'', ''-'', ''_'''
        WHEN key ~ '%(?![0-9A-Fa-f]{2})' THEN 'the key is not percent-encoded correctly; write % as %25'
        WHEN octet_length(regexp_replace(key, '%[0-9A-Fa-f]{2}', '.', 'g')) > 1024 THEN 'its key is longer than 1024 bytes'
        WHEN key ~ '%([01][0-9A-Fa-f]|7[fF])' THEN 'its key holds a control character or is no UTF-8'
        WHEN replace(plain, '%2f', '/') ~ '(^|/)\.\.?(/|$)' THEN 'its key has a "." or ".." between slashes'
    END;
END $$;

CREATE FUNCTION weir.location_fault(place text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    AS $$
DECLARE
    scheme    text := lower(split_part(place, '://', 1));
    rest      text := substr(place, length(scheme) + 4);
    authority text;
    secrets   text;
BEGIN
    IF octet_length(place) > 8192 THEN
        RETURN 'it is longer than 8192 bytes';
    ELSIF place ~ '[\u0001-\u0020\u007f]' THEN
        RETURN 'it holds a space or a control character; percent-encode it';
    ELSIF strpos(place, '://') = 0 THEN
        RETURN 'it has no scheme; write s3://, s3+https://, s3+http:// or https://';
    ELSIF scheme = 's3' THEN
        RETURN weir.bucket_fault(regexp_replace(rest, '^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?@', '')); -- a store's name
    ELSIF scheme IN ('s3+http', 's3+https') THEN
        authority := split_part(rest, '/', 1);
        IF authority !~ '@' AND rest ~ '@' AND (authority !~ ':' OR authority ~ '^[^:]*:[0-9]*$') THEN
            RETURN 'write an "@" in the key as %40, and a "/" in the secret as %2F';
        END IF;
        -- A secret may hold a "/", so that the first "@" may lie behind it.
        secrets := COALESCE(substring(authority from '^(.*)@'), substring(rest from '^([^@]*)@'));
        IF secrets !~ '^[^:]+:.' THEN
            RETURN 'the credentials before the @ are not of the form KEY:SECRET';
        ELSIF secrets ~ '%(?![0-9A-Fa-f]{2})' THEN
            RETURN 'the credentials before the @ are not percent-encoded correctly';
        END IF;
        rest := substr(rest, COALESCE(length(secrets) + 1, 0) + 1);
        authority := split_part(rest, '/', 1);
        RETURN COALESCE(weir.host_fault(authority), weir.bucket_fault(substr(rest, length(authority) + 2)));
    ELSIF scheme IN ('http', 'https') THEN
        authority := substring(rest from '^[^/?#]*');
        secrets := substring(authority from '^(.*)@');
        IF secrets !~ '^[A-Za-z0-9._:~!$&''()*+,;=%@-]*$' OR secrets ~ '%(?![0-9A-Fa-f]{2})'
            OR regexp_replace(authority, '^.*@', '') ~ '%' OR authority ~ '[][]' AND authority !~ '(^|@)\[[0-9A-Fa-f:.]+\](:[0-9]*)?$'
            OR substring(rest from '^[^?#]*') ~ '%(?![0-9A-Fa-f]{2})' OR substring(rest from '#(.*)$') ~ '%(?![0-9A-Fa-f]{2})' THEN
            RETURN 'it is no valid URL; percent-encode what is special in it';
        END IF;
        RETURN weir.host_fault(regexp_replace(authority, '^.*@', ''));
    END IF;
    RETURN 'its scheme is none of s3, s3+https, s3+http, https, http';
END $$;

-- All that is wrong with a request by its form: what the schema says, then what it can't.
CREATE FUNCTION weir.submission_faults(request jsonb) RETURNS TABLE (field text, says text)
    LANGUAGE plpgsql IMMUTABLE
    AS $$
DECLARE
    source   text := request #>> '{source,url}';
    output   text := request #>> '{output,url}';
    callback text := request ->> 'callback_url';
    livepeer text := request #>> '{livepeer,api_url}';
    fault    text;
    wrong    boolean := false;
    folder   text;
    file     text;
BEGIN
    IF octet_length(request::text) > 1048576 THEN
        RETURN QUERY SELECT 'body', 'is longer than 1048576 bytes';
        RETURN;
    END IF;
    RETURN QUERY SELECT f.field, f.says FROM weir.form_faults(weir.submission_form(), request, 'body') f;
    IF FOUND THEN
        RETURN;
    END IF;
    fault := weir.location_fault(source);
    IF fault IS NULL AND source ~* '^s3' AND regexp_replace(source, '^[^:]+://(.*@)?|\?.*$', '', 'g')
        ~* (CASE WHEN source ~* '^s3:' THEN '^[^/]*(/?|/.*(/|%2f))$' ELSE '^[^/]*/[^/]*(/?|/.*(/|%2f))$' END) THEN
        fault := 'names a folder; add the object''s name';
    END IF;
    IF fault IS NOT NULL THEN
        wrong := true;
        RETURN QUERY SELECT 'body.source.url', fault;
    END IF;
    fault := weir.location_fault(output);
    IF fault IS NULL AND output !~* '^s3' THEN
        fault := 'is no S3 location; use s3://bucket/prefix, s3+https:// or s3+http://';
    END IF;
    IF fault IS NOT NULL THEN
        wrong := true;
        RETURN QUERY SELECT 'body.output.url', fault;
    END IF;
    fault := weir.location_fault(callback);
    IF fault IS NULL AND callback ~* '^s3' THEN
        fault := 'must begin with http:// or https://';
    END IF;
    IF fault IS NOT NULL THEN
        RETURN QUERY SELECT 'body.callback_url', fault;
    END IF;

    RETURN QUERY SELECT format('body.profiles[%s].fps', p.n - 1), 'is more than 240 frames a second'
                   FROM jsonb_array_elements(request->'profiles') WITH ORDINALITY AS p (profile, n)
                  WHERE (p.profile->>'fps')::bigint > 240 * GREATEST((p.profile->>'fps_den')::bigint, 1) ORDER BY p.n;

    IF NOT wrong AND source ~* '^s3' THEN -- the name that the source has, where it lies in the output's folder
        folder := regexp_replace(regexp_replace(source, '^([^:]+://)(?:.*@)?', '\1'), '/[^/]*$', '');
        file := regexp_replace(regexp_replace(source, '\?.*$', ''), '^.*/', '');
        IF regexp_replace(regexp_replace(output, '^([^:]+://)(?:.*@)?', '\1'), '/*(\?.*)?$', '') = folder THEN
            file := lower(regexp_replace(file, '\.[^.]*$', ''));
        ELSE
            file := NULL;
        END IF;
    END IF;
    RETURN QUERY
    WITH names AS (
        SELECT p.n - 1 AS n, lower(p.profile->>'name') AS name
          FROM jsonb_array_elements(request->'profiles') WITH ORDINALITY AS p (profile, n)
    ), placed AS (
        SELECT names.n, names.name, min(names.n) OVER (PARTITION BY names.name) AS first FROM names
    )
    SELECT format('body.profiles[%s].name', placed.n),
           CASE WHEN placed.first < placed.n THEN format('is the name of profiles[%s] too, but for case; give every profile its own', placed.first)
                ELSE 'is the source''s name, which lies in the output''s folder; give another one' END
      FROM placed WHERE placed.first < placed.n OR placed.name = file ORDER BY placed.n;

    fault := weir.location_fault(livepeer);
    IF fault IS NULL AND livepeer ~* '^s3' THEN
        fault := 'must begin with http:// or https://';
    END IF;
    IF livepeer <> '' AND fault IS NOT NULL THEN
        RETURN QUERY SELECT 'body.livepeer.api_url', fault;
    END IF;
END $$;

-- Asks for a transcode within the caller's transaction, as POST /v1/transcodes does by
-- HTTP: it is known by the id that comes back once that is committed, and nothing is left
-- of it when it is rolled back. What is wrong by form is an exception: its SQLSTATE stays
-- the same, DETAIL is the field, HINT says what to mend, and none of them repeats a value.
--   WR403: the caller's role speaks for no tenant
--   WR409: this external_id was used for a different request
--   WR422: the request can't be accepted as it is
CREATE FUNCTION weir.enqueue_transcode(request jsonb) RETURNS uuid
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
REVOKE ALL ON FUNCTION weir.enqueue_transcode(jsonb), weir.submission_faults(jsonb), weir.location_fault(text), weir.bucket_fault(text),
    weir.host_fault(text), weir.form_faults(jsonb, jsonb, text), weir.submission_form() FROM PUBLIC;

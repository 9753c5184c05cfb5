-- What is wrong with an object whose fields are the caller's own, as api/labels.go says it:
-- labels, of which each value has a form, or metadata, which is bounded as a whole.
CREATE FUNCTION weir.free_faults(free jsonb, value jsonb, at text) RETURNS TABLE (field text, says text)
    LANGUAGE plpgsql IMMUTABLE
    AS $$
DECLARE
    refused constant text := 'holds what looks like a URL with credentials; it is shown and sent on, so leave them out';
    secret  constant text := '(://[^/?#\s]*@|[?&](x-amz-signature|x-amz-security-token|x-goog-signature|signature|sig|token|access_token|api_key|password)=)';
    label   text;
    place   text;
    many    integer;
    found   record;
BEGIN
    IF free ? 'value' THEN
        SELECT count(*) INTO many FROM jsonb_object_keys(value);
        IF many > (free->>'most')::integer THEN
            RETURN QUERY SELECT at, format('has %s entries; send at most %s', many, free->>'most');
            RETURN;
        END IF;
        FOR label IN SELECT k FROM jsonb_object_keys(value) k ORDER BY k COLLATE "C" LOOP
            place := at || CASE WHEN label ~ '^[a-zA-Z0-9_-]{1,40}$' THEN '.' || label ELSE '' END;
            IF octet_length(label) > (free->>'keyMost')::integer OR label !~ (free->>'key') THEN
                RETURN QUERY SELECT place, 'has a key that is not ' || (free->>'keyDescription');
            ELSIF jsonb_typeof(value->label) = 'string' AND (value->>label) ~* secret THEN
                RETURN QUERY SELECT place, refused;
            ELSE
                RETURN QUERY SELECT f.field, f.says FROM weir.form_faults(free->'value', value->label, place) f;
            END IF;
        END LOOP;
        RETURN;
    END IF;
    -- Of twice the length even what Postgres puts between values, a third at the most, is not
    -- what makes it too long.
    IF octet_length(value::text) > 2 * (free->>'bytes')::integer THEN
        RETURN QUERY SELECT at, format('is longer than %s bytes of JSON', free->>'bytes');
        RETURN;
    END IF;
    WITH RECURSIVE parts AS (
        SELECT value AS part, 1 AS depth
        UNION ALL
        SELECT below.part, parts.depth + 1
          FROM parts, LATERAL (
            SELECT o.value FROM jsonb_each(CASE jsonb_typeof(parts.part) WHEN 'object' THEN parts.part ELSE '{}' END) o
            UNION ALL
            SELECT a FROM jsonb_array_elements(CASE jsonb_typeof(parts.part) WHEN 'array' THEN parts.part ELSE '[]' END) a) AS below (part)
         WHERE parts.depth <= (free->>'depth')::integer
    ), counted AS (
        SELECT part, depth, jsonb_typeof(part) AS kind,
               CASE jsonb_typeof(part) WHEN 'object' THEN (SELECT count(*) FROM jsonb_object_keys(part)) ELSE 0 END AS keys,
               CASE jsonb_typeof(part) WHEN 'array' THEN jsonb_array_length(part) ELSE 0 END AS entries
          FROM parts
    )
    SELECT sum(GREATEST(2 * keys - 1, 0) + GREATEST(entries - 1, 0)) AS spaces, sum(keys) AS keys,
           bool_or(depth > (free->>'depth')::integer AND kind IN ('object', 'array')) AS deep,
           bool_or(kind = 'string' AND part #>> '{}' ~* secret
                OR kind = 'object' AND EXISTS (SELECT FROM jsonb_object_keys(part) k WHERE k ~* secret)) AS secrets,
           bool_or(kind = 'number' AND (abs((part #>> '{}')::numeric) >= 1.797693134862315808e308
                OR (part #>> '{}')::numeric <> 0 AND abs((part #>> '{}')::numeric) < 2.4703282292062327e-324)) AS numbers
      INTO found FROM counted;
    -- As Go writes it: without spaces, and with what a page could take for its own escaped.
    many := octet_length(value::text) - found.spaces
          + 5 * (length(value::text) - length(translate(value::text, '<>&', '')))
          + 3 * (length(value::text) - length(translate(value::text, U&'\2028\2029', '')));
    IF many > (free->>'bytes')::integer THEN
        RETURN QUERY SELECT at, format('is longer than %s bytes of JSON', free->>'bytes');
    ELSIF found.deep THEN
        RETURN QUERY SELECT at, format('is deeper than %s levels', free->>'depth');
    ELSIF found.keys > (free->>'keys')::integer THEN
        RETURN QUERY SELECT at, format('has more than %s keys', free->>'keys');
    ELSIF found.secrets THEN
        RETURN QUERY SELECT at, refused;
    ELSIF found.numbers THEN
        RETURN QUERY SELECT at, 'holds a number that is too large, or too near to 0';
    END IF;
END $$;

-- What is wrong with a value by a form, as api/check.go says it: a null is as good as nothing.
CREATE OR REPLACE FUNCTION weir.form_faults(form jsonb, value jsonb, at text) RETURNS TABLE (field text, says text)
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
        IF form ? 'free' THEN -- its fields are the caller's own
            RETURN QUERY SELECT f.field, f.says FROM weir.free_faults(form->'free', value, at) f;
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
REVOKE ALL ON FUNCTION weir.free_faults(jsonb, jsonb, text) FROM PUBLIC;

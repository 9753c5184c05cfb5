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
DROP FUNCTION weir.free_faults(jsonb, jsonb, text);

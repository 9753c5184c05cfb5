-- The whole schema, for reading: written by `make generate` from db/migrations, never by hand.
-- PostgreSQL database dump

-- Name: weir; Type: SCHEMA; Schema: -; Owner: -

CREATE SCHEMA weir;

-- Name: river_job_state; Type: TYPE; Schema: weir; Owner: -

CREATE TYPE weir.river_job_state AS ENUM (
    'available',
    'cancelled',
    'completed',
    'discarded',
    'pending',
    'retryable',
    'running',
    'scheduled'
);

-- Name: bucket_fault(text); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.bucket_fault(place text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    AS $_$
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
END $_$;

-- Name: callbacks_check_state(); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.callbacks_check_state() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NEW.body <> OLD.body OR NEW.transcode_id <> OLD.transcode_id OR NEW.run <> OLD.run THEN
        RAISE EXCEPTION 'callback %: what is told never changes', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.state IN ('delivered', 'superseded') AND NEW.state <> OLD.state THEN
        RAISE EXCEPTION 'callback %: it is %', OLD.id, OLD.state USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

-- Name: callbacks_missed(); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.callbacks_missed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NEW.state = 'expired' THEN
        INSERT INTO weir.missed_events (event_id, transcode_id, tenant)
        SELECT NEW.id, t.id, t.tenant FROM weir.transcodes t WHERE t.id = NEW.transcode_id
        ON CONFLICT DO NOTHING;
    ELSE
        DELETE FROM weir.missed_events WHERE event_id = ANY(NEW.missed || NEW.id);
    END IF;
    RETURN NULL;
END $$;

-- Name: client_connections(); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.client_connections() RETURNS TABLE(all_ bigint, weir bigint)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT count(*), count(*) FILTER (WHERE a.application_name = 'weir') FROM pg_stat_activity a WHERE a.backend_type = 'client backend'
$$;

-- Name: enqueue_transcode(jsonb); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.enqueue_transcode(request jsonb) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
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
    most     bigint;
    waiting  bigint;
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
    named := asked->>'external_id';
    -- A repetition adds nothing to the queue. The queue is counted when what waits for a
    -- daemon is a multiple of a thousandth of the limit: a caller that finds it full finds it
    -- full again.
    IF named IS NULL OR NOT EXISTS (SELECT FROM weir.inbox i WHERE i.tenant = whose AND i.external_id = named)
                    AND NOT EXISTS (SELECT FROM weir.transcodes t WHERE t.tenant = whose AND t.external_id = named) THEN
        SELECT COALESCE((SELECT n.queued_most FROM weir.tenants n WHERE n.name = whose), 100000) INTO most;
        SELECT count(*) INTO waiting FROM (SELECT FROM weir.inbox i WHERE i.tenant = whose LIMIT most) w;
        IF waiting >= most OR waiting % GREATEST(most / 1000, 1) = 0 THEN
            SELECT waiting + count(*) INTO waiting FROM (
                SELECT FROM weir.transcodes t WHERE t.tenant = whose AND t.state = 'queued' LIMIT most - waiting) q;
            IF waiting >= most THEN
                RAISE EXCEPTION 'the queue of this tenant is full: % transcodes wait', most
                    USING ERRCODE = 'WR429', DETAIL = 'queue', HINT = 'Ask again when some of them have begun.';
            END IF;
        END IF;
    END IF;
    -- Version 7, as the API's: in the order that they were made in.
    known := encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
             PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid;
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

-- Name: event_deliveries_missed(); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.event_deliveries_missed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO weir.missed_events (event_id, transcode_id, tenant)
    SELECT NEW.id, t.id, t.tenant FROM weir.transcodes t WHERE t.id = NEW.transcode_id
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

-- Name: events_deliver(); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.events_deliver() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO weir.event_deliveries (event_id, transcode_id, tenant, receiver)
    SELECT NEW.id, t.id, t.tenant, weir.receiver_of(COALESCE(t.events_url, t.callback_url))
      FROM weir.transcodes t WHERE t.id = NEW.transcode_id AND NEW.type = ANY(t.events);
    RETURN NULL;
END $$;

-- Name: events_hold(); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.events_hold() RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF COALESCE(current_setting('weir.events_hold', true), '') = '' THEN
        PERFORM pg_advisory_xact_lock_shared((844711::bigint << 40) | CASE WHEN is_called THEN last_value ELSE 0 END)
           FROM weir.events_id_seq;
        PERFORM set_config('weir.events_hold', 'held', true);
    END IF;
END $$;

-- Name: events_settled(); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.events_settled() RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE
    drawn bigint;
    held bigint;
BEGIN
    SELECT CASE WHEN is_called THEN last_value ELSE 0 END INTO drawn FROM weir.events_id_seq;
    SELECT min((classid::bigint << 32 | objid::bigint) & ((1::bigint << 40) - 1)) INTO held FROM pg_locks
     WHERE locktype = 'advisory' AND objsubid = 1 AND classid::bigint >> 8 = 844711
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database());
    RETURN LEAST(drawn, held);
END $$;

-- Name: form_faults(jsonb, jsonb, text); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.form_faults(form jsonb, value jsonb, at text) RETURNS TABLE(field text, says text)
    LANGUAGE plpgsql IMMUTABLE
    AS $_$
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
END $_$;

-- Name: free_faults(jsonb, jsonb, text); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.free_faults(free jsonb, value jsonb, at text) RETURNS TABLE(field text, says text)
    LANGUAGE plpgsql IMMUTABLE
    AS $_$
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
END $_$;

-- Name: host_fault(text); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.host_fault(host text) RETURNS text
    LANGUAGE sql IMMUTABLE
    AS $_$
    SELECT CASE
        WHEN host !~ '^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]*)?$' THEN 'it has no valid host'
        WHEN host ~ ':$' THEN 'its port is empty'
        WHEN host ~ ':[0-9]+$' AND host !~ '\]$' AND substring(host from ':([0-9]+)$')::numeric NOT BETWEEN 1 AND 65535
            THEN 'its port is not between 1 and 65535'
    END
$_$;

-- Name: location_fault(text); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.location_fault(place text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    AS $_$
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
END $_$;

-- Name: oldest_transaction_seconds(); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.oldest_transaction_seconds() RETURNS double precision
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT COALESCE(max(o.seconds), 0)::float8 FROM weir.open_transactions() o
$$;

-- Name: open_transactions(); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.open_transactions() RETURNS TABLE(pid integer, role text, application text, state text, seconds double precision)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT a.pid, COALESCE(a.usename::text, ''), COALESCE(a.application_name, ''), COALESCE(a.state, ''),
           EXTRACT(epoch FROM clock_timestamp() - a.xact_start)::float8
      FROM pg_stat_activity a
     WHERE a.datname = current_database() AND a.backend_type = 'client backend' AND a.xact_start IS NOT NULL AND a.pid <> pg_backend_pid()
     ORDER BY a.xact_start, a.pid
$$;

-- Name: outputs_check_state(); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.outputs_check_state() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NEW.attempt < OLD.attempt THEN
        RAISE EXCEPTION 'output % of %: attempt never goes down', OLD.ordinal, OLD.transcode_id USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = OLD.state OR (OLD.state, NEW.state) IN (('expected', 'ok'), ('expected', 'failed'), ('expected', 'skipped'))
    OR (OLD.state = 'failed' AND NEW.state = 'expected' AND NEW.attempt > OLD.attempt) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'output % of %: no way from % to %', OLD.ordinal, OLD.transcode_id, OLD.state, NEW.state
        USING ERRCODE = 'check_violation';
END $$;

-- Name: outputs_tell(); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.outputs_tell() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM weir.events_hold();
    INSERT INTO weir.events (transcode_id, tenant, external_id, type, state, run, attempt, host_id, ratio, output)
    SELECT t.id, t.tenant, t.external_id, 'output.ready', t.state, t.run, t.attempt, t.host_id, t.ratio, NEW.type
      FROM weir.transcodes t WHERE t.id = NEW.transcode_id;
    RETURN NULL;
END $$;

-- Name: receiver_of(text); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.receiver_of(url text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN lower(split_part(split_part(split_part(url, '/'::text, 3), '?'::text, 1), '#'::text, 1));

-- Name: renditions_check_state(); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.renditions_check_state() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NEW.attempt < OLD.attempt THEN
        RAISE EXCEPTION 'rendition % of %: attempt never goes down', OLD.name, OLD.transcode_id USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = OLD.state OR (OLD.state, NEW.state) IN (
        ('expected', 'pushing'), ('expected', 'pushed'), ('expected', 'failed'),
        ('pushing', 'pushed'), ('pushing', 'failed'), ('pushing', 'expected'),
        ('pushed', 'ok'), ('pushed', 'failed'))
    OR (NEW.state = 'expected' AND OLD.state <> 'ok' AND NEW.attempt > OLD.attempt)
    OR (NEW.state = 'expected' AND EXISTS (
        SELECT FROM weir.attempts o JOIN weir.attempts n USING (transcode_id)
         WHERE transcode_id = NEW.transcode_id AND o.number = OLD.attempt AND n.number = NEW.attempt
           AND o.source_identity <> n.source_identity)) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'rendition % of %: no way from % to %', OLD.name, OLD.transcode_id, OLD.state, NEW.state
        USING ERRCODE = 'check_violation';
END $$;

-- Name: renditions_tell(); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.renditions_tell() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM weir.events_hold();
    INSERT INTO weir.events (transcode_id, tenant, external_id, type, state, run, attempt, host_id, ratio, rendition, error_code, error_stage)
    SELECT t.id, t.tenant, t.external_id, 'rendition.' || CASE NEW.state WHEN 'ok' THEN 'ready' ELSE NEW.state END,
           t.state, t.run, t.attempt, t.host_id, t.ratio, NEW.name, NEW.error_code, NEW.error_stage
      FROM weir.transcodes t WHERE t.id = NEW.transcode_id;
    RETURN NULL;
END $$;

-- Name: river_job_state_in_bitmask(bit, weir.river_job_state); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.river_job_state_in_bitmask(bitmask bit, state weir.river_job_state) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    AS $$
    SELECT CASE state
        WHEN 'available' THEN get_bit(bitmask, 7)
        WHEN 'cancelled' THEN get_bit(bitmask, 6)
        WHEN 'completed' THEN get_bit(bitmask, 5)
        WHEN 'discarded' THEN get_bit(bitmask, 4)
        WHEN 'pending'   THEN get_bit(bitmask, 3)
        WHEN 'retryable' THEN get_bit(bitmask, 2)
        WHEN 'running'   THEN get_bit(bitmask, 1)
        WHEN 'scheduled' THEN get_bit(bitmask, 0)
        ELSE 0
    END = 1;
$$;

-- Name: river_job_tell(); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.river_job_tell() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    -- As River writes it: Postgres tells the same twice in a transaction once.
    PERFORM pg_notify('weir.river_insert', format('{"queue": "%s"}', q.queue))
       FROM (SELECT DISTINCT n.queue FROM inserted n WHERE n.state = 'available') q;
    RETURN NULL;
END $$;

-- Name: sealed_page(text, text, text[], bytea, bigint, bigint); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.sealed_page(relation text, sealed text, keys text[], newest bytea, first_page bigint, pages bigint) RETURNS TABLE(place text, key text[], value bytea)
    LANGUAGE plpgsql STABLE
    AS $_$
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT ctid::text, ARRAY[%s], %I FROM weir.%I WHERE ctid >= $2 AND ctid < $3
            AND substring(%I FROM 1 FOR length($1)) <> $1',
        (SELECT string_agg(format('%I::text', k), ', ' ORDER BY n) FROM unnest(keys) WITH ORDINALITY AS u(k, n)),
        sealed, relation, sealed)
    USING newest, format('(%s,0)', first_page)::tid, format('(%s,0)', first_page + pages)::tid;
END $_$;

-- Name: sealed_replace(text, text, text, bytea, bytea); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.sealed_replace(relation text, sealed text, place text, former bytea, value bytea) RETURNS boolean
    LANGUAGE plpgsql
    AS $_$
DECLARE
    changed bigint;
BEGIN
    EXECUTE format('UPDATE weir.%I SET %I = $3 WHERE ctid = $1 AND %I = $2', relation, sealed, sealed)
      USING place::tid, former, value;
    GET DIAGNOSTICS changed = ROW_COUNT;
    RETURN changed = 1;
END $_$;

-- Name: sees_all_sessions(); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.sees_all_sessions() RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')
$$;

-- Name: slo_of_hour(timestamp with time zone); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.slo_of_hour(hour timestamp with time zone) RETURNS TABLE(grouped integer, tenant text, host_id text, ended bigint, succeeded bigint, failed bigint, cancelled bigint, queue_wait double precision[], speed double precision[], store double precision[], callback_lag double precision[])
    LANGUAGE sql STABLE SECURITY DEFINER COST 10000 ROWS 50
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET jit TO 'off'
    AS $_$
    WITH since AS (
        -- What ended before there were such rows is found out as ever, until retention has removed it.
        SELECT COALESCE((SELECT e.finished_at FROM weir.ends e WHERE e.finished_at > '-infinity' ORDER BY e.finished_at LIMIT 1), 'infinity') AS at
    ), told AS (
        -- A callback is written by the transaction that ends the transcode: at the same time.
        SELECT c.transcode_id, c.run, EXTRACT(epoch FROM COALESCE(c.delivered_at, now()) - c.created_at)::float8 AS lag FROM weir.callbacks c
         WHERE c.created_at >= $1 AND c.created_at < $1 + interval '1 hour' AND c.state IN ('pending', 'delivered')
    ), ended AS (
        SELECT e.transcode_id, e.run, e.tenant, e.host_id, e.state, e.queue_wait, e.speed, e.store FROM weir.ends e
         WHERE e.finished_at >= $1 AND e.finished_at < $1 + interval '1 hour'
        UNION ALL
        SELECT t.id, t.run, t.tenant, t.host_id, t.state,
               (SELECT EXTRACT(epoch FROM min(a.created_at) - t.run_at)::float8 FROM weir.attempts a
                 WHERE a.transcode_id = t.id AND a.created_at >= t.run_at),
               (SELECT max(t.source_duration_ms / 1000.0 / NULLIF(EXTRACT(epoch FROM a.transcoded_at - a.started_at), 0))::float8 FROM weir.attempts a
                 WHERE a.transcode_id = t.id AND a.number = t.attempt),
               (SELECT EXTRACT(epoch FROM max(r.stored_at - r.pushed_at))::float8 FROM weir.renditions r
                 WHERE r.transcode_id = t.id AND r.attempt = t.attempt AND r.state = 'ok')
          FROM weir.transcodes t
         WHERE t.finished_at >= $1 AND t.finished_at < LEAST($1 + interval '1 hour', (SELECT since.at FROM since))
    )
    SELECT GROUPING(e.tenant, e.host_id), e.tenant, e.host_id,
           count(*), count(*) FILTER (WHERE e.state = 'succeeded'),
           count(*) FILTER (WHERE e.state = 'failed'), count(*) FILTER (WHERE e.state = 'cancelled'),
           percentile_cont(ARRAY[0.5, 0.95, 0.99]::float8[]) WITHIN GROUP (ORDER BY e.queue_wait),
           percentile_cont(ARRAY[0.5, 0.05, 0.01]::float8[]) WITHIN GROUP (ORDER BY e.speed),
           percentile_cont(ARRAY[0.5, 0.95, 0.99]::float8[]) WITHIN GROUP (ORDER BY e.store),
           percentile_cont(ARRAY[0.5, 0.95, 0.99]::float8[]) WITHIN GROUP (ORDER BY told.lag)
      FROM ended e
      LEFT JOIN told ON told.transcode_id = e.transcode_id AND told.run = e.run
     GROUP BY GROUPING SETS ((), (e.tenant), (e.host_id), (e.tenant, e.host_id))
    HAVING count(*) > 0
$_$;

-- Name: speaks_for(); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.speaks_for() RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT s.tenant FROM weir.speakers s
     WHERE s.role = CASE current_setting('role') WHEN 'none' THEN session_user::text ELSE current_setting('role') END
$$;

-- Name: submission_faults(jsonb); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.submission_faults(request jsonb) RETURNS TABLE(field text, says text)
    LANGUAGE plpgsql IMMUTABLE
    AS $_$
DECLARE
    source   text := request #>> '{source,url}';
    output   text := request #>> '{output,url}';
    callback text := request ->> 'callback_url';
    livepeer text := request #>> '{livepeer,api_url}';
    fault    text;
    wrong    boolean := false;
    folder   text;
    file     text;
    starts   bigint;
    ends     bigint;
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
    fault := CASE WHEN callback ~* '^https?://' THEN weir.location_fault(callback) ELSE 'must begin with http:// or https://' END;
    IF fault IS NOT NULL THEN
        RETURN QUERY SELECT 'body.callback_url', fault;
    END IF;

    RETURN QUERY SELECT format('body.profiles[%s].fps', p.n - 1), 'is more than 240 frames a second'
                   FROM jsonb_array_elements(NULLIF(request->'profiles', 'null')) WITH ORDINALITY AS p (profile, n)
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
          FROM jsonb_array_elements(NULLIF(request->'profiles', 'null')) WITH ORDINALITY AS p (profile, n)
    ), placed AS (
        SELECT names.n, names.name, min(names.n) OVER (PARTITION BY names.name) AS first FROM names
    )
    SELECT format('body.profiles[%s].name', placed.n),
           CASE WHEN placed.first < placed.n THEN format('is the name of profiles[%s] too, but for case; give every profile its own', placed.first)
                ELSE 'is the source''s name, which lies in the output''s folder; give another one' END
      FROM placed WHERE placed.first < placed.n OR placed.name = file ORDER BY placed.n;

    starts := (request #>> '{clip,start_ms}')::bigint;
    ends := (request #>> '{clip,end_ms}')::bigint;
    IF ends <= starts THEN
        RETURN QUERY SELECT 'body.clip.end_ms', 'is not behind start_ms; a clip ends after it begins';
    END IF;
    IF lower(request #>> '{clip,clock}') = 'unix' THEN
        IF regexp_replace(source, '[?#].*$', '') !~* '\.m3u8$' THEN
            RETURN QUERY SELECT 'body.clip.clock', 'is unix, and the source is no playlist (.m3u8), which alone tells times of day; use source';
        ELSIF starts < 100000000000 THEN
            RETURN QUERY SELECT 'body.clip.start_ms', 'is no Unix time in milliseconds';
        END IF;
    END IF;

    fault := CASE WHEN livepeer ~* '^https?://' THEN weir.location_fault(livepeer) ELSE 'must begin with http:// or https://' END;
    IF livepeer <> '' AND fault IS NOT NULL THEN
        RETURN QUERY SELECT 'body.livepeer.api_url', fault;
    END IF;
END $_$;

-- Name: submission_form(); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.submission_form() RETURNS jsonb
    LANGUAGE sql IMMUTABLE
    AS $_$ SELECT $form${
  "type": "object",
  "properties": {
    "callback_secret": {
      "type": "string",
      "minLength": 16,
      "maxLength": 256
    },
    "callback_url": {
      "type": "string",
      "minLength": 1,
      "maxLength": 8192
    },
    "clip": {
      "type": "object",
      "properties": {
        "clock": {
          "type": "string",
          "enum": [
            "source",
            "unix"
          ]
        },
        "end_ms": {
          "type": "integer",
          "minimum": 0,
          "maximum": 253402300799999
        },
        "start_ms": {
          "type": "integer",
          "minimum": 0,
          "maximum": 253402300799999
        }
      },
      "required": [
        "start_ms",
        "end_ms"
      ]
    },
    "events": {
      "type": "array",
      "items": {
        "type": "string",
        "enum": [
          "transcode.queued",
          "transcode.placed",
          "transcode.started",
          "transcode.storing",
          "transcode.succeeded",
          "transcode.failed",
          "transcode.cancelled",
          "transcode.retried",
          "rendition.pushed",
          "rendition.ready",
          "rendition.failed",
          "output.ready"
        ]
      },
      "maxItems": 12
    },
    "events_url": {
      "type": "string",
      "minLength": 1,
      "maxLength": 8192
    },
    "external_id": {
      "type": "string",
      "minLength": 1,
      "maxLength": 200,
      "pattern": "^[^\\u0001-\\u001f\\u007f-\\u009f]*$",
      "patternDescription": "without control characters"
    },
    "labels": {
      "type": "object",
      "free": {
        "most": 16,
        "key": "^[a-zA-Z0-9]([a-zA-Z0-9_./-]*[a-zA-Z0-9])?$",
        "keyMost": 64,
        "keyDescription": "letters, digits, '_', '.', '/' and '-' within, up to 64",
        "value": {
          "type": "string",
          "minLength": 1,
          "maxLength": 128,
          "pattern": "^[^\\u0001-\\u001f\\u007f-\\u009f]*$",
          "patternDescription": "without control characters"
        }
      }
    },
    "livepeer": {
      "type": "object",
      "properties": {
        "access_token": {
          "type": "string",
          "minLength": 1,
          "maxLength": 4096,
          "pattern": "^[^\\u0001-\\u001f\\u007f-\\u009f]*$",
          "patternDescription": "without control characters"
        },
        "api_url": {
          "type": "string",
          "minLength": 1,
          "maxLength": 8192
        }
      },
      "required": [
        "access_token"
      ]
    },
    "metadata": {
      "type": "object",
      "free": {
        "bytes": 4096,
        "depth": 4,
        "keys": 64
      }
    },
    "output": {
      "type": "object",
      "properties": {
        "url": {
          "type": "string",
          "minLength": 1,
          "maxLength": 8192
        }
      },
      "required": [
        "url"
      ]
    },
    "outputs": {
      "type": "array",
      "items": {
        "type": "object",
        "properties": {
          "only_short": {
            "type": "boolean"
          },
          "segment_seconds": {
            "type": "integer",
            "minimum": 0,
            "maximum": 20
          },
          "type": {
            "type": "string",
            "enum": [
              "ts",
              "hls",
              "mp4",
              "fmp4",
              "source",
              "thumbnails"
            ]
          },
          "url": {
            "type": "string",
            "minLength": 1,
            "maxLength": 8192
          }
        },
        "required": [
          "type"
        ]
      },
      "minItems": 1,
      "maxItems": 16
    },
    "priority": {
      "type": "integer",
      "minimum": 0,
      "maximum": 9
    },
    "profiles": {
      "type": "array",
      "items": {
        "type": "object",
        "properties": {
          "bitrate": {
            "type": "integer",
            "minimum": 1000,
            "maximum": 1000000000
          },
          "chroma_format": {
            "type": "integer",
            "enum": [
              0
            ]
          },
          "color_depth": {
            "type": "integer",
            "enum": [
              0,
              8
            ]
          },
          "encoder": {
            "type": "string",
            "enum": [
              "",
              "H.264",
              "H264"
            ]
          },
          "fps": {
            "type": "integer",
            "minimum": 0,
            "maximum": 240240
          },
          "fps_den": {
            "type": "integer",
            "minimum": 0,
            "maximum": 1001
          },
          "gop": {
            "type": "string",
            "maxLength": 16,
            "pattern": "^(intra|[0-9]{1,4}(\\.[0-9]+)?)?$",
            "patternDescription": "seconds from 0 to 9999, as in 2.0, or intra"
          },
          "height": {
            "type": "integer",
            "minimum": 1,
            "maximum": 8192
          },
          "name": {
            "type": "string",
            "minLength": 1,
            "maxLength": 64,
            "pattern": "^[a-zA-Z0-9](\\.?[a-zA-Z0-9_-])*$",
            "patternDescription": "letters, digits, '-', '_' and single dots, beginning with a letter or digit"
          },
          "profile": {
            "type": "string",
            "enum": [
              "",
              "None",
              "H264Baseline",
              "H264Main",
              "H264High",
              "H264ConstrainedHigh"
            ]
          },
          "quality": {
            "type": "integer",
            "minimum": 0,
            "maximum": 44
          },
          "width": {
            "type": "integer",
            "minimum": 1,
            "maximum": 8192
          }
        },
        "required": [
          "name",
          "bitrate"
        ],
        "dependentRequired": {
          "height": [
            "width"
          ],
          "width": [
            "height"
          ]
        }
      },
      "maxItems": 10
    },
    "source": {
      "type": "object",
      "properties": {
        "url": {
          "type": "string",
          "minLength": 1,
          "maxLength": 8192
        }
      },
      "required": [
        "url"
      ]
    }
  },
  "required": [
    "source",
    "output",
    "callback_url"
  ]
}$form$::jsonb $_$;

-- Name: table_rows(); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.table_rows() RETURNS TABLE(name text, live bigint, dead bigint)
    LANGUAGE sql STABLE
    AS $$
    SELECT s.relname::text, s.n_live_tup, s.n_dead_tup FROM pg_stat_user_tables s WHERE s.schemaname = 'weir' ORDER BY s.relname
$$;

-- Name: transcodes_check_callback(); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.transcodes_check_callback() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM weir.callbacks c WHERE c.transcode_id = NEW.id AND c.run = NEW.run) THEN
        RAISE EXCEPTION 'transcode %: ended without its callback', NEW.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

-- Name: transcodes_check_outputs(); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.transcodes_check_outputs() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NEW.packages AND NOT EXISTS (SELECT FROM weir.outputs o WHERE o.transcode_id = NEW.id AND o.type <> 'ts') THEN
        RAISE EXCEPTION 'transcode %: nothing to package', NEW.id USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = 'succeeded'
        AND EXISTS (SELECT FROM weir.outputs o WHERE o.transcode_id = NEW.id AND o.state NOT IN ('ok', 'skipped')) THEN
        RAISE EXCEPTION 'transcode %: succeeded with an output that is neither ok nor skipped', NEW.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

-- Name: transcodes_check_renditions(); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.transcodes_check_renditions() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF (NEW.state = 'succeeded' OR NOT NEW.ladder)
        AND NOT EXISTS (SELECT FROM weir.renditions r WHERE r.transcode_id = NEW.id) THEN
        RAISE EXCEPTION 'transcode %: no renditions', NEW.id USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = 'succeeded'
        AND EXISTS (SELECT FROM weir.renditions r WHERE r.transcode_id = NEW.id AND r.state <> 'ok') THEN
        RAISE EXCEPTION 'transcode %: succeeded with a rendition that is not ok', NEW.id USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = 'succeeded'
        AND (SELECT count(DISTINCT a.source_identity) FROM weir.renditions r
               JOIN weir.attempts a ON a.transcode_id = r.transcode_id AND a.number = r.attempt
              WHERE r.transcode_id = NEW.id) > 1 THEN
        RAISE EXCEPTION 'transcode %: succeeded with renditions of two sources', NEW.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

-- Name: transcodes_check_state(); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.transcodes_check_state() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NEW.attempt < OLD.attempt OR NEW.run < OLD.run THEN
        RAISE EXCEPTION 'transcode %: attempt and run never go down', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    -- A ratio that goes down makes Studio take the transcode for lost.
    IF NEW.ratio < OLD.ratio THEN
        NEW.ratio := OLD.ratio;
    END IF;
    NEW.updated_at := now();
    IF NEW.state = OLD.state THEN
        RETURN NEW;
    END IF;
    IF (OLD.state, NEW.state) IN (
        ('queued', 'placed'), ('queued', 'failed'), ('queued', 'cancelled'),
        ('placed', 'running'), ('placed', 'queued'), ('placed', 'failed'), ('placed', 'cancelled'),
        ('running', 'storing'), ('running', 'queued'), ('running', 'succeeded'), ('running', 'failed'), ('running', 'cancelled'),
        ('storing', 'queued'), ('storing', 'succeeded'), ('storing', 'failed'), ('storing', 'cancelled'))
    OR (OLD.state = 'failed' AND NEW.state = 'queued' AND NEW.run = OLD.run + 1) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'transcode %: no way from % to %', OLD.id, OLD.state, NEW.state USING ERRCODE = 'check_violation';
END $$;

-- Name: transcodes_end(); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.transcodes_end() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NEW.finished_at IS NULL THEN -- another run
        DELETE FROM weir.ends WHERE transcode_id = NEW.id;
        RETURN NULL;
    END IF;
    INSERT INTO weir.ends (transcode_id, run, finished_at, tenant, host_id, state, queue_wait, speed, store)
    SELECT NEW.id, NEW.run, NEW.finished_at, NEW.tenant, NEW.host_id, NEW.state,
           (SELECT EXTRACT(epoch FROM min(a.created_at) - NEW.run_at)::float8 FROM weir.attempts a
             WHERE a.transcode_id = NEW.id AND a.created_at >= NEW.run_at),
           (SELECT max(NEW.source_duration_ms / 1000.0 / NULLIF(EXTRACT(epoch FROM a.transcoded_at - a.started_at), 0))::float8 FROM weir.attempts a
             WHERE a.transcode_id = NEW.id AND a.number = NEW.attempt),
           (SELECT EXTRACT(epoch FROM max(r.stored_at - r.pushed_at))::float8 FROM weir.renditions r
             WHERE r.transcode_id = NEW.id AND r.attempt = NEW.attempt AND r.state = 'ok');
    RETURN NULL;
END $$;

-- Name: transcodes_head_again(); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.transcodes_head_again() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO weir.head_news (tenant, place, urgent, ready_at)
    VALUES (NEW.tenant, weir.turn_of(NEW.created_at, NEW.priority), NEW.priority <= 2, NEW.not_before);
    RETURN NULL;
END $$;

-- Name: transcodes_head_new(); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.transcodes_head_new() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO weir.head_news (tenant, place, urgent, ready_at)
    SELECT n.tenant, min(weir.turn_of(n.created_at, n.priority)), n.priority <= 2, n.not_before
      FROM new_rows n WHERE n.state = 'queued' GROUP BY n.tenant, n.priority <= 2, n.not_before;
    RETURN NULL;
END $$;

-- Name: transcodes_label(); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.transcodes_label() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO weir.transcode_labels (transcode_id, tenant, key, value, created_at)
    SELECT NEW.id, NEW.tenant, l.key, l.value, NEW.created_at FROM jsonb_each_text(NEW.labels) l;
    RETURN NULL;
END $$;

-- Name: transcodes_tell(); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.transcodes_tell() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM weir.events_hold();
    INSERT INTO weir.events (transcode_id, tenant, external_id, type, state, run, attempt, host_id, ratio, error_code, error_stage)
    VALUES (NEW.id, NEW.tenant, NEW.external_id,
            CASE NEW.state WHEN 'running' THEN 'transcode.started'
                 WHEN 'queued' THEN CASE WHEN TG_OP = 'UPDATE' AND NEW.run > OLD.run THEN 'transcode.retried' ELSE 'transcode.queued' END
                 ELSE 'transcode.' || NEW.state END,
            NEW.state, NEW.run, NEW.attempt, NEW.host_id, NEW.ratio, NEW.error_code, NEW.error_stage);
    RETURN NULL;
END $$;

-- Name: transcodes_use(); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.transcodes_use() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO weir.usage AS u (tenant, day, part, succeeded, failed, cancelled, attempts, source_ms, output_ms, pixels, bytes)
    SELECT NEW.tenant, (NEW.finished_at AT TIME ZONE 'UTC')::date, get_byte(uuid_send(NEW.id), 15) % 8,
           (NEW.state = 'succeeded')::int, (NEW.state = 'failed')::int, (NEW.state = 'cancelled')::int,
           (SELECT count(*) FROM weir.attempts a WHERE a.transcode_id = NEW.id AND a.created_at >= NEW.run_at),
           COALESCE(NEW.source_duration_ms, 0), COALESCE(sum(r.duration_ms), 0),
           COALESCE(sum(r.frames * r.planned_width * r.planned_height), 0), COALESCE(sum(r.object_bytes), 0)
      FROM weir.renditions r WHERE r.transcode_id = NEW.id AND r.state = 'ok' AND r.stored_at >= NEW.run_at
    ON CONFLICT (tenant, day, part) DO UPDATE SET
           succeeded = u.succeeded + EXCLUDED.succeeded, failed = u.failed + EXCLUDED.failed, cancelled = u.cancelled + EXCLUDED.cancelled,
           attempts = u.attempts + EXCLUDED.attempts, source_ms = u.source_ms + EXCLUDED.source_ms, output_ms = u.output_ms + EXCLUDED.output_ms,
           pixels = u.pixels + EXCLUDED.pixels, bytes = u.bytes + EXCLUDED.bytes;
    RETURN NULL;
END $$;

-- Name: turn_of(timestamp with time zone, smallint); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.turn_of(created_at timestamp with time zone, priority smallint) RETURNS timestamp with time zone
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (created_at + ((priority)::double precision * '00:10:00'::interval));

-- Name: admin_actions; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.admin_actions (
    id bigint NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    who text NOT NULL,
    via text NOT NULL,
    what text NOT NULL,
    target text NOT NULL,
    reason text NOT NULL,
    detail jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT admin_actions_detail_check CHECK ((jsonb_typeof(detail) = 'object'::text)),
    CONSTRAINT admin_actions_reason_check CHECK ((char_length(reason) <= 1000)),
    CONSTRAINT admin_actions_target_check CHECK ((char_length(target) <= 1000)),
    CONSTRAINT admin_actions_via_check CHECK ((via = ANY (ARRAY['cli'::text, 'web'::text, 'api'::text]))),
    CONSTRAINT admin_actions_what_check CHECK (((char_length(what) >= 1) AND (char_length(what) <= 100))),
    CONSTRAINT admin_actions_who_check CHECK (((char_length(who) >= 1) AND (char_length(who) <= 200)))
);

-- Name: admin_actions_id_seq; Type: SEQUENCE; Schema: weir; Owner: -

ALTER TABLE weir.admin_actions ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME weir.admin_actions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

-- Name: attempts; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.attempts (
    transcode_id uuid NOT NULL,
    number integer NOT NULL,
    host_id text NOT NULL,
    boot_id uuid,
    job_id bigint,
    stage text DEFAULT 'placed'::text NOT NULL,
    outcome text,
    error_code text,
    error_stage text,
    error_message text,
    source_bytes bigint,
    source_etag text,
    prepared jsonb,
    process text,
    broadcaster text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    started_at timestamp with time zone,
    fetched_at timestamp with time zone,
    prepared_at timestamp with time zone,
    process_started_at timestamp with time zone,
    transcoded_at timestamp with time zone,
    ended_at timestamp with time zone,
    cleaned_at timestamp with time zone,
    error_detail text,
    hung_starts integer DEFAULT 0 NOT NULL,
    reruns integer DEFAULT 0 NOT NULL,
    source_identity text,
    package_job_id bigint,
    package_from timestamp with time zone,
    publish_from timestamp with time zone,
    source_begins timestamp with time zone,
    CONSTRAINT attempts_ended_with_outcome CHECK (((outcome IS NULL) = (ended_at IS NULL))),
    CONSTRAINT attempts_failed_has_code CHECK (((outcome <> 'failed'::text) OR (error_code IS NOT NULL))),
    CONSTRAINT attempts_hung_starts_check CHECK ((hung_starts >= 0)),
    CONSTRAINT attempts_number_check CHECK ((number >= 1)),
    CONSTRAINT attempts_outcome_check CHECK ((outcome = ANY (ARRAY['succeeded'::text, 'failed'::text, 'cancelled'::text, 'lost'::text]))),
    CONSTRAINT attempts_reruns_check CHECK ((reruns >= 0)),
    CONSTRAINT attempts_stage_check CHECK ((stage = ANY (ARRAY['placed'::text, 'fetched'::text, 'prepared'::text, 'started'::text, 'transcoded'::text, 'cleaned'::text])))
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='1000', autovacuum_analyze_scale_factor='0.01', autovacuum_analyze_threshold='1000');

-- Name: bulk_operations; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.bulk_operations (
    id uuid NOT NULL,
    kind text NOT NULL,
    filter text NOT NULL,
    frozen_at timestamp with time zone DEFAULT now() NOT NULL,
    who text NOT NULL,
    via text NOT NULL,
    reason text NOT NULL,
    per_second integer NOT NULL,
    counted bigint NOT NULL,
    state text DEFAULT 'running'::text NOT NULL,
    before_at timestamp with time zone,
    before_id uuid,
    next_at timestamp with time zone DEFAULT now() NOT NULL,
    done bigint DEFAULT 0 NOT NULL,
    skipped bigint DEFAULT 0 NOT NULL,
    failed bigint DEFAULT 0 NOT NULL,
    whys jsonb DEFAULT '{}'::jsonb NOT NULL,
    examples jsonb DEFAULT '[]'::jsonb NOT NULL,
    trouble text DEFAULT ''::text NOT NULL,
    job_id bigint,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    ended_at timestamp with time zone,
    CONSTRAINT bulk_operations_counted_check CHECK ((counted >= 0)),
    CONSTRAINT bulk_operations_cursor_whole CHECK (((before_at IS NULL) = (before_id IS NULL))),
    CONSTRAINT bulk_operations_done_check CHECK ((done >= 0)),
    CONSTRAINT bulk_operations_ended CHECK (((state = ANY (ARRAY['done'::text, 'cancelled'::text])) = (ended_at IS NOT NULL))),
    CONSTRAINT bulk_operations_examples_check CHECK ((jsonb_typeof(examples) = 'array'::text)),
    CONSTRAINT bulk_operations_failed_check CHECK ((failed >= 0)),
    CONSTRAINT bulk_operations_filter_check CHECK ((char_length(filter) <= 4000)),
    CONSTRAINT bulk_operations_kind_check CHECK ((kind = ANY (ARRAY['retry'::text, 'cancel'::text, 'redeliver'::text]))),
    CONSTRAINT bulk_operations_per_second_check CHECK (((per_second >= 1) AND (per_second <= 500))),
    CONSTRAINT bulk_operations_reason_check CHECK (((char_length(reason) >= 1) AND (char_length(reason) <= 1000))),
    CONSTRAINT bulk_operations_skipped_check CHECK ((skipped >= 0)),
    CONSTRAINT bulk_operations_state_check CHECK ((state = ANY (ARRAY['running'::text, 'paused'::text, 'done'::text, 'cancelled'::text]))),
    CONSTRAINT bulk_operations_via_check CHECK ((via = ANY (ARRAY['cli'::text, 'web'::text, 'api'::text]))),
    CONSTRAINT bulk_operations_who_check CHECK (((char_length(who) >= 1) AND (char_length(who) <= 200))),
    CONSTRAINT bulk_operations_whys_check CHECK ((jsonb_typeof(whys) = 'object'::text))
);

-- Name: callback_attempts; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.callback_attempts (
    callback_id uuid NOT NULL,
    number integer NOT NULL,
    status integer,
    latency_ms integer NOT NULL,
    error text DEFAULT ''::text NOT NULL,
    answer text DEFAULT ''::text NOT NULL,
    redelivery boolean DEFAULT false NOT NULL,
    sent_at timestamp with time zone DEFAULT now() NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.05', autovacuum_vacuum_threshold='1000');

-- Name: callback_secrets; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.callback_secrets (
    id uuid NOT NULL,
    tenant text NOT NULL,
    place smallint NOT NULL,
    sealed bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT callback_secrets_place_check CHECK ((place = ANY (ARRAY[1, 2]))),
    CONSTRAINT callback_secrets_tenant_check CHECK ((tenant <> ''::text))
);

-- Name: callbacks; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.callbacks (
    id uuid NOT NULL,
    transcode_id uuid NOT NULL,
    run integer NOT NULL,
    state text DEFAULT 'pending'::text NOT NULL,
    url text NOT NULL,
    body text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    last_status integer,
    last_error text DEFAULT ''::text NOT NULL,
    next_attempt_at timestamp with time zone,
    job_id bigint,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    delivered_at timestamp with time zone,
    missed uuid[] DEFAULT '{}'::uuid[] NOT NULL,
    CONSTRAINT callbacks_delivered_has_time CHECK (((state = 'delivered'::text) = (delivered_at IS NOT NULL))),
    CONSTRAINT callbacks_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'delivered'::text, 'refused'::text, 'expired'::text, 'superseded'::text])))
)
WITH (autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='1000', autovacuum_analyze_scale_factor='0.01', autovacuum_analyze_threshold='1000');

-- Name: ends; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.ends (
    transcode_id uuid NOT NULL,
    run integer NOT NULL,
    finished_at timestamp with time zone NOT NULL,
    tenant text NOT NULL,
    host_id text,
    state text NOT NULL,
    queue_wait double precision,
    speed double precision,
    store double precision,
    CONSTRAINT ends_state_check CHECK ((state = ANY (ARRAY['succeeded'::text, 'failed'::text, 'cancelled'::text])))
);

-- Name: enqueued; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.enqueued (
    id uuid NOT NULL,
    transcode_id uuid NOT NULL,
    digest bytea NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.05', autovacuum_vacuum_threshold='1000');

-- Name: event_deliveries; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.event_deliveries (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    event_id bigint NOT NULL,
    transcode_id uuid NOT NULL,
    tenant text NOT NULL,
    receiver text NOT NULL,
    state text DEFAULT 'pending'::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    last_status integer,
    last_error text DEFAULT ''::text NOT NULL,
    next_attempt_at timestamp with time zone DEFAULT now() NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    delivered_at timestamp with time zone,
    CONSTRAINT event_deliveries_delivered_has_time CHECK (((state = 'delivered'::text) = (delivered_at IS NOT NULL))),
    CONSTRAINT event_deliveries_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'delivered'::text, 'refused'::text, 'expired'::text])))
)
WITH (autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='1000');

-- Name: event_delivery_attempts; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.event_delivery_attempts (
    delivery_id uuid NOT NULL,
    number integer NOT NULL,
    status integer,
    latency_ms integer NOT NULL,
    error text DEFAULT ''::text NOT NULL,
    answer text DEFAULT ''::text NOT NULL,
    sent_at timestamp with time zone DEFAULT now() NOT NULL
);

-- Name: events; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.events (
    id bigint NOT NULL,
    transcode_id uuid NOT NULL,
    tenant text NOT NULL,
    external_id text,
    type text NOT NULL,
    state text NOT NULL,
    run integer NOT NULL,
    attempt integer NOT NULL,
    host_id text,
    ratio double precision NOT NULL,
    rendition text,
    output text,
    error_code text,
    error_stage text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT events_type_check CHECK ((type ~ '^(transcode|rendition|output)\.[a-z]+$'::text))
)
WITH (autovacuum_vacuum_scale_factor='0.05', autovacuum_vacuum_threshold='1000');

-- Name: events_id_seq; Type: SEQUENCE; Schema: weir; Owner: -

ALTER TABLE weir.events ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME weir.events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

-- Name: examinations; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.examinations (
    id uuid NOT NULL,
    asked_at timestamp with time zone DEFAULT now() NOT NULL,
    asked_by text NOT NULL,
    only_ text[] DEFAULT '{}'::text[] NOT NULL,
    cheap boolean DEFAULT false NOT NULL,
    ends_at timestamp with time zone NOT NULL,
    CONSTRAINT examinations_asked_by_check CHECK ((asked_by <> ''::text))
);

-- Name: examined; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.examined (
    examination_id uuid NOT NULL,
    daemon text NOT NULL,
    job_id bigint,
    answered_at timestamp with time zone,
    CONSTRAINT examined_daemon_check CHECK ((daemon <> ''::text))
);

-- Name: findings; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.findings (
    daemon text NOT NULL,
    code text NOT NULL,
    subject text NOT NULL,
    verdict text NOT NULL,
    evidence text NOT NULL,
    mend text NOT NULL,
    took_ms integer NOT NULL,
    found_at timestamp with time zone DEFAULT now() NOT NULL,
    since timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT findings_code_check CHECK ((code ~ '^[a-z]+\.[a-z_]+$'::text)),
    CONSTRAINT findings_daemon_check CHECK ((daemon <> ''::text)),
    CONSTRAINT findings_have_a_way_out CHECK (((verdict = 'ok'::text) OR (mend <> ''::text))),
    CONSTRAINT findings_verdict_check CHECK ((verdict = ANY (ARRAY['ok'::text, 'warn'::text, 'fail'::text, 'unknown'::text])))
);

-- Name: head_news; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.head_news (
    id bigint NOT NULL,
    tenant text NOT NULL,
    place timestamp with time zone NOT NULL,
    urgent boolean NOT NULL,
    ready_at timestamp with time zone NOT NULL,
    CONSTRAINT head_news_tenant_check CHECK ((tenant <> ''::text))
)
WITH (autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='1000');

-- Name: head_news_id_seq; Type: SEQUENCE; Schema: weir; Owner: -

ALTER TABLE weir.head_news ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME weir.head_news_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

-- Name: heads; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.heads (
    tenant text NOT NULL,
    place timestamp with time zone NOT NULL,
    urgent_place timestamp with time zone,
    CONSTRAINT heads_tenant_check CHECK ((tenant <> ''::text))
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='1000', autovacuum_analyze_scale_factor='0.01', autovacuum_analyze_threshold='1000');

-- Name: hosts; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.hosts (
    id text NOT NULL,
    boot_id uuid NOT NULL,
    slots integer NOT NULL,
    lease_until timestamp with time zone NOT NULL,
    up boolean DEFAULT true NOT NULL,
    draining boolean DEFAULT false NOT NULL,
    weir_version text DEFAULT ''::text NOT NULL,
    mist_version text DEFAULT ''::text NOT NULL,
    mist_iid text DEFAULT ''::text NOT NULL,
    spool_room_bytes bigint DEFAULT 0 NOT NULL,
    booted_at timestamp with time zone DEFAULT now() NOT NULL,
    seen_at timestamp with time zone DEFAULT now() NOT NULL,
    mist_silent_from timestamp with time zone,
    spool_id uuid,
    drained_at timestamp with time zone,
    drained_by text,
    drain_reason text,
    forgotten_at timestamp with time zone,
    CONSTRAINT hosts_id_check CHECK (((id ~ '^[a-z0-9]+(-[a-z0-9]+)*$'::text) AND (length(id) <= 40))),
    CONSTRAINT hosts_slots_check CHECK (((slots >= 1) AND (slots <= 1000)))
)
WITH (fillfactor='50');

-- Name: identity; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.identity (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    only_ boolean DEFAULT true NOT NULL,
    CONSTRAINT identity_only__check CHECK (only_)
);

-- Name: inbox; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.inbox (
    id uuid NOT NULL,
    tenant text NOT NULL,
    external_id text,
    body jsonb NOT NULL,
    digest bytea NOT NULL,
    job_id bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT inbox_external_id_check CHECK ((external_id <> ''::text)),
    CONSTRAINT inbox_tenant_check CHECK ((tenant <> ''::text))
)
WITH (autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='50', autovacuum_vacuum_insert_threshold='-1', autovacuum_analyze_scale_factor='0.05', autovacuum_analyze_threshold='1000');

-- Name: leads; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.leads (
    client_id text NOT NULL,
    lease_until timestamp with time zone NOT NULL,
    urgent_percent smallint DEFAULT 0 NOT NULL,
    CONSTRAINT leads_client_id_check CHECK ((client_id <> ''::text)),
    CONSTRAINT leads_urgent_percent_check CHECK (((urgent_percent >= 0) AND (urgent_percent <= 100)))
);

-- Name: missed_events; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.missed_events (
    event_id uuid NOT NULL,
    transcode_id uuid NOT NULL,
    tenant text NOT NULL,
    missed_at timestamp with time zone DEFAULT now() NOT NULL
);

-- Name: mist_events; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.mist_events (
    id bigint NOT NULL,
    uuid text,
    host_id text NOT NULL,
    trigger text NOT NULL,
    stream text DEFAULT ''::text NOT NULL,
    headers jsonb NOT NULL,
    payload bytea NOT NULL,
    payload_bytes bigint NOT NULL,
    transcode_id uuid,
    attempt integer,
    rendition text,
    verdict text NOT NULL,
    note text DEFAULT ''::text NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT mist_events_payload_capped CHECK ((octet_length(payload) <= 65536)),
    CONSTRAINT mist_events_verdict_check CHECK ((verdict = ANY (ARRAY['applied'::text, 'noted'::text, 'stale'::text, 'unmatched'::text, 'unreadable'::text])))
)
WITH (autovacuum_vacuum_scale_factor='0.05', autovacuum_vacuum_threshold='1000');

-- Name: mist_events_id_seq; Type: SEQUENCE; Schema: weir; Owner: -

ALTER TABLE weir.mist_events ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME weir.mist_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

-- Name: transcodes; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.transcodes (
    id uuid NOT NULL,
    tenant text NOT NULL,
    external_id text,
    form text NOT NULL,
    request jsonb NOT NULL,
    request_digest bytea NOT NULL,
    source_url text NOT NULL,
    source_sealed bytea NOT NULL,
    output_url text NOT NULL,
    output_sealed bytea NOT NULL,
    callback_url text NOT NULL,
    callback_sealed bytea NOT NULL,
    livepeer_sealed bytea,
    state text DEFAULT 'queued'::text NOT NULL,
    run integer DEFAULT 1 NOT NULL,
    attempt integer DEFAULT 0 NOT NULL,
    attempts_left integer NOT NULL,
    host_id text,
    not_before timestamp with time zone DEFAULT now() NOT NULL,
    source jsonb,
    source_duration_ms bigint,
    ratio double precision DEFAULT 0 NOT NULL,
    status_sent_at timestamp with time zone,
    error_code text,
    error_stage text,
    error_message text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    placed_at timestamp with time zone,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    warnings jsonb DEFAULT '[]'::jsonb NOT NULL,
    run_at timestamp with time zone DEFAULT now() NOT NULL,
    free_tries integer DEFAULT 0 NOT NULL,
    telling_until timestamp with time zone,
    progress jsonb,
    priority smallint DEFAULT 5 NOT NULL,
    former_external_id text,
    ladder boolean DEFAULT false NOT NULL,
    packages boolean DEFAULT false NOT NULL,
    callback_secret_sealed bytea,
    statuses_refused_run integer DEFAULT 0 NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    labels jsonb DEFAULT '{}'::jsonb NOT NULL,
    events text[] DEFAULT '{}'::text[] NOT NULL,
    events_url text,
    events_sealed bytea,
    clip_start_ms bigint,
    clip_end_ms bigint,
    clip_clock text,
    CONSTRAINT transcodes_attempt_check CHECK ((attempt >= 0)),
    CONSTRAINT transcodes_attempts_left_check CHECK ((attempts_left >= 0)),
    CONSTRAINT transcodes_clip CHECK ((((clip_start_ms IS NULL) AND (clip_end_ms IS NULL) AND (clip_clock IS NULL)) OR ((clip_start_ms IS NOT NULL) AND (clip_end_ms IS NOT NULL) AND (clip_clock IS NOT NULL) AND (clip_start_ms >= 0) AND (clip_end_ms > clip_start_ms) AND (clip_clock = ANY (ARRAY['source'::text, 'unix'::text]))))),
    CONSTRAINT transcodes_events_check CHECK ((cardinality(events) <= 16)),
    CONSTRAINT transcodes_events_sealed CHECK (((events_url IS NULL) = (events_sealed IS NULL))),
    CONSTRAINT transcodes_external_id_check CHECK ((external_id <> ''::text)),
    CONSTRAINT transcodes_failed_has_code CHECK (((state <> 'failed'::text) OR ((error_code IS NOT NULL) AND (error_stage IS NOT NULL) AND (error_message IS NOT NULL)))),
    CONSTRAINT transcodes_finished_when_terminal CHECK (((state = ANY (ARRAY['succeeded'::text, 'failed'::text, 'cancelled'::text])) = (finished_at IS NOT NULL))),
    CONSTRAINT transcodes_form_check CHECK ((form = ANY (ARRAY['v1'::text, 'file'::text, 'vod'::text]))),
    CONSTRAINT transcodes_former_external_id_check CHECK ((former_external_id <> ''::text)),
    CONSTRAINT transcodes_free_tries_check CHECK ((free_tries >= 0)),
    CONSTRAINT transcodes_held_by_host CHECK (((state <> ALL (ARRAY['placed'::text, 'running'::text, 'storing'::text])) OR ((host_id IS NOT NULL) AND (attempt > 0)))),
    CONSTRAINT transcodes_labels_bounded CHECK (((jsonb_typeof(labels) = 'object'::text) AND (octet_length((labels)::text) <= 16384) AND (NOT jsonb_path_exists(labels, 'strict $.*?(@.type() != "string")'::jsonpath)))),
    CONSTRAINT transcodes_metadata_bounded CHECK (((jsonb_typeof(metadata) = 'object'::text) AND (octet_length((metadata)::text) <= 8192))),
    CONSTRAINT transcodes_priority_check CHECK (((priority >= 0) AND (priority <= 9))),
    CONSTRAINT transcodes_ratio_check CHECK (((ratio >= (0)::double precision) AND (ratio <= (1)::double precision))),
    CONSTRAINT transcodes_ratio_whole_on_success CHECK (((state <> 'succeeded'::text) OR (ratio = (1)::double precision))),
    CONSTRAINT transcodes_replaced_has_ended CHECK (((former_external_id IS NULL) OR ((external_id IS NULL) AND (state = ANY (ARRAY['succeeded'::text, 'failed'::text, 'cancelled'::text]))))),
    CONSTRAINT transcodes_run_check CHECK ((run >= 1)),
    CONSTRAINT transcodes_source_duration_ms_check CHECK ((source_duration_ms > 0)),
    CONSTRAINT transcodes_state_check CHECK ((state = ANY (ARRAY['queued'::text, 'placed'::text, 'running'::text, 'storing'::text, 'succeeded'::text, 'failed'::text, 'cancelled'::text]))),
    CONSTRAINT transcodes_tenant_check CHECK ((tenant <> ''::text)),
    CONSTRAINT transcodes_warnings_check CHECK ((jsonb_typeof(warnings) = 'array'::text))
)
WITH (fillfactor='70', autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='1000', autovacuum_analyze_scale_factor='0.01', autovacuum_analyze_threshold='1000');

-- Name: my_callbacks; Type: VIEW; Schema: weir; Owner: -

CREATE VIEW weir.my_callbacks WITH (security_barrier='true') AS
 SELECT c.id,
    c.transcode_id,
    c.run,
    c.state,
    c.url,
    c.attempts,
    c.last_status,
    c.last_error,
    c.next_attempt_at,
    c.created_at,
    c.delivered_at
   FROM (weir.callbacks c
     JOIN weir.transcodes t ON ((t.id = c.transcode_id)))
  WHERE (t.tenant = ( SELECT weir.speaks_for() AS speaks_for));

-- Name: VIEW my_callbacks; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON VIEW weir.my_callbacks IS 'The terminal callbacks of the tenant''s own transcodes; the columns are those of v_callbacks.';

-- Name: COLUMN my_callbacks.id; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.my_callbacks.id IS 'The event id that Studio sees, the same in every delivery.';

-- Name: COLUMN my_callbacks.transcode_id; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.my_callbacks.transcode_id IS 'The transcode whose outcome it tells.';

-- Name: COLUMN my_callbacks.run; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.my_callbacks.run IS 'The run that ended.';

-- Name: COLUMN my_callbacks.state; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.my_callbacks.state IS 'pending, delivered, refused (a final answer), expired (a day without success) or superseded (a newer run began before).';

-- Name: COLUMN my_callbacks.url; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.my_callbacks.url IS 'Where it goes, without secrets.';

-- Name: COLUMN my_callbacks.attempts; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.my_callbacks.attempts IS 'How often it was sent.';

-- Name: COLUMN my_callbacks.last_status; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.my_callbacks.last_status IS 'The last HTTP status; null when no answer came.';

-- Name: COLUMN my_callbacks.last_error; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.my_callbacks.last_error IS 'What went wrong the last time.';

-- Name: COLUMN my_callbacks.next_attempt_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.my_callbacks.next_attempt_at IS 'When it is sent next.';

-- Name: COLUMN my_callbacks.created_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.my_callbacks.created_at IS 'When the outcome was decided.';

-- Name: COLUMN my_callbacks.delivered_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.my_callbacks.delivered_at IS 'When it was first taken.';

-- Name: renditions; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.renditions (
    transcode_id uuid NOT NULL,
    name text NOT NULL,
    ordinal integer NOT NULL,
    width integer NOT NULL,
    height integer NOT NULL,
    bitrate bigint NOT NULL,
    fps integer DEFAULT 0 NOT NULL,
    gop text DEFAULT ''::text NOT NULL,
    codec_profile text DEFAULT ''::text NOT NULL,
    planned_width integer,
    planned_height integer,
    state text DEFAULT 'expected'::text NOT NULL,
    attempt integer DEFAULT 0 NOT NULL,
    track_index integer,
    push_pid integer,
    push_started_at timestamp with time zone,
    pushed_ms bigint DEFAULT 0 NOT NULL,
    recorded_bytes bigint,
    recorded_reason text,
    pushed_at timestamp with time zone,
    job_id bigint,
    object_url text,
    object_bytes bigint,
    object_etag text,
    object_checksum text,
    frames bigint,
    duration_ms bigint,
    verdict jsonb,
    stored_at timestamp with time zone,
    error_code text,
    error_stage text,
    error_message text,
    fps_den integer DEFAULT 0 NOT NULL,
    quality integer DEFAULT 0 NOT NULL,
    error_detail text,
    CONSTRAINT renditions_attempt_check CHECK ((attempt >= 0)),
    CONSTRAINT renditions_failed_has_code CHECK (((state <> 'failed'::text) OR ((error_code IS NOT NULL) AND (error_stage IS NOT NULL)))),
    CONSTRAINT renditions_fps_den_check CHECK ((fps_den >= 0)),
    CONSTRAINT renditions_name_check CHECK ((name ~ '^[a-z0-9A-Z][a-zA-Z0-9_.-]{0,63}$'::text)),
    CONSTRAINT renditions_ok_has_size CHECK (((state <> 'ok'::text) OR (planned_width IS NOT NULL))),
    CONSTRAINT renditions_ok_is_evidence CHECK (((state <> 'ok'::text) OR ((object_url IS NOT NULL) AND (object_bytes > 0) AND (object_checksum IS NOT NULL) AND (frames > 0) AND (duration_ms > 0) AND (stored_at IS NOT NULL)))),
    CONSTRAINT renditions_ordinal_check CHECK (((ordinal >= 0) AND (ordinal <= 15))),
    CONSTRAINT renditions_planned_even CHECK (((planned_width > 0) AND ((planned_width % 2) = 0) AND (planned_height > 0) AND ((planned_height % 2) = 0))),
    CONSTRAINT renditions_planned_whole CHECK (((planned_width IS NULL) = (planned_height IS NULL))),
    CONSTRAINT renditions_quality_check CHECK ((quality >= 0)),
    CONSTRAINT renditions_state_check CHECK ((state = ANY (ARRAY['expected'::text, 'pushing'::text, 'pushed'::text, 'ok'::text, 'failed'::text])))
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='1000', autovacuum_analyze_scale_factor='0.01', autovacuum_analyze_threshold='1000');

-- Name: my_renditions; Type: VIEW; Schema: weir; Owner: -

CREATE VIEW weir.my_renditions WITH (security_barrier='true') AS
 SELECT r.transcode_id,
    r.name,
    r.state,
    r.planned_width AS width,
    r.planned_height AS height,
    r.bitrate,
    r.frames,
    r.duration_ms,
    r.object_url,
    r.object_bytes,
    r.object_checksum,
    r.error_code,
    r.error_stage,
    r.error_message,
    r.stored_at
   FROM (weir.renditions r
     JOIN weir.transcodes t ON ((t.id = r.transcode_id)))
  WHERE (t.tenant = ( SELECT weir.speaks_for() AS speaks_for));

-- Name: VIEW my_renditions; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON VIEW weir.my_renditions IS 'The renditions of the tenant''s own transcodes; the columns are those of v_renditions.';

-- Name: COLUMN my_renditions.transcode_id; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.my_renditions.transcode_id IS 'The transcode it belongs to.';

-- Name: COLUMN my_renditions.name; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.my_renditions.name IS 'The profile''s name.';

-- Name: COLUMN my_renditions.state; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.my_renditions.state IS 'expected, pushing, pushed, ok or failed; ok only when its object is verified.';

-- Name: COLUMN my_renditions.width; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.my_renditions.width IS 'Width of its file: planned by the source, judged to be so when ok; null before the probe.';

-- Name: COLUMN my_renditions.height; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.my_renditions.height IS 'Height of its file: planned by the source, judged to be so when ok; null before the probe.';

-- Name: COLUMN my_renditions.bitrate; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.my_renditions.bitrate IS 'Bits a second asked for.';

-- Name: COLUMN my_renditions.frames; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.my_renditions.frames IS 'Frames counted in the file.';

-- Name: COLUMN my_renditions.duration_ms; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.my_renditions.duration_ms IS 'Duration by its frames, in milliseconds.';

-- Name: COLUMN my_renditions.object_url; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.my_renditions.object_url IS 'Where the object is, without secrets.';

-- Name: COLUMN my_renditions.object_bytes; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.my_renditions.object_bytes IS 'The object''s size.';

-- Name: COLUMN my_renditions.object_checksum; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.my_renditions.object_checksum IS 'The object''s checksum, as verified after the upload.';

-- Name: COLUMN my_renditions.error_code; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.my_renditions.error_code IS 'Why it failed: a code of the failure table; on a pushed one, what is in the way of its store.';

-- Name: COLUMN my_renditions.error_stage; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.my_renditions.error_stage IS 'Where it failed.';

-- Name: COLUMN my_renditions.error_message; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.my_renditions.error_message IS 'Why it failed, in words.';

-- Name: COLUMN my_renditions.stored_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.my_renditions.stored_at IS 'When its object was verified.';

-- Name: my_transcodes; Type: VIEW; Schema: weir; Owner: -

CREATE VIEW weir.my_transcodes WITH (security_barrier='true') AS
 SELECT t.id,
    t.external_id,
    t.state,
    t.ratio,
    t.run,
    t.attempt,
    t.source_url,
    t.output_url,
    t.source_duration_ms,
    t.error_code,
    t.error_stage,
    t.error_message,
    t.warnings,
    t.created_at,
    t.placed_at,
    t.started_at,
    t.finished_at
   FROM weir.transcodes t
  WHERE (t.tenant = ( SELECT weir.speaks_for() AS speaks_for))
UNION ALL
 SELECT i.id,
    i.external_id,
    'queued'::text AS state,
    0 AS ratio,
    1 AS run,
    0 AS attempt,
    NULL::text AS source_url,
    NULL::text AS output_url,
    NULL::bigint AS source_duration_ms,
    NULL::text AS error_code,
    NULL::text AS error_stage,
    NULL::text AS error_message,
    '[]'::jsonb AS warnings,
    i.created_at,
    NULL::timestamp with time zone AS placed_at,
    NULL::timestamp with time zone AS started_at,
    NULL::timestamp with time zone AS finished_at
   FROM weir.inbox i
  WHERE (i.tenant = ( SELECT weir.speaks_for() AS speaks_for));

-- Name: VIEW my_transcodes; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON VIEW weir.my_transcodes IS 'The tenant''s own requests, also those that no daemon has accepted yet: these are queued, and have no locations.';

-- Name: COLUMN my_transcodes.id; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.my_transcodes.id IS 'As weir.enqueue_transcode returned it; request_id in callbacks.';

-- Name: COLUMN my_transcodes.external_id; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.my_transcodes.external_id IS 'The tenant''s own id.';

-- Name: COLUMN my_transcodes.state; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.my_transcodes.state IS 'queued, placed, running, storing, succeeded, failed or cancelled.';

-- Name: COLUMN my_transcodes.ratio; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.my_transcodes.ratio IS 'Completion from 0 to 1; it never goes down.';

-- Name: COLUMN my_transcodes.run; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.my_transcodes.run IS '1, and one more for each retry.';

-- Name: COLUMN my_transcodes.attempt; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.my_transcodes.attempt IS 'Number of the newest attempt; 0 before the first.';

-- Name: COLUMN my_transcodes.source_url; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.my_transcodes.source_url IS 'Where the source is, without secrets.';

-- Name: COLUMN my_transcodes.output_url; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.my_transcodes.output_url IS 'The folder of the renditions, without secrets.';

-- Name: COLUMN my_transcodes.source_duration_ms; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.my_transcodes.source_duration_ms IS 'Null before the probe.';

-- Name: COLUMN my_transcodes.error_code; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.my_transcodes.error_code IS 'Why it failed: a code of the failure table; before the end, what is in the way.';

-- Name: COLUMN my_transcodes.error_stage; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.my_transcodes.error_stage IS 'Where it failed.';

-- Name: COLUMN my_transcodes.error_message; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.my_transcodes.error_message IS 'Why it failed, in words.';

-- Name: COLUMN my_transcodes.warnings; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.my_transcodes.warnings IS 'What was done otherwise than asked.';

-- Name: COLUMN my_transcodes.created_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.my_transcodes.created_at IS 'When it was asked for.';

-- Name: COLUMN my_transcodes.placed_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.my_transcodes.placed_at IS 'When a host was last chosen.';

-- Name: COLUMN my_transcodes.started_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.my_transcodes.started_at IS 'When its newest attempt began to run.';

-- Name: COLUMN my_transcodes.finished_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.my_transcodes.finished_at IS 'When it reached its end.';

-- Name: outputs; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.outputs (
    transcode_id uuid NOT NULL,
    ordinal integer NOT NULL,
    type text NOT NULL,
    url text NOT NULL,
    sealed bytea NOT NULL,
    segment_ms integer DEFAULT 0 NOT NULL,
    only_short boolean DEFAULT false NOT NULL,
    state text DEFAULT 'expected'::text NOT NULL,
    attempt integer DEFAULT 0 NOT NULL,
    manifest_url text,
    bytes bigint,
    objects jsonb,
    stored_at timestamp with time zone,
    skipped_reason text,
    error_code text,
    error_stage text,
    error_message text,
    error_detail text,
    CONSTRAINT outputs_attempt_check CHECK ((attempt >= 0)),
    CONSTRAINT outputs_failed_has_code CHECK (((state <> 'failed'::text) OR ((error_code IS NOT NULL) AND (error_stage IS NOT NULL) AND (error_message IS NOT NULL)))),
    CONSTRAINT outputs_objects_check CHECK (((jsonb_typeof(objects) = 'array'::text) AND (jsonb_array_length(objects) <= 64))),
    CONSTRAINT outputs_ok_is_evidence CHECK (((state <> 'ok'::text) OR ((bytes > 0) AND (objects IS NOT NULL) AND (stored_at IS NOT NULL) AND (attempt > 0) AND ((type = 'ts'::text) OR (jsonb_array_length(objects) > 0))))),
    CONSTRAINT outputs_ordinal_check CHECK (((ordinal >= 0) AND (ordinal <= 31))),
    CONSTRAINT outputs_segment_ms_check CHECK ((segment_ms >= 0)),
    CONSTRAINT outputs_skipped_says_why CHECK (((state <> 'skipped'::text) OR ((skipped_reason IS NOT NULL) AND (skipped_reason <> ''::text)))),
    CONSTRAINT outputs_state_check CHECK ((state = ANY (ARRAY['expected'::text, 'ok'::text, 'failed'::text, 'skipped'::text]))),
    CONSTRAINT outputs_type_check CHECK ((type = ANY (ARRAY['ts'::text, 'hls'::text, 'mp4'::text, 'fmp4'::text, 'source'::text, 'thumbnails'::text])))
);

-- Name: placement; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.placement (
    one boolean DEFAULT true NOT NULL,
    clock double precision DEFAULT 0 NOT NULL,
    paused_at timestamp with time zone,
    paused_by text,
    pause_reason text,
    CONSTRAINT placement_one_check CHECK (one),
    CONSTRAINT placement_paused_by_somebody_for_something CHECK ((((paused_at IS NULL) = (paused_by IS NULL)) AND ((paused_at IS NULL) = (pause_reason IS NULL))))
)
WITH (fillfactor='10');

-- Name: river_job; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.river_job (
    id bigint NOT NULL,
    state weir.river_job_state DEFAULT 'available'::weir.river_job_state NOT NULL,
    attempt smallint DEFAULT 0 NOT NULL,
    max_attempts smallint DEFAULT 25 NOT NULL,
    attempted_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    finalized_at timestamp with time zone,
    scheduled_at timestamp with time zone DEFAULT now() NOT NULL,
    priority smallint DEFAULT 1 NOT NULL,
    args jsonb NOT NULL,
    attempted_by text[],
    errors jsonb[],
    kind text NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    queue text DEFAULT 'default'::text NOT NULL,
    tags character varying(255)[] DEFAULT '{}'::character varying[] NOT NULL,
    unique_key bytea,
    unique_states bit(8),
    CONSTRAINT finalized_or_finalized_at_null CHECK ((((finalized_at IS NULL) AND (state <> ALL (ARRAY['cancelled'::weir.river_job_state, 'completed'::weir.river_job_state, 'discarded'::weir.river_job_state]))) OR ((finalized_at IS NOT NULL) AND (state = ANY (ARRAY['cancelled'::weir.river_job_state, 'completed'::weir.river_job_state, 'discarded'::weir.river_job_state]))))),
    CONSTRAINT kind_length CHECK (((char_length(kind) > 0) AND (char_length(kind) < 128))),
    CONSTRAINT max_attempts_is_positive CHECK ((max_attempts > 0)),
    CONSTRAINT priority_in_range CHECK (((priority >= 1) AND (priority <= 4))),
    CONSTRAINT queue_length CHECK (((char_length(queue) > 0) AND (char_length(queue) < 128)))
)
WITH (autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='1000', autovacuum_analyze_scale_factor='0.01', autovacuum_analyze_threshold='1000');

-- Name: river_job_id_seq; Type: SEQUENCE; Schema: weir; Owner: -

CREATE SEQUENCE weir.river_job_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

-- Name: river_job_id_seq; Type: SEQUENCE OWNED BY; Schema: weir; Owner: -

ALTER SEQUENCE weir.river_job_id_seq OWNED BY weir.river_job.id;

-- Name: river_leader; Type: TABLE; Schema: weir; Owner: -

CREATE UNLOGGED TABLE weir.river_leader (
    elected_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    leader_id text NOT NULL,
    name text DEFAULT 'default'::text NOT NULL,
    CONSTRAINT leader_id_length CHECK (((char_length(leader_id) > 0) AND (char_length(leader_id) < 128))),
    CONSTRAINT name_length CHECK ((name = 'default'::text))
);

-- Name: river_notification; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.river_notification (
    id bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    payload text NOT NULL,
    topic text NOT NULL,
    CONSTRAINT topic_length CHECK (((length(topic) > 0) AND (length(topic) < 128)))
);

-- Name: river_notification_id_seq; Type: SEQUENCE; Schema: weir; Owner: -

CREATE SEQUENCE weir.river_notification_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

-- Name: river_notification_id_seq; Type: SEQUENCE OWNED BY; Schema: weir; Owner: -

ALTER SEQUENCE weir.river_notification_id_seq OWNED BY weir.river_notification.id;

-- Name: river_queue; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.river_queue (
    name text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    paused_at timestamp with time zone,
    updated_at timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);

-- Name: schema_compat; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.schema_compat (
    one boolean DEFAULT true NOT NULL,
    serves_from integer NOT NULL,
    CONSTRAINT schema_compat_one_check CHECK (one),
    CONSTRAINT schema_compat_serves_from_check CHECK ((serves_from > 0))
);

-- Name: schema_migrations; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.schema_migrations (
    version bigint NOT NULL,
    dirty boolean NOT NULL
);

-- Name: speakers; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.speakers (
    role text NOT NULL,
    tenant text NOT NULL,
    CONSTRAINT speakers_role_check CHECK ((role <> ''::text)),
    CONSTRAINT speakers_tenant_check CHECK ((tenant ~ '^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}$'::text))
);

-- Name: stores; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.stores (
    tenant text NOT NULL,
    name text NOT NULL,
    endpoint text NOT NULL,
    region text NOT NULL,
    path_style boolean NOT NULL,
    keys_sealed bytea,
    allowed text[] NOT NULL,
    may_read boolean NOT NULL,
    may_write boolean NOT NULL,
    set_by text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT stores_allowed_check CHECK ((cardinality(allowed) >= 1)),
    CONSTRAINT stores_check CHECK ((may_read OR may_write)),
    CONSTRAINT stores_name_check CHECK ((name ~ '^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$'::text)),
    CONSTRAINT stores_tenant_check CHECK ((tenant <> ''::text))
);

-- Name: tenants; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.tenants (
    name text NOT NULL,
    weight integer DEFAULT 1 NOT NULL,
    running_most integer,
    queued_most integer,
    spool_percent integer,
    hosts text[],
    paused_at timestamp with time zone,
    paused_by text,
    pause_reason text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT tenants_hosts_check CHECK ((cardinality(hosts) >= 1)),
    CONSTRAINT tenants_name_check CHECK ((name <> ''::text)),
    CONSTRAINT tenants_paused_by_somebody_for_something CHECK ((((paused_at IS NULL) = (paused_by IS NULL)) AND ((paused_at IS NULL) = (pause_reason IS NULL)))),
    CONSTRAINT tenants_queued_most_check CHECK ((queued_most >= 1)),
    CONSTRAINT tenants_running_most_check CHECK ((running_most >= 1)),
    CONSTRAINT tenants_spool_percent_check CHECK (((spool_percent >= 1) AND (spool_percent <= 100))),
    CONSTRAINT tenants_weight_check CHECK (((weight >= 1) AND (weight <= 1000)))
);

-- Name: transcode_labels; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.transcode_labels (
    transcode_id uuid NOT NULL,
    tenant text NOT NULL,
    key text NOT NULL,
    value text NOT NULL,
    created_at timestamp with time zone NOT NULL
);

-- Name: turns; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.turns (
    tenant text NOT NULL,
    turn double precision NOT NULL,
    CONSTRAINT turns_tenant_check CHECK ((tenant <> ''::text))
)
WITH (fillfactor='50');

-- Name: usage; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.usage (
    tenant text NOT NULL,
    day date NOT NULL,
    part smallint NOT NULL,
    succeeded bigint DEFAULT 0 NOT NULL,
    failed bigint DEFAULT 0 NOT NULL,
    cancelled bigint DEFAULT 0 NOT NULL,
    attempts bigint DEFAULT 0 NOT NULL,
    source_ms bigint DEFAULT 0 NOT NULL,
    output_ms bigint DEFAULT 0 NOT NULL,
    pixels bigint DEFAULT 0 NOT NULL,
    bytes bigint DEFAULT 0 NOT NULL,
    CONSTRAINT usage_part_check CHECK (((part >= 0) AND (part <= 7)))
)
WITH (fillfactor='50');

-- Name: v_admin_actions; Type: VIEW; Schema: weir; Owner: -

CREATE VIEW weir.v_admin_actions AS
 SELECT a.id,
    a.at,
    a.who,
    a.via,
    a.what,
    a.target,
    a.reason,
    a.detail
   FROM weir.admin_actions a;

-- Name: VIEW v_admin_actions; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON VIEW weir.v_admin_actions IS 'One row per change that a person made. WHERE at > now() - interval ''12 hours'', or target = ..., reads those alone.';

-- Name: COLUMN v_admin_actions.id; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_admin_actions.id IS 'In the order that they were made in.';

-- Name: COLUMN v_admin_actions.at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_admin_actions.at IS 'When.';

-- Name: COLUMN v_admin_actions.who; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_admin_actions.who IS 'Who: a name of the machine, or of the pages'' login.';

-- Name: COLUMN v_admin_actions.via; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_admin_actions.via IS 'cli, web or api.';

-- Name: COLUMN v_admin_actions.what; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_admin_actions.what IS 'The command''s words.';

-- Name: COLUMN v_admin_actions.target; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_admin_actions.target IS 'What it was done to: an id, a host, a tenant, a filter.';

-- Name: COLUMN v_admin_actions.reason; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_admin_actions.reason IS 'Why.';

-- Name: COLUMN v_admin_actions.detail; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_admin_actions.detail IS 'What it was set to, without secrets.';

-- Name: v_attempts; Type: VIEW; Schema: weir; Owner: -

CREATE VIEW weir.v_attempts AS
 SELECT a.transcode_id,
    t.tenant,
    t.external_id,
    a.number,
    a.host_id,
    a.stage,
    a.outcome,
    a.hung_starts,
    a.reruns,
    a.broadcaster,
    a.error_code,
    a.error_stage,
    a.error_message,
    a.error_detail,
    a.created_at,
    a.started_at,
    a.fetched_at,
    a.prepared_at,
    a.process_started_at,
    a.transcoded_at,
    a.ended_at,
    a.cleaned_at,
    a.package_from,
    a.publish_from,
    t.state AS transcode_state,
    a.source_begins
   FROM (weir.attempts a
     JOIN weir.transcodes t ON ((t.id = a.transcode_id)));

-- Name: VIEW v_attempts; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON VIEW weir.v_attempts IS 'One row per attempt: which host tried, how far it came, how it ended. WHERE cleaned_at IS NULL reads what hosts have in hand; those of a transcode are found by transcode_id; failed ones by time are in v_failures.';

-- Name: COLUMN v_attempts.transcode_id; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_attempts.transcode_id IS 'The transcode that was tried.';

-- Name: COLUMN v_attempts.tenant; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_attempts.tenant IS 'Whose it is.';

-- Name: COLUMN v_attempts.external_id; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_attempts.external_id IS 'The caller''s own id.';

-- Name: COLUMN v_attempts.number; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_attempts.number IS 'Counts from 1, over all runs.';

-- Name: COLUMN v_attempts.host_id; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_attempts.host_id IS 'The host that tried.';

-- Name: COLUMN v_attempts.stage; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_attempts.stage IS 'Its last finished step: placed, fetched, prepared, started, transcoded or cleaned.';

-- Name: COLUMN v_attempts.outcome; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_attempts.outcome IS 'succeeded, failed, cancelled or lost; null while it runs.';

-- Name: COLUMN v_attempts.hung_starts; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_attempts.hung_starts IS 'How often MistProcLivepeer hung at its start and was started anew.';

-- Name: COLUMN v_attempts.reruns; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_attempts.reruns IS 'How often it was started anew for renditions whose push was lost at its end.';

-- Name: COLUMN v_attempts.broadcaster; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_attempts.broadcaster IS 'The Broadcaster that it was last seen with.';

-- Name: COLUMN v_attempts.error_code; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_attempts.error_code IS 'Why it failed: a code of the failure table.';

-- Name: COLUMN v_attempts.error_stage; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_attempts.error_stage IS 'Where it failed.';

-- Name: COLUMN v_attempts.error_message; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_attempts.error_message IS 'Why it failed, as the tenant is told.';

-- Name: COLUMN v_attempts.error_detail; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_attempts.error_detail IS 'Why it failed, with what is for operators alone: processes, paths, ends of logs.';

-- Name: COLUMN v_attempts.created_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_attempts.created_at IS 'When it was placed.';

-- Name: COLUMN v_attempts.started_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_attempts.started_at IS 'When its host took it up.';

-- Name: COLUMN v_attempts.fetched_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_attempts.fetched_at IS 'When the source was on the host.';

-- Name: COLUMN v_attempts.prepared_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_attempts.prepared_at IS 'When the source was ready for Mist.';

-- Name: COLUMN v_attempts.process_started_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_attempts.process_started_at IS 'When MistProcLivepeer was last started.';

-- Name: COLUMN v_attempts.transcoded_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_attempts.transcoded_at IS 'When Mist was done.';

-- Name: COLUMN v_attempts.ended_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_attempts.ended_at IS 'When its outcome was decided.';

-- Name: COLUMN v_attempts.cleaned_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_attempts.cleaned_at IS 'When nothing of it was left in Mist.';

-- Name: COLUMN v_attempts.package_from; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_attempts.package_from IS 'Since when what is made of its renditions is being made.';

-- Name: COLUMN v_attempts.publish_from; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_attempts.publish_from IS 'Since when players may find what it packaged.';

-- Name: COLUMN v_attempts.transcode_state; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_attempts.transcode_state IS 'Where the transcode is now.';

-- Name: COLUMN v_attempts.source_begins; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_attempts.source_begins IS 'When the recording that it fetched began, as its playlist tells; null where it tells nothing.';

-- Name: v_callbacks; Type: VIEW; Schema: weir; Owner: -

CREATE VIEW weir.v_callbacks AS
 SELECT c.id,
    c.transcode_id,
    t.tenant,
    t.external_id,
    c.run,
    t.state AS outcome,
    c.state,
    c.url,
    c.attempts,
    c.last_status,
    c.last_error,
    c.next_attempt_at,
    c.created_at,
    c.delivered_at,
    (EXTRACT(epoch FROM (COALESCE(c.delivered_at, now()) - c.created_at)))::double precision AS lag_seconds,
    weir.receiver_of(c.url) AS receiver
   FROM (weir.callbacks c
     JOIN weir.transcodes t ON ((t.id = c.transcode_id)));

-- Name: VIEW v_callbacks; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON VIEW weir.v_callbacks IS 'One row per terminal callback and the state of its delivery. WHERE state IN (''pending'', ''refused'', ''expired'') reads those that were not taken, created_at > now() - interval ''1 day'' those since then; one is found by id or transcode_id.';

-- Name: COLUMN v_callbacks.id; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_callbacks.id IS 'The event id that Studio sees, the same in every delivery.';

-- Name: COLUMN v_callbacks.transcode_id; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_callbacks.transcode_id IS 'The transcode whose outcome it tells.';

-- Name: COLUMN v_callbacks.tenant; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_callbacks.tenant IS 'Whose it is.';

-- Name: COLUMN v_callbacks.external_id; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_callbacks.external_id IS 'The caller''s own id.';

-- Name: COLUMN v_callbacks.run; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_callbacks.run IS 'The run that ended.';

-- Name: COLUMN v_callbacks.outcome; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_callbacks.outcome IS 'The transcode''s state now.';

-- Name: COLUMN v_callbacks.state; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_callbacks.state IS 'pending, delivered, refused (a final answer), expired (a day without success) or superseded (a newer run began before).';

-- Name: COLUMN v_callbacks.url; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_callbacks.url IS 'Where it goes, without secrets.';

-- Name: COLUMN v_callbacks.attempts; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_callbacks.attempts IS 'How often it was sent.';

-- Name: COLUMN v_callbacks.last_status; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_callbacks.last_status IS 'The last HTTP status; null when no answer came.';

-- Name: COLUMN v_callbacks.last_error; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_callbacks.last_error IS 'What went wrong the last time.';

-- Name: COLUMN v_callbacks.next_attempt_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_callbacks.next_attempt_at IS 'When it is sent next.';

-- Name: COLUMN v_callbacks.created_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_callbacks.created_at IS 'When the outcome was decided.';

-- Name: COLUMN v_callbacks.delivered_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_callbacks.delivered_at IS 'When it was first taken.';

-- Name: COLUMN v_callbacks.lag_seconds; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_callbacks.lag_seconds IS 'From the decision to the delivery, or until now.';

-- Name: COLUMN v_callbacks.receiver; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_callbacks.receiver IS 'The host of its address, and its port where one is given.';

-- Name: v_failures; Type: VIEW; Schema: weir; Owner: -

CREATE VIEW weir.v_failures AS
 SELECT a.ended_at AS at,
    a.transcode_id,
    t.tenant,
    t.external_id,
    t.state AS transcode_state,
    t.run,
    a.number AS attempt,
    a.host_id,
    a.broadcaster,
    a.outcome,
    COALESCE(a.error_code, a.outcome) AS code,
    a.error_stage AS stage,
    a.error_message AS message,
    a.error_detail AS detail,
        CASE
            WHEN ((t.state = 'failed'::text) AND (a.number = t.attempt)) THEN true
            ELSE false
        END AS final
   FROM (weir.attempts a
     JOIN weir.transcodes t ON ((t.id = a.transcode_id)))
  WHERE (a.outcome = ANY (ARRAY['failed'::text, 'lost'::text]))
UNION ALL
 SELECT t.finished_at AS at,
    t.id AS transcode_id,
    t.tenant,
    t.external_id,
    t.state AS transcode_state,
    t.run,
    NULL::integer AS attempt,
    NULL::text AS host_id,
    NULL::text AS broadcaster,
    'failed'::text AS outcome,
    t.error_code AS code,
    t.error_stage AS stage,
    t.error_message AS message,
    NULL::text AS detail,
    true AS final
   FROM weir.transcodes t
  WHERE ((t.state = 'failed'::text) AND (t.attempt = 0));

-- Name: VIEW v_failures; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON VIEW weir.v_failures IS 'One row per attempt that failed or was lost with its host, and one per transcode that failed before its first. WHERE at > now() - interval ''1 day'' reads the failures since then alone; one of a transcode is found by transcode_id.';

-- Name: COLUMN v_failures.at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_failures.at IS 'When it failed.';

-- Name: COLUMN v_failures.transcode_id; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_failures.transcode_id IS 'The transcode.';

-- Name: COLUMN v_failures.tenant; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_failures.tenant IS 'Whose it is.';

-- Name: COLUMN v_failures.external_id; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_failures.external_id IS 'The caller''s own id.';

-- Name: COLUMN v_failures.transcode_state; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_failures.transcode_state IS 'Where the transcode is now: it may have gone on.';

-- Name: COLUMN v_failures.run; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_failures.run IS 'The transcode''s run now.';

-- Name: COLUMN v_failures.attempt; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_failures.attempt IS 'The attempt''s number; null: it failed before the first.';

-- Name: COLUMN v_failures.host_id; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_failures.host_id IS 'Where it was tried; null: nowhere.';

-- Name: COLUMN v_failures.broadcaster; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_failures.broadcaster IS 'The Broadcaster that it used, where one was known.';

-- Name: COLUMN v_failures.outcome; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_failures.outcome IS 'failed, or lost: its host''s lease ended.';

-- Name: COLUMN v_failures.code; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_failures.code IS 'Why: a code of the failure table (docs/errors.md), or lost.';

-- Name: COLUMN v_failures.stage; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_failures.stage IS 'Where in its way.';

-- Name: COLUMN v_failures.message; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_failures.message IS 'Why, as the tenant is told.';

-- Name: COLUMN v_failures.detail; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_failures.detail IS 'Why, with what is for operators alone: processes, paths, ends of logs.';

-- Name: COLUMN v_failures.final; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_failures.final IS 'Whether the transcode failed by it; else another attempt followed.';

-- Name: v_findings; Type: VIEW; Schema: weir; Owner: -

CREATE VIEW weir.v_findings AS
 SELECT findings.daemon,
    findings.code,
    findings.subject,
    findings.verdict,
    findings.evidence,
    findings.mend,
    findings.took_ms,
    findings.found_at,
    findings.since
   FROM weir.findings;

-- Name: VIEW v_findings; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON VIEW weir.v_findings IS 'What daemons found around them when they looked last, as `weir-admin doctor` shows it.';

-- Name: COLUMN v_findings.daemon; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_findings.daemon IS 'Who found it: a host''s id, "control" for a daemon that leads, "database" for the database itself.';

-- Name: COLUMN v_findings.code; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_findings.code IS 'What was looked at: a code of docs/doctor.md.';

-- Name: COLUMN v_findings.subject; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_findings.subject IS 'Which one, where there are several: a store, a Broadcaster, a receiver.';

-- Name: COLUMN v_findings.verdict; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_findings.verdict IS 'ok, warn, fail or unknown.';

-- Name: COLUMN v_findings.evidence; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_findings.evidence IS 'What was seen.';

-- Name: COLUMN v_findings.mend; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_findings.mend IS 'The line that mends it.';

-- Name: COLUMN v_findings.took_ms; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_findings.took_ms IS 'How long the look took.';

-- Name: COLUMN v_findings.found_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_findings.found_at IS 'When it was seen last.';

-- Name: COLUMN v_findings.since; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_findings.since IS 'Since when it is so.';

-- Name: v_hosts; Type: VIEW; Schema: weir; Owner: -

CREATE VIEW weir.v_hosts AS
 SELECT h.id,
        CASE
            WHEN (NOT h.up) THEN 'stopped'::text
            WHEN (h.lease_until <= now()) THEN 'lost'::text
            WHEN h.draining THEN 'draining'::text
            WHEN (h.mist_silent_from IS NOT NULL) THEN 'mist silent'::text
            WHEN (h.spool_room_bytes <= 0) THEN 'spool full'::text
            ELSE 'alive'::text
        END AS state,
    h.slots,
    used.slots AS used,
    GREATEST((h.slots - used.slots), (0)::bigint) AS free,
    used.storing,
    ((h.lease_until > now()) AND h.up AND (NOT h.draining) AND (h.spool_room_bytes > 0) AND (h.mist_silent_from IS NULL)) AS takes_work,
    h.spool_room_bytes,
    h.mist_silent_from,
    h.draining,
    h.drained_at,
    h.drained_by,
    h.drain_reason,
    h.lease_until,
    h.seen_at,
    (EXTRACT(epoch FROM (now() - h.seen_at)))::double precision AS silent_seconds,
    h.boot_id,
    h.booted_at,
    h.weir_version,
    h.mist_version
   FROM (weir.hosts h
     CROSS JOIN LATERAL ( SELECT count(*) FILTER (WHERE (t.state <> 'storing'::text)) AS slots,
            count(*) FILTER (WHERE (t.state = 'storing'::text)) AS storing
           FROM weir.transcodes t
          WHERE ((t.host_id = h.id) AND (t.state = ANY (ARRAY['placed'::text, 'running'::text, 'storing'::text])))) used)
  WHERE (h.forgotten_at IS NULL);

-- Name: VIEW v_hosts; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON VIEW weir.v_hosts IS 'One row per machine that was not forgotten (`weir-admin hosts forget`): whether it is alive, what it holds and what it may take. It reads what is open and needs no WHERE.';

-- Name: COLUMN v_hosts.id; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_hosts.id IS 'WEIR_HOST_ID of its daemon.';

-- Name: COLUMN v_hosts.state; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_hosts.state IS 'alive, or the first that keeps it from work: stopped (its daemon was; what runs there waits for it for a minute), lost (its lease has ended), draining (takes no more), mist silent (nothing is placed there) or spool full (nothing is placed there until there is room).';

-- Name: COLUMN v_hosts.slots; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_hosts.slots IS 'How many transcodes it runs at once.';

-- Name: COLUMN v_hosts.used; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_hosts.used IS 'Slots that are taken.';

-- Name: COLUMN v_hosts.free; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_hosts.free IS 'Slots that are not.';

-- Name: COLUMN v_hosts.storing; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_hosts.storing IS 'Transcodes that only store; they hold no slot.';

-- Name: COLUMN v_hosts.takes_work; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_hosts.takes_work IS 'Whether something may be placed there now.';

-- Name: COLUMN v_hosts.spool_room_bytes; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_hosts.spool_room_bytes IS 'Room in its spool beyond the reserve; 0: nothing is placed there.';

-- Name: COLUMN v_hosts.mist_silent_from; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_hosts.mist_silent_from IS 'Since when its Mist does not answer; null: it does.';

-- Name: COLUMN v_hosts.draining; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_hosts.draining IS 'Whether it takes no more, over restarts too.';

-- Name: COLUMN v_hosts.drained_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_hosts.drained_at IS 'Since when.';

-- Name: COLUMN v_hosts.drained_by; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_hosts.drained_by IS 'Who drained it.';

-- Name: COLUMN v_hosts.drain_reason; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_hosts.drain_reason IS 'Why, where that was said.';

-- Name: COLUMN v_hosts.lease_until; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_hosts.lease_until IS 'Until when the machine holds what runs there, unless it renews.';

-- Name: COLUMN v_hosts.seen_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_hosts.seen_at IS 'When its daemon last renewed.';

-- Name: COLUMN v_hosts.silent_seconds; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_hosts.silent_seconds IS 'How long ago that is; above 20 it is lost.';

-- Name: COLUMN v_hosts.boot_id; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_hosts.boot_id IS 'This run of its daemon.';

-- Name: COLUMN v_hosts.booted_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_hosts.booted_at IS 'When its daemon started.';

-- Name: COLUMN v_hosts.weir_version; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_hosts.weir_version IS 'Its daemon''s version.';

-- Name: COLUMN v_hosts.mist_version; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_hosts.mist_version IS 'Its Mist''s version.';

-- Name: v_outputs; Type: VIEW; Schema: weir; Owner: -

CREATE VIEW weir.v_outputs AS
 SELECT o.transcode_id,
    t.tenant,
    o.ordinal,
    o.type,
    o.url,
    o.segment_ms,
    o.only_short,
    o.state,
    o.attempt,
    o.manifest_url,
    o.bytes,
    o.objects,
    o.stored_at,
    o.skipped_reason,
    o.error_code,
    o.error_stage,
    o.error_message,
    o.error_detail
   FROM (weir.outputs o
     JOIN weir.transcodes t ON ((t.id = o.transcode_id)));

-- Name: VIEW v_outputs; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON VIEW weir.v_outputs IS 'One row per output that a request asked for, with the evidence of what was written. Those of a transcode are found by transcode_id.';

-- Name: COLUMN v_outputs.transcode_id; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_outputs.transcode_id IS 'The transcode it belongs to.';

-- Name: COLUMN v_outputs.tenant; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_outputs.tenant IS 'Whose it is.';

-- Name: COLUMN v_outputs.ordinal; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_outputs.ordinal IS 'Its place in the request.';

-- Name: COLUMN v_outputs.type; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_outputs.type IS 'ts, hls, mp4, fmp4, source or thumbnails.';

-- Name: COLUMN v_outputs.url; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_outputs.url IS 'Its folder, of a source copy the object; without secrets.';

-- Name: COLUMN v_outputs.segment_ms; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_outputs.segment_ms IS 'How long segments shall be, in milliseconds; 0: the default.';

-- Name: COLUMN v_outputs.only_short; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_outputs.only_short IS 'Whether it is only made of sources of up to two minutes.';

-- Name: COLUMN v_outputs.state; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_outputs.state IS 'expected, ok, failed or skipped; ok only when all its objects are verified.';

-- Name: COLUMN v_outputs.attempt; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_outputs.attempt IS 'The attempt that the row speaks of.';

-- Name: COLUMN v_outputs.manifest_url; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_outputs.manifest_url IS 'Where a player begins, without secrets.';

-- Name: COLUMN v_outputs.bytes; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_outputs.bytes IS 'All its objects together.';

-- Name: COLUMN v_outputs.objects; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_outputs.objects IS 'What was written: each kind with its location, bytes and checksum.';

-- Name: COLUMN v_outputs.stored_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_outputs.stored_at IS 'When it was whole.';

-- Name: COLUMN v_outputs.skipped_reason; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_outputs.skipped_reason IS 'Why there is none.';

-- Name: COLUMN v_outputs.error_code; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_outputs.error_code IS 'Why it failed: a code of the failure table.';

-- Name: COLUMN v_outputs.error_stage; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_outputs.error_stage IS 'Where it failed.';

-- Name: COLUMN v_outputs.error_message; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_outputs.error_message IS 'Why it failed, as the tenant is told.';

-- Name: COLUMN v_outputs.error_detail; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_outputs.error_detail IS 'Why it failed, with what is for operators alone.';

-- Name: v_queue; Type: VIEW; Schema: weir; Owner: -

CREATE VIEW weir.v_queue AS
 WITH held AS (
         SELECT t.tenant,
            count(*) AS slots
           FROM weir.transcodes t
          WHERE (t.state = ANY (ARRAY['placed'::text, 'running'::text]))
          GROUP BY t.tenant
        ), hosts AS (
         SELECT COALESCE(sum(h.slots), (0)::bigint) AS slots,
            count(*) AS taking,
            COALESCE(sum(( SELECT count(*) AS count
                   FROM weir.transcodes t
                  WHERE ((t.host_id = h.id) AND (t.state = ANY (ARRAY['placed'::text, 'running'::text]))))), (0)::numeric) AS used
           FROM weir.hosts h
          WHERE ((h.lease_until > now()) AND h.up AND (NOT h.draining) AND (h.spool_room_bytes > 0) AND (h.mist_silent_from IS NULL))
        )
 SELECT t.id,
    t.tenant,
    t.external_id,
    true AS accepted,
    row_number() OVER (PARTITION BY t.tenant ORDER BY (weir.turn_of(t.created_at, t.priority)), t.id) AS place,
    t.priority,
    t.created_at,
    (EXTRACT(epoch FROM (now() - t.run_at)))::double precision AS waited_seconds,
        CASE
            WHEN (p.paused_at IS NOT NULL) THEN 'the queue is paused'::text
            WHEN (n.paused_at IS NOT NULL) THEN 'its tenant is paused'::text
            WHEN (t.not_before > now()) THEN 'its next try'::text
            WHEN (hosts.taking = 0) THEN 'a host'::text
            WHEN (held.slots >= n.running_most) THEN 'its tenant''s limit'::text
            WHEN (hosts.used >= (hosts.slots)::numeric) THEN 'a slot'::text
            ELSE 'its turn'::text
        END AS waits_for,
        CASE
            WHEN (p.paused_at IS NOT NULL) THEN ((('by '::text || p.paused_by) || ': '::text) || p.pause_reason)
            WHEN (n.paused_at IS NOT NULL) THEN ((('by '::text || n.paused_by) || ': '::text) || n.pause_reason)
            WHEN (t.not_before > now()) THEN (((('after '::text || COALESCE(t.error_code, 'a failure'::text)) || ', in '::text) || ceil(EXTRACT(epoch FROM (t.not_before - now())))) || ' s'::text)
            WHEN (hosts.taking = 0) THEN 'none is alive, up and has room'::text
            WHEN (held.slots >= n.running_most) THEN (((held.slots || ' of '::text) || n.running_most) || ' run'::text)
            ELSE (((hosts.used || ' of '::text) || hosts.slots) || ' slots are taken'::text)
        END AS detail,
    t.run,
    t.attempt,
    t.attempts_left,
    t.not_before,
    t.error_code,
    t.error_message
   FROM ((((weir.transcodes t
     CROSS JOIN weir.placement p)
     CROSS JOIN hosts)
     LEFT JOIN weir.tenants n ON ((n.name = t.tenant)))
     LEFT JOIN held ON ((held.tenant = t.tenant)))
  WHERE (t.state = 'queued'::text)
UNION ALL
 SELECT i.id,
    i.tenant,
    i.external_id,
    false AS accepted,
    NULL::bigint AS place,
    NULL::smallint AS priority,
    i.created_at,
    (EXTRACT(epoch FROM (now() - i.created_at)))::double precision AS waited_seconds,
    'acceptance'::text AS waits_for,
    'asked for by SQL; a daemon that leads accepts it'::text AS detail,
    1 AS run,
    0 AS attempt,
    NULL::integer AS attempts_left,
    NULL::timestamp with time zone AS not_before,
    NULL::text AS error_code,
    NULL::text AS error_message
   FROM weir.inbox i;

-- Name: VIEW v_queue; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON VIEW weir.v_queue IS 'One row per transcode that waits for a slot, also those asked for by SQL that no daemon has accepted yet. It reads what waits and nothing else; WHERE tenant = ... reads that tenant''s alone.';

-- Name: COLUMN v_queue.id; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_queue.id IS 'The transcode.';

-- Name: COLUMN v_queue.tenant; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_queue.tenant IS 'Whose it is.';

-- Name: COLUMN v_queue.external_id; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_queue.external_id IS 'The caller''s own id.';

-- Name: COLUMN v_queue.accepted; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_queue.accepted IS 'Whether a daemon has accepted it; what was asked for by SQL waits for that first.';

-- Name: COLUMN v_queue.place; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_queue.place IS 'Where it stands in its tenant''s queue; the first stands at 1. Null before the acceptance.';

-- Name: COLUMN v_queue.priority; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_queue.priority IS '0, the most urgent, to 9. Null before the acceptance.';

-- Name: COLUMN v_queue.created_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_queue.created_at IS 'When it was asked for.';

-- Name: COLUMN v_queue.waited_seconds; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_queue.waited_seconds IS 'Since its run began: the acceptance, or the last retry by a person.';

-- Name: COLUMN v_queue.waits_for; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_queue.waits_for IS 'acceptance, the queue is paused, its tenant is paused, its next try, a host, its tenant''s limit, a slot, or its turn: the first of these that is so.';

-- Name: COLUMN v_queue.detail; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_queue.detail IS 'The same, with who, why, when or how many.';

-- Name: COLUMN v_queue.run; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_queue.run IS '1, and one more for each retry.';

-- Name: COLUMN v_queue.attempt; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_queue.attempt IS 'Number of the newest attempt; 0 before the first.';

-- Name: COLUMN v_queue.attempts_left; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_queue.attempts_left IS 'How many more attempts this run may start.';

-- Name: COLUMN v_queue.not_before; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_queue.not_before IS 'It is not placed before this.';

-- Name: COLUMN v_queue.error_code; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_queue.error_code IS 'Why its last attempt failed: a code of the failure table.';

-- Name: COLUMN v_queue.error_message; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_queue.error_message IS 'Why its last attempt failed, in words.';

-- Name: v_renditions; Type: VIEW; Schema: weir; Owner: -

CREATE VIEW weir.v_renditions AS
 SELECT r.transcode_id,
    t.tenant,
    r.name,
    r.state,
    r.attempt,
    r.planned_width AS width,
    r.planned_height AS height,
    r.width AS asked_width,
    r.height AS asked_height,
    r.bitrate,
    r.quality,
    r.fps,
    r.fps_den,
    r.gop,
    r.codec_profile,
    r.track_index,
    r.pushed_ms,
    r.recorded_reason,
    r.object_url,
    r.object_bytes,
    r.object_checksum,
    r.frames,
    r.duration_ms,
    r.error_code,
    r.error_stage,
    r.error_message,
    r.push_started_at,
    r.pushed_at,
    r.stored_at,
    t.external_id,
    t.state AS transcode_state,
    t.host_id,
    r.error_detail
   FROM (weir.renditions r
     JOIN weir.transcodes t ON ((t.id = r.transcode_id)));

-- Name: VIEW v_renditions; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON VIEW weir.v_renditions IS 'One row per requested rendition, with the evidence of its object. Those of a transcode are found by transcode_id; WHERE transcode_state = ''storing'' (or another open state) reads those of the open ones.';

-- Name: COLUMN v_renditions.transcode_id; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.transcode_id IS 'The transcode it belongs to.';

-- Name: COLUMN v_renditions.tenant; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.tenant IS 'Whose it is.';

-- Name: COLUMN v_renditions.name; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.name IS 'The profile''s name.';

-- Name: COLUMN v_renditions.state; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.state IS 'expected, pushing, pushed, ok or failed; ok only when its object is verified.';

-- Name: COLUMN v_renditions.attempt; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.attempt IS 'The attempt that the row speaks of.';

-- Name: COLUMN v_renditions.width; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.width IS 'Width of its file: planned by the source, judged to be so when ok; null before the probe.';

-- Name: COLUMN v_renditions.height; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.height IS 'Height of its file: planned by the source, judged to be so when ok; null before the probe.';

-- Name: COLUMN v_renditions.asked_width; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.asked_width IS 'Width asked for.';

-- Name: COLUMN v_renditions.asked_height; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.asked_height IS 'Height asked for.';

-- Name: COLUMN v_renditions.bitrate; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.bitrate IS 'Bits a second asked for.';

-- Name: COLUMN v_renditions.quality; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.quality IS 'Constant quality asked for, with bitrate as its limit; 0: none.';

-- Name: COLUMN v_renditions.fps; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.fps IS 'Frames asked for in fps_den seconds; 0 is the source''s rate.';

-- Name: COLUMN v_renditions.fps_den; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.fps_den IS 'The seconds that fps counts its frames in; 0 stands for 1.';

-- Name: COLUMN v_renditions.gop; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.gop IS 'Seconds between keyframes asked for, or intra; empty: none asked for.';

-- Name: COLUMN v_renditions.codec_profile; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.codec_profile IS 'The codec''s profile asked for; empty is H264High.';

-- Name: COLUMN v_renditions.track_index; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.track_index IS 'Mist''s track.';

-- Name: COLUMN v_renditions.pushed_ms; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.pushed_ms IS 'Media time pushed so far, in milliseconds.';

-- Name: COLUMN v_renditions.recorded_reason; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.recorded_reason IS 'What Mist said at the push''s end: a hint, no proof.';

-- Name: COLUMN v_renditions.object_url; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.object_url IS 'Where the object is, without secrets.';

-- Name: COLUMN v_renditions.object_bytes; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.object_bytes IS 'The object''s size.';

-- Name: COLUMN v_renditions.object_checksum; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.object_checksum IS 'The object''s checksum, as verified after the upload.';

-- Name: COLUMN v_renditions.frames; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.frames IS 'Frames counted in the file.';

-- Name: COLUMN v_renditions.duration_ms; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.duration_ms IS 'Duration by its frames, in milliseconds.';

-- Name: COLUMN v_renditions.error_code; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.error_code IS 'Why it failed: a code of the failure table; on a pushed one, what is in the way of its store.';

-- Name: COLUMN v_renditions.error_stage; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.error_stage IS 'Where it failed.';

-- Name: COLUMN v_renditions.error_message; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.error_message IS 'Why it failed, in words.';

-- Name: COLUMN v_renditions.push_started_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.push_started_at IS 'When Mist began to write it.';

-- Name: COLUMN v_renditions.pushed_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.pushed_at IS 'When its file was complete on the host.';

-- Name: COLUMN v_renditions.stored_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.stored_at IS 'When its object was verified.';

-- Name: COLUMN v_renditions.external_id; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.external_id IS 'The caller''s own id.';

-- Name: COLUMN v_renditions.transcode_state; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.transcode_state IS 'Where the transcode is now.';

-- Name: COLUMN v_renditions.host_id; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.host_id IS 'The host of the transcode''s newest attempt.';

-- Name: COLUMN v_renditions.error_detail; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.error_detail IS 'Why it failed, with what is for operators alone.';

-- Name: v_slo; Type: VIEW; Schema: weir; Owner: -

CREATE VIEW weir.v_slo AS
 SELECT hours.hour,
        CASE of.grouped
            WHEN 3 THEN 'all'::text
            WHEN 1 THEN 'tenant'::text
            WHEN 2 THEN 'host'::text
            ELSE 'tenant and host'::text
        END AS per,
    of.tenant,
    of.host_id,
    of.ended,
    of.succeeded,
    of.failed,
    of.cancelled,
    of.queue_wait[1] AS queue_wait_p50,
    of.queue_wait[2] AS queue_wait_p95,
    of.queue_wait[3] AS queue_wait_p99,
    of.speed[1] AS speed_p50,
    of.speed[2] AS speed_p95,
    of.speed[3] AS speed_p99,
    of.store[1] AS store_p50,
    of.store[2] AS store_p95,
    of.store[3] AS store_p99,
    of.callback_lag[1] AS callback_lag_p50,
    of.callback_lag[2] AS callback_lag_p95,
    of.callback_lag[3] AS callback_lag_p99
   FROM (generate_series(date_trunc('hour'::text, ( SELECT e.finished_at
           FROM weir.transcodes e
          WHERE (e.finished_at IS NOT NULL)
          ORDER BY e.finished_at, e.id
         LIMIT 1), 'UTC'::text), now(), '01:00:00'::interval) hours(hour)
     CROSS JOIN LATERAL weir.slo_of_hour(hours.hour) of(grouped, tenant, host_id, ended, succeeded, failed, cancelled, queue_wait, speed, store, callback_lag));

-- Name: VIEW v_slo; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON VIEW weir.v_slo IS 'How fast and how well it went, by the hour in which transcodes ended: of all, of each tenant, of each host, and of each tenant on each host. WHERE hour >= now() - interval ''1 day'' reads what ended since then, and takes as long as that is much, so give one; percentiles can''t be added up, so take the rows of one kind by per = ''all''.';

-- Name: COLUMN v_slo.hour; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_slo.hour IS 'The beginning of the hour in which they ended.';

-- Name: COLUMN v_slo.per; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_slo.per IS 'What the row is of: all, tenant, host, or tenant and host.';

-- Name: COLUMN v_slo.tenant; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_slo.tenant IS 'Whose they are; null where the row is of all tenants.';

-- Name: COLUMN v_slo.host_id; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_slo.host_id IS 'The host of their newest attempt; null where the row is of all hosts, or they never had one.';

-- Name: COLUMN v_slo.ended; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_slo.ended IS 'How many ended.';

-- Name: COLUMN v_slo.succeeded; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_slo.succeeded IS 'How many of those succeeded.';

-- Name: COLUMN v_slo.failed; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_slo.failed IS 'How many failed.';

-- Name: COLUMN v_slo.cancelled; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_slo.cancelled IS 'How many were cancelled.';

-- Name: COLUMN v_slo.queue_wait_p50; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_slo.queue_wait_p50 IS 'Seconds from the beginning of the run to its first placement: half waited no longer.';

-- Name: COLUMN v_slo.queue_wait_p95; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_slo.queue_wait_p95 IS 'The same of 95 of 100.';

-- Name: COLUMN v_slo.queue_wait_p99; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_slo.queue_wait_p99 IS 'The same of 99 of 100.';

-- Name: COLUMN v_slo.speed_p50; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_slo.speed_p50 IS 'Seconds of source transcoded in a second, from the start on the host until Mist was done: half were at least as fast. Below 1 is slower than it plays.';

-- Name: COLUMN v_slo.speed_p95; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_slo.speed_p95 IS '95 of 100 were at least as fast.';

-- Name: COLUMN v_slo.speed_p99; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_slo.speed_p99 IS '99 of 100 were at least as fast.';

-- Name: COLUMN v_slo.store_p50; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_slo.store_p50 IS 'Seconds from a rendition''s file being complete to its object being verified, of each transcode''s slowest one: half took no longer.';

-- Name: COLUMN v_slo.store_p95; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_slo.store_p95 IS 'The same of 95 of 100.';

-- Name: COLUMN v_slo.store_p99; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_slo.store_p99 IS 'The same of 99 of 100.';

-- Name: COLUMN v_slo.callback_lag_p50; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_slo.callback_lag_p50 IS 'Seconds from the outcome to the callback''s delivery, or until now while it is pending: half took no longer. Those that were refused or have expired are left out.';

-- Name: COLUMN v_slo.callback_lag_p95; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_slo.callback_lag_p95 IS 'The same of 95 of 100.';

-- Name: COLUMN v_slo.callback_lag_p99; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_slo.callback_lag_p99 IS 'The same of 99 of 100.';

-- Name: v_transcodes; Type: VIEW; Schema: weir; Owner: -

CREATE VIEW weir.v_transcodes AS
 SELECT t.id,
    t.tenant,
    t.external_id,
    t.state,
    t.ratio,
    t.host_id,
    t.run,
    t.attempt,
    t.attempts_left,
    a.stage AS attempt_stage,
    t.source_url,
    t.output_url,
    t.source_duration_ms,
    ( SELECT count(*) AS count
           FROM weir.renditions r
          WHERE (r.transcode_id = t.id)) AS renditions,
    ( SELECT count(*) AS count
           FROM weir.renditions r
          WHERE ((r.transcode_id = t.id) AND (r.state = 'ok'::text))) AS renditions_ok,
    t.error_code,
    t.error_stage,
    t.error_message,
    ( SELECT c.state
           FROM weir.callbacks c
          WHERE ((c.transcode_id = t.id) AND (c.run = t.run))) AS callback_state,
    t.created_at,
    t.placed_at,
    t.started_at,
    t.finished_at,
    (EXTRACT(epoch FROM (COALESCE(t.placed_at, now()) - t.created_at)))::double precision AS waited_seconds,
    (EXTRACT(epoch FROM (COALESCE(t.finished_at, now()) - t.created_at)))::double precision AS took_seconds,
    t.warnings,
    t.priority,
    t.progress,
    t.form,
    t.ladder,
    t.packages,
    t.metadata,
    t.labels,
    t.events,
    t.events_url,
    t.statuses_refused_run,
    t.former_external_id,
    t.callback_url,
    t.run_at,
    t.not_before,
    t.updated_at,
    t.status_sent_at,
    a.broadcaster,
    t.clip_start_ms,
    t.clip_end_ms,
    t.clip_clock
   FROM (weir.transcodes t
     LEFT JOIN LATERAL ( SELECT n.stage,
            n.broadcaster
           FROM weir.attempts n
          WHERE ((n.transcode_id = t.id) AND (n.number = t.attempt))
         LIMIT 1) a ON (true));

-- Name: VIEW v_transcodes; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON VIEW weir.v_transcodes IS 'One row per request, with where it is and how it ended. WHERE state IN (''queued'', ''placed'', ''running'', ''storing'') reads what is open, created_at > now() - interval ''1 day'' (with a tenant or a host, too) what came since then; one is found by id or external_id.';

-- Name: COLUMN v_transcodes.id; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.id IS 'The id that the API answered; request_id in callbacks.';

-- Name: COLUMN v_transcodes.tenant; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.tenant IS 'Whose request it is.';

-- Name: COLUMN v_transcodes.external_id; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.external_id IS 'The caller''s own id; unique within a tenant.';

-- Name: COLUMN v_transcodes.state; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.state IS 'queued, placed, running, storing, succeeded, failed or cancelled.';

-- Name: COLUMN v_transcodes.ratio; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.ratio IS 'Completion from 0 to 1; it never goes down.';

-- Name: COLUMN v_transcodes.host_id; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.host_id IS 'The host of the newest attempt.';

-- Name: COLUMN v_transcodes.run; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.run IS '1, and one more for each retry by an operator.';

-- Name: COLUMN v_transcodes.attempt; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.attempt IS 'The newest attempt''s number; it counts on over runs.';

-- Name: COLUMN v_transcodes.attempts_left; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.attempts_left IS 'How many more attempts this run may start.';

-- Name: COLUMN v_transcodes.attempt_stage; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.attempt_stage IS 'The newest attempt''s last finished step.';

-- Name: COLUMN v_transcodes.source_url; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.source_url IS 'The source, without secrets.';

-- Name: COLUMN v_transcodes.output_url; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.output_url IS 'Where renditions go, without secrets.';

-- Name: COLUMN v_transcodes.source_duration_ms; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.source_duration_ms IS 'The source''s duration in milliseconds, once probed.';

-- Name: COLUMN v_transcodes.renditions; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.renditions IS 'How many renditions were asked for.';

-- Name: COLUMN v_transcodes.renditions_ok; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.renditions_ok IS 'How many are stored and verified.';

-- Name: COLUMN v_transcodes.error_code; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.error_code IS 'Why it failed: a code of the failure table; on a queued one, why the last attempt failed; on one that is stored, what is in the way.';

-- Name: COLUMN v_transcodes.error_stage; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.error_stage IS 'Where it failed.';

-- Name: COLUMN v_transcodes.error_message; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.error_message IS 'Why it failed, in words.';

-- Name: COLUMN v_transcodes.callback_state; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.callback_state IS 'pending, delivered, refused or expired; null before the end.';

-- Name: COLUMN v_transcodes.created_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.created_at IS 'When it was accepted.';

-- Name: COLUMN v_transcodes.placed_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.placed_at IS 'When a host was last chosen.';

-- Name: COLUMN v_transcodes.started_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.started_at IS 'When its newest attempt began to run.';

-- Name: COLUMN v_transcodes.finished_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.finished_at IS 'When it reached its terminal state.';

-- Name: COLUMN v_transcodes.waited_seconds; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.waited_seconds IS 'From the acceptance to the last placement, or until now.';

-- Name: COLUMN v_transcodes.took_seconds; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.took_seconds IS 'From the acceptance to the end, or until now.';

-- Name: COLUMN v_transcodes.warnings; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.warnings IS 'What was done otherwise than asked: a list of code, text and, where it is about one, rendition.';

-- Name: COLUMN v_transcodes.priority; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.priority IS '0, the most urgent, to 9: its place in the tenant''s queue.';

-- Name: COLUMN v_transcodes.progress; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.progress IS 'How far its newest attempt is in what it does, as its host told it last.';

-- Name: COLUMN v_transcodes.form; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.form IS 'How it was asked for: v1, vod or file.';

-- Name: COLUMN v_transcodes.ladder; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.ladder IS 'Whether its renditions are the default ladder, made from the source.';

-- Name: COLUMN v_transcodes.packages; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.packages IS 'Whether more is made of its renditions than their files.';

-- Name: COLUMN v_transcodes.metadata; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.metadata IS 'The caller''s own, as the request had it.';

-- Name: COLUMN v_transcodes.labels; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.labels IS 'What lists are filtered by, as the request had them.';

-- Name: COLUMN v_transcodes.events; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.events IS 'The types of events that it subscribes to.';

-- Name: COLUMN v_transcodes.events_url; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.events_url IS 'Where these go, where that is not where the callback goes; without secrets.';

-- Name: COLUMN v_transcodes.statuses_refused_run; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.statuses_refused_run IS 'The run whose statuses the receiver refused for good; null: none.';

-- Name: COLUMN v_transcodes.former_external_id; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.former_external_id IS 'The caller''s own id, which a newer transcode has taken over; null: none has.';

-- Name: COLUMN v_transcodes.callback_url; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.callback_url IS 'Where callbacks go, without secrets.';

-- Name: COLUMN v_transcodes.run_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.run_at IS 'When this run began: the acceptance, or the last retry by a person.';

-- Name: COLUMN v_transcodes.not_before; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.not_before IS 'While it is queued: it is not placed before this.';

-- Name: COLUMN v_transcodes.updated_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.updated_at IS 'When its row last changed; while it runs, its progress changes it.';

-- Name: COLUMN v_transcodes.status_sent_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.status_sent_at IS 'When its receiver was last told how far it is.';

-- Name: COLUMN v_transcodes.broadcaster; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.broadcaster IS 'The Broadcaster that its newest attempt uses, where one is known.';

-- Name: COLUMN v_transcodes.clip_start_ms; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.clip_start_ms IS 'Of a clip: where it begins, in milliseconds of clip_clock; a frame there belongs to it. Null: all of the source.';

-- Name: COLUMN v_transcodes.clip_end_ms; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.clip_end_ms IS 'Where it ends; a frame there belongs to it no more.';

-- Name: COLUMN v_transcodes.clip_clock; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.clip_clock IS 'What these count from: source, its first picture, or unix, the time of day that the playlist of a recording tells.';

-- Name: v_usage; Type: VIEW; Schema: weir; Owner: -

CREATE VIEW weir.v_usage AS
 SELECT usage.tenant,
    usage.day,
    (sum(usage.succeeded))::bigint AS succeeded,
    (sum(usage.failed))::bigint AS failed,
    (sum(usage.cancelled))::bigint AS cancelled,
    (sum(usage.attempts))::bigint AS attempts,
    ((sum(usage.source_ms))::double precision / (60000)::double precision) AS source_minutes,
    ((sum(usage.output_ms))::double precision / (60000)::double precision) AS output_minutes,
    (sum(usage.pixels))::bigint AS pixels,
    (sum(usage.bytes))::bigint AS bytes
   FROM weir.usage
  GROUP BY usage.tenant, usage.day;

-- Name: VIEW v_usage; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON VIEW weir.v_usage IS 'One row per tenant and day: what the runs that ended on it used. It is kept by the day, so that WHERE day >= ... or tenant = ... reads a handful of rows, whatever was done.';

-- Name: COLUMN v_usage.tenant; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_usage.tenant IS 'Whose it is.';

-- Name: COLUMN v_usage.day; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_usage.day IS 'The day on which the runs ended, in UTC.';

-- Name: COLUMN v_usage.succeeded; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_usage.succeeded IS 'Runs that succeeded.';

-- Name: COLUMN v_usage.failed; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_usage.failed IS 'Runs that failed.';

-- Name: COLUMN v_usage.cancelled; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_usage.cancelled IS 'Runs that were cancelled.';

-- Name: COLUMN v_usage.attempts; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_usage.attempts IS 'Attempts that these runs made, whatever came of them.';

-- Name: COLUMN v_usage.source_minutes; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_usage.source_minutes IS 'Length of their sources, once a run, where it was found out.';

-- Name: COLUMN v_usage.output_minutes; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_usage.output_minutes IS 'Length of the renditions that these runs stored and verified.';

-- Name: COLUMN v_usage.pixels; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_usage.pixels IS 'Pixels of those renditions: frames by width by height.';

-- Name: COLUMN v_usage.bytes; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_usage.bytes IS 'Bytes of those renditions.';

-- Name: web_sessions; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.web_sessions (
    id_hash bytea NOT NULL,
    user_name text NOT NULL,
    setting bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    seen_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT web_sessions_user_name_check CHECK ((user_name <> ''::text))
)
WITH (autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='50');

-- Name: river_job id; Type: DEFAULT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.river_job ALTER COLUMN id SET DEFAULT nextval('weir.river_job_id_seq'::regclass);

-- Name: river_notification id; Type: DEFAULT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.river_notification ALTER COLUMN id SET DEFAULT nextval('weir.river_notification_id_seq'::regclass);

-- Name: admin_actions admin_actions_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.admin_actions
    ADD CONSTRAINT admin_actions_pkey PRIMARY KEY (id);

-- Name: attempts attempts_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.attempts
    ADD CONSTRAINT attempts_pkey PRIMARY KEY (transcode_id, number);

-- Name: bulk_operations bulk_operations_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.bulk_operations
    ADD CONSTRAINT bulk_operations_pkey PRIMARY KEY (id);

-- Name: callback_attempts callback_attempts_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.callback_attempts
    ADD CONSTRAINT callback_attempts_pkey PRIMARY KEY (callback_id, number);

-- Name: callback_secrets callback_secrets_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.callback_secrets
    ADD CONSTRAINT callback_secrets_pkey PRIMARY KEY (id);

-- Name: callback_secrets callback_secrets_two; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.callback_secrets
    ADD CONSTRAINT callback_secrets_two UNIQUE (tenant, place);

-- Name: callbacks callbacks_one_terminal; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.callbacks
    ADD CONSTRAINT callbacks_one_terminal UNIQUE (transcode_id, run);

-- Name: callbacks callbacks_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.callbacks
    ADD CONSTRAINT callbacks_pkey PRIMARY KEY (id);

-- Name: ends ends_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.ends
    ADD CONSTRAINT ends_pkey PRIMARY KEY (transcode_id);

-- Name: enqueued enqueued_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.enqueued
    ADD CONSTRAINT enqueued_pkey PRIMARY KEY (id);

-- Name: event_deliveries event_deliveries_event_id_key; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.event_deliveries
    ADD CONSTRAINT event_deliveries_event_id_key UNIQUE (event_id);

-- Name: event_deliveries event_deliveries_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.event_deliveries
    ADD CONSTRAINT event_deliveries_pkey PRIMARY KEY (id);

-- Name: event_delivery_attempts event_delivery_attempts_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.event_delivery_attempts
    ADD CONSTRAINT event_delivery_attempts_pkey PRIMARY KEY (delivery_id, number);

-- Name: events events_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.events
    ADD CONSTRAINT events_pkey PRIMARY KEY (id);

-- Name: examinations examinations_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.examinations
    ADD CONSTRAINT examinations_pkey PRIMARY KEY (id);

-- Name: examined examined_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.examined
    ADD CONSTRAINT examined_pkey PRIMARY KEY (examination_id, daemon);

-- Name: findings findings_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.findings
    ADD CONSTRAINT findings_pkey PRIMARY KEY (daemon, code, subject);

-- Name: head_news head_news_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.head_news
    ADD CONSTRAINT head_news_pkey PRIMARY KEY (ready_at, id);

-- Name: heads heads_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.heads
    ADD CONSTRAINT heads_pkey PRIMARY KEY (tenant);

-- Name: hosts hosts_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.hosts
    ADD CONSTRAINT hosts_pkey PRIMARY KEY (id);

-- Name: identity identity_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.identity
    ADD CONSTRAINT identity_pkey PRIMARY KEY (only_);

-- Name: inbox inbox_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.inbox
    ADD CONSTRAINT inbox_pkey PRIMARY KEY (id);

-- Name: leads leads_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.leads
    ADD CONSTRAINT leads_pkey PRIMARY KEY (client_id);

-- Name: missed_events missed_events_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.missed_events
    ADD CONSTRAINT missed_events_pkey PRIMARY KEY (event_id);

-- Name: mist_events mist_events_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.mist_events
    ADD CONSTRAINT mist_events_pkey PRIMARY KEY (id);

-- Name: mist_events mist_events_uuid_key; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.mist_events
    ADD CONSTRAINT mist_events_uuid_key UNIQUE (uuid);

-- Name: outputs outputs_once; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.outputs
    ADD CONSTRAINT outputs_once UNIQUE (transcode_id, type, url);

-- Name: outputs outputs_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.outputs
    ADD CONSTRAINT outputs_pkey PRIMARY KEY (transcode_id, ordinal);

-- Name: placement placement_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.placement
    ADD CONSTRAINT placement_pkey PRIMARY KEY (one);

-- Name: renditions renditions_ordinal_once; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.renditions
    ADD CONSTRAINT renditions_ordinal_once UNIQUE (transcode_id, ordinal);

-- Name: renditions renditions_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.renditions
    ADD CONSTRAINT renditions_pkey PRIMARY KEY (transcode_id, name);

-- Name: river_job river_job_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.river_job
    ADD CONSTRAINT river_job_pkey PRIMARY KEY (id);

-- Name: river_leader river_leader_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.river_leader
    ADD CONSTRAINT river_leader_pkey PRIMARY KEY (name);

-- Name: river_notification river_notification_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.river_notification
    ADD CONSTRAINT river_notification_pkey PRIMARY KEY (id);

-- Name: river_queue river_queue_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.river_queue
    ADD CONSTRAINT river_queue_pkey PRIMARY KEY (name);

-- Name: schema_compat schema_compat_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.schema_compat
    ADD CONSTRAINT schema_compat_pkey PRIMARY KEY (one);

-- Name: schema_migrations schema_migrations_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (version);

-- Name: speakers speakers_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.speakers
    ADD CONSTRAINT speakers_pkey PRIMARY KEY (role);

-- Name: stores stores_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.stores
    ADD CONSTRAINT stores_pkey PRIMARY KEY (tenant, name);

-- Name: tenants tenants_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.tenants
    ADD CONSTRAINT tenants_pkey PRIMARY KEY (name);

-- Name: transcode_labels transcode_labels_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.transcode_labels
    ADD CONSTRAINT transcode_labels_pkey PRIMARY KEY (transcode_id, key);

-- Name: transcodes transcodes_external_id_once; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.transcodes
    ADD CONSTRAINT transcodes_external_id_once UNIQUE (external_id, tenant);

-- Name: transcodes transcodes_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.transcodes
    ADD CONSTRAINT transcodes_pkey PRIMARY KEY (id);

-- Name: turns turns_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.turns
    ADD CONSTRAINT turns_pkey PRIMARY KEY (tenant);

-- Name: usage usage_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.usage
    ADD CONSTRAINT usage_pkey PRIMARY KEY (tenant, day, part);

-- Name: web_sessions web_sessions_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.web_sessions
    ADD CONSTRAINT web_sessions_pkey PRIMARY KEY (id_hash);

-- Name: admin_actions_by_target; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX admin_actions_by_target ON weir.admin_actions USING btree (target, id);

-- Name: admin_actions_by_time; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX admin_actions_by_time ON weir.admin_actions USING btree (at);

-- Name: attempts_failed; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX attempts_failed ON weir.attempts USING btree (ended_at DESC) WHERE (outcome = ANY (ARRAY['failed'::text, 'lost'::text]));

-- Name: attempts_open; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX attempts_open ON weir.attempts USING btree (host_id) WHERE (cleaned_at IS NULL);

-- Name: bulk_operations_by_time; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX bulk_operations_by_time ON weir.bulk_operations USING btree (frozen_at DESC, id DESC);

-- Name: bulk_operations_open; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX bulk_operations_open ON weir.bulk_operations USING btree (id) WHERE (state = ANY (ARRAY['running'::text, 'paused'::text]));

-- Name: callback_attempts_by_time; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX callback_attempts_by_time ON weir.callback_attempts USING btree (sent_at);

-- Name: callbacks_by_state; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX callbacks_by_state ON weir.callbacks USING btree (state, created_at DESC, id DESC) WHERE (state <> 'delivered'::text);

-- Name: callbacks_by_time; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX callbacks_by_time ON weir.callbacks USING btree (created_at DESC, id DESC);

-- Name: ends_by_time; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX ends_by_time ON weir.ends USING btree (finished_at);

-- Name: enqueued_of; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX enqueued_of ON weir.enqueued USING btree (transcode_id);

-- Name: event_deliveries_by_transcode; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX event_deliveries_by_transcode ON weir.event_deliveries USING btree (transcode_id, event_id);

-- Name: event_deliveries_pending; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX event_deliveries_pending ON weir.event_deliveries USING btree (tenant, receiver, next_attempt_at, id) WHERE (state = 'pending'::text);

-- Name: event_deliveries_waiting; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX event_deliveries_waiting ON weir.event_deliveries USING btree (tenant, event_id) WHERE (state = 'pending'::text);

-- Name: events_by_tenant; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX events_by_tenant ON weir.events USING btree (tenant, id);

-- Name: events_by_transcode; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX events_by_transcode ON weir.events USING btree (transcode_id, id);

-- Name: examinations_by_time; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX examinations_by_time ON weir.examinations USING btree (asked_at);

-- Name: inbox_external_id; Type: INDEX; Schema: weir; Owner: -

CREATE UNIQUE INDEX inbox_external_id ON weir.inbox USING btree (tenant, external_id);

-- Name: inbox_newest; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX inbox_newest ON weir.inbox USING btree (created_at DESC, id DESC);

-- Name: missed_events_by_tenant; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX missed_events_by_tenant ON weir.missed_events USING btree (tenant, missed_at, event_id);

-- Name: missed_events_by_transcode; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX missed_events_by_transcode ON weir.missed_events USING btree (transcode_id);

-- Name: mist_events_by_host; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX mist_events_by_host ON weir.mist_events USING btree (host_id, id DESC);

-- Name: mist_events_by_time; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX mist_events_by_time ON weir.mist_events USING btree (received_at);

-- Name: mist_events_by_transcode; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX mist_events_by_transcode ON weir.mist_events USING btree (transcode_id, id) WHERE (transcode_id IS NOT NULL);

-- Name: mist_events_by_verdict; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX mist_events_by_verdict ON weir.mist_events USING btree (verdict, id DESC) WHERE (verdict = ANY (ARRAY['stale'::text, 'unmatched'::text, 'unreadable'::text]));

-- Name: river_job_args_index; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX river_job_args_index ON weir.river_job USING gin (args);

-- Name: river_job_kind; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX river_job_kind ON weir.river_job USING btree (kind);

-- Name: river_job_metadata_index; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX river_job_metadata_index ON weir.river_job USING gin (metadata);

-- Name: river_job_prioritized_fetching_index; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX river_job_prioritized_fetching_index ON weir.river_job USING btree (state, queue, priority, scheduled_at, id);

-- Name: river_job_running_by_host; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX river_job_running_by_host ON weir.river_job USING btree (split_part(attempted_by[array_upper(attempted_by, 1)], '_'::text, 1)) WHERE (state = 'running'::weir.river_job_state);

-- Name: river_job_state_and_finalized_at_index; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX river_job_state_and_finalized_at_index ON weir.river_job USING btree (state, finalized_at) WHERE (finalized_at IS NOT NULL);

-- Name: river_job_unique_idx; Type: INDEX; Schema: weir; Owner: -

CREATE UNIQUE INDEX river_job_unique_idx ON weir.river_job USING btree (unique_key) WHERE ((unique_key IS NOT NULL) AND (unique_states IS NOT NULL) AND weir.river_job_state_in_bitmask(unique_states, state));

-- Name: river_notification_created_at_idx; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX river_notification_created_at_idx ON weir.river_notification USING btree (created_at);

-- Name: river_notification_topic_id_idx; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX river_notification_topic_id_idx ON weir.river_notification USING btree (topic, id);

-- Name: transcode_labels_by_value; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX transcode_labels_by_value ON weir.transcode_labels USING btree (tenant, key, value, created_at DESC, transcode_id DESC);

-- Name: transcodes_by_code; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX transcodes_by_code ON weir.transcodes USING btree (error_code, created_at DESC, id DESC) WHERE (error_code IS NOT NULL);

-- Name: transcodes_by_end; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX transcodes_by_end ON weir.transcodes USING btree (finished_at, id) WHERE (finished_at IS NOT NULL);

-- Name: transcodes_by_former_external_id; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX transcodes_by_former_external_id ON weir.transcodes USING btree (former_external_id, tenant) WHERE (former_external_id IS NOT NULL);

-- Name: transcodes_by_host; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX transcodes_by_host ON weir.transcodes USING btree (host_id, created_at DESC, id DESC) WHERE (host_id IS NOT NULL);

-- Name: transcodes_by_state; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX transcodes_by_state ON weir.transcodes USING btree (state, created_at DESC, id DESC) WHERE (state <> 'succeeded'::text);

-- Name: transcodes_by_tenant; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX transcodes_by_tenant ON weir.transcodes USING btree (tenant, created_at DESC, id DESC);

-- Name: transcodes_by_tenant_and_state; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX transcodes_by_tenant_and_state ON weir.transcodes USING btree (tenant, state, created_at DESC, id DESC) WHERE (state <> 'succeeded'::text);

-- Name: transcodes_by_time; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX transcodes_by_time ON weir.transcodes USING btree (created_at DESC, id DESC);

-- Name: transcodes_failed_by_end; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX transcodes_failed_by_end ON weir.transcodes USING btree (finished_at DESC, id DESC) WHERE (state = 'failed'::text);

-- Name: transcodes_open_on_host; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX transcodes_open_on_host ON weir.transcodes USING btree (host_id, state) WHERE ((state = ANY (ARRAY['queued'::text, 'placed'::text, 'running'::text, 'storing'::text])) AND (host_id IS NOT NULL));

-- Name: transcodes_queued_by_tenant; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX transcodes_queued_by_tenant ON weir.transcodes USING btree (tenant, weir.turn_of(created_at, priority), id, not_before) WHERE (state = 'queued'::text);

-- Name: transcodes_queued_urgent; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX transcodes_queued_urgent ON weir.transcodes USING btree (tenant, weir.turn_of(created_at, priority), id, not_before) WHERE ((state = 'queued'::text) AND (priority <= 2));

-- Name: usage_by_day; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX usage_by_day ON weir.usage USING btree (day, tenant);

-- Name: callbacks callbacks_check_state; Type: TRIGGER; Schema: weir; Owner: -

CREATE TRIGGER callbacks_check_state BEFORE UPDATE ON weir.callbacks FOR EACH ROW EXECUTE FUNCTION weir.callbacks_check_state();

-- Name: callbacks callbacks_missed; Type: TRIGGER; Schema: weir; Owner: -

CREATE TRIGGER callbacks_missed AFTER UPDATE OF state ON weir.callbacks FOR EACH ROW WHEN (((old.state <> new.state) AND (new.state = ANY (ARRAY['expired'::text, 'delivered'::text])))) EXECUTE FUNCTION weir.callbacks_missed();

-- Name: event_deliveries event_deliveries_missed; Type: TRIGGER; Schema: weir; Owner: -

CREATE TRIGGER event_deliveries_missed AFTER UPDATE OF state ON weir.event_deliveries FOR EACH ROW WHEN (((old.state <> 'expired'::text) AND (new.state = 'expired'::text))) EXECUTE FUNCTION weir.event_deliveries_missed();

-- Name: events events_deliver; Type: TRIGGER; Schema: weir; Owner: -

CREATE TRIGGER events_deliver AFTER INSERT ON weir.events FOR EACH ROW EXECUTE FUNCTION weir.events_deliver();

-- Name: outputs outputs_check_state; Type: TRIGGER; Schema: weir; Owner: -

CREATE TRIGGER outputs_check_state BEFORE UPDATE ON weir.outputs FOR EACH ROW EXECUTE FUNCTION weir.outputs_check_state();

-- Name: outputs outputs_tell_state; Type: TRIGGER; Schema: weir; Owner: -

CREATE TRIGGER outputs_tell_state AFTER UPDATE OF state ON weir.outputs FOR EACH ROW WHEN (((old.state <> new.state) AND (new.state = 'ok'::text) AND (new.type <> 'ts'::text))) EXECUTE FUNCTION weir.outputs_tell();

-- Name: renditions renditions_check_state; Type: TRIGGER; Schema: weir; Owner: -

CREATE TRIGGER renditions_check_state BEFORE UPDATE ON weir.renditions FOR EACH ROW EXECUTE FUNCTION weir.renditions_check_state();

-- Name: renditions renditions_tell_state; Type: TRIGGER; Schema: weir; Owner: -

CREATE TRIGGER renditions_tell_state AFTER UPDATE OF state ON weir.renditions FOR EACH ROW WHEN (((old.state <> new.state) AND (new.state = ANY (ARRAY['pushed'::text, 'ok'::text, 'failed'::text])))) EXECUTE FUNCTION weir.renditions_tell();

-- Name: river_job river_job_tell; Type: TRIGGER; Schema: weir; Owner: -

CREATE TRIGGER river_job_tell AFTER INSERT ON weir.river_job REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION weir.river_job_tell();

-- Name: transcodes transcodes_check_state; Type: TRIGGER; Schema: weir; Owner: -

CREATE TRIGGER transcodes_check_state BEFORE UPDATE ON weir.transcodes FOR EACH ROW EXECUTE FUNCTION weir.transcodes_check_state();

-- Name: transcodes transcodes_end; Type: TRIGGER; Schema: weir; Owner: -

CREATE TRIGGER transcodes_end AFTER UPDATE OF state ON weir.transcodes FOR EACH ROW WHEN (((old.finished_at IS NULL) AND (new.finished_at IS NOT NULL))) EXECUTE FUNCTION weir.transcodes_end();

-- Name: transcodes transcodes_end_again; Type: TRIGGER; Schema: weir; Owner: -

CREATE TRIGGER transcodes_end_again AFTER UPDATE OF state ON weir.transcodes FOR EACH ROW WHEN (((old.finished_at IS NOT NULL) AND (new.finished_at IS NULL))) EXECUTE FUNCTION weir.transcodes_end();

-- Name: transcodes transcodes_end_at_once; Type: TRIGGER; Schema: weir; Owner: -

CREATE TRIGGER transcodes_end_at_once AFTER INSERT ON weir.transcodes FOR EACH ROW WHEN ((new.finished_at IS NOT NULL)) EXECUTE FUNCTION weir.transcodes_end();

-- Name: transcodes transcodes_end_with_callback; Type: TRIGGER; Schema: weir; Owner: -

CREATE CONSTRAINT TRIGGER transcodes_end_with_callback AFTER UPDATE ON weir.transcodes DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((new.state = ANY (ARRAY['succeeded'::text, 'failed'::text, 'cancelled'::text])) AND (old.state <> new.state))) EXECUTE FUNCTION weir.transcodes_check_callback();

-- Name: transcodes transcodes_have_outputs; Type: TRIGGER; Schema: weir; Owner: -

CREATE CONSTRAINT TRIGGER transcodes_have_outputs AFTER INSERT ON weir.transcodes DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (new.packages) EXECUTE FUNCTION weir.transcodes_check_outputs();

-- Name: transcodes transcodes_have_renditions; Type: TRIGGER; Schema: weir; Owner: -

CREATE CONSTRAINT TRIGGER transcodes_have_renditions AFTER INSERT ON weir.transcodes DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION weir.transcodes_check_renditions();

-- Name: transcodes transcodes_head_again; Type: TRIGGER; Schema: weir; Owner: -

CREATE TRIGGER transcodes_head_again AFTER UPDATE OF state, priority, not_before ON weir.transcodes FOR EACH ROW WHEN (((new.state = 'queued'::text) AND ((old.state <> 'queued'::text) OR (new.priority < old.priority) OR (new.not_before < old.not_before)))) EXECUTE FUNCTION weir.transcodes_head_again();

-- Name: transcodes transcodes_head_new; Type: TRIGGER; Schema: weir; Owner: -

CREATE TRIGGER transcodes_head_new AFTER INSERT ON weir.transcodes REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION weir.transcodes_head_new();

-- Name: transcodes transcodes_label; Type: TRIGGER; Schema: weir; Owner: -

CREATE TRIGGER transcodes_label AFTER INSERT ON weir.transcodes FOR EACH ROW WHEN ((new.labels <> '{}'::jsonb)) EXECUTE FUNCTION weir.transcodes_label();

-- Name: transcodes transcodes_succeed_whole; Type: TRIGGER; Schema: weir; Owner: -

CREATE CONSTRAINT TRIGGER transcodes_succeed_whole AFTER UPDATE ON weir.transcodes DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((new.state = 'succeeded'::text) AND (old.state <> 'succeeded'::text))) EXECUTE FUNCTION weir.transcodes_check_renditions();

-- Name: transcodes transcodes_succeed_with_outputs; Type: TRIGGER; Schema: weir; Owner: -

CREATE CONSTRAINT TRIGGER transcodes_succeed_with_outputs AFTER UPDATE ON weir.transcodes DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((new.state = 'succeeded'::text) AND (old.state <> 'succeeded'::text))) EXECUTE FUNCTION weir.transcodes_check_outputs();

-- Name: transcodes transcodes_tell_new; Type: TRIGGER; Schema: weir; Owner: -

CREATE TRIGGER transcodes_tell_new AFTER INSERT ON weir.transcodes FOR EACH ROW EXECUTE FUNCTION weir.transcodes_tell();

-- Name: transcodes transcodes_tell_state; Type: TRIGGER; Schema: weir; Owner: -

CREATE TRIGGER transcodes_tell_state AFTER UPDATE OF state ON weir.transcodes FOR EACH ROW WHEN ((old.state <> new.state)) EXECUTE FUNCTION weir.transcodes_tell();

-- Name: transcodes transcodes_use; Type: TRIGGER; Schema: weir; Owner: -

CREATE CONSTRAINT TRIGGER transcodes_use AFTER UPDATE OF state ON weir.transcodes DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((old.state <> new.state) AND (new.state = ANY (ARRAY['succeeded'::text, 'failed'::text, 'cancelled'::text])))) EXECUTE FUNCTION weir.transcodes_use();

-- Name: attempts attempts_host_id_fkey; Type: FK CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.attempts
    ADD CONSTRAINT attempts_host_id_fkey FOREIGN KEY (host_id) REFERENCES weir.hosts(id);

-- Name: attempts attempts_transcode_id_fkey; Type: FK CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.attempts
    ADD CONSTRAINT attempts_transcode_id_fkey FOREIGN KEY (transcode_id) REFERENCES weir.transcodes(id) ON DELETE CASCADE;

-- Name: callback_attempts callback_attempts_callback_id_fkey; Type: FK CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.callback_attempts
    ADD CONSTRAINT callback_attempts_callback_id_fkey FOREIGN KEY (callback_id) REFERENCES weir.callbacks(id) ON DELETE CASCADE;

-- Name: callbacks callbacks_transcode_id_fkey; Type: FK CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.callbacks
    ADD CONSTRAINT callbacks_transcode_id_fkey FOREIGN KEY (transcode_id) REFERENCES weir.transcodes(id) ON DELETE CASCADE;

-- Name: ends ends_transcode_id_fkey; Type: FK CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.ends
    ADD CONSTRAINT ends_transcode_id_fkey FOREIGN KEY (transcode_id) REFERENCES weir.transcodes(id) ON DELETE CASCADE;

-- Name: enqueued enqueued_transcode_id_fkey; Type: FK CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.enqueued
    ADD CONSTRAINT enqueued_transcode_id_fkey FOREIGN KEY (transcode_id) REFERENCES weir.transcodes(id) ON DELETE CASCADE;

-- Name: event_deliveries event_deliveries_event_id_fkey; Type: FK CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.event_deliveries
    ADD CONSTRAINT event_deliveries_event_id_fkey FOREIGN KEY (event_id) REFERENCES weir.events(id) ON DELETE CASCADE;

-- Name: event_delivery_attempts event_delivery_attempts_delivery_id_fkey; Type: FK CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.event_delivery_attempts
    ADD CONSTRAINT event_delivery_attempts_delivery_id_fkey FOREIGN KEY (delivery_id) REFERENCES weir.event_deliveries(id) ON DELETE CASCADE;

-- Name: examined examined_examination_id_fkey; Type: FK CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.examined
    ADD CONSTRAINT examined_examination_id_fkey FOREIGN KEY (examination_id) REFERENCES weir.examinations(id) ON DELETE CASCADE;

-- Name: missed_events missed_events_transcode_id_fkey; Type: FK CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.missed_events
    ADD CONSTRAINT missed_events_transcode_id_fkey FOREIGN KEY (transcode_id) REFERENCES weir.transcodes(id) ON DELETE CASCADE;

-- Name: outputs outputs_transcode_id_fkey; Type: FK CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.outputs
    ADD CONSTRAINT outputs_transcode_id_fkey FOREIGN KEY (transcode_id) REFERENCES weir.transcodes(id) ON DELETE CASCADE;

-- Name: renditions renditions_transcode_id_fkey; Type: FK CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.renditions
    ADD CONSTRAINT renditions_transcode_id_fkey FOREIGN KEY (transcode_id) REFERENCES weir.transcodes(id) ON DELETE CASCADE;

-- Name: transcode_labels transcode_labels_transcode_id_fkey; Type: FK CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.transcode_labels
    ADD CONSTRAINT transcode_labels_transcode_id_fkey FOREIGN KEY (transcode_id) REFERENCES weir.transcodes(id) ON DELETE CASCADE;

-- Name: transcodes transcodes_host_id_fkey; Type: FK CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.transcodes
    ADD CONSTRAINT transcodes_host_id_fkey FOREIGN KEY (host_id) REFERENCES weir.hosts(id);

-- PostgreSQL database dump complete


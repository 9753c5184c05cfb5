CREATE OR REPLACE FUNCTION weir.submission_faults(request jsonb) RETURNS TABLE(field text, says text)
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

    fault := weir.location_fault(livepeer);
    IF fault IS NULL AND livepeer ~* '^s3' THEN
        fault := 'must begin with http:// or https://';
    END IF;
    IF livepeer <> '' AND fault IS NOT NULL THEN
        RETURN QUERY SELECT 'body.livepeer.api_url', fault;
    END IF;
END $_$;

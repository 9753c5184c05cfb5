-- Values that are sealed under a former key are sealed anew by `weir-admin seal rotate`,
-- a few pages of a table after the other, beside daemons that work. Which columns are
-- sealed it is told by the program, so that these need no change for another one.

-- What of some pages of a table is not sealed under the newest key, by the beginning of a
-- value that was. A row is named by its place and by its key.
CREATE FUNCTION weir.sealed_page(relation text, sealed text, keys text[], newest bytea, first_page bigint, pages bigint)
RETURNS TABLE (place text, key text[], value bytea) LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT ctid::text, ARRAY[%s], %I FROM weir.%I WHERE ctid >= $2 AND ctid < $3
            AND substring(%I FROM 1 FOR length($1)) <> $1',
        (SELECT string_agg(format('%I::text', k), ', ' ORDER BY n) FROM unnest(keys) WITH ORDINALITY AS u(k, n)),
        sealed, relation, sealed)
    USING newest, format('(%s,0)', first_page)::tid, format('(%s,0)', first_page + pages)::tid;
END $$;

-- Puts a new value in the place of the one that was read; false where somebody else has
-- changed the row meanwhile. Each is a transaction of its own: it waits for no second lock.
CREATE FUNCTION weir.sealed_replace(relation text, sealed text, place text, former bytea, value bytea)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    changed bigint;
BEGIN
    EXECUTE format('UPDATE weir.%I SET %I = $3 WHERE ctid = $1 AND %I = $2', relation, sealed, sealed)
      USING place::tid, former, value;
    GET DIAGNOSTICS changed = ROW_COUNT;
    RETURN changed = 1;
END $$;

-- The rights are the caller's; still nobody else has a use for them.
REVOKE EXECUTE ON FUNCTION weir.sealed_page, weir.sealed_replace FROM PUBLIC;

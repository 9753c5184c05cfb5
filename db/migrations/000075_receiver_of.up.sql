-- Who is told at an address, by its host and port; empty: it has none. It takes a regular
-- expression fifty times as long, which a look over all that wait has no time for.
CREATE FUNCTION weir.receiver_of(url text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN lower(split_part(split_part(split_part(url, '/', 3), '?', 1), '#', 1));

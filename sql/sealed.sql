-- Sealed values of any table, for `weir-admin seal`.

-- name: SealedPages :one
-- How many pages a table has now.
SELECT (pg_relation_size(format('weir.%I', @relation::text)::regclass) / current_setting('block_size')::bigint)::bigint AS pages;

-- name: SealedPage :many
SELECT place::text AS place, key::text[] AS key, value::bytea AS value
  FROM weir.sealed_page(@relation::text, @sealed::text, @keys::text[], @newest::bytea, @first_page::bigint, @pages::bigint);

-- name: SealedReplace :one
SELECT weir.sealed_replace(@relation::text, @sealed::text, @place::text, @former::bytea, @value::bytea)::boolean AS replaced;

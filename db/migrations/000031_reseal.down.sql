DROP FUNCTION weir.sealed_replace(text, text, text, bytea, bytea);
DROP FUNCTION weir.sealed_page(text, text, text[], bytea, bigint, bigint);

SELECT m.version, m.dirty, c.serves_from FROM weir.schema_migrations m CROSS JOIN weir.schema_compat c

DROP TABLE weir.schema_compat;

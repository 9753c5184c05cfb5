-- The migrator makes the schema before its own table; this line is for readers and
-- for tools that read the migrations alone.
CREATE SCHEMA IF NOT EXISTS weir;

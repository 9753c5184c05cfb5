ALTER TABLE weir.renditions ADD COLUMN push_ended_at timestamptz, ADD COLUMN uploaded_bytes bigint NOT NULL DEFAULT 0;

ALTER TABLE weir.transcodes DROP COLUMN callback_secret_sealed;
DROP TABLE weir.callback_secrets;

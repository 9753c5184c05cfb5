DROP TABLE weir.attempts;

DROP TABLE weir.web_sessions;

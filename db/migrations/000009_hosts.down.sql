DROP TABLE weir.hosts;

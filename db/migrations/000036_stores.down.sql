DROP TABLE weir.stores;

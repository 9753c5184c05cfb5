DROP TABLE weir.tenants;

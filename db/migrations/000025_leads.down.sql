DROP TABLE weir.leads;

DROP TABLE weir.bulk_operations;

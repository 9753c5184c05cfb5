DROP FUNCTION weir.table_rows();
DROP FUNCTION weir.oldest_transaction_seconds();

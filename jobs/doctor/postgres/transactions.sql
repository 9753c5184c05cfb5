-- Transactions that hold up the removal of old rows, the oldest first.
SELECT pid, role, application, state, seconds FROM weir.open_transactions() LIMIT 3;

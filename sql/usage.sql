-- name: UsageList :many
-- A tenant's by day, the newest first.
SELECT * FROM weir.v_usage WHERE tenant = @tenant AND day >= @from_day::date AND day < @to_day::date ORDER BY day DESC LIMIT @page_size;

-- name: UsageListOfAll :many
-- Everybody's by day, the newest first.
SELECT * FROM weir.v_usage WHERE day >= @from_day::date AND day < @to_day::date ORDER BY day DESC, tenant LIMIT @page_size;

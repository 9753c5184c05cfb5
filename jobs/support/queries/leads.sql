SELECT client_id, lease_until > now() AS alive, lease_until FROM weir.leads ORDER BY client_id

SELECT leader_id, elected_at, expires_at, expires_at > now() AS alive FROM weir.river_leader

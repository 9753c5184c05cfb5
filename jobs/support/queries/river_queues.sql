SELECT name, paused_at, updated_at FROM weir.river_queue ORDER BY name

SELECT paused_at, paused_by, pause_reason FROM weir.placement

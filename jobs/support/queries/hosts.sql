SELECT id, boot_id, up, lease_until > now() AS alive, lease_until, slots, draining, drained_at, drained_by, drain_reason, weir_version, mist_version,
       mist_silent_from, spool_room_bytes, booted_at, seen_at, forgotten_at FROM weir.hosts ORDER BY id

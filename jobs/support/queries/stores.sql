SELECT tenant, name, endpoint, region, path_style, keys_sealed IS NOT NULL AS has_keys, allowed, may_read, may_write, set_by, updated_at FROM weir.stores ORDER BY tenant, name

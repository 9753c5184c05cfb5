-- name: StoreSet :exec
INSERT INTO weir.stores AS s (tenant, name, endpoint, region, path_style, keys_sealed, allowed, may_read, may_write, set_by)
VALUES (@tenant, @name, @endpoint, @region, @path_style, @keys_sealed, @allowed, @may_read, @may_write, @set_by)
ON CONFLICT (tenant, name) DO UPDATE
   SET endpoint = excluded.endpoint, region = excluded.region, path_style = excluded.path_style, keys_sealed = excluded.keys_sealed,
       allowed = excluded.allowed, may_read = excluded.may_read, may_write = excluded.may_write, set_by = excluded.set_by, updated_at = now();

-- name: StoreList :many
SELECT * FROM weir.stores WHERE tenant = @tenant ORDER BY name;

-- name: StoreRemove :execrows
DELETE FROM weir.stores WHERE tenant = @tenant AND name = @name;

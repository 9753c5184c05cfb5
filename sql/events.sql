-- name: EventSettled :one
-- The newest id below which no row comes any more: how far readers may go, by a statement
-- after this one.
SELECT weir.events_settled()::bigint AS settled;

-- name: EventListAfter :many
-- What came behind after, up to a settled id, oldest first.
SELECT * FROM weir.events WHERE id > @after AND id <= @settled ORDER BY id LIMIT @page_size;

-- name: EventListOfTenant :many
SELECT * FROM weir.events WHERE tenant = @tenant AND id > @after AND id <= @settled ORDER BY id LIMIT @page_size;

-- name: EventListOfTranscode :many
SELECT * FROM weir.events WHERE transcode_id = @transcode_id AND id > @after AND id <= @settled ORDER BY id LIMIT @page_size;

-- name: EventPrune :execrows
-- Removes the oldest of those that came so many days ago: ids grow with time, so it looks
-- at the first page alone.
DELETE FROM weir.events
 WHERE id = ANY(ARRAY(
    SELECT e.id FROM (SELECT o.id, o.created_at FROM weir.events o ORDER BY o.id LIMIT @page_size) e
     WHERE e.created_at < now() - make_interval(days => @days::int)));

-- name: EventWaits :one
-- Whether a transcode has events behind one, settled or not.
SELECT EXISTS (SELECT FROM weir.events WHERE transcode_id = @transcode_id AND id > @after)::boolean AS waits;

-- name: EventBounds :one
-- The first event that is kept, and the last that came; 0: there is none.
SELECT COALESCE(min(id), 0)::bigint AS oldest, COALESCE(max(id), 0)::bigint AS newest FROM weir.events;

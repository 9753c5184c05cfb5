-- name: HeadHear :exec
-- Lists who has begun to wait, and brings forward who has what stands before its head. A
-- round holds PlaceLock. By the time of the statement, as all that moves heads: the rounds
-- before it went by an earlier one.
WITH heard AS (
    DELETE FROM weir.head_news WHERE ready_at <= statement_timestamp() RETURNING tenant, place, urgent
)
INSERT INTO weir.heads AS h (tenant, place, urgent_place)
SELECT heard.tenant, min(heard.place), min(heard.place) FILTER (WHERE heard.urgent) FROM heard GROUP BY heard.tenant
    ON CONFLICT (tenant) DO UPDATE SET place = LEAST(h.place, excluded.place), urgent_place = LEAST(h.urgent_place, excluded.urgent_place)
 WHERE excluded.place < h.place OR excluded.urgent_place < h.urgent_place OR h.urgent_place IS NULL AND excluded.urgent_place IS NOT NULL;

-- name: HeadSettle :exec
-- What a round leaves. The clock stands at its last turn, and what the clock has passed says
-- nothing any more. Those that it read have their next turns, and are listed by what waits
-- of them now, or not at all: what it doesn't see of that is among the news.
WITH clock AS (
    UPDATE weir.placement SET clock = @clock::float8 WHERE clock < @clock::float8
), passed AS (
    DELETE FROM weir.turns WHERE @moved::boolean AND turn <= @clock::float8 AND tenant <> ALL (@tenants::text[])
), seen AS (
    SELECT unnest(@tenants::text[]) AS tenant, unnest(@turns::float8[]) AS turn, unnest(@served::boolean[]) AS served
), taken AS (
    INSERT INTO weir.turns (tenant, turn) SELECT seen.tenant, seen.turn FROM seen WHERE seen.served
        ON CONFLICT (tenant) DO UPDATE SET turn = excluded.turn
), now_first AS MATERIALIZED (
    SELECT h.tenant, h.place AS was, h.urgent_place AS was_urgent, (
               SELECT weir.turn_of(t.created_at, t.priority) FROM weir.transcodes t
                WHERE t.tenant = h.tenant AND t.state = 'queued' AND t.not_before <= statement_timestamp()
                ORDER BY weir.turn_of(t.created_at, t.priority), t.id LIMIT 1) AS place,
           CASE WHEN h.urgent_place IS NOT NULL THEN (
               SELECT weir.turn_of(t.created_at, t.priority) FROM weir.transcodes t
                WHERE t.tenant = h.tenant AND t.state = 'queued' AND t.priority <= 2 AND t.not_before <= statement_timestamp()
                ORDER BY weir.turn_of(t.created_at, t.priority), t.id LIMIT 1) END AS urgent_place
      FROM weir.heads h WHERE h.tenant = ANY (@tenants::text[])
), gone AS (
    DELETE FROM weir.heads h USING now_first f WHERE h.tenant = f.tenant AND f.place IS NULL
)
UPDATE weir.heads h SET place = f.place, urgent_place = f.urgent_place
  FROM now_first f WHERE h.tenant = f.tenant AND f.place IS NOT NULL AND (f.place <> f.was OR f.urgent_place IS DISTINCT FROM f.was_urgent);

-- name: HeadFind :execrows
-- Tells of tenants that wait and stand behind no head: of those that somebody made wait past
-- the triggers.
WITH RECURSIVE waiting AS (
    (SELECT t.tenant FROM weir.transcodes t WHERE t.state = 'queued' ORDER BY t.tenant LIMIT 1)
    UNION ALL
    SELECT (SELECT t.tenant FROM weir.transcodes t WHERE t.state = 'queued' AND t.tenant > w.tenant ORDER BY t.tenant LIMIT 1)
      FROM waiting w WHERE w.tenant IS NOT NULL
), first AS (
    SELECT w.tenant, f.place, f.urgent FROM waiting w CROSS JOIN LATERAL (
        (SELECT weir.turn_of(t.created_at, t.priority) AS place, false AS urgent FROM weir.transcodes t
          WHERE t.tenant = w.tenant AND t.state = 'queued' AND t.not_before <= now()
          ORDER BY weir.turn_of(t.created_at, t.priority), t.id LIMIT 1)
        UNION ALL
        (SELECT weir.turn_of(t.created_at, t.priority), true FROM weir.transcodes t
          WHERE t.tenant = w.tenant AND t.state = 'queued' AND t.priority <= 2 AND t.not_before <= now()
          ORDER BY weir.turn_of(t.created_at, t.priority), t.id LIMIT 1)) f
)
INSERT INTO weir.head_news (tenant, place, urgent, ready_at)
SELECT f.tenant, f.place, f.urgent, now() FROM first f LEFT JOIN weir.heads h ON h.tenant = f.tenant
 WHERE (h.tenant IS NULL OR f.place < h.place OR f.urgent AND (h.urgent_place IS NULL OR f.place < h.urgent_place))
   AND NOT EXISTS (SELECT FROM weir.head_news n
                    WHERE n.tenant = f.tenant AND n.place <= f.place AND (n.urgent OR NOT f.urgent) AND n.ready_at <= now());

-- name: HeadDrop :exec
-- Takes those from the list of whom nothing waits: nobody's share is to be less for them,
-- also while no round has a slot to give. Under PlaceLock, a statement behind it: news of
-- what it doesn't see are still there.
DELETE FROM weir.heads h
 WHERE NOT EXISTS (SELECT FROM weir.transcodes t
                    WHERE t.tenant = h.tenant AND t.state = 'queued' AND t.not_before <= statement_timestamp());

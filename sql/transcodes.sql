-- name: TranscodeInsert :exec
-- Several that come at once: one costs Postgres as much as ten. No row for one whose tenant
-- has its external_id already, and nothing new for one that stands under its id: what was
-- accepted is read with TranscodeAccepted. fresh_only: neither for an external_id that was
-- used before, by a transcode that was replaced or by a request that waits for its
-- acceptance; LIMIT keeps each look a search of its own, by its index. An empty text and a
-- time below 0 are none.
INSERT INTO weir.transcodes (
    id, tenant, external_id, form, request, request_digest,
    source_url, source_sealed, output_url, output_sealed, callback_url, callback_sealed,
    livepeer_sealed, callback_secret_sealed, metadata, labels,
    events, events_url, events_sealed,
    packages, attempts_left, priority, ladder,
    clip_start_ms, clip_end_ms, clip_clock, created_at)
SELECT w.id, w.tenant, NULLIF(w.external_id, ''), w.form, w.request::jsonb, w.request_digest,
       w.source_url, w.source_sealed, w.output_url, w.output_sealed, w.callback_url, w.callback_sealed,
       w.livepeer_sealed, w.callback_secret_sealed, w.metadata::jsonb, w.labels::jsonb,
       string_to_array(w.events, ','), NULLIF(w.events_url, ''), w.events_sealed,
       w.packages, @attempts_left::integer, w.priority, w.ladder,
       NULLIF(w.clip_start_ms, -1), NULLIF(w.clip_end_ms, -1), NULLIF(w.clip_clock, ''),
       COALESCE(sqlc.narg('created_at')::timestamptz, now())
  FROM (SELECT unnest(@ids::uuid[]) AS id, unnest(@tenants::text[]) AS tenant, unnest(@external_ids::text[]) AS external_id,
               unnest(@forms::text[]) AS form, unnest(@requests::text[]) AS request, unnest(@request_digests::bytea[]) AS request_digest,
               unnest(@source_urls::text[]) AS source_url, unnest(@source_seals::bytea[]) AS source_sealed,
               unnest(@output_urls::text[]) AS output_url, unnest(@output_seals::bytea[]) AS output_sealed,
               unnest(@callback_urls::text[]) AS callback_url, unnest(@callback_seals::bytea[]) AS callback_sealed,
               unnest(@livepeer_seals::bytea[]) AS livepeer_sealed, unnest(@callback_secret_seals::bytea[]) AS callback_secret_sealed,
               unnest(@metadata::text[]) AS metadata, unnest(@labels::text[]) AS labels,
               unnest(@events::text[]) AS events, unnest(@events_urls::text[]) AS events_url, unnest(@events_seals::bytea[]) AS events_sealed,
               unnest(@packages::boolean[]) AS packages, unnest(@priorities::smallint[]) AS priority, unnest(@ladders::boolean[]) AS ladder,
               unnest(@clip_starts_ms::bigint[]) AS clip_start_ms, unnest(@clip_ends_ms::bigint[]) AS clip_end_ms,
               unnest(@clip_clocks::text[]) AS clip_clock) w
 WHERE NOT @fresh_only::boolean OR w.external_id = ''
    OR (SELECT true FROM weir.transcodes t WHERE t.tenant = w.tenant AND t.external_id = w.external_id LIMIT 1) IS NULL
   AND (SELECT true FROM weir.transcodes f WHERE f.tenant = w.tenant AND f.former_external_id = w.external_id LIMIT 1) IS NULL
   AND (SELECT true FROM weir.inbox i WHERE i.tenant = w.tenant AND i.external_id = w.external_id LIMIT 1) IS NULL
ON CONFLICT DO NOTHING;

-- name: TranscodeAccepted :many
-- Those of some that stand, and whether a placement round is about to be fetched that will
-- find them (RiverJobPlaceWaits).
SELECT sqlc.embed(t), EXISTS (SELECT FROM weir.river_job
                               WHERE queue = 'place' AND state = 'available' AND scheduled_at <= now()) AS round_waits
  FROM weir.transcodes t WHERE t.id = ANY(@ids::uuid[]);

-- name: TranscodeGet :one
SELECT * FROM weir.transcodes WHERE id = @id;

-- name: TranscodeGetForUpdate :one
-- The lock that every decision about a transcode is taken under: before its
-- renditions' rows, never after them.
SELECT * FROM weir.transcodes WHERE id = @id FOR UPDATE;

-- name: TranscodeGetUnlocked :one
-- The same lock for a round over many, which waits for nobody: no row while another
-- holds it.
SELECT * FROM weir.transcodes WHERE id = @id FOR UPDATE SKIP LOCKED;

-- name: TranscodeGetByExternalID :one
SELECT * FROM weir.transcodes WHERE tenant = @tenant AND external_id = @external_id::text;

-- name: TranscodeListOfTask :many
-- A tenant's of an external_id, newest first: the one that has it, and those that it
-- replaced. Each by its own index: with an OR the newest of all of the tenant's might be
-- looked through instead, and with a list of ids all of a table that was small a moment ago.
SELECT * FROM weir.transcodes o WHERE o.tenant = @tenant AND o.external_id = @external_id::text
UNION ALL
SELECT * FROM weir.transcodes f WHERE f.tenant = @tenant AND f.former_external_id = @external_id::text
 ORDER BY created_at DESC, id DESC
 LIMIT @page_size;

-- name: TranscodeReplace :exec
-- A newer one gets its external_id.
UPDATE weir.transcodes SET former_external_id = external_id, external_id = NULL
 WHERE id = @id AND external_id IS NOT NULL;

-- name: TranscodeList :many
-- Newest first; the page after (before_at, before_id).
SELECT * FROM weir.transcodes
 WHERE (sqlc.narg('tenant')::text IS NULL OR tenant = sqlc.narg('tenant'))
   AND (sqlc.narg('state')::text IS NULL OR state = sqlc.narg('state'))
   AND (sqlc.narg('external_id')::text IS NULL OR external_id = sqlc.narg('external_id') OR former_external_id = sqlc.narg('external_id'))
   AND (sqlc.narg('host_id')::text IS NULL OR host_id = sqlc.narg('host_id'))
   AND (sqlc.narg('code')::text IS NULL OR error_code = sqlc.narg('code'))
   AND (sqlc.narg('ended_from')::timestamptz IS NULL OR finished_at >= sqlc.narg('ended_from'))
   AND (sqlc.narg('ended_to')::timestamptz IS NULL OR finished_at < sqlc.narg('ended_to'))
   AND (sqlc.narg('destination')::text IS NULL OR weir.receiver_of(callback_url) = sqlc.narg('destination'))
   AND (sqlc.narg('broadcaster')::text IS NULL OR sqlc.narg('broadcaster') = (
        SELECT a.broadcaster FROM weir.attempts a WHERE a.transcode_id = transcodes.id AND a.number = transcodes.attempt))
   AND (sqlc.narg('callback_state')::text IS NULL OR sqlc.narg('callback_state') = (
        SELECT c.state FROM weir.callbacks c WHERE c.transcode_id = transcodes.id AND c.run = transcodes.run))
   AND (sqlc.narg('created_from')::timestamptz IS NULL OR created_at >= sqlc.narg('created_from'))
   AND (sqlc.narg('created_to')::timestamptz IS NULL OR created_at < sqlc.narg('created_to'))
   AND (sqlc.narg('before_at')::timestamptz IS NULL
        OR (created_at, id) < (sqlc.narg('before_at'), sqlc.narg('before_id')::uuid))
 ORDER BY created_at DESC, id DESC
 LIMIT @page_size;

-- name: TranscodeListByLabel :many
-- The same of a tenant's that have a label; those that have others too are in labels. It
-- walks through those with the first label in their order (OFFSET 0 keeps it from reading
-- all transcodes instead), to the end of the page.
SELECT * FROM weir.transcodes
 WHERE id = ANY(ARRAY(
    SELECT l.transcode_id FROM weir.transcode_labels l
     CROSS JOIN LATERAL (
        SELECT FROM weir.transcodes t
         WHERE t.id = l.transcode_id AND t.labels @> @labels::jsonb
           AND (sqlc.narg('state')::text IS NULL OR t.state = sqlc.narg('state'))
           AND (sqlc.narg('external_id')::text IS NULL OR t.external_id = sqlc.narg('external_id') OR t.former_external_id = sqlc.narg('external_id'))
           AND (sqlc.narg('host_id')::text IS NULL OR t.host_id = sqlc.narg('host_id'))
           AND (sqlc.narg('code')::text IS NULL OR t.error_code = sqlc.narg('code'))
           AND (sqlc.narg('ended_from')::timestamptz IS NULL OR t.finished_at >= sqlc.narg('ended_from'))
           AND (sqlc.narg('ended_to')::timestamptz IS NULL OR t.finished_at < sqlc.narg('ended_to'))
           AND (sqlc.narg('destination')::text IS NULL OR weir.receiver_of(t.callback_url) = sqlc.narg('destination'))
           AND (sqlc.narg('broadcaster')::text IS NULL OR sqlc.narg('broadcaster') = (
                SELECT a.broadcaster FROM weir.attempts a WHERE a.transcode_id = t.id AND a.number = t.attempt))
           AND (sqlc.narg('callback_state')::text IS NULL OR sqlc.narg('callback_state') = (
                SELECT c.state FROM weir.callbacks c WHERE c.transcode_id = t.id AND c.run = t.run))
        OFFSET 0) t
     WHERE l.tenant = @tenant AND l.key = @key AND l.value = @value
       AND (sqlc.narg('created_from')::timestamptz IS NULL OR l.created_at >= sqlc.narg('created_from'))
       AND (sqlc.narg('created_to')::timestamptz IS NULL OR l.created_at < sqlc.narg('created_to'))
       AND (sqlc.narg('before_at')::timestamptz IS NULL
            OR (l.created_at, l.transcode_id) < (sqlc.narg('before_at'), sqlc.narg('before_id')::uuid))
     ORDER BY l.created_at DESC, l.transcode_id DESC
     LIMIT @page_size))
 ORDER BY created_at DESC, id DESC;

-- name: TranscodeCount :one
-- How many TranscodeList means; counting ends at a number.
SELECT count(*) FROM (
    SELECT FROM weir.transcodes
     WHERE (sqlc.narg('tenant')::text IS NULL OR tenant = sqlc.narg('tenant'))
       AND (sqlc.narg('state')::text IS NULL OR state = sqlc.narg('state'))
       AND (sqlc.narg('external_id')::text IS NULL OR external_id = sqlc.narg('external_id') OR former_external_id = sqlc.narg('external_id'))
       AND (sqlc.narg('host_id')::text IS NULL OR host_id = sqlc.narg('host_id'))
       AND (sqlc.narg('code')::text IS NULL OR error_code = sqlc.narg('code'))
       AND (sqlc.narg('ended_from')::timestamptz IS NULL OR finished_at >= sqlc.narg('ended_from'))
       AND (sqlc.narg('ended_to')::timestamptz IS NULL OR finished_at < sqlc.narg('ended_to'))
       AND (sqlc.narg('destination')::text IS NULL OR weir.receiver_of(callback_url) = sqlc.narg('destination'))
       AND (sqlc.narg('broadcaster')::text IS NULL OR sqlc.narg('broadcaster') = (
            SELECT a.broadcaster FROM weir.attempts a WHERE a.transcode_id = transcodes.id AND a.number = transcodes.attempt))
       AND (sqlc.narg('callback_state')::text IS NULL OR sqlc.narg('callback_state') = (
            SELECT c.state FROM weir.callbacks c WHERE c.transcode_id = transcodes.id AND c.run = transcodes.run))
       AND (sqlc.narg('created_from')::timestamptz IS NULL OR created_at >= sqlc.narg('created_from'))
       AND (sqlc.narg('created_to')::timestamptz IS NULL OR created_at < sqlc.narg('created_to'))
     LIMIT @page_size) q;

-- name: TranscodeCountByLabel :one
-- The same of TranscodeListByLabel; in its order, so that it goes the same way.
SELECT count(*) FROM (
    SELECT FROM weir.transcode_labels l
     CROSS JOIN LATERAL (
        SELECT FROM weir.transcodes t
         WHERE t.id = l.transcode_id AND t.labels @> @labels::jsonb
           AND (sqlc.narg('state')::text IS NULL OR t.state = sqlc.narg('state'))
           AND (sqlc.narg('external_id')::text IS NULL OR t.external_id = sqlc.narg('external_id') OR t.former_external_id = sqlc.narg('external_id'))
           AND (sqlc.narg('host_id')::text IS NULL OR t.host_id = sqlc.narg('host_id'))
           AND (sqlc.narg('code')::text IS NULL OR t.error_code = sqlc.narg('code'))
           AND (sqlc.narg('ended_from')::timestamptz IS NULL OR t.finished_at >= sqlc.narg('ended_from'))
           AND (sqlc.narg('ended_to')::timestamptz IS NULL OR t.finished_at < sqlc.narg('ended_to'))
           AND (sqlc.narg('destination')::text IS NULL OR weir.receiver_of(t.callback_url) = sqlc.narg('destination'))
           AND (sqlc.narg('broadcaster')::text IS NULL OR sqlc.narg('broadcaster') = (
                SELECT a.broadcaster FROM weir.attempts a WHERE a.transcode_id = t.id AND a.number = t.attempt))
           AND (sqlc.narg('callback_state')::text IS NULL OR sqlc.narg('callback_state') = (
                SELECT c.state FROM weir.callbacks c WHERE c.transcode_id = t.id AND c.run = t.run))
        OFFSET 0) t
     WHERE l.tenant = @tenant AND l.key = @key AND l.value = @value
       AND (sqlc.narg('created_from')::timestamptz IS NULL OR l.created_at >= sqlc.narg('created_from'))
       AND (sqlc.narg('created_to')::timestamptz IS NULL OR l.created_at < sqlc.narg('created_to'))
     ORDER BY l.created_at DESC, l.transcode_id DESC
     LIMIT @page_size) q;

-- name: TranscodeQueue :many
-- What may be placed now: of the tenants whose turn is next, as many as there are slots to
-- give, the first of their queues; in all about twice as many as a round takes, so that
-- neither a tenant's backlog nor their number is read. Or, where the free slots stay for
-- them, of those with urgent ones the first of these. First come those within their share of
-- the slots, and as many of those beyond it. With each the tenant's place among the others:
-- its turn, and the slots that it holds. A round holds PlaceLock, so none of these is placed
-- by another, and no head moves. A head whose queue has nothing left comes without a
-- transcode (its id is all zeros).
WITH held AS MATERIALIZED (
    SELECT t.tenant, count(*) AS slots FROM weir.transcodes t
     WHERE t.state IN ('placed', 'running') GROUP BY t.tenant
), waiting AS MATERIALIZED (
    -- One for each, and what tenants with a row weigh more, or less where they are paused.
    SELECT ((SELECT count(*) FROM weir.heads) + (
        SELECT COALESCE(sum(CASE WHEN n.paused_at IS NULL THEN n.weight ELSE 0 END - 1), 0)
          FROM weir.tenants n JOIN weir.heads h ON h.tenant = n.name))::float8 AS weights
), barred AS MATERIALIZED (
    SELECT n.name FROM weir.tenants n LEFT JOIN held ON held.tenant = n.name
     WHERE n.paused_at IS NOT NULL OR held.slots >= n.running_most OR NOT n.hosts && @hosts::text[]
), beyond AS MATERIALIZED (
    SELECT held.tenant FROM held CROSS JOIN waiting LEFT JOIN weir.tenants n ON n.name = held.tenant
     WHERE held.slots >= ceil((@slots::float8) * COALESCE(n.weight, 1) / NULLIF(waiting.weights, 0))
), listed AS MATERIALIZED (
    SELECT h.tenant, GREATEST(u.turn, p.clock) AS turn, p.clock, CASE WHEN @urgent::boolean THEN h.urgent_place ELSE h.place END AS place,
           h.tenant IN (SELECT tenant FROM beyond) AS beyond, h.urgent_place IS NOT NULL AS urgent
      FROM weir.heads h JOIN weir.placement p ON p.paused_at IS NULL LEFT JOIN weir.turns u ON u.tenant = h.tenant
     WHERE h.tenant NOT IN (SELECT name FROM barred) AND (h.urgent_place IS NOT NULL OR NOT @urgent::boolean)
), page AS (
    (SELECT * FROM listed WHERE NOT beyond ORDER BY turn, place, tenant LIMIT @page_size::int)
    UNION ALL
    (SELECT * FROM listed WHERE beyond ORDER BY turn, place, tenant LIMIT @page_size::int)
), may AS (
    SELECT page.*, COALESCE(n.weight, 1) AS weight, n.running_most, n.hosts, COALESCE(held.slots, 0) AS held, waiting.weights,
           ceil(2.0 * (@page_size::int) * COALESCE(n.weight, 1) / waiting.weights)::bigint AS most
      FROM page CROSS JOIN waiting
      LEFT JOIN weir.tenants n ON n.name = page.tenant
      LEFT JOIN held ON held.tenant = page.tenant
)
SELECT COALESCE(q.id, '00000000-0000-0000-0000-000000000000')::uuid AS id, q.host_id, COALESCE(q.priority, 0)::smallint AS priority,
       COALESCE(q.place, may.place)::timestamptz AS place, may.place::timestamptz AS head,
       may.tenant::text AS tenant, may.weight::int AS weight, may.running_most, may.hosts,
       may.held::bigint AS held, may.turn::float8 AS turn, may.most::bigint AS most, may.weights::float8 AS weights, may.clock::float8 AS clock,
       EXISTS (SELECT FROM listed l WHERE l.urgent)::boolean AS urgent_wait
  FROM may LEFT JOIN LATERAL (
    (SELECT t.id, t.host_id, t.priority, weir.turn_of(t.created_at, t.priority) AS place FROM weir.transcodes t
      WHERE NOT @urgent::boolean AND t.tenant = may.tenant AND t.state = 'queued' AND t.not_before <= statement_timestamp()
      ORDER BY weir.turn_of(t.created_at, t.priority), t.id LIMIT may.most)
    UNION ALL
    (SELECT t.id, t.host_id, t.priority, weir.turn_of(t.created_at, t.priority) AS place FROM weir.transcodes t
      WHERE @urgent::boolean AND t.tenant = may.tenant AND t.state = 'queued' AND t.priority <= 2 AND t.not_before <= statement_timestamp()
      ORDER BY weir.turn_of(t.created_at, t.priority), t.id LIMIT may.most)) q ON true
 ORDER BY may.tenant, q.place, q.id;

-- name: TranscodeSetPriority :exec
UPDATE weir.transcodes SET priority = @priority
 WHERE id = @id AND state IN ('queued', 'placed', 'running', 'storing');

-- name: TranscodeCountQueued :one
-- How many of a tenant's wait; counting ends at a number.
SELECT count(*) FROM (
    SELECT FROM weir.transcodes WHERE tenant = @tenant AND state = 'queued' LIMIT @page_size) q;

-- name: TranscodePositions :many
-- Where these stand: in their tenant's queue in the order that it is placed in, among
-- everybody's by when they came, as tenants take turns. The first stands at 1. No more than the first page of each is counted, and
-- what stands behind it has 0.
WITH asked AS (
    SELECT t.id, t.tenant, t.external_id, t.run, t.attempt, t.ratio FROM weir.transcodes t
     WHERE t.id = ANY(@ids::uuid[]) AND t.state = 'queued'
), all_first AS (
    SELECT f.id, row_number() OVER (ORDER BY f.created_at, f.id) AS place
      FROM (SELECT t.id, t.created_at FROM weir.transcodes t
             WHERE t.state = 'queued' ORDER BY t.created_at, t.id LIMIT @page_size) f
), own_first AS (
    SELECT f.id, row_number() OVER (PARTITION BY f.tenant ORDER BY f.turn, f.id) AS place
      FROM (SELECT DISTINCT tenant FROM asked) o
     CROSS JOIN LATERAL (SELECT t.id, t.tenant, weir.turn_of(t.created_at, t.priority) AS turn FROM weir.transcodes t
             WHERE t.tenant = o.tenant AND t.state = 'queued' ORDER BY weir.turn_of(t.created_at, t.priority), t.id LIMIT @page_size) f
)
SELECT asked.*, COALESCE(own_first.place, 0)::bigint AS own, COALESCE(all_first.place, 0)::bigint AS everybodys
  FROM asked LEFT JOIN own_first ON own_first.id = asked.id LEFT JOIN all_first ON all_first.id = asked.id;

-- name: TranscodeListOnHosts :many
-- How far all are that some host has: what listeners are told between events.
SELECT t.id, t.tenant, t.external_id, t.state, t.run, t.attempt, t.host_id, t.ratio, t.progress, t.source_duration_ms, a.stage
  FROM weir.transcodes t JOIN weir.attempts a ON a.transcode_id = t.id AND a.number = t.attempt
 WHERE t.host_id IS NOT NULL AND t.state IN ('placed', 'running', 'storing');

-- name: TranscodeWaits :one
-- Whether any waits for a host.
SELECT EXISTS (SELECT FROM weir.transcodes WHERE state = 'queued')::boolean AS waits;

-- name: TranscodePlace :many
-- Gives each its host. One that was cancelled meanwhile has no row.
UPDATE weir.transcodes t
   SET state = 'placed', host_id = p.host_id, attempt = t.attempt + 1, attempts_left = t.attempts_left - 1, placed_at = now()
  FROM (SELECT unnest(@ids::uuid[]) AS id, unnest(@host_ids::text[]) AS host_id) p
 WHERE t.id = p.id AND t.state = 'queued' AND t.attempts_left > 0
RETURNING t.id, t.attempt, p.host_id::text AS host_id, GREATEST(t.run_at, t.not_before)::timestamptz AS waits_from, t.placed_at;

-- name: TranscodeStart :execrows
-- The attempt's supervisor has taken it up.
UPDATE weir.transcodes
   SET state = 'running', started_at = now()
 WHERE id = @id AND attempt = @attempt AND state = 'placed';

-- name: TranscodeListStoring :many
-- A tenant's on a host whose files wait for their storage.
SELECT id, attempt FROM weir.transcodes
 WHERE host_id = @host_id AND state = 'storing' AND tenant = @tenant AND id <> @but
 ORDER BY id;

-- name: TranscodeListNotTakenUp :many
-- What a host was given so long ago and has not begun.
SELECT id FROM weir.transcodes
 WHERE state = 'placed' AND placed_at < now() - make_interval(secs => @older_seconds::float8)
 ORDER BY id;

-- name: TranscodeSetSource :execrows
-- What the source is, and what is done otherwise than asked.
UPDATE weir.transcodes
   SET source = @source, source_duration_ms = @source_duration_ms, warnings = @warnings
 WHERE id = @id AND attempt = @attempt AND state IN ('running', 'storing');

-- name: TranscodeSetRatio :exec
-- A trigger keeps the ratio from going down.
UPDATE weir.transcodes SET ratio = @ratio
 WHERE id = @id AND attempt = @attempt AND state IN ('placed', 'running', 'storing') AND ratio < @ratio;

-- name: TranscodeTell :exec
-- How far transcodes of a host and their renditions are, those whose lock is free: the
-- rest is told next time. The transcode's lock comes before its renditions', as everywhere.
WITH told AS (
  SELECT unnest(@transcodes::uuid[]) AS id, unnest(@attempts::int[]) AS attempt, unnest(@ratios::float8[]) AS ratio,
         unnest(@progresses::text[]) AS progress),
mine AS MATERIALIZED (
  SELECT t.id, told.attempt, told.ratio, told.progress FROM weir.transcodes t JOIN told ON told.id = t.id AND told.attempt = t.attempt
   WHERE t.state IN ('placed', 'running', 'storing') ORDER BY t.id FOR UPDATE OF t SKIP LOCKED),
ratios AS (
  UPDATE weir.transcodes t SET ratio = mine.ratio, progress = mine.progress::jsonb FROM mine WHERE t.id = mine.id)
UPDATE weir.renditions r SET pushed_ms = p.ms
  FROM mine JOIN (SELECT unnest(@of::uuid[]) AS id, unnest(@of_attempts::int[]) AS attempt,
                          unnest(@names::text[]) AS name, unnest(@pushed::bigint[]) AS ms) p
    ON p.id = mine.id AND p.attempt = mine.attempt
 WHERE r.transcode_id = mine.id AND r.name = p.name AND r.attempt = mine.attempt AND r.pushed_ms < p.ms;

-- name: TranscodeSetStoring :execrows
-- Mist is done with it: the slot is free.
UPDATE weir.transcodes SET state = 'storing'
 WHERE id = @id AND attempt = @attempt AND state = 'running';

-- name: TranscodeShowTrouble :exec
-- What is in the way of its stores and outputs; nothing where they go well again.
UPDATE weir.transcodes t
   SET (error_code, error_stage, error_message) = (
    SELECT f.error_code, f.error_stage, f.error_message FROM (
        SELECT r.error_code, r.error_stage, r.error_message, r.ordinal FROM weir.renditions r
         WHERE r.transcode_id = t.id AND r.attempt = t.attempt AND r.state = 'pushed' AND r.error_code IS NOT NULL
        UNION ALL
        SELECT o.error_code, o.error_stage, o.error_message, o.ordinal FROM weir.outputs o
         WHERE o.transcode_id = t.id AND o.attempt = t.attempt AND o.state = 'expected' AND o.error_code IS NOT NULL) f
     ORDER BY f.ordinal LIMIT 1)
 WHERE t.id = @id AND t.attempt = @attempt AND t.state IN ('running', 'storing');

-- name: TranscodeSucceed :one
UPDATE weir.transcodes
   SET state = 'succeeded', ratio = 1, finished_at = now(), error_code = NULL, error_stage = NULL, error_message = NULL
 WHERE id = @id AND attempt = @attempt AND state IN ('running', 'storing')
RETURNING *;

-- name: TranscodeFail :one
UPDATE weir.transcodes
   SET state = 'failed', finished_at = now(),
       error_code = @error_code::text, error_stage = @error_stage::text, error_message = @error_message::text
 WHERE id = @id AND attempt = @attempt AND state IN ('queued', 'placed', 'running', 'storing')
RETURNING *;

-- name: TranscodeRequeue :one
-- The attempt failed and another may help, after a wait by the database's clock. A free
-- one gives back the attempt that it took.
UPDATE weir.transcodes
   SET state = 'queued', attempts_left = attempts_left + @free::int, free_tries = free_tries + @grows::int,
       not_before = now() + make_interval(secs => @wait_seconds::float8),
       error_code = @error_code::text, error_stage = @error_stage::text, error_message = @error_message::text
 WHERE id = @id AND attempt = @attempt AND state IN ('placed', 'running', 'storing')
RETURNING *;

-- name: TranscodeCancel :one
UPDATE weir.transcodes
   SET state = 'cancelled', finished_at = now(),
       error_code = @error_code::text, error_stage = @error_stage::text, error_message = @error_message::text
 WHERE id = @id AND state IN ('queued', 'placed', 'running', 'storing')
RETURNING *;

-- name: TranscodeRetry :one
-- A retry: the one way out of a terminal state, as a new run.
UPDATE weir.transcodes
   SET state = 'queued', run = run + 1, attempts_left = @attempts_left, free_tries = 0, run_at = now(), not_before = now(), finished_at = NULL,
       error_code = NULL, error_stage = NULL, error_message = NULL
 WHERE id = @id AND state = 'failed'
RETURNING *;

-- name: TranscodeRunSeconds :one
-- How old the run is, by the database's clock.
SELECT EXTRACT(epoch FROM now() - run_at)::float8 FROM weir.transcodes WHERE id = @id;

-- name: TranscodeStatusDue :many
-- Whose statuses are due: of each receiver of a tenant those that have waited longest, but
-- for receivers that are still being told. Two tenants' on one server are two.
WITH due AS (
    SELECT t.id, t.status_sent_at, t.tenant || ' ' || COALESCE(weir.receiver_of(t.callback_url), '') AS receiver
      FROM weir.transcodes t
     WHERE t.state IN ('queued', 'placed', 'running', 'storing')
       AND (t.status_sent_at IS NULL OR t.status_sent_at < now() - make_interval(secs => @after_seconds::float8))
       AND (t.telling_until IS NULL OR t.telling_until < now())
       AND t.statuses_refused_run < t.run
), ranked AS (
    SELECT due.id, due.receiver, row_number() OVER (PARTITION BY due.receiver ORDER BY due.status_sent_at NULLS FIRST, due.id) AS place
      FROM due WHERE due.receiver <> ALL (@busy::text[])
)
SELECT id, receiver::text AS receiver FROM ranked WHERE place <= @page_size::bigint ORDER BY place;

-- name: TranscodeClaim :many
-- The last look before statuses are sent, and the claim to be the only one who tells of
-- those transcodes: no row of one that has ended, or that is not due any more. What somebody
-- is at stays due: many are locked here, and who waited for one could be waited for.
WITH due AS (
    SELECT d.id FROM weir.transcodes d
     WHERE d.id = ANY(@ids::uuid[]) AND d.state IN ('queued', 'placed', 'running', 'storing')
       AND (d.status_sent_at IS NULL OR d.status_sent_at < now() - make_interval(secs => @after_seconds::float8))
       AND (d.telling_until IS NULL OR d.telling_until < now())
       AND d.statuses_refused_run < d.run
       FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE weir.transcodes t SET telling_until = now() + make_interval(secs => @tell_seconds::float8)
  FROM due WHERE t.id = due.id
RETURNING t.*;

-- name: TranscodeRelease :exec
-- Ends a claim, unless it has run out and is another's now. heard: Studio has answered.
-- refused_run: it wants no more statuses of this run; 0: it does.
UPDATE weir.transcodes
   SET telling_until = NULL, statuses_refused_run = GREATEST(statuses_refused_run, @refused_run::int), status_sent_at = CASE WHEN @heard::boolean THEN now() ELSE status_sent_at END
 WHERE id = @id AND telling_until = @telling_until::timestamptz;

-- name: TranscodeReleaseMany :many
-- The same for many, but those that somebody is at. Gives those whose claim it has ended.
WITH told AS (
    SELECT unnest(@ids::uuid[]) AS id, unnest(@untils::timestamptz[]) AS until,
           unnest(@heard::boolean[]) AS heard, unnest(@refused_runs::int[]) AS refused_run
), held AS (
    SELECT t.id, told.heard, told.refused_run
      FROM weir.transcodes t JOIN told ON told.id = t.id AND told.until = t.telling_until
       FOR NO KEY UPDATE OF t SKIP LOCKED
)
UPDATE weir.transcodes t
   SET telling_until = NULL, statuses_refused_run = GREATEST(t.statuses_refused_run, held.refused_run),
       status_sent_at = CASE WHEN held.heard THEN now() ELSE t.status_sent_at END
  FROM held WHERE t.id = held.id
RETURNING t.id;

-- name: TranscodeHeldBy :many
SELECT id FROM weir.transcodes WHERE host_id = @host_id AND state IN ('placed', 'running', 'storing') ORDER BY id;

-- name: TranscodeListEnded :many
-- Those that ended so many days ago, oldest first; the page after (after_at, after_id).
SELECT id, finished_at::timestamptz AS finished_at FROM weir.transcodes
 WHERE finished_at < now() - make_interval(days => @days::int)
   AND (finished_at, id) > (@after_at::timestamptz, @after_id::uuid)
 ORDER BY finished_at, id
 LIMIT @page_size;

-- name: TranscodePrune :execrows
-- Removes those of a page whose end is done with, and all their rows but triggers': no
-- callback is to be delivered, no host has to clean up, no residue is to be removed. A
-- residue job that River gave up stays there for a person to look at for some days. What
-- somebody has locked, to retry it maybe, is left to the next round.
DELETE FROM weir.transcodes
 WHERE id IN (
    SELECT t.id FROM weir.transcodes t
     WHERE t.id = ANY(@ids::uuid[]) AND t.finished_at < now() - make_interval(days => @days::int)
       AND NOT EXISTS (SELECT FROM weir.callbacks c WHERE c.transcode_id = t.id AND c.state = 'pending')
       AND NOT EXISTS (SELECT FROM weir.attempts a WHERE a.transcode_id = t.id AND a.cleaned_at IS NULL)
       AND NOT EXISTS (SELECT FROM weir.river_job j
                        WHERE j.queue = 'residue' AND j.args->>'transcode_id' = t.id::text
                          AND j.state IN ('available', 'pending', 'retryable', 'running', 'scheduled', 'discarded'))
       FOR UPDATE OF t SKIP LOCKED);

-- name: TranscodeFailedLately :many
-- How many failed in the last hour, by their codes.
SELECT COALESCE(t.error_code, '')::text AS code, count(*) AS failed, max(t.finished_at)::timestamptz AS newest
  FROM weir.transcodes t WHERE t.finished_at > now() - interval '1 hour' AND t.state = 'failed'
 GROUP BY t.error_code ORDER BY failed DESC, code;
-- name: Clock :one
-- The database's clock, by which all times of rows are.
SELECT now()::timestamptz AS at;

-- name: FailureGroups :many
-- The newest failures, by what they have in common and by their code; how many are read is
-- bounded, so that it costs the same in the worst of nights.
WITH newest AS MATERIALIZED (
    SELECT t.id, t.tenant, t.error_code, t.host_id, t.attempt, t.finished_at FROM weir.transcodes t
     WHERE t.state = 'failed' AND t.finished_at >= now() - make_interval(secs => @within_seconds::float8)
       AND (sqlc.narg('tenants')::text[] IS NULL OR t.tenant = ANY(sqlc.narg('tenants')))
       AND (sqlc.narg('codes')::text[] IS NULL OR t.error_code = ANY(sqlc.narg('codes')))
       AND (sqlc.narg('hosts')::text[] IS NULL OR t.host_id = ANY(sqlc.narg('hosts')))
     ORDER BY t.finished_at DESC, t.id DESC
     LIMIT @page_size
), named AS (
    SELECT n.id, n.error_code, n.finished_at,
           COALESCE(CASE @by::text WHEN 'code' THEN n.error_code WHEN 'tenant' THEN n.tenant WHEN 'host' THEN n.host_id
             ELSE (SELECT a.broadcaster FROM weir.attempts a WHERE a.transcode_id = n.id AND a.number = n.attempt) END, '') AS name
      FROM newest n
)
SELECT name::text AS name, error_code::text AS code, count(*) AS failures,
       min(finished_at)::timestamptz AS first_at, max(finished_at)::timestamptz AS last_at,
       (array_agg(id ORDER BY finished_at DESC, id DESC))[1]::uuid AS example
  FROM named GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2;

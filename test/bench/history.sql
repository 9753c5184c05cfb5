-- The history of a fleet: finished transcodes over the days that they are kept, each like one
-- that this fleet has made (a row of like_), with all its rows as long as they are. What is kept
-- for fewer days than transcodes is there for those days alone, as pruning leaves it. One in
-- fifty failed, one in a hundred was cancelled, and one in four is of the tenant that is measured.
-- bench.history says how many.
SET statement_timeout = 0;
-- Neither foreign keys nor the triggers that watch over states are in question here.
SET session_replication_role = replica;
SET synchronous_commit = off;

CREATE TEMPORARY TABLE like_ AS
SELECT row_number() OVER (ORDER BY t.id) - 1 AS k, t.id, t.created_at, c.id AS callback_id
  FROM weir.transcodes t JOIN weir.callbacks c ON c.transcode_id = t.id
 WHERE t.state = 'succeeded' AND c.state = 'delivered' AND NOT EXISTS (SELECT FROM weir.attempts a WHERE a.transcode_id = t.id AND a.cleaned_at IS NULL);
DELETE FROM like_ WHERE k >= 64;

CREATE TEMPORARY TABLE history AS
SELECT n, l.id AS like_id, l.callback_id AS like_callback, at - l.created_at AS shift, at,
       -- as UUIDs of version 7 are: in the order of time
       (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid AS id,
       (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(md5('c' || n), 1, 3) || '8' || substr(md5('c' || n), 4, 15))::uuid AS callback_id,
       CASE WHEN n % 4 = 0 THEN 'bench' ELSE 'tenant-' || n % 40 END AS tenant,
       CASE WHEN n % 50 = 1 THEN 'failed' WHEN n % 100 = 2 THEN 'cancelled' ELSE 'succeeded' END AS state
  FROM (SELECT n, now() - (all_ - n + 1) * interval '90 days' / (all_ + 1) AS at
          FROM (SELECT current_setting('bench.history')::int AS all_) s, generate_series(1, all_) n) numbered
  JOIN like_ l ON l.k = n % (SELECT count(*) FROM like_);
CREATE INDEX ON history (at);
ANALYZE history;

DO $$
DECLARE
    part  record;
    names text;
    shown text;
BEGIN
    FOR part IN
        -- How each table says whose its rows are, and for how many days it is kept.
        SELECT * FROM (VALUES
            ('transcodes', 'x.id = h.like_id', '90 days'), ('attempts', 'x.transcode_id = h.like_id', '90 days'),
            ('renditions', 'x.transcode_id = h.like_id', '90 days'), ('callbacks', 'x.transcode_id = h.like_id', '90 days'),
            ('transcode_labels', 'x.transcode_id = h.like_id', '90 days'), ('ends', 'x.transcode_id = h.like_id', '90 days'),
            ('callback_attempts', 'x.callback_id = h.like_callback', '30 days'),
            ('events', 'x.transcode_id = h.like_id', '7 days'), ('mist_events', 'x.transcode_id = h.like_id', '7 days'),
            ('river_job', $q$x.args->>'transcode_id' = h.like_id::text$q$, '6 hours')) p (name, whose, kept)
    LOOP
        SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum),
               string_agg(CASE
                   WHEN attname = 'transcode_id' OR part.name = 'transcodes' AND attname = 'id' THEN 'h.id'
                   -- before all that are there: what is pruned by its id is as old as that
                   WHEN attname = 'id' AND attidentity <> '' THEN 'row_number() OVER (ORDER BY h.n, x.id) - 1000000000'
                   WHEN attname = 'callback_id' OR part.name = 'callbacks' AND attname = 'id' THEN 'h.callback_id'
                   WHEN attname = 'tenant' THEN 'h.tenant'
                   WHEN attname = 'external_id' THEN $q$'history-' || h.n$q$
                   WHEN attname = 'uuid' THEN 'gen_random_uuid()::text'
                   WHEN attname = 'args' THEN 'replace(x.args::text, h.like_id::text, h.id::text)::jsonb'
                   WHEN part.name IN ('transcodes', 'ends') AND attname = 'state' OR attname = 'outcome' THEN 'h.state'
                   WHEN part.name IN ('transcodes', 'attempts') AND attname = 'error_code' THEN $q$CASE WHEN h.state = 'failed' THEN 'internal' END$q$
                   WHEN part.name IN ('transcodes', 'attempts') AND attname = 'error_stage' THEN $q$CASE WHEN h.state = 'failed' THEN 'fetch' END$q$
                   WHEN part.name IN ('transcodes', 'attempts') AND attname = 'error_message' THEN $q$CASE WHEN h.state = 'failed' THEN 'of the history' END$q$
                   WHEN atttypid = 'timestamptz'::regtype THEN format('x.%I + h.shift', attname)
                   ELSE format('x.%I', attname) END, ', ' ORDER BY attnum)
          INTO names, shown
          FROM pg_attribute
         WHERE attrelid = ('weir.' || part.name)::regclass AND attnum > 0 AND NOT attisdropped
           AND NOT (attname = 'id' AND atttypid = 'bigint'::regtype AND attidentity = ''); -- the sequence's
        EXECUTE format('INSERT INTO weir.%1$I (%2$s) OVERRIDING SYSTEM VALUE SELECT %3$s FROM history h JOIN weir.%1$I x ON %4$s WHERE h.at > now() - %5$L::interval ORDER BY h.n',
                       part.name, names, shown, part.whose, part.kept);
    END LOOP;
END $$;

RESET session_replication_role;
RESET synchronous_commit;
RESET statement_timeout;

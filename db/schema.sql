-- The whole schema, for reading: written by `make generate` from db/migrations, never by hand.
-- PostgreSQL database dump

-- Name: weir; Type: SCHEMA; Schema: -; Owner: -

CREATE SCHEMA weir;

-- Name: river_job_state; Type: TYPE; Schema: weir; Owner: -

CREATE TYPE weir.river_job_state AS ENUM (
    'available',
    'cancelled',
    'completed',
    'discarded',
    'pending',
    'retryable',
    'running',
    'scheduled'
);

-- Name: callbacks_check_state(); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.callbacks_check_state() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NEW.body <> OLD.body OR NEW.transcode_id <> OLD.transcode_id OR NEW.run <> OLD.run THEN
        RAISE EXCEPTION 'callback %: what is told never changes', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.state IN ('delivered', 'superseded') AND NEW.state <> OLD.state THEN
        RAISE EXCEPTION 'callback %: it is %', OLD.id, OLD.state USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

-- Name: callbacks_missed(); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.callbacks_missed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NEW.state = 'expired' THEN
        INSERT INTO weir.missed_events (event_id, transcode_id, tenant)
        SELECT NEW.id, t.id, t.tenant FROM weir.transcodes t WHERE t.id = NEW.transcode_id
        ON CONFLICT DO NOTHING;
    ELSE
        DELETE FROM weir.missed_events WHERE event_id = ANY(NEW.missed || NEW.id);
    END IF;
    RETURN NULL;
END $$;

-- Name: event_deliveries_missed(); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.event_deliveries_missed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO weir.missed_events (event_id, transcode_id, tenant)
    SELECT NEW.id, t.id, t.tenant FROM weir.transcodes t WHERE t.id = NEW.transcode_id
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

-- Name: events_deliver(); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.events_deliver() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO weir.event_deliveries (event_id, transcode_id, tenant, receiver)
    SELECT NEW.id, t.id, t.tenant, COALESCE(lower(substring(COALESCE(t.events_url, t.callback_url) FROM '://([^/?#]+)')), '')
      FROM weir.transcodes t WHERE t.id = NEW.transcode_id AND NEW.type = ANY(t.events);
    RETURN NULL;
END $$;

-- Name: events_hold(); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.events_hold() RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF COALESCE(current_setting('weir.events_hold', true), '') = '' THEN
        PERFORM pg_advisory_xact_lock_shared((844711::bigint << 40) | CASE WHEN is_called THEN last_value ELSE 0 END)
           FROM weir.events_id_seq;
        PERFORM set_config('weir.events_hold', 'held', true);
    END IF;
END $$;

-- Name: events_settled(); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.events_settled() RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE
    drawn bigint;
    held bigint;
BEGIN
    SELECT CASE WHEN is_called THEN last_value ELSE 0 END INTO drawn FROM weir.events_id_seq;
    SELECT min((classid::bigint << 32 | objid::bigint) & ((1::bigint << 40) - 1)) INTO held FROM pg_locks
     WHERE locktype = 'advisory' AND objsubid = 1 AND classid::bigint >> 8 = 844711
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database());
    RETURN LEAST(drawn, held);
END $$;

-- Name: renditions_check_state(); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.renditions_check_state() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NEW.attempt < OLD.attempt THEN
        RAISE EXCEPTION 'rendition % of %: attempt never goes down', OLD.name, OLD.transcode_id USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = OLD.state OR (OLD.state, NEW.state) IN (
        ('expected', 'pushing'), ('expected', 'pushed'), ('expected', 'failed'),
        ('pushing', 'pushed'), ('pushing', 'failed'), ('pushing', 'expected'),
        ('pushed', 'ok'), ('pushed', 'failed'))
    OR (NEW.state = 'expected' AND OLD.state <> 'ok' AND NEW.attempt > OLD.attempt)
    OR (NEW.state = 'expected' AND EXISTS (
        SELECT FROM weir.attempts o JOIN weir.attempts n USING (transcode_id)
         WHERE transcode_id = NEW.transcode_id AND o.number = OLD.attempt AND n.number = NEW.attempt
           AND o.source_identity <> n.source_identity)) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'rendition % of %: no way from % to %', OLD.name, OLD.transcode_id, OLD.state, NEW.state
        USING ERRCODE = 'check_violation';
END $$;

-- Name: renditions_tell(); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.renditions_tell() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM weir.events_hold();
    INSERT INTO weir.events (transcode_id, tenant, external_id, type, state, run, attempt, host_id, ratio, rendition, error_code, error_stage)
    SELECT t.id, t.tenant, t.external_id, 'rendition.' || CASE NEW.state WHEN 'ok' THEN 'ready' ELSE NEW.state END,
           t.state, t.run, t.attempt, t.host_id, t.ratio, NEW.name, NEW.error_code, NEW.error_stage
      FROM weir.transcodes t WHERE t.id = NEW.transcode_id;
    RETURN NULL;
END $$;

-- Name: river_job_state_in_bitmask(bit, weir.river_job_state); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.river_job_state_in_bitmask(bitmask bit, state weir.river_job_state) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    AS $$
    SELECT CASE state
        WHEN 'available' THEN get_bit(bitmask, 7)
        WHEN 'cancelled' THEN get_bit(bitmask, 6)
        WHEN 'completed' THEN get_bit(bitmask, 5)
        WHEN 'discarded' THEN get_bit(bitmask, 4)
        WHEN 'pending'   THEN get_bit(bitmask, 3)
        WHEN 'retryable' THEN get_bit(bitmask, 2)
        WHEN 'running'   THEN get_bit(bitmask, 1)
        WHEN 'scheduled' THEN get_bit(bitmask, 0)
        ELSE 0
    END = 1;
$$;

-- Name: sealed_page(text, text, text[], bytea, bigint, bigint); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.sealed_page(relation text, sealed text, keys text[], newest bytea, first_page bigint, pages bigint) RETURNS TABLE(place text, key text[], value bytea)
    LANGUAGE plpgsql STABLE
    AS $_$
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT ctid::text, ARRAY[%s], %I FROM weir.%I WHERE ctid >= $2 AND ctid < $3
            AND substring(%I FROM 1 FOR length($1)) <> $1',
        (SELECT string_agg(format('%I::text', k), ', ' ORDER BY n) FROM unnest(keys) WITH ORDINALITY AS u(k, n)),
        sealed, relation, sealed)
    USING newest, format('(%s,0)', first_page)::tid, format('(%s,0)', first_page + pages)::tid;
END $_$;

-- Name: sealed_replace(text, text, text, bytea, bytea); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.sealed_replace(relation text, sealed text, place text, former bytea, value bytea) RETURNS boolean
    LANGUAGE plpgsql
    AS $_$
DECLARE
    changed bigint;
BEGIN
    EXECUTE format('UPDATE weir.%I SET %I = $3 WHERE ctid = $1 AND %I = $2', relation, sealed, sealed)
      USING place::tid, former, value;
    GET DIAGNOSTICS changed = ROW_COUNT;
    RETURN changed = 1;
END $_$;

-- Name: transcodes_check_callback(); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.transcodes_check_callback() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM weir.callbacks c WHERE c.transcode_id = NEW.id AND c.run = NEW.run) THEN
        RAISE EXCEPTION 'transcode %: ended without its callback', NEW.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

-- Name: transcodes_check_renditions(); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.transcodes_check_renditions() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM weir.renditions r WHERE r.transcode_id = NEW.id) THEN
        RAISE EXCEPTION 'transcode %: no renditions', NEW.id USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = 'succeeded'
        AND EXISTS (SELECT FROM weir.renditions r WHERE r.transcode_id = NEW.id AND r.state <> 'ok') THEN
        RAISE EXCEPTION 'transcode %: succeeded with a rendition that is not ok', NEW.id USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = 'succeeded'
        AND (SELECT count(DISTINCT a.source_identity) FROM weir.renditions r
               JOIN weir.attempts a ON a.transcode_id = r.transcode_id AND a.number = r.attempt
              WHERE r.transcode_id = NEW.id) > 1 THEN
        RAISE EXCEPTION 'transcode %: succeeded with renditions of two sources', NEW.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

-- Name: transcodes_check_state(); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.transcodes_check_state() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NEW.attempt < OLD.attempt OR NEW.run < OLD.run THEN
        RAISE EXCEPTION 'transcode %: attempt and run never go down', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    -- A ratio that goes down makes Studio take the transcode for lost.
    IF NEW.ratio < OLD.ratio THEN
        NEW.ratio := OLD.ratio;
    END IF;
    NEW.updated_at := now();
    IF NEW.state = OLD.state THEN
        RETURN NEW;
    END IF;
    IF (OLD.state, NEW.state) IN (
        ('queued', 'placed'), ('queued', 'failed'), ('queued', 'cancelled'),
        ('placed', 'running'), ('placed', 'queued'), ('placed', 'failed'), ('placed', 'cancelled'),
        ('running', 'storing'), ('running', 'queued'), ('running', 'succeeded'), ('running', 'failed'), ('running', 'cancelled'),
        ('storing', 'queued'), ('storing', 'succeeded'), ('storing', 'failed'), ('storing', 'cancelled'))
    OR (OLD.state = 'failed' AND NEW.state = 'queued' AND NEW.run = OLD.run + 1) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'transcode %: no way from % to %', OLD.id, OLD.state, NEW.state USING ERRCODE = 'check_violation';
END $$;

-- Name: transcodes_label(); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.transcodes_label() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO weir.transcode_labels (transcode_id, tenant, key, value, created_at)
    SELECT NEW.id, NEW.tenant, l.key, l.value, NEW.created_at FROM jsonb_each_text(NEW.labels) l;
    RETURN NULL;
END $$;

-- Name: transcodes_tell(); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.transcodes_tell() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM weir.events_hold();
    INSERT INTO weir.events (transcode_id, tenant, external_id, type, state, run, attempt, host_id, ratio, error_code, error_stage)
    VALUES (NEW.id, NEW.tenant, NEW.external_id,
            CASE NEW.state WHEN 'running' THEN 'transcode.started'
                 WHEN 'queued' THEN CASE WHEN TG_OP = 'UPDATE' AND NEW.run > OLD.run THEN 'transcode.retried' ELSE 'transcode.queued' END
                 ELSE 'transcode.' || NEW.state END,
            NEW.state, NEW.run, NEW.attempt, NEW.host_id, NEW.ratio, NEW.error_code, NEW.error_stage);
    RETURN NULL;
END $$;

-- Name: transcodes_use(); Type: FUNCTION; Schema: weir; Owner: -

CREATE FUNCTION weir.transcodes_use() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO weir.usage AS u (tenant, day, part, succeeded, failed, cancelled, attempts, source_ms, output_ms, pixels, bytes)
    SELECT NEW.tenant, (NEW.finished_at AT TIME ZONE 'UTC')::date, abs(hashtext(NEW.id::text) % 8),
           (NEW.state = 'succeeded')::int, (NEW.state = 'failed')::int, (NEW.state = 'cancelled')::int,
           (SELECT count(*) FROM weir.attempts a WHERE a.transcode_id = NEW.id AND a.created_at >= NEW.run_at),
           COALESCE(NEW.source_duration_ms, 0), COALESCE(sum(r.duration_ms), 0),
           COALESCE(sum(r.frames * r.planned_width * r.planned_height), 0), COALESCE(sum(r.object_bytes), 0)
      FROM weir.renditions r WHERE r.transcode_id = NEW.id AND r.state = 'ok' AND r.stored_at >= NEW.run_at
    ON CONFLICT (tenant, day, part) DO UPDATE SET
           succeeded = u.succeeded + EXCLUDED.succeeded, failed = u.failed + EXCLUDED.failed, cancelled = u.cancelled + EXCLUDED.cancelled,
           attempts = u.attempts + EXCLUDED.attempts, source_ms = u.source_ms + EXCLUDED.source_ms, output_ms = u.output_ms + EXCLUDED.output_ms,
           pixels = u.pixels + EXCLUDED.pixels, bytes = u.bytes + EXCLUDED.bytes;
    RETURN NULL;
END $$;

-- Name: attempts; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.attempts (
    transcode_id uuid NOT NULL,
    number integer NOT NULL,
    host_id text NOT NULL,
    boot_id uuid,
    job_id bigint,
    stage text DEFAULT 'placed'::text NOT NULL,
    outcome text,
    error_code text,
    error_stage text,
    error_message text,
    source_bytes bigint,
    source_etag text,
    prepared jsonb,
    process text,
    broadcaster text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    started_at timestamp with time zone,
    fetched_at timestamp with time zone,
    prepared_at timestamp with time zone,
    process_started_at timestamp with time zone,
    transcoded_at timestamp with time zone,
    ended_at timestamp with time zone,
    cleaned_at timestamp with time zone,
    error_detail text,
    hung_starts integer DEFAULT 0 NOT NULL,
    reruns integer DEFAULT 0 NOT NULL,
    source_identity text,
    CONSTRAINT attempts_ended_with_outcome CHECK (((outcome IS NULL) = (ended_at IS NULL))),
    CONSTRAINT attempts_failed_has_code CHECK (((outcome <> 'failed'::text) OR (error_code IS NOT NULL))),
    CONSTRAINT attempts_hung_starts_check CHECK ((hung_starts >= 0)),
    CONSTRAINT attempts_number_check CHECK ((number >= 1)),
    CONSTRAINT attempts_outcome_check CHECK ((outcome = ANY (ARRAY['succeeded'::text, 'failed'::text, 'cancelled'::text, 'lost'::text]))),
    CONSTRAINT attempts_reruns_check CHECK ((reruns >= 0)),
    CONSTRAINT attempts_stage_check CHECK ((stage = ANY (ARRAY['placed'::text, 'fetched'::text, 'prepared'::text, 'started'::text, 'transcoded'::text, 'cleaned'::text])))
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='1000', autovacuum_analyze_scale_factor='0.01', autovacuum_analyze_threshold='1000');

-- Name: callback_attempts; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.callback_attempts (
    callback_id uuid NOT NULL,
    number integer NOT NULL,
    status integer,
    latency_ms integer NOT NULL,
    error text DEFAULT ''::text NOT NULL,
    answer text DEFAULT ''::text NOT NULL,
    redelivery boolean DEFAULT false NOT NULL,
    sent_at timestamp with time zone DEFAULT now() NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.05', autovacuum_vacuum_threshold='1000');

-- Name: callback_secrets; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.callback_secrets (
    id uuid NOT NULL,
    tenant text NOT NULL,
    place smallint NOT NULL,
    sealed bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT callback_secrets_place_check CHECK ((place = ANY (ARRAY[1, 2]))),
    CONSTRAINT callback_secrets_tenant_check CHECK ((tenant <> ''::text))
);

-- Name: callbacks; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.callbacks (
    id uuid NOT NULL,
    transcode_id uuid NOT NULL,
    run integer NOT NULL,
    state text DEFAULT 'pending'::text NOT NULL,
    url text NOT NULL,
    body text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    last_status integer,
    last_error text DEFAULT ''::text NOT NULL,
    next_attempt_at timestamp with time zone,
    job_id bigint,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    delivered_at timestamp with time zone,
    missed uuid[] DEFAULT '{}'::uuid[] NOT NULL,
    CONSTRAINT callbacks_delivered_has_time CHECK (((state = 'delivered'::text) = (delivered_at IS NOT NULL))),
    CONSTRAINT callbacks_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'delivered'::text, 'refused'::text, 'expired'::text, 'superseded'::text])))
)
WITH (autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='1000', autovacuum_analyze_scale_factor='0.01', autovacuum_analyze_threshold='1000');

-- Name: event_deliveries; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.event_deliveries (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    event_id bigint NOT NULL,
    transcode_id uuid NOT NULL,
    tenant text NOT NULL,
    receiver text NOT NULL,
    state text DEFAULT 'pending'::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    last_status integer,
    last_error text DEFAULT ''::text NOT NULL,
    next_attempt_at timestamp with time zone DEFAULT now() NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    delivered_at timestamp with time zone,
    CONSTRAINT event_deliveries_delivered_has_time CHECK (((state = 'delivered'::text) = (delivered_at IS NOT NULL))),
    CONSTRAINT event_deliveries_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'delivered'::text, 'refused'::text, 'expired'::text])))
)
WITH (autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='1000');

-- Name: event_delivery_attempts; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.event_delivery_attempts (
    delivery_id uuid NOT NULL,
    number integer NOT NULL,
    status integer,
    latency_ms integer NOT NULL,
    error text DEFAULT ''::text NOT NULL,
    answer text DEFAULT ''::text NOT NULL,
    sent_at timestamp with time zone DEFAULT now() NOT NULL
);

-- Name: events; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.events (
    id bigint NOT NULL,
    transcode_id uuid NOT NULL,
    tenant text NOT NULL,
    external_id text,
    type text NOT NULL,
    state text NOT NULL,
    run integer NOT NULL,
    attempt integer NOT NULL,
    host_id text,
    ratio double precision NOT NULL,
    rendition text,
    output text,
    error_code text,
    error_stage text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT events_type_check CHECK ((type ~ '^(transcode|rendition|output)\.[a-z]+$'::text))
)
WITH (autovacuum_vacuum_scale_factor='0.05', autovacuum_vacuum_threshold='1000');

-- Name: events_id_seq; Type: SEQUENCE; Schema: weir; Owner: -

ALTER TABLE weir.events ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME weir.events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

-- Name: hosts; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.hosts (
    id text NOT NULL,
    boot_id uuid NOT NULL,
    slots integer NOT NULL,
    lease_until timestamp with time zone NOT NULL,
    up boolean DEFAULT true NOT NULL,
    draining boolean DEFAULT false NOT NULL,
    weir_version text DEFAULT ''::text NOT NULL,
    mist_version text DEFAULT ''::text NOT NULL,
    mist_iid text DEFAULT ''::text NOT NULL,
    spool_room_bytes bigint DEFAULT 0 NOT NULL,
    booted_at timestamp with time zone DEFAULT now() NOT NULL,
    seen_at timestamp with time zone DEFAULT now() NOT NULL,
    mist_silent_from timestamp with time zone,
    spool_id uuid,
    CONSTRAINT hosts_id_check CHECK (((id ~ '^[a-z0-9]+(-[a-z0-9]+)*$'::text) AND (length(id) <= 40))),
    CONSTRAINT hosts_slots_check CHECK (((slots >= 1) AND (slots <= 1000)))
)
WITH (fillfactor='50');

-- Name: identity; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.identity (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    only_ boolean DEFAULT true NOT NULL,
    CONSTRAINT identity_only__check CHECK (only_)
);

-- Name: leads; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.leads (
    client_id text NOT NULL,
    lease_until timestamp with time zone NOT NULL,
    CONSTRAINT leads_client_id_check CHECK ((client_id <> ''::text))
);

-- Name: missed_events; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.missed_events (
    event_id uuid NOT NULL,
    transcode_id uuid NOT NULL,
    tenant text NOT NULL,
    missed_at timestamp with time zone DEFAULT now() NOT NULL
);

-- Name: mist_events; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.mist_events (
    id bigint NOT NULL,
    uuid text,
    host_id text NOT NULL,
    trigger text NOT NULL,
    stream text DEFAULT ''::text NOT NULL,
    headers jsonb NOT NULL,
    payload bytea NOT NULL,
    payload_bytes bigint NOT NULL,
    transcode_id uuid,
    attempt integer,
    rendition text,
    verdict text NOT NULL,
    note text DEFAULT ''::text NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT mist_events_payload_capped CHECK ((octet_length(payload) <= 65536)),
    CONSTRAINT mist_events_verdict_check CHECK ((verdict = ANY (ARRAY['applied'::text, 'noted'::text, 'stale'::text, 'unmatched'::text, 'unreadable'::text])))
)
WITH (autovacuum_vacuum_scale_factor='0.05', autovacuum_vacuum_threshold='1000');

-- Name: mist_events_id_seq; Type: SEQUENCE; Schema: weir; Owner: -

ALTER TABLE weir.mist_events ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME weir.mist_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

-- Name: renditions; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.renditions (
    transcode_id uuid NOT NULL,
    name text NOT NULL,
    ordinal integer NOT NULL,
    width integer NOT NULL,
    height integer NOT NULL,
    bitrate bigint NOT NULL,
    fps integer DEFAULT 0 NOT NULL,
    gop text DEFAULT ''::text NOT NULL,
    codec_profile text DEFAULT ''::text NOT NULL,
    planned_width integer,
    planned_height integer,
    state text DEFAULT 'expected'::text NOT NULL,
    attempt integer DEFAULT 0 NOT NULL,
    track_index integer,
    push_pid integer,
    push_started_at timestamp with time zone,
    pushed_ms bigint DEFAULT 0 NOT NULL,
    recorded_bytes bigint,
    recorded_reason text,
    pushed_at timestamp with time zone,
    job_id bigint,
    object_url text,
    object_bytes bigint,
    object_etag text,
    object_checksum text,
    frames bigint,
    duration_ms bigint,
    verdict jsonb,
    stored_at timestamp with time zone,
    error_code text,
    error_stage text,
    error_message text,
    fps_den integer DEFAULT 0 NOT NULL,
    quality integer DEFAULT 0 NOT NULL,
    error_detail text,
    CONSTRAINT renditions_attempt_check CHECK ((attempt >= 0)),
    CONSTRAINT renditions_failed_has_code CHECK (((state <> 'failed'::text) OR ((error_code IS NOT NULL) AND (error_stage IS NOT NULL)))),
    CONSTRAINT renditions_fps_den_check CHECK ((fps_den >= 0)),
    CONSTRAINT renditions_name_check CHECK ((name ~ '^[a-z0-9A-Z][a-zA-Z0-9_.-]{0,63}$'::text)),
    CONSTRAINT renditions_ok_has_size CHECK (((state <> 'ok'::text) OR (planned_width IS NOT NULL))),
    CONSTRAINT renditions_ok_is_evidence CHECK (((state <> 'ok'::text) OR ((object_url IS NOT NULL) AND (object_bytes > 0) AND (object_checksum IS NOT NULL) AND (frames > 0) AND (duration_ms > 0) AND (stored_at IS NOT NULL)))),
    CONSTRAINT renditions_ordinal_check CHECK (((ordinal >= 0) AND (ordinal <= 15))),
    CONSTRAINT renditions_planned_even CHECK (((planned_width > 0) AND ((planned_width % 2) = 0) AND (planned_height > 0) AND ((planned_height % 2) = 0))),
    CONSTRAINT renditions_planned_whole CHECK (((planned_width IS NULL) = (planned_height IS NULL))),
    CONSTRAINT renditions_quality_check CHECK ((quality >= 0)),
    CONSTRAINT renditions_state_check CHECK ((state = ANY (ARRAY['expected'::text, 'pushing'::text, 'pushed'::text, 'ok'::text, 'failed'::text])))
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='1000', autovacuum_analyze_scale_factor='0.01', autovacuum_analyze_threshold='1000');

-- Name: river_job; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.river_job (
    id bigint NOT NULL,
    state weir.river_job_state DEFAULT 'available'::weir.river_job_state NOT NULL,
    attempt smallint DEFAULT 0 NOT NULL,
    max_attempts smallint DEFAULT 25 NOT NULL,
    attempted_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    finalized_at timestamp with time zone,
    scheduled_at timestamp with time zone DEFAULT now() NOT NULL,
    priority smallint DEFAULT 1 NOT NULL,
    args jsonb NOT NULL,
    attempted_by text[],
    errors jsonb[],
    kind text NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    queue text DEFAULT 'default'::text NOT NULL,
    tags character varying(255)[] DEFAULT '{}'::character varying[] NOT NULL,
    unique_key bytea,
    unique_states bit(8),
    CONSTRAINT finalized_or_finalized_at_null CHECK ((((finalized_at IS NULL) AND (state <> ALL (ARRAY['cancelled'::weir.river_job_state, 'completed'::weir.river_job_state, 'discarded'::weir.river_job_state]))) OR ((finalized_at IS NOT NULL) AND (state = ANY (ARRAY['cancelled'::weir.river_job_state, 'completed'::weir.river_job_state, 'discarded'::weir.river_job_state]))))),
    CONSTRAINT kind_length CHECK (((char_length(kind) > 0) AND (char_length(kind) < 128))),
    CONSTRAINT max_attempts_is_positive CHECK ((max_attempts > 0)),
    CONSTRAINT priority_in_range CHECK (((priority >= 1) AND (priority <= 4))),
    CONSTRAINT queue_length CHECK (((char_length(queue) > 0) AND (char_length(queue) < 128)))
)
WITH (autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='1000', autovacuum_analyze_scale_factor='0.01', autovacuum_analyze_threshold='1000');

-- Name: river_job_id_seq; Type: SEQUENCE; Schema: weir; Owner: -

CREATE SEQUENCE weir.river_job_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

-- Name: river_job_id_seq; Type: SEQUENCE OWNED BY; Schema: weir; Owner: -

ALTER SEQUENCE weir.river_job_id_seq OWNED BY weir.river_job.id;

-- Name: river_leader; Type: TABLE; Schema: weir; Owner: -

CREATE UNLOGGED TABLE weir.river_leader (
    elected_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    leader_id text NOT NULL,
    name text DEFAULT 'default'::text NOT NULL,
    CONSTRAINT leader_id_length CHECK (((char_length(leader_id) > 0) AND (char_length(leader_id) < 128))),
    CONSTRAINT name_length CHECK ((name = 'default'::text))
);

-- Name: river_notification; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.river_notification (
    id bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    payload text NOT NULL,
    topic text NOT NULL,
    CONSTRAINT topic_length CHECK (((length(topic) > 0) AND (length(topic) < 128)))
);

-- Name: river_notification_id_seq; Type: SEQUENCE; Schema: weir; Owner: -

CREATE SEQUENCE weir.river_notification_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

-- Name: river_notification_id_seq; Type: SEQUENCE OWNED BY; Schema: weir; Owner: -

ALTER SEQUENCE weir.river_notification_id_seq OWNED BY weir.river_notification.id;

-- Name: river_queue; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.river_queue (
    name text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    paused_at timestamp with time zone,
    updated_at timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);

-- Name: schema_compat; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.schema_compat (
    one boolean DEFAULT true NOT NULL,
    serves_from integer NOT NULL,
    CONSTRAINT schema_compat_one_check CHECK (one),
    CONSTRAINT schema_compat_serves_from_check CHECK ((serves_from > 0))
);

-- Name: schema_migrations; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.schema_migrations (
    version bigint NOT NULL,
    dirty boolean NOT NULL
);

-- Name: transcode_labels; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.transcode_labels (
    transcode_id uuid NOT NULL,
    tenant text NOT NULL,
    key text NOT NULL,
    value text NOT NULL,
    created_at timestamp with time zone NOT NULL
);

-- Name: transcodes; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.transcodes (
    id uuid NOT NULL,
    tenant text NOT NULL,
    external_id text,
    form text NOT NULL,
    request jsonb NOT NULL,
    request_digest bytea NOT NULL,
    source_url text NOT NULL,
    source_sealed bytea NOT NULL,
    output_url text NOT NULL,
    output_sealed bytea NOT NULL,
    callback_url text NOT NULL,
    callback_sealed bytea NOT NULL,
    livepeer_sealed bytea,
    state text DEFAULT 'queued'::text NOT NULL,
    run integer DEFAULT 1 NOT NULL,
    attempt integer DEFAULT 0 NOT NULL,
    attempts_left integer NOT NULL,
    host_id text,
    not_before timestamp with time zone DEFAULT now() NOT NULL,
    source jsonb,
    source_duration_ms bigint,
    ratio double precision DEFAULT 0 NOT NULL,
    status_sent_at timestamp with time zone,
    error_code text,
    error_stage text,
    error_message text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    placed_at timestamp with time zone,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    warnings jsonb DEFAULT '[]'::jsonb NOT NULL,
    run_at timestamp with time zone DEFAULT now() NOT NULL,
    free_tries integer DEFAULT 0 NOT NULL,
    telling_until timestamp with time zone,
    progress jsonb,
    callback_secret_sealed bytea,
    statuses_refused_run integer DEFAULT 0 NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    labels jsonb DEFAULT '{}'::jsonb NOT NULL,
    events text[] DEFAULT '{}'::text[] NOT NULL,
    events_url text,
    events_sealed bytea,
    CONSTRAINT transcodes_attempt_check CHECK ((attempt >= 0)),
    CONSTRAINT transcodes_attempts_left_check CHECK ((attempts_left >= 0)),
    CONSTRAINT transcodes_events_check CHECK ((cardinality(events) <= 16)),
    CONSTRAINT transcodes_events_sealed CHECK (((events_url IS NULL) = (events_sealed IS NULL))),
    CONSTRAINT transcodes_external_id_check CHECK ((external_id <> ''::text)),
    CONSTRAINT transcodes_failed_has_code CHECK (((state <> 'failed'::text) OR ((error_code IS NOT NULL) AND (error_stage IS NOT NULL) AND (error_message IS NOT NULL)))),
    CONSTRAINT transcodes_finished_when_terminal CHECK (((state = ANY (ARRAY['succeeded'::text, 'failed'::text, 'cancelled'::text])) = (finished_at IS NOT NULL))),
    CONSTRAINT transcodes_form_check CHECK ((form = ANY (ARRAY['v1'::text, 'file'::text]))),
    CONSTRAINT transcodes_free_tries_check CHECK ((free_tries >= 0)),
    CONSTRAINT transcodes_held_by_host CHECK (((state <> ALL (ARRAY['placed'::text, 'running'::text, 'storing'::text])) OR ((host_id IS NOT NULL) AND (attempt > 0)))),
    CONSTRAINT transcodes_labels_bounded CHECK (((jsonb_typeof(labels) = 'object'::text) AND (octet_length((labels)::text) <= 16384) AND (NOT jsonb_path_exists(labels, 'strict $.*?(@.type() != "string")'::jsonpath)))),
    CONSTRAINT transcodes_metadata_bounded CHECK (((jsonb_typeof(metadata) = 'object'::text) AND (octet_length((metadata)::text) <= 8192))),
    CONSTRAINT transcodes_ratio_check CHECK (((ratio >= (0)::double precision) AND (ratio <= (1)::double precision))),
    CONSTRAINT transcodes_ratio_whole_on_success CHECK (((state <> 'succeeded'::text) OR (ratio = (1)::double precision))),
    CONSTRAINT transcodes_run_check CHECK ((run >= 1)),
    CONSTRAINT transcodes_source_duration_ms_check CHECK ((source_duration_ms > 0)),
    CONSTRAINT transcodes_state_check CHECK ((state = ANY (ARRAY['queued'::text, 'placed'::text, 'running'::text, 'storing'::text, 'succeeded'::text, 'failed'::text, 'cancelled'::text]))),
    CONSTRAINT transcodes_tenant_check CHECK ((tenant <> ''::text)),
    CONSTRAINT transcodes_warnings_check CHECK ((jsonb_typeof(warnings) = 'array'::text))
)
WITH (fillfactor='70', autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='1000', autovacuum_analyze_scale_factor='0.01', autovacuum_analyze_threshold='1000');

-- Name: usage; Type: TABLE; Schema: weir; Owner: -

CREATE TABLE weir.usage (
    tenant text NOT NULL,
    day date NOT NULL,
    part smallint NOT NULL,
    succeeded bigint DEFAULT 0 NOT NULL,
    failed bigint DEFAULT 0 NOT NULL,
    cancelled bigint DEFAULT 0 NOT NULL,
    attempts bigint DEFAULT 0 NOT NULL,
    source_ms bigint DEFAULT 0 NOT NULL,
    output_ms bigint DEFAULT 0 NOT NULL,
    pixels bigint DEFAULT 0 NOT NULL,
    bytes bigint DEFAULT 0 NOT NULL,
    CONSTRAINT usage_part_check CHECK (((part >= 0) AND (part <= 7)))
)
WITH (fillfactor='50');

-- Name: v_attempts; Type: VIEW; Schema: weir; Owner: -

CREATE VIEW weir.v_attempts AS
 SELECT a.transcode_id,
    t.tenant,
    t.external_id,
    a.number,
    a.host_id,
    a.stage,
    a.outcome,
    a.hung_starts,
    a.reruns,
    a.broadcaster,
    a.error_code,
    a.error_stage,
    a.error_message,
    a.error_detail,
    a.created_at,
    a.started_at,
    a.fetched_at,
    a.prepared_at,
    a.process_started_at,
    a.transcoded_at,
    a.ended_at,
    a.cleaned_at
   FROM (weir.attempts a
     JOIN weir.transcodes t ON ((t.id = a.transcode_id)));

-- Name: VIEW v_attempts; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON VIEW weir.v_attempts IS 'One row per attempt: which host tried, how far it came, how it ended.';

-- Name: COLUMN v_attempts.transcode_id; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_attempts.transcode_id IS 'The transcode that was tried.';

-- Name: COLUMN v_attempts.tenant; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_attempts.tenant IS 'Whose it is.';

-- Name: COLUMN v_attempts.external_id; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_attempts.external_id IS 'The caller''s own id.';

-- Name: COLUMN v_attempts.number; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_attempts.number IS 'Counts from 1, over all runs.';

-- Name: COLUMN v_attempts.host_id; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_attempts.host_id IS 'The host that tried.';

-- Name: COLUMN v_attempts.stage; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_attempts.stage IS 'Its last finished step: placed, fetched, prepared, started, transcoded or cleaned.';

-- Name: COLUMN v_attempts.outcome; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_attempts.outcome IS 'succeeded, failed, cancelled or lost; null while it runs.';

-- Name: COLUMN v_attempts.hung_starts; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_attempts.hung_starts IS 'How often MistProcLivepeer hung at its start and was started anew.';

-- Name: COLUMN v_attempts.reruns; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_attempts.reruns IS 'How often it was started anew for renditions whose push was lost at its end.';

-- Name: COLUMN v_attempts.broadcaster; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_attempts.broadcaster IS 'The Broadcaster that it was last seen with.';

-- Name: COLUMN v_attempts.error_code; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_attempts.error_code IS 'Why it failed: a code of the failure table.';

-- Name: COLUMN v_attempts.error_stage; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_attempts.error_stage IS 'Where it failed.';

-- Name: COLUMN v_attempts.error_message; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_attempts.error_message IS 'Why it failed, as the tenant is told.';

-- Name: COLUMN v_attempts.error_detail; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_attempts.error_detail IS 'Why it failed, with what is for operators alone: processes, paths, ends of logs.';

-- Name: COLUMN v_attempts.created_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_attempts.created_at IS 'When it was placed.';

-- Name: COLUMN v_attempts.started_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_attempts.started_at IS 'When its host took it up.';

-- Name: COLUMN v_attempts.fetched_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_attempts.fetched_at IS 'When the source was on the host.';

-- Name: COLUMN v_attempts.prepared_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_attempts.prepared_at IS 'When the source was ready for Mist.';

-- Name: COLUMN v_attempts.process_started_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_attempts.process_started_at IS 'When MistProcLivepeer was last started.';

-- Name: COLUMN v_attempts.transcoded_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_attempts.transcoded_at IS 'When Mist was done.';

-- Name: COLUMN v_attempts.ended_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_attempts.ended_at IS 'When its outcome was decided.';

-- Name: COLUMN v_attempts.cleaned_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_attempts.cleaned_at IS 'When nothing of it was left in Mist.';

-- Name: v_callbacks; Type: VIEW; Schema: weir; Owner: -

CREATE VIEW weir.v_callbacks AS
 SELECT c.id,
    c.transcode_id,
    t.tenant,
    t.external_id,
    c.run,
    t.state AS outcome,
    c.state,
    c.url,
    c.attempts,
    c.last_status,
    c.last_error,
    c.next_attempt_at,
    c.created_at,
    c.delivered_at,
    (EXTRACT(epoch FROM (COALESCE(c.delivered_at, now()) - c.created_at)))::double precision AS lag_seconds
   FROM (weir.callbacks c
     JOIN weir.transcodes t ON ((t.id = c.transcode_id)));

-- Name: VIEW v_callbacks; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON VIEW weir.v_callbacks IS 'One row per terminal callback and the state of its delivery.';

-- Name: COLUMN v_callbacks.id; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_callbacks.id IS 'The event id that Studio sees, the same in every delivery.';

-- Name: COLUMN v_callbacks.transcode_id; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_callbacks.transcode_id IS 'The transcode whose outcome it tells.';

-- Name: COLUMN v_callbacks.tenant; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_callbacks.tenant IS 'Whose it is.';

-- Name: COLUMN v_callbacks.external_id; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_callbacks.external_id IS 'The caller''s own id.';

-- Name: COLUMN v_callbacks.run; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_callbacks.run IS 'The run that ended.';

-- Name: COLUMN v_callbacks.outcome; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_callbacks.outcome IS 'The transcode''s state now.';

-- Name: COLUMN v_callbacks.state; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_callbacks.state IS 'pending, delivered, refused (a final answer), expired (a day without success) or superseded (a newer run began before).';

-- Name: COLUMN v_callbacks.url; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_callbacks.url IS 'Where it goes, without secrets.';

-- Name: COLUMN v_callbacks.attempts; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_callbacks.attempts IS 'How often it was sent.';

-- Name: COLUMN v_callbacks.last_status; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_callbacks.last_status IS 'The last HTTP status; null when no answer came.';

-- Name: COLUMN v_callbacks.last_error; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_callbacks.last_error IS 'What went wrong the last time.';

-- Name: COLUMN v_callbacks.next_attempt_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_callbacks.next_attempt_at IS 'When it is sent next.';

-- Name: COLUMN v_callbacks.created_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_callbacks.created_at IS 'When the outcome was decided.';

-- Name: COLUMN v_callbacks.delivered_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_callbacks.delivered_at IS 'When it was first taken.';

-- Name: COLUMN v_callbacks.lag_seconds; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_callbacks.lag_seconds IS 'From the decision to the delivery, or until now.';

-- Name: v_renditions; Type: VIEW; Schema: weir; Owner: -

CREATE VIEW weir.v_renditions AS
 SELECT r.transcode_id,
    t.tenant,
    r.name,
    r.state,
    r.attempt,
    r.planned_width AS width,
    r.planned_height AS height,
    r.width AS asked_width,
    r.height AS asked_height,
    r.bitrate,
    r.quality,
    r.fps,
    r.fps_den,
    r.gop,
    r.codec_profile,
    r.track_index,
    r.pushed_ms,
    r.recorded_reason,
    r.object_url,
    r.object_bytes,
    r.object_checksum,
    r.frames,
    r.duration_ms,
    r.error_code,
    r.error_stage,
    r.error_message,
    r.push_started_at,
    r.pushed_at,
    r.stored_at
   FROM (weir.renditions r
     JOIN weir.transcodes t ON ((t.id = r.transcode_id)));

-- Name: VIEW v_renditions; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON VIEW weir.v_renditions IS 'One row per requested output, with the evidence of its object.';

-- Name: COLUMN v_renditions.transcode_id; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.transcode_id IS 'The transcode it belongs to.';

-- Name: COLUMN v_renditions.tenant; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.tenant IS 'Whose it is.';

-- Name: COLUMN v_renditions.name; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.name IS 'The profile''s name.';

-- Name: COLUMN v_renditions.state; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.state IS 'expected, pushing, pushed, ok or failed; ok only when its object is verified.';

-- Name: COLUMN v_renditions.attempt; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.attempt IS 'The attempt that the row speaks of.';

-- Name: COLUMN v_renditions.width; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.width IS 'Width of its file: planned by the source, judged to be so when ok; null before the probe.';

-- Name: COLUMN v_renditions.height; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.height IS 'Height of its file: planned by the source, judged to be so when ok; null before the probe.';

-- Name: COLUMN v_renditions.asked_width; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.asked_width IS 'Width asked for.';

-- Name: COLUMN v_renditions.asked_height; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.asked_height IS 'Height asked for.';

-- Name: COLUMN v_renditions.bitrate; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.bitrate IS 'Bits a second asked for.';

-- Name: COLUMN v_renditions.quality; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.quality IS 'Constant quality asked for, with bitrate as its limit; 0: none.';

-- Name: COLUMN v_renditions.fps; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.fps IS 'Frames asked for in fps_den seconds; 0 is the source''s rate.';

-- Name: COLUMN v_renditions.fps_den; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.fps_den IS 'The seconds that fps counts its frames in; 0 stands for 1.';

-- Name: COLUMN v_renditions.gop; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.gop IS 'Seconds between keyframes asked for, or intra; empty: none asked for.';

-- Name: COLUMN v_renditions.codec_profile; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.codec_profile IS 'The codec''s profile asked for; empty is H264High.';

-- Name: COLUMN v_renditions.track_index; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.track_index IS 'Mist''s track.';

-- Name: COLUMN v_renditions.pushed_ms; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.pushed_ms IS 'Media time pushed so far, in milliseconds.';

-- Name: COLUMN v_renditions.recorded_reason; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.recorded_reason IS 'What Mist said at the push''s end: a hint, no proof.';

-- Name: COLUMN v_renditions.object_url; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.object_url IS 'Where the object is, without secrets.';

-- Name: COLUMN v_renditions.object_bytes; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.object_bytes IS 'The object''s size.';

-- Name: COLUMN v_renditions.object_checksum; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.object_checksum IS 'The object''s checksum, as verified after the upload.';

-- Name: COLUMN v_renditions.frames; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.frames IS 'Frames counted in the file.';

-- Name: COLUMN v_renditions.duration_ms; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.duration_ms IS 'Duration by its frames, in milliseconds.';

-- Name: COLUMN v_renditions.error_code; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.error_code IS 'Why it failed: a code of the failure table; on a pushed one, what is in the way of its store.';

-- Name: COLUMN v_renditions.error_stage; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.error_stage IS 'Where it failed.';

-- Name: COLUMN v_renditions.error_message; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.error_message IS 'Why it failed, in words.';

-- Name: COLUMN v_renditions.push_started_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.push_started_at IS 'When Mist began to write it.';

-- Name: COLUMN v_renditions.pushed_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.pushed_at IS 'When its file was complete on the host.';

-- Name: COLUMN v_renditions.stored_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_renditions.stored_at IS 'When its object was verified.';

-- Name: v_transcodes; Type: VIEW; Schema: weir; Owner: -

CREATE VIEW weir.v_transcodes AS
 SELECT t.id,
    t.tenant,
    t.external_id,
    t.state,
    t.ratio,
    t.host_id,
    t.run,
    t.attempt,
    t.attempts_left,
    a.stage AS attempt_stage,
    t.source_url,
    t.output_url,
    t.source_duration_ms,
    ( SELECT count(*) AS count
           FROM weir.renditions r
          WHERE (r.transcode_id = t.id)) AS renditions,
    ( SELECT count(*) AS count
           FROM weir.renditions r
          WHERE ((r.transcode_id = t.id) AND (r.state = 'ok'::text))) AS renditions_ok,
    t.error_code,
    t.error_stage,
    t.error_message,
    c.state AS callback_state,
    t.created_at,
    t.placed_at,
    t.started_at,
    t.finished_at,
    (EXTRACT(epoch FROM (COALESCE(t.placed_at, now()) - t.created_at)))::double precision AS waited_seconds,
    (EXTRACT(epoch FROM (COALESCE(t.finished_at, now()) - t.created_at)))::double precision AS took_seconds,
    t.warnings
   FROM ((weir.transcodes t
     LEFT JOIN weir.attempts a ON (((a.transcode_id = t.id) AND (a.number = t.attempt))))
     LEFT JOIN weir.callbacks c ON (((c.transcode_id = t.id) AND (c.run = t.run))));

-- Name: VIEW v_transcodes; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON VIEW weir.v_transcodes IS 'One row per request, with where it is and how it ended.';

-- Name: COLUMN v_transcodes.id; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.id IS 'The id that the API answered; request_id in callbacks.';

-- Name: COLUMN v_transcodes.tenant; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.tenant IS 'Whose request it is.';

-- Name: COLUMN v_transcodes.external_id; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.external_id IS 'The caller''s own id; unique within a tenant.';

-- Name: COLUMN v_transcodes.state; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.state IS 'queued, placed, running, storing, succeeded, failed or cancelled.';

-- Name: COLUMN v_transcodes.ratio; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.ratio IS 'Completion from 0 to 1; it never goes down.';

-- Name: COLUMN v_transcodes.host_id; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.host_id IS 'The host of the newest attempt.';

-- Name: COLUMN v_transcodes.run; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.run IS '1, and one more for each retry by an operator.';

-- Name: COLUMN v_transcodes.attempt; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.attempt IS 'The newest attempt''s number; it counts on over runs.';

-- Name: COLUMN v_transcodes.attempts_left; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.attempts_left IS 'How many more attempts this run may start.';

-- Name: COLUMN v_transcodes.attempt_stage; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.attempt_stage IS 'The newest attempt''s last finished step.';

-- Name: COLUMN v_transcodes.source_url; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.source_url IS 'The source, without secrets.';

-- Name: COLUMN v_transcodes.output_url; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.output_url IS 'Where renditions go, without secrets.';

-- Name: COLUMN v_transcodes.source_duration_ms; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.source_duration_ms IS 'The source''s duration in milliseconds, once probed.';

-- Name: COLUMN v_transcodes.renditions; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.renditions IS 'How many renditions were asked for.';

-- Name: COLUMN v_transcodes.renditions_ok; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.renditions_ok IS 'How many are stored and verified.';

-- Name: COLUMN v_transcodes.error_code; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.error_code IS 'Why it failed: a code of the failure table; on a queued one, why the last attempt failed; on one that is stored, what is in the way.';

-- Name: COLUMN v_transcodes.error_stage; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.error_stage IS 'Where it failed.';

-- Name: COLUMN v_transcodes.error_message; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.error_message IS 'Why it failed, in words.';

-- Name: COLUMN v_transcodes.callback_state; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.callback_state IS 'pending, delivered, refused or expired; null before the end.';

-- Name: COLUMN v_transcodes.created_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.created_at IS 'When it was accepted.';

-- Name: COLUMN v_transcodes.placed_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.placed_at IS 'When a host was last chosen.';

-- Name: COLUMN v_transcodes.started_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.started_at IS 'When its newest attempt began to run.';

-- Name: COLUMN v_transcodes.finished_at; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.finished_at IS 'When it reached its terminal state.';

-- Name: COLUMN v_transcodes.waited_seconds; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.waited_seconds IS 'From the acceptance to the last placement, or until now.';

-- Name: COLUMN v_transcodes.took_seconds; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.took_seconds IS 'From the acceptance to the end, or until now.';

-- Name: COLUMN v_transcodes.warnings; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_transcodes.warnings IS 'What was done otherwise than asked: a list of code, text and, where it is about one, rendition.';

-- Name: v_usage; Type: VIEW; Schema: weir; Owner: -

CREATE VIEW weir.v_usage AS
 SELECT usage.tenant,
    usage.day,
    (sum(usage.succeeded))::bigint AS succeeded,
    (sum(usage.failed))::bigint AS failed,
    (sum(usage.cancelled))::bigint AS cancelled,
    (sum(usage.attempts))::bigint AS attempts,
    ((sum(usage.source_ms))::double precision / (60000)::double precision) AS source_minutes,
    ((sum(usage.output_ms))::double precision / (60000)::double precision) AS output_minutes,
    (sum(usage.pixels))::bigint AS pixels,
    (sum(usage.bytes))::bigint AS bytes
   FROM weir.usage
  GROUP BY usage.tenant, usage.day;

-- Name: VIEW v_usage; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON VIEW weir.v_usage IS 'One row per tenant and day: what the runs that ended on it used.';

-- Name: COLUMN v_usage.tenant; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_usage.tenant IS 'Whose it is.';

-- Name: COLUMN v_usage.day; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_usage.day IS 'The day on which the runs ended, in UTC.';

-- Name: COLUMN v_usage.succeeded; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_usage.succeeded IS 'Runs that succeeded.';

-- Name: COLUMN v_usage.failed; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_usage.failed IS 'Runs that failed.';

-- Name: COLUMN v_usage.cancelled; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_usage.cancelled IS 'Runs that were cancelled.';

-- Name: COLUMN v_usage.attempts; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_usage.attempts IS 'Attempts that these runs made, whatever came of them.';

-- Name: COLUMN v_usage.source_minutes; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_usage.source_minutes IS 'Length of their sources, once a run, where it was found out.';

-- Name: COLUMN v_usage.output_minutes; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_usage.output_minutes IS 'Length of the renditions that these runs stored and verified.';

-- Name: COLUMN v_usage.pixels; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_usage.pixels IS 'Pixels of those renditions: frames by width by height.';

-- Name: COLUMN v_usage.bytes; Type: COMMENT; Schema: weir; Owner: -

COMMENT ON COLUMN weir.v_usage.bytes IS 'Bytes of those renditions.';

-- Name: river_job id; Type: DEFAULT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.river_job ALTER COLUMN id SET DEFAULT nextval('weir.river_job_id_seq'::regclass);

-- Name: river_notification id; Type: DEFAULT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.river_notification ALTER COLUMN id SET DEFAULT nextval('weir.river_notification_id_seq'::regclass);

-- Name: attempts attempts_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.attempts
    ADD CONSTRAINT attempts_pkey PRIMARY KEY (transcode_id, number);

-- Name: callback_attempts callback_attempts_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.callback_attempts
    ADD CONSTRAINT callback_attempts_pkey PRIMARY KEY (callback_id, number);

-- Name: callback_secrets callback_secrets_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.callback_secrets
    ADD CONSTRAINT callback_secrets_pkey PRIMARY KEY (id);

-- Name: callback_secrets callback_secrets_two; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.callback_secrets
    ADD CONSTRAINT callback_secrets_two UNIQUE (tenant, place);

-- Name: callbacks callbacks_one_terminal; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.callbacks
    ADD CONSTRAINT callbacks_one_terminal UNIQUE (transcode_id, run);

-- Name: callbacks callbacks_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.callbacks
    ADD CONSTRAINT callbacks_pkey PRIMARY KEY (id);

-- Name: event_deliveries event_deliveries_event_id_key; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.event_deliveries
    ADD CONSTRAINT event_deliveries_event_id_key UNIQUE (event_id);

-- Name: event_deliveries event_deliveries_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.event_deliveries
    ADD CONSTRAINT event_deliveries_pkey PRIMARY KEY (id);

-- Name: event_delivery_attempts event_delivery_attempts_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.event_delivery_attempts
    ADD CONSTRAINT event_delivery_attempts_pkey PRIMARY KEY (delivery_id, number);

-- Name: events events_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.events
    ADD CONSTRAINT events_pkey PRIMARY KEY (id);

-- Name: hosts hosts_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.hosts
    ADD CONSTRAINT hosts_pkey PRIMARY KEY (id);

-- Name: identity identity_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.identity
    ADD CONSTRAINT identity_pkey PRIMARY KEY (only_);

-- Name: leads leads_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.leads
    ADD CONSTRAINT leads_pkey PRIMARY KEY (client_id);

-- Name: missed_events missed_events_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.missed_events
    ADD CONSTRAINT missed_events_pkey PRIMARY KEY (event_id);

-- Name: mist_events mist_events_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.mist_events
    ADD CONSTRAINT mist_events_pkey PRIMARY KEY (id);

-- Name: mist_events mist_events_uuid_key; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.mist_events
    ADD CONSTRAINT mist_events_uuid_key UNIQUE (uuid);

-- Name: renditions renditions_ordinal_once; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.renditions
    ADD CONSTRAINT renditions_ordinal_once UNIQUE (transcode_id, ordinal);

-- Name: renditions renditions_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.renditions
    ADD CONSTRAINT renditions_pkey PRIMARY KEY (transcode_id, name);

-- Name: river_job river_job_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.river_job
    ADD CONSTRAINT river_job_pkey PRIMARY KEY (id);

-- Name: river_leader river_leader_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.river_leader
    ADD CONSTRAINT river_leader_pkey PRIMARY KEY (name);

-- Name: river_notification river_notification_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.river_notification
    ADD CONSTRAINT river_notification_pkey PRIMARY KEY (id);

-- Name: river_queue river_queue_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.river_queue
    ADD CONSTRAINT river_queue_pkey PRIMARY KEY (name);

-- Name: schema_compat schema_compat_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.schema_compat
    ADD CONSTRAINT schema_compat_pkey PRIMARY KEY (one);

-- Name: schema_migrations schema_migrations_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (version);

-- Name: transcode_labels transcode_labels_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.transcode_labels
    ADD CONSTRAINT transcode_labels_pkey PRIMARY KEY (transcode_id, key);

-- Name: transcodes transcodes_external_id_once; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.transcodes
    ADD CONSTRAINT transcodes_external_id_once UNIQUE (external_id, tenant);

-- Name: transcodes transcodes_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.transcodes
    ADD CONSTRAINT transcodes_pkey PRIMARY KEY (id);

-- Name: usage usage_pkey; Type: CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.usage
    ADD CONSTRAINT usage_pkey PRIMARY KEY (tenant, day, part);

-- Name: attempts_open; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX attempts_open ON weir.attempts USING btree (host_id) WHERE (cleaned_at IS NULL);

-- Name: callback_attempts_by_time; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX callback_attempts_by_time ON weir.callback_attempts USING btree (sent_at);

-- Name: callbacks_by_state; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX callbacks_by_state ON weir.callbacks USING btree (state, created_at DESC, id DESC) WHERE (state <> 'delivered'::text);

-- Name: callbacks_by_time; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX callbacks_by_time ON weir.callbacks USING btree (created_at DESC, id DESC);

-- Name: event_deliveries_by_transcode; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX event_deliveries_by_transcode ON weir.event_deliveries USING btree (transcode_id, event_id);

-- Name: event_deliveries_pending; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX event_deliveries_pending ON weir.event_deliveries USING btree (tenant, receiver, next_attempt_at, id) WHERE (state = 'pending'::text);

-- Name: events_by_tenant; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX events_by_tenant ON weir.events USING btree (tenant, id);

-- Name: events_by_transcode; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX events_by_transcode ON weir.events USING btree (transcode_id, id);

-- Name: missed_events_by_tenant; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX missed_events_by_tenant ON weir.missed_events USING btree (tenant, missed_at, event_id);

-- Name: missed_events_by_transcode; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX missed_events_by_transcode ON weir.missed_events USING btree (transcode_id);

-- Name: mist_events_by_time; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX mist_events_by_time ON weir.mist_events USING btree (received_at);

-- Name: mist_events_by_transcode; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX mist_events_by_transcode ON weir.mist_events USING btree (transcode_id, id) WHERE (transcode_id IS NOT NULL);

-- Name: mist_events_by_verdict; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX mist_events_by_verdict ON weir.mist_events USING btree (verdict, id DESC) WHERE (verdict = ANY (ARRAY['stale'::text, 'unmatched'::text, 'unreadable'::text]));

-- Name: river_job_args_index; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX river_job_args_index ON weir.river_job USING gin (args);

-- Name: river_job_kind; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX river_job_kind ON weir.river_job USING btree (kind);

-- Name: river_job_metadata_index; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX river_job_metadata_index ON weir.river_job USING gin (metadata);

-- Name: river_job_prioritized_fetching_index; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX river_job_prioritized_fetching_index ON weir.river_job USING btree (state, queue, priority, scheduled_at, id);

-- Name: river_job_running_by_host; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX river_job_running_by_host ON weir.river_job USING btree (split_part(attempted_by[array_upper(attempted_by, 1)], '_'::text, 1)) WHERE (state = 'running'::weir.river_job_state);

-- Name: river_job_state_and_finalized_at_index; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX river_job_state_and_finalized_at_index ON weir.river_job USING btree (state, finalized_at) WHERE (finalized_at IS NOT NULL);

-- Name: river_job_unique_idx; Type: INDEX; Schema: weir; Owner: -

CREATE UNIQUE INDEX river_job_unique_idx ON weir.river_job USING btree (unique_key) WHERE ((unique_key IS NOT NULL) AND (unique_states IS NOT NULL) AND weir.river_job_state_in_bitmask(unique_states, state));

-- Name: river_notification_created_at_idx; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX river_notification_created_at_idx ON weir.river_notification USING btree (created_at);

-- Name: river_notification_topic_id_idx; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX river_notification_topic_id_idx ON weir.river_notification USING btree (topic, id);

-- Name: transcode_labels_by_value; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX transcode_labels_by_value ON weir.transcode_labels USING btree (tenant, key, value, created_at DESC, transcode_id DESC);

-- Name: transcodes_by_end; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX transcodes_by_end ON weir.transcodes USING btree (finished_at, id) WHERE (finished_at IS NOT NULL);

-- Name: transcodes_by_host; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX transcodes_by_host ON weir.transcodes USING btree (host_id, created_at DESC, id DESC) WHERE (host_id IS NOT NULL);

-- Name: transcodes_by_state; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX transcodes_by_state ON weir.transcodes USING btree (state, created_at DESC, id DESC) WHERE (state <> 'succeeded'::text);

-- Name: transcodes_by_tenant; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX transcodes_by_tenant ON weir.transcodes USING btree (tenant, created_at DESC, id DESC);

-- Name: transcodes_by_tenant_and_state; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX transcodes_by_tenant_and_state ON weir.transcodes USING btree (tenant, state, created_at DESC, id DESC) WHERE (state <> 'succeeded'::text);

-- Name: transcodes_by_time; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX transcodes_by_time ON weir.transcodes USING btree (created_at DESC, id DESC);

-- Name: transcodes_open_on_host; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX transcodes_open_on_host ON weir.transcodes USING btree (host_id, state) WHERE ((state = ANY (ARRAY['queued'::text, 'placed'::text, 'running'::text, 'storing'::text])) AND (host_id IS NOT NULL));

-- Name: transcodes_queued; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX transcodes_queued ON weir.transcodes USING btree (created_at, id) WHERE (state = 'queued'::text);

-- Name: transcodes_status_due; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX transcodes_status_due ON weir.transcodes USING btree (status_sent_at NULLS FIRST) WHERE (state = ANY (ARRAY['queued'::text, 'placed'::text, 'running'::text, 'storing'::text]));

-- Name: usage_by_day; Type: INDEX; Schema: weir; Owner: -

CREATE INDEX usage_by_day ON weir.usage USING btree (day, tenant);

-- Name: callbacks callbacks_check_state; Type: TRIGGER; Schema: weir; Owner: -

CREATE TRIGGER callbacks_check_state BEFORE UPDATE ON weir.callbacks FOR EACH ROW EXECUTE FUNCTION weir.callbacks_check_state();

-- Name: callbacks callbacks_missed; Type: TRIGGER; Schema: weir; Owner: -

CREATE TRIGGER callbacks_missed AFTER UPDATE OF state ON weir.callbacks FOR EACH ROW WHEN (((old.state <> new.state) AND (new.state = ANY (ARRAY['expired'::text, 'delivered'::text])))) EXECUTE FUNCTION weir.callbacks_missed();

-- Name: event_deliveries event_deliveries_missed; Type: TRIGGER; Schema: weir; Owner: -

CREATE TRIGGER event_deliveries_missed AFTER UPDATE OF state ON weir.event_deliveries FOR EACH ROW WHEN (((old.state <> 'expired'::text) AND (new.state = 'expired'::text))) EXECUTE FUNCTION weir.event_deliveries_missed();

-- Name: events events_deliver; Type: TRIGGER; Schema: weir; Owner: -

CREATE TRIGGER events_deliver AFTER INSERT ON weir.events FOR EACH ROW EXECUTE FUNCTION weir.events_deliver();

-- Name: renditions renditions_check_state; Type: TRIGGER; Schema: weir; Owner: -

CREATE TRIGGER renditions_check_state BEFORE UPDATE ON weir.renditions FOR EACH ROW EXECUTE FUNCTION weir.renditions_check_state();

-- Name: renditions renditions_tell_state; Type: TRIGGER; Schema: weir; Owner: -

CREATE TRIGGER renditions_tell_state AFTER UPDATE OF state ON weir.renditions FOR EACH ROW WHEN (((old.state <> new.state) AND (new.state = ANY (ARRAY['pushed'::text, 'ok'::text, 'failed'::text])))) EXECUTE FUNCTION weir.renditions_tell();

-- Name: transcodes transcodes_check_state; Type: TRIGGER; Schema: weir; Owner: -

CREATE TRIGGER transcodes_check_state BEFORE UPDATE ON weir.transcodes FOR EACH ROW EXECUTE FUNCTION weir.transcodes_check_state();

-- Name: transcodes transcodes_end_with_callback; Type: TRIGGER; Schema: weir; Owner: -

CREATE CONSTRAINT TRIGGER transcodes_end_with_callback AFTER UPDATE ON weir.transcodes DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((new.state = ANY (ARRAY['succeeded'::text, 'failed'::text, 'cancelled'::text])) AND (old.state <> new.state))) EXECUTE FUNCTION weir.transcodes_check_callback();

-- Name: transcodes transcodes_have_renditions; Type: TRIGGER; Schema: weir; Owner: -

CREATE CONSTRAINT TRIGGER transcodes_have_renditions AFTER INSERT ON weir.transcodes DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION weir.transcodes_check_renditions();

-- Name: transcodes transcodes_label; Type: TRIGGER; Schema: weir; Owner: -

CREATE TRIGGER transcodes_label AFTER INSERT ON weir.transcodes FOR EACH ROW WHEN ((new.labels <> '{}'::jsonb)) EXECUTE FUNCTION weir.transcodes_label();

-- Name: transcodes transcodes_succeed_whole; Type: TRIGGER; Schema: weir; Owner: -

CREATE CONSTRAINT TRIGGER transcodes_succeed_whole AFTER UPDATE ON weir.transcodes DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((new.state = 'succeeded'::text) AND (old.state <> 'succeeded'::text))) EXECUTE FUNCTION weir.transcodes_check_renditions();

-- Name: transcodes transcodes_tell_new; Type: TRIGGER; Schema: weir; Owner: -

CREATE TRIGGER transcodes_tell_new AFTER INSERT ON weir.transcodes FOR EACH ROW EXECUTE FUNCTION weir.transcodes_tell();

-- Name: transcodes transcodes_tell_state; Type: TRIGGER; Schema: weir; Owner: -

CREATE TRIGGER transcodes_tell_state AFTER UPDATE OF state ON weir.transcodes FOR EACH ROW WHEN ((old.state <> new.state)) EXECUTE FUNCTION weir.transcodes_tell();

-- Name: transcodes transcodes_use; Type: TRIGGER; Schema: weir; Owner: -

CREATE TRIGGER transcodes_use AFTER UPDATE OF state ON weir.transcodes FOR EACH ROW WHEN (((old.state <> new.state) AND (new.state = ANY (ARRAY['succeeded'::text, 'failed'::text, 'cancelled'::text])))) EXECUTE FUNCTION weir.transcodes_use();

-- Name: attempts attempts_host_id_fkey; Type: FK CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.attempts
    ADD CONSTRAINT attempts_host_id_fkey FOREIGN KEY (host_id) REFERENCES weir.hosts(id);

-- Name: attempts attempts_transcode_id_fkey; Type: FK CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.attempts
    ADD CONSTRAINT attempts_transcode_id_fkey FOREIGN KEY (transcode_id) REFERENCES weir.transcodes(id) ON DELETE CASCADE;

-- Name: callback_attempts callback_attempts_callback_id_fkey; Type: FK CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.callback_attempts
    ADD CONSTRAINT callback_attempts_callback_id_fkey FOREIGN KEY (callback_id) REFERENCES weir.callbacks(id) ON DELETE CASCADE;

-- Name: callbacks callbacks_transcode_id_fkey; Type: FK CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.callbacks
    ADD CONSTRAINT callbacks_transcode_id_fkey FOREIGN KEY (transcode_id) REFERENCES weir.transcodes(id) ON DELETE CASCADE;

-- Name: event_deliveries event_deliveries_event_id_fkey; Type: FK CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.event_deliveries
    ADD CONSTRAINT event_deliveries_event_id_fkey FOREIGN KEY (event_id) REFERENCES weir.events(id) ON DELETE CASCADE;

-- Name: event_delivery_attempts event_delivery_attempts_delivery_id_fkey; Type: FK CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.event_delivery_attempts
    ADD CONSTRAINT event_delivery_attempts_delivery_id_fkey FOREIGN KEY (delivery_id) REFERENCES weir.event_deliveries(id) ON DELETE CASCADE;

-- Name: missed_events missed_events_transcode_id_fkey; Type: FK CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.missed_events
    ADD CONSTRAINT missed_events_transcode_id_fkey FOREIGN KEY (transcode_id) REFERENCES weir.transcodes(id) ON DELETE CASCADE;

-- Name: renditions renditions_transcode_id_fkey; Type: FK CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.renditions
    ADD CONSTRAINT renditions_transcode_id_fkey FOREIGN KEY (transcode_id) REFERENCES weir.transcodes(id) ON DELETE CASCADE;

-- Name: transcode_labels transcode_labels_transcode_id_fkey; Type: FK CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.transcode_labels
    ADD CONSTRAINT transcode_labels_transcode_id_fkey FOREIGN KEY (transcode_id) REFERENCES weir.transcodes(id) ON DELETE CASCADE;

-- Name: transcodes transcodes_host_id_fkey; Type: FK CONSTRAINT; Schema: weir; Owner: -

ALTER TABLE ONLY weir.transcodes
    ADD CONSTRAINT transcodes_host_id_fkey FOREIGN KEY (host_id) REFERENCES weir.hosts(id);

-- PostgreSQL database dump complete


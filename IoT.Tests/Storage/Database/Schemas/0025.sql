SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
CREATE FUNCTION public.learn_device_series(since timestamp with time zone DEFAULT '-infinity'::timestamp with time zone, until timestamp with time zone DEFAULT 'infinity'::timestamp with time zone) RETURNS void
    LANGUAGE sql
    AS $_$
    insert into device_series as s (device_id, data_type, newest_hour, newest_at)
    select device_id, data_type, date_bin('1 hour', max(timestamp), '2000-01-01 00:00:00+00'), max(timestamp)
    from device_data where timestamp >= $1 and timestamp < $2
    group by device_id, data_type
    order by device_id, data_type collate "C"
    on conflict (device_id, data_type) do update set newest_hour = greatest(s.newest_hour, excluded.newest_hour), newest_at = excluded.newest_at
        where s.newest_at is null and s.newest_hour <= excluded.newest_hour or s.newest_at < excluded.newest_at
$_$;
CREATE FUNCTION public.reading_series(device uuid, data_type text) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $_$
    select hashtextextended($2, uuid_hash_extended($1, 0))
$_$;
SET default_tablespace = '';
CREATE TABLE public.device_data (
    id bigint NOT NULL,
    device_id uuid NOT NULL,
    "timestamp" timestamp with time zone NOT NULL,
    data_type character varying(50) NOT NULL,
    payload jsonb NOT NULL,
    status character varying(20) DEFAULT 'active'::character varying NOT NULL
)
PARTITION BY RANGE ("timestamp");
CREATE FUNCTION public.readings_of(device text, since timestamp with time zone DEFAULT '-infinity'::timestamp with time zone, until timestamp with time zone DEFAULT 'infinity'::timestamp with time zone, data_type text DEFAULT NULL::text) RETURNS SETOF public.device_data
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $_$
    select r.*
    from devices d
    join device_series s on s.device_id = d.id
    join device_data r on hashtextextended(r.data_type::text, uuid_hash_extended(r.device_id, 0)) = hashtextextended(s.data_type::text, uuid_hash_extended(s.device_id, 0))
        and r.device_id = s.device_id and r.data_type = s.data_type
    where d.external_id = $1 and ($4 is null or s.data_type = $4) and r.timestamp >= $2 and r.timestamp < $3
$_$;
SET default_table_access_method = heap;
CREATE TABLE public.api_keys (
    name text NOT NULL COLLATE pg_catalog."C",
    role text NOT NULL,
    key_hash bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT api_keys_role_check CHECK ((role = ANY (ARRAY['admin'::text, 'operator'::text, 'viewer'::text])))
);
CREATE UNLOGGED TABLE public.cache_entries (
    key text NOT NULL,
    stamp bigint NOT NULL,
    value bytea NOT NULL,
    bytes integer GENERATED ALWAYS AS (((octet_length(value) + octet_length(key)) + 100)) STORED NOT NULL,
    expires_at timestamp with time zone NOT NULL
);
CREATE UNLOGGED TABLE public.cache_generations (
    slot integer NOT NULL,
    generation bigint NOT NULL
)
WITH (fillfactor='50');
CREATE SEQUENCE public.device_data_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.device_data_id_seq OWNED BY public.device_data.id;
CREATE TABLE public.device_data_y2026m10 (
    id bigint DEFAULT nextval('public.device_data_id_seq'::regclass) NOT NULL,
    device_id uuid NOT NULL,
    "timestamp" timestamp with time zone NOT NULL,
    data_type character varying(50) NOT NULL,
    payload jsonb NOT NULL,
    status character varying(20) DEFAULT 'active'::character varying NOT NULL
);
CREATE TABLE public.device_data_y2026m11 (
    id bigint DEFAULT nextval('public.device_data_id_seq'::regclass) NOT NULL,
    device_id uuid NOT NULL,
    "timestamp" timestamp with time zone NOT NULL,
    data_type character varying(50) NOT NULL,
    payload jsonb NOT NULL,
    status character varying(20) DEFAULT 'active'::character varying NOT NULL
);
CREATE TABLE public.device_ledger (
    device_id text NOT NULL COLLATE pg_catalog."C",
    stored bigint DEFAULT 0 NOT NULL,
    duplicate bigint DEFAULT 0 NOT NULL,
    quarantined bigint DEFAULT 0 NOT NULL,
    answered bigint DEFAULT 0 NOT NULL,
    rejected bigint DEFAULT 0 NOT NULL
)
WITH (fillfactor='70');
CREATE TABLE public.device_series (
    device_id uuid NOT NULL,
    data_type character varying(50) NOT NULL,
    newest_hour timestamp with time zone NOT NULL,
    newest_at timestamp with time zone
)
WITH (fillfactor='70');
CREATE TABLE public.device_summary_5m (
    device_id uuid NOT NULL,
    data_type text NOT NULL COLLATE pg_catalog."C",
    metric text NOT NULL COLLATE pg_catalog."C",
    bucket timestamp with time zone NOT NULL,
    count bigint NOT NULL,
    sum double precision NOT NULL,
    min double precision NOT NULL,
    max double precision NOT NULL,
    first double precision NOT NULL,
    first_at timestamp with time zone NOT NULL,
    last double precision NOT NULL,
    last_at timestamp with time zone NOT NULL
)
PARTITION BY RANGE (bucket);
CREATE TABLE public.device_summary_hour (
    device_id uuid NOT NULL,
    data_type text NOT NULL COLLATE pg_catalog."C",
    metric text NOT NULL COLLATE pg_catalog."C",
    bucket timestamp with time zone NOT NULL,
    count bigint NOT NULL,
    sum double precision NOT NULL,
    min double precision NOT NULL,
    max double precision NOT NULL,
    first double precision NOT NULL,
    first_at timestamp with time zone NOT NULL,
    last double precision NOT NULL,
    last_at timestamp with time zone NOT NULL
)
PARTITION BY RANGE (bucket);
CREATE TABLE public.device_summary_hour_y2026m10 (
    device_id uuid NOT NULL,
    data_type text NOT NULL COLLATE pg_catalog."C",
    metric text NOT NULL COLLATE pg_catalog."C",
    bucket timestamp with time zone NOT NULL,
    count bigint NOT NULL,
    sum double precision NOT NULL,
    min double precision NOT NULL,
    max double precision NOT NULL,
    first double precision NOT NULL,
    first_at timestamp with time zone NOT NULL,
    last double precision NOT NULL,
    last_at timestamp with time zone NOT NULL
);
CREATE TABLE public.summary_pending (
    id bigint NOT NULL,
    slot smallint NOT NULL,
    data_types text[] NOT NULL,
    metrics text[] NOT NULL,
    single_device uuid[] NOT NULL,
    single_kind integer[] NOT NULL,
    single_at timestamp with time zone[] NOT NULL,
    single_value double precision[] NOT NULL,
    device uuid[] NOT NULL,
    kind integer[] NOT NULL,
    bucket timestamp with time zone[] NOT NULL,
    count bigint[] NOT NULL,
    sum double precision[] NOT NULL,
    min double precision[] NOT NULL,
    max double precision[] NOT NULL,
    first double precision[] NOT NULL,
    first_at timestamp with time zone[] NOT NULL,
    last double precision[] NOT NULL,
    last_at timestamp with time zone[] NOT NULL
);
ALTER TABLE ONLY public.summary_pending ALTER COLUMN single_device SET STORAGE EXTERNAL;
ALTER TABLE ONLY public.summary_pending ALTER COLUMN single_kind SET STORAGE EXTERNAL;
ALTER TABLE ONLY public.summary_pending ALTER COLUMN single_at SET STORAGE EXTERNAL;
ALTER TABLE ONLY public.summary_pending ALTER COLUMN single_value SET STORAGE EXTERNAL;
ALTER TABLE ONLY public.summary_pending ALTER COLUMN device SET STORAGE EXTERNAL;
ALTER TABLE ONLY public.summary_pending ALTER COLUMN kind SET STORAGE EXTERNAL;
ALTER TABLE ONLY public.summary_pending ALTER COLUMN bucket SET STORAGE EXTERNAL;
ALTER TABLE ONLY public.summary_pending ALTER COLUMN count SET STORAGE EXTERNAL;
ALTER TABLE ONLY public.summary_pending ALTER COLUMN sum SET STORAGE EXTERNAL;
ALTER TABLE ONLY public.summary_pending ALTER COLUMN min SET STORAGE EXTERNAL;
ALTER TABLE ONLY public.summary_pending ALTER COLUMN max SET STORAGE EXTERNAL;
ALTER TABLE ONLY public.summary_pending ALTER COLUMN first SET STORAGE EXTERNAL;
ALTER TABLE ONLY public.summary_pending ALTER COLUMN first_at SET STORAGE EXTERNAL;
ALTER TABLE ONLY public.summary_pending ALTER COLUMN last SET STORAGE EXTERNAL;
ALTER TABLE ONLY public.summary_pending ALTER COLUMN last_at SET STORAGE EXTERNAL;
CREATE VIEW public.device_summary_pending AS
 SELECT p.id AS seq,
    p.slot,
    e.device_id,
    (p.data_types[e.kind] COLLATE "C") AS data_type,
    (p.metrics[e.kind] COLLATE "C") AS metric,
    e.bucket,
    e.count,
    e.sum,
    e.min,
    e.max,
    e.first,
    e.first_at,
    e.last,
    e.last_at
   FROM (public.summary_pending p
     CROSS JOIN LATERAL ( SELECT s.device_id,
            s.kind,
            date_bin('00:05:00'::interval, s.at, '2000-01-01 00:00:00+00'::timestamp with time zone) AS bucket,
            (1)::bigint AS count,
            s.value AS sum,
            s.value AS min,
            s.value AS max,
            s.value AS first,
            s.at AS first_at,
            s.value AS last,
            s.at AS last_at
           FROM UNNEST(p.single_device, p.single_kind, p.single_at, p.single_value) s(device_id, kind, at, value)
        UNION ALL
         SELECT g.device_id,
            g.kind,
            g.bucket,
            g.count,
            g.sum,
            g.min,
            g.max,
            g.first,
            g.first_at,
            g.last,
            g.last_at
           FROM UNNEST(p.device, p.kind, p.bucket, p.count, p.sum, p.min, p.max, p.first, p.first_at, p.last, p.last_at) g(device_id, kind, bucket, count, sum, min, max, first, first_at, last, last_at)) e);
CREATE VIEW public.device_summary_hourly AS
 SELECT s.device_id,
    s.hour,
    s.data_type,
    (COALESCE(sum(s.count) FILTER (WHERE (s.metric = ''::text)), (0)::numeric))::bigint AS message_count,
    (sum(s.sum) FILTER (WHERE (s.metric = 'value'::text)) / (sum(s.count) FILTER (WHERE (s.metric = 'value'::text)))::double precision) AS avg_value,
    max(s.max) FILTER (WHERE (s.metric = 'value'::text)) AS max_value,
    min(s.min) FILTER (WHERE (s.metric = 'value'::text)) AS min_value
   FROM ( SELECT device_summary_hour.device_id,
            device_summary_hour.bucket AS hour,
            device_summary_hour.data_type,
            device_summary_hour.metric,
            device_summary_hour.count,
            device_summary_hour.sum,
            device_summary_hour.min,
            device_summary_hour.max
           FROM public.device_summary_hour
          WHERE (device_summary_hour.metric = ANY (ARRAY[''::text, 'value'::text]))
        UNION ALL
         SELECT device_summary_pending.device_id,
            date_bin('01:00:00'::interval, device_summary_pending.bucket, '2000-01-01 00:00:00+00'::timestamp with time zone) AS date_bin,
            device_summary_pending.data_type,
            device_summary_pending.metric,
            device_summary_pending.count,
            device_summary_pending.sum,
            device_summary_pending.min,
            device_summary_pending.max
           FROM public.device_summary_pending
          WHERE (device_summary_pending.metric = ANY (ARRAY[''::text, 'value'::text]))) s
  GROUP BY s.device_id, s.hour, s.data_type;
CREATE TABLE public.devices (
    id uuid NOT NULL,
    external_id text NOT NULL COLLATE pg_catalog."C",
    name text,
    type text,
    location text,
    labels jsonb DEFAULT '{}'::jsonb NOT NULL,
    status text DEFAULT 'active'::text NOT NULL,
    token_hash bytea,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    last_seen_at timestamp with time zone,
    CONSTRAINT devices_status_check CHECK ((status = ANY (ARRAY['active'::text, 'disabled'::text])))
);
CREATE TABLE public.inferences (
    id uuid NOT NULL,
    subject text NOT NULL COLLATE pg_catalog."C",
    predicate text NOT NULL COLLATE pg_catalog."C",
    object text NOT NULL COLLATE pg_catalog."C",
    rule text NOT NULL COLLATE pg_catalog."C",
    confidence double precision NOT NULL,
    because text,
    raised_at timestamp with time zone NOT NULL,
    cleared_at timestamp with time zone
);
CREATE TABLE public.ingest_checkpoint (
    log_id uuid NOT NULL,
    lane integer NOT NULL,
    "position" bigint NOT NULL,
    left_out integer[]
)
WITH (fillfactor='50');
CREATE TABLE public.latest_value_state (
    one boolean DEFAULT true NOT NULL,
    reading_id bigint NOT NULL,
    CONSTRAINT latest_value_state_one_check CHECK (one)
);
CREATE TABLE public.latest_values (
    device_id uuid NOT NULL,
    metric text NOT NULL COLLATE pg_catalog."C",
    "timestamp" timestamp with time zone NOT NULL,
    reading_id bigint NOT NULL,
    kind smallint NOT NULL,
    value text NOT NULL
)
WITH (fillfactor='60');
CREATE TABLE public.ledger_pending (
    device_ids text[] NOT NULL,
    stored integer[] NOT NULL,
    duplicate integer[] NOT NULL,
    quarantined integer[] NOT NULL
);
ALTER TABLE ONLY public.ledger_pending ALTER COLUMN device_ids SET STORAGE EXTERNAL;
ALTER TABLE ONLY public.ledger_pending ALTER COLUMN stored SET STORAGE EXTERNAL;
ALTER TABLE ONLY public.ledger_pending ALTER COLUMN duplicate SET STORAGE EXTERNAL;
ALTER TABLE ONLY public.ledger_pending ALTER COLUMN quarantined SET STORAGE EXTERNAL;
CREATE TABLE public.message_id_parts (
    part integer NOT NULL,
    opened_at timestamp with time zone NOT NULL
);
CREATE TABLE public.message_ids (
    part integer NOT NULL,
    device_id uuid NOT NULL,
    message_id text NOT NULL COLLATE pg_catalog."C"
)
PARTITION BY LIST (part);
CREATE TABLE public.message_ids_p1 (
    part integer NOT NULL,
    device_id uuid NOT NULL,
    message_id text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE public.partition_removals (
    partition text NOT NULL,
    table_name text NOT NULL,
    range_from timestamp with time zone NOT NULL,
    range_to timestamp with time zone NOT NULL,
    rows bigint NOT NULL,
    bytes bigint NOT NULL,
    cause text NOT NULL,
    reason text NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT partition_removals_cause_check CHECK ((cause = ANY (ARRAY['age'::text, 'budget'::text])))
);
CREATE TABLE public.people (
    name text NOT NULL COLLATE pg_catalog."C",
    role text NOT NULL,
    password_hash text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT people_role_check CHECK ((role = ANY (ARRAY['admin'::text, 'operator'::text, 'viewer'::text])))
);
CREATE TABLE public.quarantine (
    id bigint NOT NULL,
    device_id text NOT NULL COLLATE pg_catalog."C",
    received_at timestamp with time zone NOT NULL,
    reason text NOT NULL,
    bytes bytea NOT NULL,
    topic text,
    protocol text,
    length bigint NOT NULL
);
CREATE SEQUENCE public.quarantine_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.quarantine_id_seq OWNED BY public.quarantine.id;
CREATE TABLE public.schema_migrations (
    version integer NOT NULL,
    name text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL,
    checksum text,
    unfinished_step integer
);
CREATE TABLE public.semantic_documents (
    kind text NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    version_id bigint NOT NULL
);
CREATE TABLE public.semantic_parts (
    version_id bigint NOT NULL,
    part integer NOT NULL,
    gzip bytea NOT NULL
);
ALTER TABLE ONLY public.semantic_parts ALTER COLUMN gzip SET STORAGE EXTERNAL;
CREATE TABLE public.semantic_versions (
    id bigint NOT NULL,
    kind text NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    version integer NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    created_by text NOT NULL,
    bytes bigint NOT NULL,
    sha256 bytea NOT NULL,
    CONSTRAINT semantic_versions_kind_check CHECK ((kind = ANY (ARRAY['model'::text, 'rules'::text])))
);
CREATE SEQUENCE public.semantic_versions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.semantic_versions_id_seq OWNED BY public.semantic_versions.id;
CREATE TABLE public.storage_events (
    id bigint NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    kind text NOT NULL,
    table_name text NOT NULL,
    partition text NOT NULL,
    range_from timestamp with time zone NOT NULL,
    range_to timestamp with time zone NOT NULL,
    rows bigint NOT NULL,
    bytes bigint NOT NULL,
    cause text NOT NULL,
    reason text NOT NULL,
    CONSTRAINT storage_events_cause_check CHECK ((cause = ANY (ARRAY['age'::text, 'budget'::text])))
);
CREATE SEQUENCE public.storage_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.storage_events_id_seq OWNED BY public.storage_events.id;
CREATE SEQUENCE public.summary_pending_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.summary_pending_id_seq OWNED BY public.summary_pending.id;
CREATE TABLE public.summary_state (
    one boolean DEFAULT true NOT NULL,
    needs_rebuild boolean NOT NULL,
    CONSTRAINT summary_state_one_check CHECK (one)
);
ALTER TABLE ONLY public.device_data ATTACH PARTITION public.device_data_y2026m10 FOR VALUES FROM ('2026-10-01 00:00:00+00') TO ('2026-11-01 00:00:00+00');
ALTER TABLE ONLY public.device_data ATTACH PARTITION public.device_data_y2026m11 FOR VALUES FROM ('2026-11-01 00:00:00+00') TO ('2026-12-01 00:00:00+00');
ALTER TABLE ONLY public.device_summary_hour ATTACH PARTITION public.device_summary_hour_y2026m10 FOR VALUES FROM ('2026-10-01 00:00:00+00') TO ('2026-11-01 00:00:00+00');
ALTER TABLE ONLY public.message_ids ATTACH PARTITION public.message_ids_p1 FOR VALUES IN (1);
ALTER TABLE ONLY public.device_data ALTER COLUMN id SET DEFAULT nextval('public.device_data_id_seq'::regclass);
ALTER TABLE ONLY public.quarantine ALTER COLUMN id SET DEFAULT nextval('public.quarantine_id_seq'::regclass);
ALTER TABLE ONLY public.semantic_versions ALTER COLUMN id SET DEFAULT nextval('public.semantic_versions_id_seq'::regclass);
ALTER TABLE ONLY public.storage_events ALTER COLUMN id SET DEFAULT nextval('public.storage_events_id_seq'::regclass);
ALTER TABLE ONLY public.summary_pending ALTER COLUMN id SET DEFAULT nextval('public.summary_pending_id_seq'::regclass);
INSERT INTO public.api_keys VALUES
	('script', 'operator', '\x2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683', '2026-10-01 00:00:00+00');
INSERT INTO public.cache_entries VALUES
	('k', 1, '\x78', DEFAULT, '2026-11-25 00:00:00+00');
INSERT INTO public.cache_generations VALUES
	(1, 1);
INSERT INTO public.device_data_y2026m10 VALUES
	(1, '8f7edccc-751e-5170-b8b2-70348cdf4b56', '2026-10-30 00:00:00+00', 'machine', '{"t": 0.00000000000000000000, "motor": {"rpm": 0}}', 'active'),
	(2, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-10-30 01:00:00+00', 'climate', '{"t": 0.12500000000000000000, "motor": {"rpm": 1}}', 'active'),
	(3, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-10-30 02:00:00+00', 'machine', '{"t": 0.25000000000000000000, "motor": {"rpm": 2}}', 'active'),
	(4, '8f7edccc-751e-5170-b8b2-70348cdf4b56', '2026-10-30 03:00:00+00', 'climate', '{"t": 0.37500000000000000000, "motor": {"rpm": 3}}', 'active'),
	(5, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-10-30 04:00:00+00', 'machine', '{"t": 0.50000000000000000000, "motor": {"rpm": 4}}', 'active'),
	(6, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-10-30 05:00:00+00', 'climate', '{"t": 0.62500000000000000000, "motor": {"rpm": 5}}', 'active'),
	(7, '8f7edccc-751e-5170-b8b2-70348cdf4b56', '2026-10-30 06:00:00+00', 'machine', '{"t": 0.75000000000000000000, "motor": {"rpm": 6}}', 'active'),
	(8, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-10-30 07:00:00+00', 'climate', '{"t": 0.87500000000000000000, "motor": {"rpm": 7}}', 'active'),
	(9, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-10-30 08:00:00+00', 'machine', '{"t": 1.00000000000000000000, "motor": {"rpm": 8}}', 'active'),
	(10, '8f7edccc-751e-5170-b8b2-70348cdf4b56', '2026-10-30 09:00:00+00', 'climate', '{"t": 1.1250000000000000, "motor": {"rpm": 9}}', 'active'),
	(11, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-10-30 10:00:00+00', 'machine', '{"t": 1.2500000000000000, "motor": {"rpm": 10}}', 'active'),
	(12, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-10-30 11:00:00+00', 'climate', '{"t": 1.3750000000000000, "motor": {"rpm": 11}}', 'active'),
	(13, '8f7edccc-751e-5170-b8b2-70348cdf4b56', '2026-10-30 12:00:00+00', 'machine', '{"t": 1.5000000000000000, "motor": {"rpm": 12}}', 'active'),
	(14, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-10-30 13:00:00+00', 'climate', '{"t": 1.6250000000000000, "motor": {"rpm": 13}}', 'active'),
	(15, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-10-30 14:00:00+00', 'machine', '{"t": 1.7500000000000000, "motor": {"rpm": 14}}', 'active'),
	(16, '8f7edccc-751e-5170-b8b2-70348cdf4b56', '2026-10-30 15:00:00+00', 'climate', '{"t": 1.8750000000000000, "motor": {"rpm": 15}}', 'active'),
	(17, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-10-30 16:00:00+00', 'machine', '{"t": 2.0000000000000000, "motor": {"rpm": 16}}', 'active'),
	(18, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-10-30 17:00:00+00', 'climate', '{"t": 2.1250000000000000, "motor": {"rpm": 17}}', 'active'),
	(19, '8f7edccc-751e-5170-b8b2-70348cdf4b56', '2026-10-30 18:00:00+00', 'machine', '{"t": 2.2500000000000000, "motor": {"rpm": 18}}', 'active'),
	(20, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-10-30 19:00:00+00', 'climate', '{"t": 2.3750000000000000, "motor": {"rpm": 19}}', 'active'),
	(21, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-10-30 20:00:00+00', 'machine', '{"t": 2.5000000000000000, "motor": {"rpm": 20}}', 'active'),
	(22, '8f7edccc-751e-5170-b8b2-70348cdf4b56', '2026-10-30 21:00:00+00', 'climate', '{"t": 2.6250000000000000, "motor": {"rpm": 21}}', 'active'),
	(23, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-10-30 22:00:00+00', 'machine', '{"t": 2.7500000000000000, "motor": {"rpm": 22}}', 'active'),
	(24, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-10-30 23:00:00+00', 'climate', '{"t": 2.8750000000000000, "motor": {"rpm": 23}}', 'active'),
	(25, '8f7edccc-751e-5170-b8b2-70348cdf4b56', '2026-10-31 00:00:00+00', 'machine', '{"t": 3.0000000000000000, "motor": {"rpm": 24}}', 'active'),
	(26, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-10-31 01:00:00+00', 'climate', '{"t": 3.1250000000000000, "motor": {"rpm": 25}}', 'active'),
	(27, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-10-31 02:00:00+00', 'machine', '{"t": 3.2500000000000000, "motor": {"rpm": 26}}', 'active'),
	(28, '8f7edccc-751e-5170-b8b2-70348cdf4b56', '2026-10-31 03:00:00+00', 'climate', '{"t": 3.3750000000000000, "motor": {"rpm": 27}}', 'active'),
	(29, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-10-31 04:00:00+00', 'machine', '{"t": 3.5000000000000000, "motor": {"rpm": 28}}', 'active'),
	(30, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-10-31 05:00:00+00', 'climate', '{"t": 3.6250000000000000, "motor": {"rpm": 29}}', 'active'),
	(31, '8f7edccc-751e-5170-b8b2-70348cdf4b56', '2026-10-31 06:00:00+00', 'machine', '{"t": 3.7500000000000000, "motor": {"rpm": 30}}', 'active'),
	(32, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-10-31 07:00:00+00', 'climate', '{"t": 3.8750000000000000, "motor": {"rpm": 31}}', 'active'),
	(33, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-10-31 08:00:00+00', 'machine', '{"t": 4.0000000000000000, "motor": {"rpm": 32}}', 'active'),
	(34, '8f7edccc-751e-5170-b8b2-70348cdf4b56', '2026-10-31 09:00:00+00', 'climate', '{"t": 4.1250000000000000, "motor": {"rpm": 33}}', 'active'),
	(35, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-10-31 10:00:00+00', 'machine', '{"t": 4.2500000000000000, "motor": {"rpm": 34}}', 'active'),
	(36, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-10-31 11:00:00+00', 'climate', '{"t": 4.3750000000000000, "motor": {"rpm": 35}}', 'active'),
	(37, '8f7edccc-751e-5170-b8b2-70348cdf4b56', '2026-10-31 12:00:00+00', 'machine', '{"t": 4.5000000000000000, "motor": {"rpm": 36}}', 'active'),
	(38, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-10-31 13:00:00+00', 'climate', '{"t": 4.6250000000000000, "motor": {"rpm": 37}}', 'active'),
	(39, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-10-31 14:00:00+00', 'machine', '{"t": 4.7500000000000000, "motor": {"rpm": 38}}', 'active'),
	(40, '8f7edccc-751e-5170-b8b2-70348cdf4b56', '2026-10-31 15:00:00+00', 'climate', '{"t": 4.8750000000000000, "motor": {"rpm": 39}}', 'active'),
	(41, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-10-31 16:00:00+00', 'machine', '{"t": 5.0000000000000000, "motor": {"rpm": 40}}', 'active'),
	(42, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-10-31 17:00:00+00', 'climate', '{"t": 5.1250000000000000, "motor": {"rpm": 41}}', 'active'),
	(43, '8f7edccc-751e-5170-b8b2-70348cdf4b56', '2026-10-31 18:00:00+00', 'machine', '{"t": 5.2500000000000000, "motor": {"rpm": 42}}', 'active'),
	(44, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-10-31 19:00:00+00', 'climate', '{"t": 5.3750000000000000, "motor": {"rpm": 43}}', 'active'),
	(45, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-10-31 20:00:00+00', 'machine', '{"t": 5.5000000000000000, "motor": {"rpm": 44}}', 'active'),
	(46, '8f7edccc-751e-5170-b8b2-70348cdf4b56', '2026-10-31 21:00:00+00', 'climate', '{"t": 5.6250000000000000, "motor": {"rpm": 45}}', 'active'),
	(47, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-10-31 22:00:00+00', 'machine', '{"t": 5.7500000000000000, "motor": {"rpm": 46}}', 'active'),
	(48, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-10-31 23:00:00+00', 'climate', '{"t": 5.8750000000000000, "motor": {"rpm": 47}}', 'active');
INSERT INTO public.device_data_y2026m11 VALUES
	(49, '8f7edccc-751e-5170-b8b2-70348cdf4b56', '2026-11-01 00:00:00+00', 'machine', '{"t": 6.0000000000000000, "motor": {"rpm": 48}}', 'active'),
	(50, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-11-01 01:00:00+00', 'climate', '{"t": 6.1250000000000000, "motor": {"rpm": 49}}', 'active'),
	(51, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-11-01 02:00:00+00', 'machine', '{"t": 6.2500000000000000, "motor": {"rpm": 50}}', 'active'),
	(52, '8f7edccc-751e-5170-b8b2-70348cdf4b56', '2026-11-01 03:00:00+00', 'climate', '{"t": 6.3750000000000000, "motor": {"rpm": 51}}', 'active'),
	(53, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-11-01 04:00:00+00', 'machine', '{"t": 6.5000000000000000, "motor": {"rpm": 52}}', 'active'),
	(54, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-11-01 05:00:00+00', 'climate', '{"t": 6.6250000000000000, "motor": {"rpm": 53}}', 'active'),
	(55, '8f7edccc-751e-5170-b8b2-70348cdf4b56', '2026-11-01 06:00:00+00', 'machine', '{"t": 6.7500000000000000, "motor": {"rpm": 54}}', 'active'),
	(56, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-11-01 07:00:00+00', 'climate', '{"t": 6.8750000000000000, "motor": {"rpm": 55}}', 'active'),
	(57, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-11-01 08:00:00+00', 'machine', '{"t": 7.0000000000000000, "motor": {"rpm": 56}}', 'active'),
	(58, '8f7edccc-751e-5170-b8b2-70348cdf4b56', '2026-11-01 09:00:00+00', 'climate', '{"t": 7.1250000000000000, "motor": {"rpm": 57}}', 'active'),
	(59, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-11-01 10:00:00+00', 'machine', '{"t": 7.2500000000000000, "motor": {"rpm": 58}}', 'active'),
	(60, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-11-01 11:00:00+00', 'climate', '{"t": 7.3750000000000000, "motor": {"rpm": 59}}', 'active'),
	(61, '8f7edccc-751e-5170-b8b2-70348cdf4b56', '2026-11-01 12:00:00+00', 'machine', '{"t": 7.5000000000000000, "motor": {"rpm": 60}}', 'active'),
	(62, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-11-01 13:00:00+00', 'climate', '{"t": 7.6250000000000000, "motor": {"rpm": 61}}', 'active'),
	(63, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-11-01 14:00:00+00', 'machine', '{"t": 7.7500000000000000, "motor": {"rpm": 62}}', 'active'),
	(64, '8f7edccc-751e-5170-b8b2-70348cdf4b56', '2026-11-01 15:00:00+00', 'climate', '{"t": 7.8750000000000000, "motor": {"rpm": 63}}', 'active'),
	(65, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-11-01 16:00:00+00', 'machine', '{"t": 8.0000000000000000, "motor": {"rpm": 64}}', 'active'),
	(66, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-11-01 17:00:00+00', 'climate', '{"t": 8.1250000000000000, "motor": {"rpm": 65}}', 'active'),
	(67, '8f7edccc-751e-5170-b8b2-70348cdf4b56', '2026-11-01 18:00:00+00', 'machine', '{"t": 8.2500000000000000, "motor": {"rpm": 66}}', 'active'),
	(68, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-11-01 19:00:00+00', 'climate', '{"t": 8.3750000000000000, "motor": {"rpm": 67}}', 'active'),
	(69, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-11-01 20:00:00+00', 'machine', '{"t": 8.5000000000000000, "motor": {"rpm": 68}}', 'active'),
	(70, '8f7edccc-751e-5170-b8b2-70348cdf4b56', '2026-11-01 21:00:00+00', 'climate', '{"t": 8.6250000000000000, "motor": {"rpm": 69}}', 'active'),
	(71, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-11-01 22:00:00+00', 'machine', '{"t": 8.7500000000000000, "motor": {"rpm": 70}}', 'active'),
	(72, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-11-01 23:00:00+00', 'climate', '{"t": 8.8750000000000000, "motor": {"rpm": 71}}', 'active'),
	(73, '8f7edccc-751e-5170-b8b2-70348cdf4b56', '2026-11-02 00:00:00+00', 'machine', '{"t": 9.0000000000000000, "motor": {"rpm": 72}}', 'active'),
	(74, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-11-02 01:00:00+00', 'climate', '{"t": 9.1250000000000000, "motor": {"rpm": 73}}', 'active'),
	(75, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-11-02 02:00:00+00', 'machine', '{"t": 9.2500000000000000, "motor": {"rpm": 74}}', 'active'),
	(76, '8f7edccc-751e-5170-b8b2-70348cdf4b56', '2026-11-02 03:00:00+00', 'climate', '{"t": 9.3750000000000000, "motor": {"rpm": 75}}', 'active'),
	(77, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-11-02 04:00:00+00', 'machine', '{"t": 9.5000000000000000, "motor": {"rpm": 76}}', 'active'),
	(78, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-11-02 05:00:00+00', 'climate', '{"t": 9.6250000000000000, "motor": {"rpm": 77}}', 'active'),
	(79, '8f7edccc-751e-5170-b8b2-70348cdf4b56', '2026-11-02 06:00:00+00', 'machine', '{"t": 9.7500000000000000, "motor": {"rpm": 78}}', 'active'),
	(80, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-11-02 07:00:00+00', 'climate', '{"t": 9.8750000000000000, "motor": {"rpm": 79}}', 'active'),
	(81, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-11-02 08:00:00+00', 'machine', '{"t": 10.0000000000000000, "motor": {"rpm": 80}}', 'active'),
	(82, '8f7edccc-751e-5170-b8b2-70348cdf4b56', '2026-11-02 09:00:00+00', 'climate', '{"t": 10.1250000000000000, "motor": {"rpm": 81}}', 'active'),
	(83, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-11-02 10:00:00+00', 'machine', '{"t": 10.2500000000000000, "motor": {"rpm": 82}}', 'active'),
	(84, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-11-02 11:00:00+00', 'climate', '{"t": 10.3750000000000000, "motor": {"rpm": 83}}', 'active'),
	(85, '8f7edccc-751e-5170-b8b2-70348cdf4b56', '2026-11-02 12:00:00+00', 'machine', '{"t": 10.5000000000000000, "motor": {"rpm": 84}}', 'active'),
	(86, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-11-02 13:00:00+00', 'climate', '{"t": 10.6250000000000000, "motor": {"rpm": 85}}', 'active'),
	(87, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-11-02 14:00:00+00', 'machine', '{"t": 10.7500000000000000, "motor": {"rpm": 86}}', 'active'),
	(88, '8f7edccc-751e-5170-b8b2-70348cdf4b56', '2026-11-02 15:00:00+00', 'climate', '{"t": 10.8750000000000000, "motor": {"rpm": 87}}', 'active'),
	(89, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-11-02 16:00:00+00', 'machine', '{"t": 11.0000000000000000, "motor": {"rpm": 88}}', 'active'),
	(90, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-11-02 17:00:00+00', 'climate', '{"t": 11.1250000000000000, "motor": {"rpm": 89}}', 'active'),
	(91, '8f7edccc-751e-5170-b8b2-70348cdf4b56', '2026-11-02 18:00:00+00', 'machine', '{"t": 11.2500000000000000, "motor": {"rpm": 90}}', 'active'),
	(92, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-11-02 19:00:00+00', 'climate', '{"t": 11.3750000000000000, "motor": {"rpm": 91}}', 'active'),
	(93, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-11-02 20:00:00+00', 'machine', '{"t": 11.5000000000000000, "motor": {"rpm": 92}}', 'active'),
	(94, '8f7edccc-751e-5170-b8b2-70348cdf4b56', '2026-11-02 21:00:00+00', 'climate', '{"t": 11.6250000000000000, "motor": {"rpm": 93}}', 'active'),
	(95, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-11-02 22:00:00+00', 'machine', '{"t": 11.7500000000000000, "motor": {"rpm": 94}}', 'active'),
	(96, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-11-02 23:00:00+00', 'climate', '{"t": 11.8750000000000000, "motor": {"rpm": 95}}', 'active'),
	(97, '8f7edccc-751e-5170-b8b2-70348cdf4b56', '2026-11-03 00:00:00+00', 'machine', '{"t": 12.0000000000000000, "motor": {"rpm": 96}}', 'active'),
	(98, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-11-03 01:00:00+00', 'climate', '{"t": 12.1250000000000000, "motor": {"rpm": 97}}', 'active'),
	(99, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', '2026-11-03 02:00:00+00', 'machine', '{"t": 12.2500000000000000, "motor": {"rpm": 98}}', 'active'),
	(100, '8f7edccc-751e-5170-b8b2-70348cdf4b56', '2026-11-03 03:00:00+00', 'climate', '{"t": 12.3750000000000000, "motor": {"rpm": 99}}', 'active');
INSERT INTO public.device_ledger VALUES
	('press-1', 66, 0, 1, 3, 2),
	('press-2', 34, 0, 0, 0, 0),
	('', 0, 0, 0, 0, 5);
INSERT INTO public.device_series VALUES
	('5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', 'machine', '2026-11-03 02:00:00+00', NULL),
	('8f7edccc-751e-5170-b8b2-70348cdf4b56', 'machine', '2026-11-03 00:00:00+00', NULL),
	('5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', 'climate', '2026-11-03 01:00:00+00', '2026-11-03 01:00:00+00'),
	('8f7edccc-751e-5170-b8b2-70348cdf4b56', 'climate', '2026-11-03 03:00:00+00', '2026-11-03 03:00:00+00');
INSERT INTO public.device_summary_hour_y2026m10 VALUES
	('5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', 'machine', 't', '2026-10-30 02:00:00+00', 1, 0.25, 0.25, 0.25, 0.25, '2026-10-30 02:00:00+00', 0.25, '2026-10-30 02:00:00+00');
INSERT INTO public.devices VALUES
	('5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', 'press-1', 'Press 1', 'Machine', 'hall-a', '{"line": "2"}', 'active', '\x7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed', '2026-10-01 00:00:00+00', '2026-11-02 10:00:00+00'),
	('8f7edccc-751e-5170-b8b2-70348cdf4b56', 'press-2', NULL, NULL, NULL, '{}', 'disabled', NULL, '2026-10-02 00:00:00+00', NULL);
INSERT INTO public.inferences VALUES
	('7a2b1e0a-6a3f-4f3e-9f57-0f2f3f9f0a01', 's', 'p', 'o', 'r', 1, NULL, '2026-11-01 00:00:00+00', NULL);
INSERT INTO public.ingest_checkpoint VALUES
	('11111111-2222-3333-4444-555555555555', 0, 120, NULL),
	('11111111-2222-3333-4444-555555555555', 1, 118, '{3}');
INSERT INTO public.latest_value_state VALUES
	(true, 100);
INSERT INTO public.latest_values VALUES
	('5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', 't', '2026-11-03 02:00:00+00', 99, 1, '1'),
	('8f7edccc-751e-5170-b8b2-70348cdf4b56', 't', '2026-11-03 03:00:00+00', 100, 1, '1');
INSERT INTO public.ledger_pending VALUES
	('{press-1}', '{0}', '{3}', '{0}');
INSERT INTO public.message_id_parts VALUES
	(1, '2026-11-02 00:00:00+00');
INSERT INTO public.message_ids_p1 VALUES
	(1, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', 'm-1'),
	(1, '5f1d7e5d-3472-5480-bcb3-70e661d6bdb9', 'm-2');
INSERT INTO public.people VALUES
	('admin', 'admin', 'AQAAAA', '2026-10-01 00:00:00+00'),
	('vera', 'viewer', 'AQAAAA', '2026-10-01 00:00:00+00');
INSERT INTO public.quarantine VALUES
	(1, 'press-1', '2026-11-02 00:00:00+00', 'PostgreSQL refuses it', '\x7b2274223a317d', 'devices/press-1/data', 'mqtt', 7);
INSERT INTO public.schema_migrations VALUES
	(1, '0001_devices_and_readings', '2026-11-01 00:00:00+00', '2b08f14d0bb9354c2f59fc35eac0748d14509711cc89f55d08ea8fb1f8fb3a53', NULL),
	(2, '0002_ingest_checkpoint', '2026-11-01 00:00:00+00', '1c211895d84a2a23b928a411cec348f67ee9330658ae0e41c8e5a4b786fec9a1', NULL),
	(3, '0003_message_ids', '2026-11-01 00:00:00+00', '745f47db8e02894efe25a2a1a7554708c71de242f285f19931239d52eb1bfa09', NULL),
	(4, '0004_quarantine', '2026-11-01 00:00:00+00', 'd3512a0820d2b78b93462dcb29cf9af1c4c0a0d80232b1851a3932c50cf0c07c', NULL),
	(5, '0005_device_ledger', '2026-11-01 00:00:00+00', '893ef33f560f2a485e51f96e4ba6cc2e08a1192202c2fed7c75bcf967d4f1873', NULL),
	(6, '0006_left_out', '2026-11-01 00:00:00+00', '5372bd31a44ba0ebbdc389042933c52ac070686fb34be58c49b3c63a0d634066', NULL),
	(7, '0007_retention', '2026-11-01 00:00:00+00', '211e9d6b6e3c8c8bb2dc9456f123ad477436d945341c53cb5b9c531450a6d767', NULL),
	(8, '0008_summaries', '2026-11-01 00:00:00+00', 'ad7f2c0dbfd8079030a264eca3d9b10fc5c3592f9e735ccc777d40349aff1312', NULL),
	(9, '0009_ledger_pending', '2026-11-25 00:00:00+00', '1c404f9b096e0ce71a2e5f7430e5a03ac3b20080480afa9af52e894c106812dd', NULL),
	(10, '0010_device_series', '2026-11-25 00:00:00+00', '1789d94a1fc7ea06055ab433d4ad77e608e34a53092ba95f03965fd7deb78972', NULL),
	(16, '0016_cache', '2026-11-25 00:00:00+00', '7e9d0b9ea0cac99b1155ab8bc33d7a002a222fb0a12203cc54eaac67a6a42565', NULL),
	(20, '0020_latest_values', '2026-11-25 00:00:00+00', '3047d41fad12f3104e534f156c59454fb44b506a28e933cf6be0437d0fb9e98f', NULL),
	(21, '0021_semantics', '2026-11-25 00:00:00+00', 'f47af29590743ec00f8d29ef5431d709d37d3db307836714664e94f9274df69b', NULL),
	(22, '0022_arrival_index', '2026-11-25 00:00:00+00', '08bf310f01b19f14a711dacc48a9a54977e5cb664fbed609cca7e78f413427ab', NULL),
	(23, '0023_series_functions', '2026-11-25 00:00:00+00', '3a8a63a9ec28bfeff274a3112c50b600932068752deffb0b22fa0db79da6af57', NULL),
	(24, '0024_series_index', '2026-11-25 00:00:00+00', '007620ca71ec50904c0db28257323e3a5431d192655160a4f388bce897df0af6', NULL),
	(25, '0025_series_newest', '2026-11-25 00:00:00+00', '768183faf181eb635bd5def142d65507d3bf19b79f8959fe6482892446f04a74', NULL);
INSERT INTO public.semantic_documents VALUES
	('model', 'hall', 1);
INSERT INTO public.semantic_parts VALUES
	(1, 1, '\x78');
INSERT INTO public.semantic_versions VALUES
	(1, 'model', 'hall', 1, '2026-11-01 00:00:00+00', 'admin', 3, '\x78');
INSERT INTO public.storage_events VALUES
	(1, '2026-11-01 00:00:00+00', 'dropped', 'device_data', 'device_data_y2021m10', '2021-10-01 00:00:00+00', '2021-11-01 00:00:00+00', 1000, 65536, 'age', 'older than 1826 days');
INSERT INTO public.summary_state VALUES
	(true, true);
SELECT pg_catalog.setval('public.device_data_id_seq', 100, true);
SELECT pg_catalog.setval('public.quarantine_id_seq', 1, true);
SELECT pg_catalog.setval('public.semantic_versions_id_seq', 1, true);
SELECT pg_catalog.setval('public.storage_events_id_seq', 1, true);
SELECT pg_catalog.setval('public.summary_pending_id_seq', 1, false);
ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_key_hash_key UNIQUE (key_hash);
ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.cache_entries
    ADD CONSTRAINT cache_entries_pkey PRIMARY KEY (key);
ALTER TABLE ONLY public.cache_generations
    ADD CONSTRAINT cache_generations_pkey PRIMARY KEY (slot);
ALTER TABLE ONLY public.device_ledger
    ADD CONSTRAINT device_ledger_pkey PRIMARY KEY (device_id);
ALTER TABLE ONLY public.device_series
    ADD CONSTRAINT device_series_pkey PRIMARY KEY (device_id, data_type);
ALTER TABLE ONLY public.device_summary_5m
    ADD CONSTRAINT device_summary_5m_pkey PRIMARY KEY (device_id, data_type, metric, bucket);
ALTER TABLE ONLY public.device_summary_hour
    ADD CONSTRAINT device_summary_hour_pkey PRIMARY KEY (device_id, data_type, metric, bucket);
ALTER TABLE ONLY public.device_summary_hour_y2026m10
    ADD CONSTRAINT device_summary_hour_y2026m10_pkey PRIMARY KEY (device_id, data_type, metric, bucket);
ALTER TABLE ONLY public.devices
    ADD CONSTRAINT devices_external_id_key UNIQUE (external_id);
ALTER TABLE ONLY public.devices
    ADD CONSTRAINT devices_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.devices
    ADD CONSTRAINT devices_token_hash_key UNIQUE (token_hash);
ALTER TABLE ONLY public.inferences
    ADD CONSTRAINT inferences_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.ingest_checkpoint
    ADD CONSTRAINT ingest_checkpoint_pkey PRIMARY KEY (log_id, lane);
ALTER TABLE ONLY public.latest_value_state
    ADD CONSTRAINT latest_value_state_pkey PRIMARY KEY (one);
ALTER TABLE ONLY public.latest_values
    ADD CONSTRAINT latest_values_pkey PRIMARY KEY (device_id, metric);
ALTER TABLE ONLY public.message_id_parts
    ADD CONSTRAINT message_id_parts_pkey PRIMARY KEY (part);
ALTER TABLE ONLY public.message_ids
    ADD CONSTRAINT message_ids_pkey PRIMARY KEY (device_id, message_id, part);
ALTER TABLE ONLY public.message_ids_p1
    ADD CONSTRAINT message_ids_p1_pkey PRIMARY KEY (device_id, message_id, part);
ALTER TABLE ONLY public.partition_removals
    ADD CONSTRAINT partition_removals_pkey PRIMARY KEY (partition);
ALTER TABLE ONLY public.people
    ADD CONSTRAINT people_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.quarantine
    ADD CONSTRAINT quarantine_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (version);
ALTER TABLE ONLY public.semantic_documents
    ADD CONSTRAINT semantic_documents_pkey PRIMARY KEY (kind, name);
ALTER TABLE ONLY public.semantic_parts
    ADD CONSTRAINT semantic_parts_pkey PRIMARY KEY (version_id, part);
ALTER TABLE ONLY public.semantic_versions
    ADD CONSTRAINT semantic_versions_kind_name_version_key UNIQUE (kind, name, version);
ALTER TABLE ONLY public.semantic_versions
    ADD CONSTRAINT semantic_versions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.storage_events
    ADD CONSTRAINT storage_events_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.summary_pending
    ADD CONSTRAINT summary_pending_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.summary_state
    ADD CONSTRAINT summary_state_pkey PRIMARY KEY (one);
CREATE INDEX cache_entries_expiry ON public.cache_entries USING btree (expires_at);
CREATE INDEX device_data_arrival ON ONLY public.device_data USING brin (id) WITH (pages_per_range='32', autosummarize='on');
CREATE INDEX device_data_by_series ON ONLY public.device_data USING btree (hashtextextended((data_type)::text, uuid_hash_extended(device_id, (0)::bigint)), "timestamp") WITH (fillfactor='100', deduplicate_items=off);
CREATE INDEX device_data_time ON ONLY public.device_data USING brin ("timestamp") WITH (pages_per_range='32', autosummarize='on');
CREATE INDEX device_data_y2026m10_arrival ON public.device_data_y2026m10 USING brin (id) WITH (pages_per_range='32', autosummarize='on');
CREATE INDEX device_data_y2026m10_by_series ON public.device_data_y2026m10 USING btree (hashtextextended((data_type)::text, uuid_hash_extended(device_id, (0)::bigint)), "timestamp") WITH (fillfactor='100', deduplicate_items=off);
CREATE INDEX device_data_y2026m10_time ON public.device_data_y2026m10 USING brin ("timestamp") WITH (pages_per_range='32', autosummarize='on');
CREATE INDEX device_data_y2026m11_arrival ON public.device_data_y2026m11 USING brin (id) WITH (pages_per_range='32', autosummarize='on');
CREATE INDEX device_data_y2026m11_by_series ON public.device_data_y2026m11 USING btree (hashtextextended((data_type)::text, uuid_hash_extended(device_id, (0)::bigint)), "timestamp") WITH (fillfactor='100', deduplicate_items=off);
CREATE INDEX device_data_y2026m11_time ON public.device_data_y2026m11 USING brin ("timestamp") WITH (pages_per_range='32', autosummarize='on');
CREATE INDEX inferences_active ON public.inferences USING btree (raised_at DESC, id DESC) WHERE (cleared_at IS NULL);
CREATE INDEX inferences_cleared ON public.inferences USING btree (cleared_at) WHERE (cleared_at IS NOT NULL);
CREATE INDEX inferences_rule ON public.inferences USING hash (rule);
CREATE INDEX inferences_subject ON public.inferences USING hash (subject);
CREATE INDEX inferences_time ON public.inferences USING btree (raised_at DESC, id DESC);
CREATE INDEX quarantine_device ON public.quarantine USING btree (device_id, id DESC);
ALTER INDEX public.device_data_arrival ATTACH PARTITION public.device_data_y2026m10_arrival;
ALTER INDEX public.device_data_by_series ATTACH PARTITION public.device_data_y2026m10_by_series;
ALTER INDEX public.device_data_time ATTACH PARTITION public.device_data_y2026m10_time;
ALTER INDEX public.device_data_arrival ATTACH PARTITION public.device_data_y2026m11_arrival;
ALTER INDEX public.device_data_by_series ATTACH PARTITION public.device_data_y2026m11_by_series;
ALTER INDEX public.device_data_time ATTACH PARTITION public.device_data_y2026m11_time;
ALTER INDEX public.device_summary_hour_pkey ATTACH PARTITION public.device_summary_hour_y2026m10_pkey;
ALTER INDEX public.message_ids_pkey ATTACH PARTITION public.message_ids_p1_pkey;
ALTER TABLE ONLY public.semantic_documents
    ADD CONSTRAINT semantic_documents_version_id_fkey FOREIGN KEY (version_id) REFERENCES public.semantic_versions(id);
ALTER TABLE ONLY public.semantic_parts
    ADD CONSTRAINT semantic_parts_version_id_fkey FOREIGN KEY (version_id) REFERENCES public.semantic_versions(id) ON DELETE CASCADE;

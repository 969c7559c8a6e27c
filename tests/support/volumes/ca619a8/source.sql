SET check_function_bodies = off; SET client_min_messages = warning;
SET session_replication_role = replica; SET search_path = '';
CREATE TYPE public.state AS ENUM (
    'new',
    'paid'
);
CREATE TABLE bucardo.bucardo_delta_names (
    sync text,
    tablename text,
    deltaname text,
    trackname text,
    cdate timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE ONLY bucardo.bucardo_delta_names REPLICA IDENTITY FULL;
CREATE TABLE bucardo.bucardo_delta_targets (
    tablename oid NOT NULL,
    target text NOT NULL,
    cdate timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE ONLY bucardo.bucardo_delta_targets REPLICA IDENTITY FULL;
CREATE TABLE bucardo.bucardo_sequences (
    schemaname text NOT NULL,
    seqname text NOT NULL,
    syncname text NOT NULL,
    targetname text NOT NULL,
    last_value bigint NOT NULL,
    start_value bigint NOT NULL,
    increment_by bigint NOT NULL,
    max_value bigint NOT NULL,
    min_value bigint NOT NULL,
    is_cycled boolean NOT NULL,
    is_called boolean NOT NULL
);
ALTER TABLE ONLY bucardo.bucardo_sequences REPLICA IDENTITY FULL;
CREATE TABLE bucardo.bucardo_truncate_trigger (
    tablename oid NOT NULL,
    sname text NOT NULL,
    tname text NOT NULL,
    sync text NOT NULL,
    replicated timestamp with time zone,
    cdate timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE ONLY bucardo.bucardo_truncate_trigger REPLICA IDENTITY FULL;
CREATE TABLE bucardo.bucardo_truncate_trigger_log (
    tablename oid NOT NULL,
    sname text NOT NULL,
    tname text NOT NULL,
    sync text NOT NULL,
    target text NOT NULL,
    replicated timestamp with time zone NOT NULL,
    cdate timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE ONLY bucardo.bucardo_truncate_trigger_log REPLICA IDENTITY FULL;
CREATE TABLE bucardo.delta_public_customer (
    id bigint,
    txntime timestamp with time zone DEFAULT (date_trunc('milliseconds'::text, now()) + (((txid_current() % (1000)::bigint))::double precision * '00:00:00.000001'::interval)) NOT NULL
);
ALTER TABLE ONLY bucardo.delta_public_customer REPLICA IDENTITY FULL;
CREATE TABLE bucardo.delta_public_purchase (
    customer bigint,
    nr bigint,
    txntime timestamp with time zone DEFAULT (date_trunc('milliseconds'::text, now()) + (((txid_current() % (1000)::bigint))::double precision * '00:00:00.000001'::interval)) NOT NULL
);
ALTER TABLE ONLY bucardo.delta_public_purchase REPLICA IDENTITY FULL;
CREATE TABLE bucardo.machine_beats (
    migration text NOT NULL,
    pass bigint DEFAULT 0 NOT NULL,
    nonce text DEFAULT ''::text NOT NULL,
    before text DEFAULT ''::text NOT NULL,
    seen timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE bucardo.machine_captured (
    sync text NOT NULL,
    tablename text NOT NULL,
    state jsonb NOT NULL,
    rewrite jsonb,
    since timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE bucardo.machine_keys (
    name text NOT NULL,
    goat text NOT NULL,
    relation oid NOT NULL,
    columns smallint[] NOT NULL,
    seen text,
    mark text,
    types oid[]
);
CREATE TABLE bucardo.machine_live (
    migration text NOT NULL,
    destination boolean NOT NULL
);
CREATE TABLE bucardo.machine_owners (
    migration text NOT NULL,
    owner text NOT NULL,
    host text NOT NULL,
    since timestamp with time zone DEFAULT now() NOT NULL,
    identity text NOT NULL,
    timeline text NOT NULL,
    stopped text DEFAULT ''::text NOT NULL
);
CREATE TABLE bucardo.machine_proof_marks (
    migration text NOT NULL,
    tablename text NOT NULL,
    bucket integer NOT NULL
);
CREATE TABLE bucardo.machine_proof_plans (
    migration text NOT NULL,
    tablename text NOT NULL,
    definition text NOT NULL,
    buckets integer NOT NULL,
    bounds text[],
    bucket text NOT NULL,
    counters text NOT NULL,
    complete boolean DEFAULT false NOT NULL
);
CREATE TABLE bucardo.machine_proofs (
    migration text NOT NULL,
    tablename text NOT NULL,
    bucket integer NOT NULL,
    rows bigint NOT NULL,
    proven timestamp with time zone NOT NULL
);
CREATE TABLE bucardo.machine_runs (
    sync text NOT NULL,
    migration text NOT NULL,
    run bigint DEFAULT 0 NOT NULL,
    nonce text DEFAULT ''::text NOT NULL
);
CREATE TABLE bucardo.machine_syncs (
    sync text NOT NULL,
    target text NOT NULL,
    stage_rows bigint DEFAULT 200000 NOT NULL,
    healed bigint DEFAULT 0 NOT NULL
);
CREATE TABLE bucardo.machine_targets (
    tablename text NOT NULL,
    target text NOT NULL,
    seen timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE bucardo.machine_touches (
    tablename text NOT NULL,
    file oid,
    block bigint DEFAULT 0 NOT NULL,
    rows bigint DEFAULT 0 NOT NULL,
    why text,
    follower_file oid,
    follower_block bigint,
    gone bigint DEFAULT 0 NOT NULL,
    shipped boolean DEFAULT false NOT NULL,
    held boolean DEFAULT false NOT NULL
);
CREATE UNLOGGED TABLE bucardo.machine_unlogged (
    id boolean DEFAULT true NOT NULL,
    stamp text DEFAULT md5(((clock_timestamp())::text || (random())::text)) NOT NULL
);
CREATE UNLOGGED TABLE bucardo.stage_public_customer (
    txntime timestamp with time zone,
    target text
);
CREATE UNLOGGED TABLE bucardo.stage_public_purchase (
    txntime timestamp with time zone,
    target text
);
CREATE TABLE bucardo.track_public_customer (
    txntime timestamp with time zone,
    target text
);
ALTER TABLE ONLY bucardo.track_public_customer REPLICA IDENTITY FULL;
CREATE TABLE bucardo.track_public_purchase (
    txntime timestamp with time zone,
    target text
);
ALTER TABLE ONLY bucardo.track_public_purchase REPLICA IDENTITY FULL;
CREATE TABLE public.customer (
    id integer NOT NULL,
    name text NOT NULL,
    born date
);
CREATE SEQUENCE public.customer_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.customer_id_seq OWNED BY public.customer.id;
CREATE TABLE public.note (
    text text
);
CREATE TABLE public.purchase (
    customer integer NOT NULL,
    nr integer NOT NULL,
    state public.state DEFAULT 'new'::public.state,
    amount numeric(10,2)
);
ALTER TABLE ONLY public.customer ALTER COLUMN id SET DEFAULT nextval('public.customer_id_seq'::regclass);
COPY bucardo.bucardo_delta_names (sync, tablename, deltaname, trackname, cdate) FROM stdin;
app_sync	public.customer	delta_public_customer	track_public_customer	2026-11-28 21:48:18.379346+00
app_sync	public.purchase	delta_public_purchase	track_public_purchase	2026-11-28 21:48:18.379346+00
\.
COPY bucardo.delta_public_customer (id, txntime) FROM stdin;
1	2026-11-28 21:48:18.525896+00
2	2026-11-28 21:48:22.279899+00
\.
COPY bucardo.machine_beats (migration, pass, nonce, before, seen) FROM stdin;
app	1	ad45d967d8977aae		2026-11-28 21:48:18.117436+00
\.
COPY bucardo.machine_captured (sync, tablename, state, rewrite, since) FROM stdin;
app_sync	public.customer	{"key": "integer", "row": "16610 816 A", "body": "cdcd9d6b7377db71629d59960aa0a3fd", "delta": "16588", "table": "16392", "truncate": "16611 816 A"}	{"file": "16392", "labels": {}, "values": {"id": "1", "born": "3", "name": "2"}, "columns": "aff70442df0c7bfc2afce70cf1416afe", "unlogged": null}	2026-11-28 21:48:17.215144+00
app_sync	public.purchase	{"key": "integer, integer", "row": "16626 816 A", "body": "d1853cba2bb6a03475dc63005baa2f8f", "delta": "16592", "table": "16400", "truncate": "16627 816 A"}	{"file": "16400", "labels": {"16386 new": "16388", "16386 paid": "16390"}, "values": {"nr": "2", "state": "3", "amount": "4", "customer": "1"}, "columns": "15508d0018a3cb6f5b4335ffbdc44528", "unlogged": null}	2026-11-28 21:48:17.215144+00
\.
COPY bucardo.machine_keys (name, goat, relation, columns, seen, mark, types) FROM stdin;
public.customer	public.customer	16392	{1}	id integer	public; customer; 1 726; 16398 726	{23}
public.purchase	public.purchase	16400	{1,2}	customer integer, nr integer	public; purchase; 1 726,2 726; 16404 726	{23,23}
\.
COPY bucardo.machine_live (migration, destination) FROM stdin;
app	f
\.
COPY bucardo.machine_owners (migration, owner, host, since, identity, timeline, stopped) FROM stdin;
app	@OWNER@	older	2026-11-28 21:48:17.023124+00	@SOURCE_SYSTEM@/@SOURCE_DATABASE@	00000001	
\.
COPY bucardo.machine_runs (sync, migration, run, nonce) FROM stdin;
app_sync	app	1	7ea8a333d7ed08f8
\.
COPY bucardo.machine_syncs (sync, target, stage_rows, healed) FROM stdin;
app_sync	dbgroup app_dbs	200000	0
\.
COPY bucardo.machine_unlogged (id, stamp) FROM stdin;
t	3860f7010f484c0737d02508141201fe
\.
COPY bucardo.track_public_customer (txntime, target) FROM stdin;
2026-11-28 21:48:18.525896+00	dbgroup app_dbs
\.
COPY public.customer (id, name, born) FROM stdin;
3	customer 3	1970-01-04
4	customer 4	1970-01-05
5	customer 5	1970-01-06
6	customer 6	1970-01-07
7	customer 7	1970-01-08
8	customer 8	1970-01-09
9	customer 9	1970-01-10
1	went over	1970-01-02
2	waits	1970-01-03
\.
COPY public.note (text) FROM stdin;
kept
\.
COPY public.purchase (customer, nr, state, amount) FROM stdin;
1	1	new	1.00
2	1	new	2.00
3	1	new	3.00
4	1	new	4.00
5	1	new	5.00
6	1	new	6.00
7	1	new	7.00
8	1	new	8.00
9	1	new	9.00
1	2	new	2.00
2	2	new	4.00
3	2	new	6.00
4	2	new	8.00
5	2	new	10.00
6	2	new	12.00
7	2	new	14.00
8	2	new	16.00
9	2	new	18.00
\.
SELECT pg_catalog.setval('public.customer_id_seq', 9, true);
ALTER TABLE ONLY bucardo.machine_beats
    ADD CONSTRAINT machine_beats_pkey PRIMARY KEY (migration);
ALTER TABLE ONLY bucardo.machine_captured
    ADD CONSTRAINT machine_captured_pkey PRIMARY KEY (sync, tablename);
ALTER TABLE ONLY bucardo.machine_keys
    ADD CONSTRAINT machine_keys_pkey PRIMARY KEY (name);
ALTER TABLE ONLY bucardo.machine_live
    ADD CONSTRAINT machine_live_pkey PRIMARY KEY (migration);
ALTER TABLE ONLY bucardo.machine_owners
    ADD CONSTRAINT machine_owners_pkey PRIMARY KEY (migration);
ALTER TABLE ONLY bucardo.machine_proof_marks
    ADD CONSTRAINT machine_proof_marks_pkey PRIMARY KEY (migration, tablename, bucket);
ALTER TABLE ONLY bucardo.machine_proof_plans
    ADD CONSTRAINT machine_proof_plans_pkey PRIMARY KEY (migration, tablename);
ALTER TABLE ONLY bucardo.machine_proofs
    ADD CONSTRAINT machine_proofs_pkey PRIMARY KEY (migration, tablename, bucket);
ALTER TABLE ONLY bucardo.machine_runs
    ADD CONSTRAINT machine_runs_pkey PRIMARY KEY (sync);
ALTER TABLE ONLY bucardo.machine_syncs
    ADD CONSTRAINT machine_syncs_pkey PRIMARY KEY (sync);
ALTER TABLE ONLY bucardo.machine_targets
    ADD CONSTRAINT machine_targets_pkey PRIMARY KEY (tablename, target);
ALTER TABLE ONLY bucardo.machine_touches
    ADD CONSTRAINT machine_touches_pkey PRIMARY KEY (tablename);
ALTER TABLE ONLY bucardo.machine_unlogged
    ADD CONSTRAINT machine_unlogged_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.customer
    ADD CONSTRAINT customer_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.purchase
    ADD CONSTRAINT purchase_pkey PRIMARY KEY (customer, nr);
CREATE UNIQUE INDEX bucardo_delta_names_unique ON bucardo.bucardo_delta_names USING btree (sync, tablename);
CREATE INDEX bucardo_delta_target_unique ON bucardo.bucardo_delta_targets USING btree (tablename, target);
CREATE UNIQUE INDEX bucardo_sequences_tablename ON bucardo.bucardo_sequences USING btree (schemaname, seqname, syncname, targetname);
CREATE INDEX bucardo_truncate_trigger_index ON bucardo.bucardo_truncate_trigger USING btree (sync, tablename) WHERE (replicated IS NULL);
CREATE INDEX dex1_public_customer ON bucardo.delta_public_customer USING btree (txntime);
CREATE INDEX dex1_public_purchase ON bucardo.delta_public_purchase USING btree (txntime);
CREATE INDEX dex2_public_customer ON bucardo.delta_public_customer USING btree (id);
CREATE INDEX dex2_public_purchase ON bucardo.delta_public_purchase USING btree (customer, nr);
CREATE INDEX dex3_public_customer ON bucardo.track_public_customer USING btree (target text_pattern_ops, txntime);
CREATE INDEX dex3_public_purchase ON bucardo.track_public_purchase USING btree (target text_pattern_ops, txntime);
CREATE TRIGGER machine_divert BEFORE INSERT ON bucardo.bucardo_truncate_trigger FOR EACH ROW EXECUTE FUNCTION bucardo.machine_divert();
ALTER TABLE bucardo.bucardo_truncate_trigger ENABLE ALWAYS TRIGGER machine_divert;
CREATE TRIGGER machine_guard BEFORE INSERT ON bucardo.bucardo_delta_names FOR EACH ROW EXECUTE FUNCTION bucardo.machine_guard();
CREATE TRIGGER machine_keep BEFORE INSERT ON bucardo.bucardo_delta_targets FOR EACH ROW EXECUTE FUNCTION bucardo.machine_keep();
ALTER TABLE bucardo.bucardo_delta_targets ENABLE ALWAYS TRIGGER machine_keep;
CREATE TRIGGER bucardo_delta AFTER INSERT OR DELETE OR UPDATE ON public.customer FOR EACH ROW EXECUTE FUNCTION bucardo.delta_public_customer();
ALTER TABLE public.customer ENABLE ALWAYS TRIGGER bucardo_delta;
CREATE TRIGGER bucardo_delta AFTER INSERT OR DELETE OR UPDATE ON public.purchase FOR EACH ROW EXECUTE FUNCTION bucardo.delta_public_purchase();
ALTER TABLE public.purchase ENABLE ALWAYS TRIGGER bucardo_delta;
CREATE TRIGGER bucardo_note_trunc_app_sync AFTER TRUNCATE ON public.customer FOR EACH STATEMENT EXECUTE FUNCTION bucardo.machine_note_truncation('app_sync');
ALTER TABLE public.customer ENABLE ALWAYS TRIGGER bucardo_note_trunc_app_sync;
CREATE TRIGGER bucardo_note_trunc_app_sync AFTER TRUNCATE ON public.purchase FOR EACH STATEMENT EXECUTE FUNCTION bucardo.machine_note_truncation('app_sync');
ALTER TABLE public.purchase ENABLE ALWAYS TRIGGER bucardo_note_trunc_app_sync;
ALTER TABLE ONLY public.purchase
    ADD CONSTRAINT purchase_customer_fkey FOREIGN KEY (customer) REFERENCES public.customer(id);

SET check_function_bodies = off; SET client_min_messages = warning;
SET session_replication_role = replica; SET search_path = '';
CREATE SCHEMA machine;
CREATE TABLE machine.event_log (
    id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    level text NOT NULL,
    subject text NOT NULL,
    text text NOT NULL
);
CREATE TABLE machine.migration (
    name text NOT NULL,
    definition jsonb NOT NULL,
    until text,
    paused_at timestamp with time zone,
    paused_by text,
    created timestamp with time zone DEFAULT now() NOT NULL,
    resuming boolean,
    leaving jsonb
);
CREATE TABLE machine.phase (
    migration text NOT NULL,
    phase text NOT NULL,
    state text NOT NULL,
    failure text,
    attempt integer NOT NULL,
    started timestamp with time zone,
    ended timestamp with time zone,
    error text,
    mend text,
    evidence jsonb,
    findings jsonb,
    done bigint,
    total bigint
);
CREATE TABLE machine.refused (
    sync text NOT NULL,
    tablename text NOT NULL,
    error text NOT NULL,
    side text NOT NULL,
    strikes integer DEFAULT 1 NOT NULL,
    since timestamp with time zone DEFAULT now() NOT NULL,
    run_ended timestamp with time zone NOT NULL,
    tries integer DEFAULT 0 NOT NULL,
    prints text NOT NULL,
    until timestamp with time zone,
    released timestamp with time zone
);
CREATE TABLE machine.version (
    one boolean DEFAULT true NOT NULL,
    version integer NOT NULL,
    program text,
    CONSTRAINT version_one_check CHECK (one)
);
COPY machine.event_log (id, at, level, subject, text) FROM stdin;
1795902495139	2026-11-28 21:48:15.139+00	info	machine	bucardo-machine 0.1.0 starts on volume '/machine/volume'
1795902495141	2026-11-28 21:48:15.141+00	info	pgpass	took over the passwords of '/machine/pgpass'
1795902495142	2026-11-28 21:48:15.141+00	info	volume	found an empty volume on '/machine/volume'
1795902495888	2026-11-28 21:48:15.888+00	info	postgres	created the control cluster in '/machine/volume/postgres/15'
1795902495899	2026-11-28 21:48:15.899+00	info	postgres	is starting: all it needs is there
1795902495966	2026-11-28 21:48:15.966+00	info	postgres	is ready
1795902496449	2026-11-28 21:48:16.449+00	info	bucardo	is starting: all it needs is there
1795902496450	2026-11-28 21:48:16.449+00	info	app	preflight begins
1795902496636	2026-11-28 21:48:16.636+00	info	app	preflight is done after under 1 s: {"tables":3,"left_out":1,"bytes":40960,"note":0,"degrades":1,"stops":0}
1795902496637	2026-11-28 21:48:16.637+00	info	app	schema begins
1795902496861	2026-11-28 21:48:16.861+00	info	bucardo	is ready
1795902496862	2026-11-28 21:48:16.861+00	info	machine	starting -> ready
1795902496968	2026-11-28 21:48:16.968+00	info	app	schema is done after under 1 s: {"bytes":0,"rows":0,"reused_chunks":0}
1795902496969	2026-11-28 21:48:16.969+00	info	app	capture begins
1795902497446	2026-11-28 21:48:17.446+00	info	app	capture is done after under 1 s: {"syncs":["app_sync"],"tables":2,"left_out":["public.note"]}
1795902497453	2026-11-28 21:48:17.453+00	info	app	copy begins
1795902497459	2026-11-28 21:48:17.459+00	info	bucardo	sync 'app_sync' is stopped: its migration has not begun to replicate yet
1795902497743	2026-11-28 21:48:17.743+00	info	app	copy is done after under 1 s: {"bytes":1328,"rows":28,"reused_chunks":0}
1795902497747	2026-11-28 21:48:17.747+00	info	app	index begins
1795902498028	2026-11-28 21:48:18.028+00	info	app	index is done after under 1 s: {"bytes":40960,"rows":28,"reused_chunks":3}
1795902498035	2026-11-28 21:48:18.035+00	info	app	replicate begins
1795902498159	2026-11-28 21:48:18.159+00	info	app	replicate is done after under 1 s: {"applied_rows":0}
1795902498465	2026-11-28 21:48:18.465+00	info	bucardo	sync 'app_sync' is idle
1795902500281	2026-11-28 21:48:20.281+00	info	machine	stopping: asked to by SIGTERM
1795902500297	2026-11-28 21:48:20.297+00	info	bucardo	is stopping: no longer wanted
1795902500298	2026-11-28 21:48:20.298+00	info	machine	ready -> stopping: asked to by SIGTERM
\.
COPY machine.migration (name, definition, until, paused_at, paused_by, created, resuming, leaving) FROM stdin;
app	{"copy": {"jobs": 4, "max_rate": 0, "throttle": true}, "name": "app", "source": {"host": "127.0.0.1", "port": @SOURCE_PORT@, "user": "catalyze", "dbname": "shop", "sslmode": "prefer", "sslrootcert": null}, "direction": "both", "destination": {"host": "127.0.0.1", "port": @DESTINATION_PORT@, "user": "catalyze", "dbname": "shop", "sslmode": "prefer", "sslrootcert": null}}	\N	\N	\N	2026-11-28 21:48:16.448601+00	f	\N
\.
COPY machine.phase (migration, phase, state, failure, attempt, started, ended, error, mend, evidence, findings, done, total) FROM stdin;
app	preflight	done	\N	0	2026-11-28 21:48:16.449+00	2026-11-28 21:48:16.636+00	\N	\N	{"note": 0, "bytes": 40960, "stops": 0, "tables": 3, "degrades": 1, "left_out": 1}	[{"why": "it has no primary key and no unique index over NOT NULL columns (arrays do not count), by which Bucardo could tell its rows apart", "hint": "ALTER TABLE public.note ADD PRIMARY KEY (...) over columns that are unique; or ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, which rewrites it", "object": "public.note", "severity": "degrades"}]	61	61
app	schema	done	\N	0	2026-11-28 21:48:16.637+00	2026-11-28 21:48:16.968+00	\N	\N	{"rows": 0, "bytes": 0, "reused_chunks": 0}	\N	0	0
app	capture	done	\N	0	2026-11-28 21:48:16.969+00	2026-11-28 21:48:17.446+00	\N	\N	{"syncs": ["app_sync"], "tables": 2, "left_out": ["public.note"]}	[{"why": "it has no primary key and no unique index over NOT NULL columns (arrays do not count), by which Bucardo could tell its rows apart", "hint": "ALTER TABLE public.note ADD PRIMARY KEY (...) over columns that are unique; or ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, which rewrites it", "object": "public.note", "severity": "degrades"}]	2	2
app	copy	done	\N	0	2026-11-28 21:48:17.453+00	2026-11-28 21:48:17.743+00	\N	\N	{"rows": 28, "bytes": 1328, "reused_chunks": 0}	\N	40960	40960
app	index	done	\N	0	2026-11-28 21:48:17.747+00	2026-11-28 21:48:18.028+00	\N	\N	{"rows": 28, "bytes": 40960, "reused_chunks": 3}	\N	69632	69632
app	replicate	done	\N	0	2026-11-28 21:48:18.035+00	2026-11-28 21:48:18.159+00	\N	\N	{"applied_rows": 0}	\N	0	0
\.
COPY machine.version (one, version, program) FROM stdin;
t	1	0.1.0
\.
ALTER TABLE ONLY machine.event_log
    ADD CONSTRAINT event_log_pkey PRIMARY KEY (id);
ALTER TABLE ONLY machine.migration
    ADD CONSTRAINT migration_pkey PRIMARY KEY (name);
ALTER TABLE ONLY machine.phase
    ADD CONSTRAINT phase_pkey PRIMARY KEY (migration, phase);
ALTER TABLE ONLY machine.refused
    ADD CONSTRAINT refused_pkey PRIMARY KEY (sync, tablename);
ALTER TABLE ONLY machine.version
    ADD CONSTRAINT version_pkey PRIMARY KEY (one);
COPY bucardo.db (name, dbdsn, dbtype, dbhost, dbport, dbname, dbuser, dbpass, dbconn, dbservice, pgpass, status, server_side_prepares, makedelta, cdate) FROM stdin;
app_source		postgres	127.0.0.1	@SOURCE_PORT@	shop	catalyze	\N	sslmode='prefer';options='-c search_path=pg_catalog,\\\\ pg_temp -c bucardo_machine.applying=on -c synchronous_commit=on -c array_nulls=on -c xmloption=content -c quote_all_identifiers=off -c standard_conforming_strings=on -c transform_null_equals=off -c DateStyle=ISO,\\\\ YMD -c IntervalStyle=postgres -c bytea_output=hex -c extra_float_digits=3 -c TimeZone=UTC -c lc_monetary=C -c row_security=off -c default_transaction_isolation=read\\\\ committed -c default_transaction_read_only=off -c default_transaction_deferrable=off -c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0 -c exit_on_error=off -c plpgsql.extra_errors=none';connect_timeout=5;tcp_user_timeout=10000;keepalives_idle=5;keepalives_interval=2;keepalives_count=3		\N	active	t	f	2026-11-28 21:48:17.086102+00
app_destination		postgres	127.0.0.1	@DESTINATION_PORT@	shop	catalyze	\N	sslmode='prefer';options='-c search_path=pg_catalog,\\\\ pg_temp -c bucardo_machine.applying=on -c synchronous_commit=on -c array_nulls=on -c xmloption=content -c quote_all_identifiers=off -c standard_conforming_strings=on -c transform_null_equals=off -c DateStyle=ISO,\\\\ YMD -c IntervalStyle=postgres -c bytea_output=hex -c extra_float_digits=3 -c TimeZone=UTC -c lc_monetary=C -c row_security=off -c default_transaction_isolation=read\\\\ committed -c default_transaction_read_only=off -c default_transaction_deferrable=off -c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0 -c exit_on_error=off -c plpgsql.extra_errors=none';connect_timeout=5;tcp_user_timeout=10000;keepalives_idle=5;keepalives_interval=2;keepalives_count=3		\N	active	t	f	2026-11-28 21:48:17.086102+00
\.
COPY bucardo.dbgroup (name, about, cdate) FROM stdin;
app_dbs	\N	2026-11-28 21:48:17.086102+00
\.
COPY bucardo.dbmap (db, dbgroup, priority, role, cdate) FROM stdin;
app_source	app_dbs	0	source	2026-11-28 21:48:17.086102+00
app_destination	app_dbs	0	source	2026-11-28 21:48:17.086102+00
\.
COPY bucardo.goat (id, db, schemaname, tablename, reltype, pkey, qpkey, pkeytype, has_delta, autokick, conflict_strategy, makedelta, rebuild_index, ghost, analyze_after_copy, vacuum_after_copy, strict_checking, delta_bypass, delta_bypass_min, delta_bypass_count, delta_bypass_percent, cdate) FROM stdin;
1	app_source	public	customer	table	id	id	integer	f	\N	\N	\N	\N	f	t	t	t	f	\N	\N	\N	2026-11-28 21:48:17.269691+00
2	app_source	public	purchase	table	customer|nr	customer|nr	integer|integer	f	\N	\N	\N	\N	f	t	t	t	f	\N	\N	\N	2026-11-28 21:48:17.269691+00
\.
COPY bucardo.herd (name, about, cdate) FROM stdin;
app_tables	\N	2026-11-28 21:48:17.086102+00
\.
COPY bucardo.herdmap (herd, goat, priority, cdate) FROM stdin;
app_tables	1	0	2026-11-28 21:48:17.269691+00
app_tables	2	0	2026-11-28 21:48:17.269691+00
\.
COPY bucardo.sync (name, herd, dbs, stayalive, kidsalive, conflict_strategy, copyextra, deletemethod, autokick, checktime, status, rebuild_index, priority, analyze_after_copy, vacuum_after_copy, strict_checking, overdue, expired, track_rates, onetimecopy, lifetime, maxkicks, isolation_level, cdate) FROM stdin;
app_sync	app_tables	app_dbs	t	t	bucardo_latest		delete	f	00:00:30	active	0	0	f	f	t	00:00:00	00:00:00	f	0	\N	0	\N	2026-11-28 21:48:17.269691+00
\.

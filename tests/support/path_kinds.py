"""The matrix of objects that do not find what they need when search_path is empty.

pg_restore, the copy and Bucardo work with an empty path; the source's application has one. Who knows
another kind of object, or another way to depend on the path, adds a row: `clone` and a migration have it.

`sql` makes it on the source, whose path is `"$user", public, more`. `plan` are words of the finding that
`plan` must show, None: there is none to show. `fails`: words of the answer where it cannot be made at all, and `clone` must
tell. `live`: statements for when it replicates. `since`: the first major version that knows it.
"""

_EXTENSIONS = "CREATE SCHEMA more; CREATE EXTENSION hstore; CREATE EXTENSION citext SCHEMA more;" \
    " CREATE EXTENSION cube; CREATE EXTENSION earthdistance;"


class Row:
    """One kind of object x one way to depend on the path; everything in it is named after it."""

    def __init__(self, name, sql, plan=(), fails=None, live="", since=0, check=None):
        self.name, self.plan, self.fails, self.since = name, plan, fails, since
        self.sql, self.live, self.check = sql.replace("NAME", name), live.replace("NAME", name), check


def _table(rest="v text"):
    return f"CREATE TABLE NAME (id integer PRIMARY KEY, {rest});"


_FILL = "INSERT INTO NAME (id, v) SELECT g, 'v' || g FROM generate_series(1, 50) g;"
_CHANGE = "UPDATE NAME SET v = v || 'x' WHERE id < 9; INSERT INTO NAME (id, v) VALUES (100, 'new');"
_INNER = "CREATE FUNCTION NAME_inner(t text) RETURNS text LANGUAGE sql IMMUTABLE AS" \
    " $$ SELECT replace(t, '.', '') $$;"
# The ways: SQL that calls a function, PL/pgSQL that reads a table, a type that a body names.
CALLS = _INNER + "CREATE FUNCTION NAME_f(t text) RETURNS text LANGUAGE sql IMMUTABLE AS" \
    " $$ SELECT upper(NAME_inner(t)) $$;"
READS = "CREATE TABLE NAME_rate (k text PRIMARY KEY, rate numeric); INSERT INTO NAME_rate VALUES ('v', 0.2);" \
    " CREATE FUNCTION NAME_f(t text) RETURNS numeric LANGUAGE plpgsql IMMUTABLE AS" \
    " $$ BEGIN RETURN (SELECT rate FROM NAME_rate WHERE k = left(t, 1)); END $$;"
TYPES = "CREATE DOMAIN NAME_short AS varchar(3); CREATE FUNCTION NAME_f(t text) RETURNS text" \
    " LANGUAGE plpgsql IMMUTABLE AS $$ DECLARE s NAME_short; BEGIN s := left(t, 3); RETURN s; END $$;"
FUNCTION = ("public.NAME", "ALTER FUNCTION public.NAME_f(", "SET search_path =")


def _of(name, sql, plan=FUNCTION, **options):
    return Row(name, sql, tuple(word.replace("NAME", name) for word in plan or ()), **options)


ROWS = [
    _of("index_calls", CALLS + _table() + _FILL + "CREATE INDEX NAME_i ON NAME (NAME_f(v));", live=_CHANGE),
    _of("index_reads", READS + _table() + _FILL + "CREATE INDEX NAME_i ON NAME (NAME_f(v));", live=_CHANGE),
    _of("index_types", TYPES + _table() + _FILL + "CREATE INDEX NAME_i ON NAME (NAME_f(v));", live=_CHANGE),
    _of("index_partial", CALLS + _table() + _FILL +
        "CREATE INDEX NAME_i ON NAME (v) WHERE NAME_f(v) <> 'V7';", live=_CHANGE),
    _of("index_unique", CALLS + _table() + _FILL + "CREATE UNIQUE INDEX NAME_i ON NAME (NAME_f(v));",
        live=_CHANGE),
    _of("index_exclude", CALLS + _table("v text, EXCLUDE USING btree (NAME_f(v) WITH =)") + _FILL, live=_CHANGE),
    _of("index_extension", _table("v text, lat float8, lon float8") + _FILL +
        "UPDATE NAME SET lat = id, lon = id; CREATE INDEX NAME_i ON NAME USING gist (ll_to_earth(lat, lon));",
        plan=("public.NAME", "ll_to_earth", "on the destination"), live=_CHANGE),
    _of("generated_calls", CALLS + _table("v text, w text GENERATED ALWAYS AS (NAME_f(v)) STORED") + _FILL,
        live=_CHANGE),
    _of("generated_reads", READS + _table("v text, w numeric GENERATED ALWAYS AS (NAME_f(v)) STORED") + _FILL,
        live=_CHANGE),
    _of("check_calls", CALLS + _table("v text CHECK (NAME_f(v) <> 'no')") + _FILL, live=_CHANGE),
    _of("check_reads", READS + _table("v text CHECK (NAME_f(v) > 0)") + _FILL, live=_CHANGE),
    _of("check_domain", CALLS + "CREATE DOMAIN NAME_d AS text CHECK (NAME_f(VALUE) <> 'no');" +
        _table("v NAME_d") + _FILL, live=_CHANGE),
    _of("partition_key", CALLS + "CREATE TABLE NAME (id integer, v text) PARTITION BY LIST (NAME_f(v));"
        " CREATE TABLE NAME_a PARTITION OF NAME FOR VALUES IN ('V1'); CREATE TABLE NAME_b PARTITION OF NAME"
        " DEFAULT; ALTER TABLE NAME_a ADD PRIMARY KEY (id); ALTER TABLE NAME_b ADD PRIMARY KEY (id);" + _FILL,
        live="UPDATE NAME_b SET v = v || 'x' WHERE id < 9;"),
    _of("matview_calls", CALLS + "CREATE MATERIALIZED VIEW NAME AS SELECT NAME_f('a.b') AS v;"),
    _of("matview_reads", READS + "CREATE MATERIALIZED VIEW NAME AS SELECT NAME_f('v') AS v;"),
    _of("matview_broken", "CREATE TABLE NAME_t (id integer PRIMARY KEY); CREATE MATERIALIZED VIEW NAME AS"
        " SELECT 1 AS id, 1 / (1 - count(*)) AS v FROM NAME_t; CREATE UNIQUE INDEX NAME_i ON NAME (id);"
        " CREATE VIEW NAME_over AS SELECT v FROM NAME; INSERT INTO NAME_t VALUES (1);", plan=None,
        fails=("matview_broken", "division by zero")),
    _of("statistics", CALLS + _table() + _FILL + "CREATE STATISTICS NAME_s ON (NAME_f(v)), id FROM NAME;",
        since=14, live=_CHANGE),
    # Constructs that cannot name the operator that they mean.
    _of("view_operator", _table("v text, h hstore") + _FILL + "CREATE VIEW NAME_v AS SELECT id FROM NAME"
        " WHERE h IS DISTINCT FROM 'a=>1';", plan=("public.NAME_v", "operator")),
    _of("view_case", _table("v text, h hstore") + _FILL + "CREATE VIEW NAME_v AS SELECT id, CASE h WHEN"
        " 'a=>1'::hstore THEN 1 END AS c FROM NAME;", plan=("public.NAME_v", "operator")),
    _of("view_silent", _table("v text, c more.citext DEFAULT 'Up'") + _FILL + "CREATE VIEW NAME_v AS SELECT id,"
        " NULLIF(c, 'UP'::more.citext) AS c FROM NAME;", plan=("public.NAME_v", "operator"),
        check="SELECT count(c) FROM view_silent_v"),
    _of("check_operator", _table("v text, h hstore, CHECK (h IS DISTINCT FROM 'a=>1'::hstore)") + _FILL,
        plan=("public.NAME", "operator"), live=_CHANGE),
    _of("check_silent", _table("v text, c more.citext DEFAULT 'Up', CHECK (c IS DISTINCT FROM"
        " 'NO'::more.citext)") + _FILL, plan=("public.NAME", "operator"), live=_CHANGE,
        check="INSERT INTO check_silent (id, c) VALUES (-1, 'no')"),
    _of("trigger_operator", _table("v text, h hstore") + _FILL + "CREATE FUNCTION NAME_f() RETURNS trigger"
        " LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER NAME_t BEFORE UPDATE ON NAME FOR EACH ROW"
        " WHEN (OLD.h IS DISTINCT FROM NEW.h) EXECUTE FUNCTION NAME_f();", plan=("public.NAME", "operator")),
    _of("policy_operator", _table("v text, h hstore") + _FILL + "ALTER TABLE NAME ENABLE ROW LEVEL SECURITY;"
        " CREATE POLICY NAME_p ON NAME USING (h IS DISTINCT FROM 'a=>1'::hstore);",
        plan=("public.NAME", "operator")),
    _of("rule_operator", _table("v text, h hstore") + _FILL + "CREATE TABLE NAME_log (id integer"
        " PRIMARY KEY); CREATE RULE NAME_r AS ON UPDATE TO NAME WHERE NEW.h IS DISTINCT FROM OLD.h"
        " DO ALSO DELETE FROM NAME_log WHERE NAME_log.id = OLD.id;", plan=("public.NAME", "operator")),
    _of("index_operator", _table("v text, h hstore") + _FILL + "CREATE INDEX NAME_i ON NAME (id) WHERE"
        " h IS DISTINCT FROM 'a=>1'::hstore;", plan=("public.NAME", "operator"), live=_CHANGE),
    _of("generated_operator", _table("v text, h hstore, g boolean GENERATED ALWAYS AS (h IS DISTINCT FROM"
        " 'a=>1'::hstore) STORED") + _FILL, plan=("public.NAME", "operator"), live=_CHANGE),
    _of("matview_operator", _table("v text, h hstore") + _FILL + "CREATE MATERIALIZED VIEW NAME_m AS SELECT id"
        " FROM NAME WHERE h IS DISTINCT FROM 'a=>1';", plan=("public.NAME_m", "operator")),
    # What pg_dump cannot put into an order.
    _of("view_of_itself", _table() + _FILL + "CREATE VIEW NAME_v AS SELECT id, v FROM NAME; CREATE OR REPLACE"
        " RULE \"_RETURN\" AS ON SELECT TO NAME_v DO INSTEAD SELECT * FROM NAME_v; GRANT SELECT ON NAME_v"
        " TO PUBLIC; COMMENT ON VIEW NAME_v IS 'mirror'; CREATE VIEW NAME_w AS SELECT id FROM NAME_v;",
        plan=("public.NAME_v", "reads itself", "DROP VIEW public.NAME_v"), fails=("public.view_of_itself_v",)),
    _of("cast_late", _table("v text, UNIQUE (v)") + _FILL + "CREATE TYPE NAME_c AS (a integer); CREATE FUNCTION"
        " NAME_f(t NAME_c) RETURNS text LANGUAGE sql IMMUTABLE BEGIN ATOMIC SELECT min(v) FROM NAME GROUP BY id"
        " LIMIT 1; END; CREATE CAST (NAME_c AS text) WITH FUNCTION NAME_f(NAME_c);"
        " CREATE VIEW NAME_v AS SELECT NAME_f(ROW(1)::NAME_c) AS v;", plan=None, since=14),
]


def rows(server):
    major = server.value("SELECT current_setting('server_version_num')::int / 10000")
    return [row for row in ROWS if major >= row.since]


def fill(server, dbname):
    """All of the matrix into one database, whose path has a schema that a role may not have."""
    server.sql(_EXTENSIONS, dbname=dbname)
    server.sql(f'ALTER DATABASE "{dbname}" SET search_path = "$user", public, more')
    for row in rows(server):
        server.sql(row.sql, dbname=dbname)

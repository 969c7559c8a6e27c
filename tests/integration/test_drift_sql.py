"""What the statements of drift read of a server, asked without a machine."""

import os
import subprocess

import pytest
from support.servers import bin_dir

pytestmark = pytest.mark.timeout(300)

SQL = os.path.join(os.path.dirname(__file__), "..", "..", "src", "worker", "drift", "sql")
SCENE = """
    CREATE ROLE app LOGIN; CREATE ROLE other; GRANT CREATE ON SCHEMA public TO app;
    GRANT ALL ON DATABASE app TO app;
    CREATE TABLE hidden (id int PRIMARY KEY); ALTER TABLE hidden ENABLE ROW LEVEL SECURITY;
    GRANT ALL ON hidden TO app;
    CREATE TABLE forced (id int PRIMARY KEY); ALTER TABLE forced OWNER TO app;
    ALTER TABLE forced ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
    CREATE TABLE owned (id int PRIMARY KEY); ALTER TABLE owned OWNER TO app;
    ALTER TABLE owned ENABLE ROW LEVEL SECURITY;
    CREATE TABLE tree (id int, k int, CONSTRAINT "top key" UNIQUE (id, k), CHECK (k > 0))
        PARTITION BY RANGE (k);
    CREATE TABLE branch PARTITION OF tree FOR VALUES FROM (0) TO (9) PARTITION BY RANGE (k);
    CREATE TABLE leaf PARTITION OF branch FOR VALUES FROM (0) TO (5);
    CREATE TYPE mood AS ENUM ('b', 'a'); CREATE TYPE moods AS RANGE (subtype = mood);
    CREATE TYPE pair AS (m moods, n mood[]); CREATE DOMAIN pairs AS pair[];
    CREATE TABLE deep (id int PRIMARY KEY, p pairs);
    CREATE TABLE plain (id int PRIMARY KEY); CREATE TABLE like_deep (id int PRIMARY KEY, p deep);
"""


def statement(name):
    lines = []
    for part in ("drift_base", name):
        with open(os.path.join(SQL, f"{part}.sql"), encoding="utf-8") as file:
            lines += [line for line in file if not line.startswith("--")]
    return "".join(lines)


@pytest.fixture(scope="module")
def server(shared_workshop):
    server = shared_workshop.server("drifting")
    server.create_database("app").sql(SCENE, dbname="app")
    return server


def ask(server, name, tables, role="app", exact="t", side="source", dbname="app"):
    connection = server.connect(dbname)
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"SET ROLE {role}; SET search_path = pg_catalog, pg_temp;"
                           "SET row_security = off; PREPARE asked (text[], boolean, text) AS "
                           + statement(name))
            cursor.execute("EXECUTE asked (%s, %s, %s)", (tables, exact, side))
            return dict(cursor.fetchall())
    finally:
        connection.close()


def test_row_security_that_hides_rows_from_the_role_is_an_alarm(server):
    found = ask(server, "drift_definitions", ["public.hidden", "public.forced", "public.owned"])
    assert [(one["what"], one["name"], one["enabled"]) for one in found["public.hidden"]["alarms"]] \
        == [("hidden", "app", "")]
    assert [one["enabled"] for one in found["public.forced"]["alarms"]] == ["F"]
    assert found["public.owned"]["alarms"] is None
    # It holds for both sides alike, and is looked at all the same.
    prints = [ask(server, "drift_fingerprints", None, side=side) for side in ("source", "dest")]
    assert {name for name in prints[0] if prints[0][name] != prints[1][name]} == \
        {"public.hidden", "public.forced"}
    assert all(one["alarms"] is None for one in
               ask(server, "drift_definitions", list(found), role=server.user).values())


def test_what_a_partition_inherits_is_altered_at_the_top_of_its_tree(server):
    leaf = ask(server, "drift_definitions", ["public.leaf"])["public.leaf"]
    check, unique = sorted(leaf["guards"], key=lambda one: one["removal"] or "")
    assert check["inherited"] and leaf["top"] == "public.tree"
    assert unique["removal"] == 'ALTER TABLE public.tree DROP CONSTRAINT "top key"'
    assert unique["again"] == 'ALTER TABLE public.tree ADD CONSTRAINT "top key" UNIQUE (id, k)'
    assert (leaf["parents"], leaf["bound"]) == ("public.branch", "FOR VALUES FROM (0) TO (5)")


def test_types_are_found_through_arrays_domains_composites_ranges_and_rows_of_tables(server):
    found = ask(server, "drift_definitions", ["public.deep", "public.like_deep", "public.plain"])
    deep = {"public.mood", "public.moods", "public.pair", "public.pairs"}
    assert set(found["public.deep"]["types"]) == deep
    assert set(found["public.like_deep"]["types"]) == deep | {"public.deep"}
    assert found["public.deep"]["types"]["public.mood"]["labels"] == ["b", "a"]
    assert found["public.plain"]["types"] is None
    before = ask(server, "drift_fingerprints", None)
    server.sql("ALTER TYPE mood ADD VALUE 'c'", dbname="app")
    after = ask(server, "drift_fingerprints", None)
    assert {name for name in before if before[name] != after[name]} == \
        {"public.deep", "public.like_deep"}


EXPRESSIONS = """
    CREATE DOMAIN letter AS varchar(9) CHECK (VALUE IN ('a', 'b'));
    CREATE TABLE said (id int PRIMARY KEY, v varchar(9) CHECK (v IN ('a', 'b') OR v LIKE 'v%'),
        n int CHECK (n BETWEEN 1 AND 99), d letter DEFAULT 'a', c char(3) CHECK (c NOT IN ('x', 'y')),
        u numeric(8, 2) CHECK (u IN (1, 2.5)), a text[] CHECK (a <> '{}'), t timestamp(3)
        DEFAULT now() CHECK (extract(epoch FROM t) > 0), g int GENERATED ALWAYS AS
        (CASE WHEN v NOT IN ('x', 'y') THEN 1 ELSE 2 END) STORED,
        CHECK (coalesce(v, '') ~ '^[a(:]' OR (n > 1 AND (n < 3 OR u < 2))));
    CREATE UNIQUE INDEX ON said (n, lower(v)) WHERE v IN ('a', 'b');
    CREATE UNIQUE INDEX ON said ((v || 'x'), (n + 1) DESC NULLS LAST) WITH (fillfactor = 70)
        WHERE n IS NOT NULL;
"""


def test_what_was_dumped_and_restored_is_no_drift(server):
    for dbname in ("told", "restored"):
        server.create_database(dbname)
    server.sql(EXPRESSIONS, dbname="told")
    login = {"PGHOST": server.folder, "PGPORT": str(server.port), "PGUSER": server.user,
             "PATH": os.environ["PATH"]}
    dump = subprocess.run([f"{bin_dir()}/pg_dump", "--schema-only", "told"], env=login, check=True,
                          capture_output=True).stdout
    subprocess.run([f"{bin_dir()}/psql", "-q", "-v", "ON_ERROR_STOP=1", "restored"], env=login,
                   input=dump, check=True, stdout=subprocess.DEVNULL)
    role = server.user
    prints = [ask(server, "drift_fingerprints", None, role, dbname=name)["public.said"]
              for name in ("told", "restored")]
    assert prints[0] == prints[1]
    server.sql("ALTER TABLE said DROP CONSTRAINT said_v_check", dbname="restored")
    assert ask(server, "drift_fingerprints", None, role, dbname="restored")["public.said"] != \
        prints[0]


FUNCTIONS = """
    CREATE FUNCTION deepest(x int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT x + 1';
    CREATE FUNCTION "in (side" (x int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
        $$ BEGIN RETURN public.deepest (x); END $$;
    CREATE FUNCTION f(x int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT public."in (side"(x)';
    CREATE FUNCTION atomic(x int) RETURNS int IMMUTABLE LANGUAGE sql BEGIN ATOMIC SELECT x + 1; END;
    CREATE FUNCTION unused(x int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT x + 1';
    CREATE OPERATOR ?+? (PROCEDURE = f, RIGHTARG = int);
    CREATE TABLE made (id int PRIMARY KEY, n int, g int GENERATED ALWAYS AS (OPERATOR(public.?+?) n) STORED);
    CREATE TABLE atom (id int PRIMARY KEY, n int, g int GENERATED ALWAYS AS (atomic(n)) STORED);
    CREATE TABLE kept (id int PRIMARY KEY, n int DEFAULT unused(1), g int GENERATED ALWAYS AS (id + 1) STORED);
"""
REPLACED = {"deepest": "LANGUAGE sql AS 'SELECT x + 2'", "\"in (side\"": "LANGUAGE sql AS 'SELECT x'",
            "f": "LANGUAGE sql STRICT AS 'SELECT public.\"in (side\"(x)'"}


def test_a_function_that_computes_a_generated_column_is_part_of_it_however_deep(server):
    server.create_database("made").sql(FUNCTIONS, dbname="made")

    def prints():
        return ask(server, "drift_fingerprints", None, server.user, dbname="made")

    found = ask(server, "drift_definitions", ["public.made", "public.kept"], server.user, dbname="made")
    makers = found["public.made"]["columns"]["g"]["makers"]
    assert {name: one["direct"] for name, one in makers.items()} == {
        "public.f(integer)": True, 'public."in (side"(integer)': False, "public.deepest(integer)": False}
    assert makers["public.f(integer)"]["text"].startswith("CREATE OR REPLACE FUNCTION public.f(x integer)")
    assert found["public.kept"]["columns"]["g"]["makers"] is None
    for name, body in REPLACED.items():
        before = prints()
        server.sql(f"CREATE OR REPLACE FUNCTION {name}(x int) RETURNS int IMMUTABLE {body}", dbname="made")
        assert {table for table, text in prints().items() if text != before[table]} == {"public.made"}, name
    before = prints()
    server.sql("CREATE OR REPLACE FUNCTION atomic(x int) RETURNS int IMMUTABLE LANGUAGE sql"
               " BEGIN ATOMIC SELECT x + 2; END; CREATE OR REPLACE FUNCTION unused(x int) RETURNS int"
               " IMMUTABLE LANGUAGE sql AS 'SELECT x'", dbname="made")
    assert {table for table, text in prints().items() if text != before[table]} == {"public.atom"}

"""Phase preflight: what it finds on databases that are not as they should be."""

import pytest
from support.phases import Phases, endpoint
from support.waiting import wait_for

SICK = """
    CREATE TABLE nokey (a int);
    CREATE UNLOGGED TABLE volatile (id int PRIMARY KEY);
    CREATE TABLE floating (id float8 PRIMARY KEY);
    CREATE TABLE parent (id int PRIMARY KEY);
    CREATE TABLE child () INHERITS (parent);
    CREATE TABLE ruled (id int PRIMARY KEY);
    CREATE RULE away AS ON DELETE TO ruled DO INSTEAD NOTHING;
    CREATE TABLE kept (id int PRIMARY KEY);
    CREATE RULE stays AS ON DELETE TO kept DO INSTEAD NOTHING;
    ALTER TABLE kept ENABLE ALWAYS RULE stays;
    CREATE MATERIALIZED VIEW seen AS SELECT 1 AS one;
    CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER ever BEFORE INSERT ON ruled FOR EACH ROW EXECUTE FUNCTION nothing();
    ALTER TABLE ruled ENABLE ALWAYS TRIGGER ever;
    CREATE TABLE big (id int PRIMARY KEY);
    INSERT INTO big SELECT generate_series(1, 300000);
    SELECT lo_from_bytea(0, 'x');
    CREATE TABLE swapped (id int PRIMARY KEY, place int UNIQUE DEFERRABLE);
    CREATE TABLE counted (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
    CREATE TABLE nearly (a int UNIQUE, b text);
    CREATE TABLE guarded (id int PRIMARY KEY);
    ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
    ALTER TABLE guarded FORCE ROW LEVEL SECURITY;
    CREATE EXTENSION hstore; CREATE EXTENSION citext; CREATE EXTENSION ltree; CREATE SCHEMA moved;
    ALTER EXTENSION ltree SET SCHEMA moved;
    CREATE TYPE tint AS ENUM ('red'); CREATE DOMAIN short AS text;
    CREATE TABLE tinted (id int PRIMARY KEY, t tint[], h hstore, c citext, l moved.ltree);
    CREATE TABLE split (id int PRIMARY KEY) PARTITION BY RANGE (id);
    CREATE TABLE split_1 PARTITION OF split FOR VALUES FROM (0) TO (100);
    CREATE TABLE planned (id int PRIMARY KEY, v int);
    CREATE FUNCTION of_plain(int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
    ALTER FUNCTION of_plain OWNER TO plain;
    CREATE INDEX ON planned (v) WHERE of_plain(1);
"""
DEGRADES = {"nokey": "no primary key", "floating": "floating-point", "ruled": "also fires",
            "kept": "rows that are gone would stay",
            "large objects": "no trigger can see", "child": "no primary key"}
NOTES = {"volatile": "unlogged", "parent": "inheritance",
         "ruled": "rewrites statements", "seen": "materialised view", "big": "never analyzed",
         "swapped": "is deferrable", "identity columns": "counted", "unique indexes": "swapped",
         "split": "it is partitioned", "role plain": "of_plain(integer)"}


@pytest.fixture(scope="module")
def world(shared_workshop):
    """(machine, source, dest): the machine is never started, preflight needs none."""
    source = shared_workshop.server("source", settings={"max_prepared_transactions": "5"})
    dest = shared_workshop.server("dest")
    for server in (source, dest):
        server.create_database("app")
        server.sql("CREATE ROLE plain LOGIN PASSWORD 'plain'")
    source.sql(SICK, dbname="app")
    source.sql("ALTER EXTENSION hstore ADD TYPE tint; ALTER EXTENSION hstore ADD DOMAIN short", dbname="app")
    machine = shared_workshop.machine()
    machine.write_pgpass(text="".join(
        s.pgpass_line().replace(f":{s.user}:{s.password}", ":plain:plain") + s.pgpass_line()
        for s in (source, dest)))
    return machine, source, dest


@pytest.fixture
def phases(world):
    machine, source, dest = world
    return Phases(machine, source, dest, "app", "app")


def test_finds_what_is_special_about_tables(phases):
    run = phases.run("preflight")
    assert run.failed is None, run.text()
    for grade, expected in (("degrades", DEGRADES), ("note", NOTES)):
        for name, words in expected.items():
            assert run.finding(f"{name}'", words)["severity"] == grade
    assert "ALTER COLUMN a SET NOT NULL" in run.finding("nearly'", "no primary key")["hint"]
    assert "GENERATED ALWAYS AS IDENTITY" in run.finding("nokey'", "no primary key")["hint"]
    # A type that somebody has added to an extension; nothing uses the other one.
    assert run.finding("added to extension")["object"] == "type public.tint"
    assert run.finding("added to extension")["hint"].endswith("ALTER EXTENSION hstore DROP TYPE public.tint")
    assert [f["object"] for f in run.findings() if f["safe"]] == ["public.big"]
    assert not [f for f in run.findings() if "could not be asked" in f["why"]], run.text()
    assert run.evidence["left_out"] == 3 and run.evidence["stops"] == 0


def test_fix_applies_what_is_safe_and_nothing_else(phases, world):
    _, source, _ = world
    run = phases.run("preflight", fix=True)
    assert [n["text"] for n in run.events("note")] == ["fixed on the source: ANALYZE public.big"]
    assert not [f for f in run.findings() if f["object"].endswith("big")]
    assert source.value("SELECT relpersistence FROM pg_class WHERE relname = 'volatile'",
                        dbname="app") == "u"


def test_who_stands_in_the_way_of_triggers(phases, world):
    _, source, _ = world
    idle = source.connect("app", autocommit=False)
    idle.cursor().execute("INSERT INTO parent VALUES (1)")
    pid = idle.get_backend_pid()
    prepared = source.connect("app")
    prepared.cursor().execute("BEGIN; INSERT INTO parent VALUES (2); PREPARE TRANSACTION 'gid'")
    try:
        wait_for(lambda: [f for f in phases.run("preflight").findings()
                          if f["object"] == f"process {pid}" and "parent" in f["why"]], 20,
                 "it counts as idle", every=0.5)
        run = phases.run("preflight")
        assert run.finding("gid", "ROLLBACK PREPARED")["severity"] == "degrades"
    finally:
        prepared.cursor().execute("ROLLBACK PREPARED 'gid'")
        prepared.close()
        idle.close()


def test_a_plain_role_hears_everything_that_it_may_not(world, phases):
    _, source, dest = world
    run = phases.run("preflight", source=endpoint(source, "app", "plain"),
                     destination=endpoint(dest, "app", "plain"))
    assert run.failed["class"] == "operator", run.text()
    for words in (("schema bucardo there", "GRANT CREATE ON DATABASE"),
                  ("schema cannot be made there", "GRANT CREATE ON DATABASE"),
                  ("nokey", "GRANT SELECT, TRIGGER"),
                  ("'destination'", "session_replication_role"),
                  ("'source'", "session_replication_role")):
        assert run.finding(*words)["severity"] == "stops"


def test_a_role_like_that_of_a_managed_server_is_enough(world, phases):
    _, source, dest = world
    source.sql("GRANT CREATE ON DATABASE app TO plain")
    source.sql("GRANT SELECT, TRIGGER ON ALL TABLES IN SCHEMA public TO plain", dbname="app")
    dest.sql("ALTER DATABASE app OWNER TO plain")
    dest.sql("GRANT SET ON PARAMETER session_replication_role TO plain")
    source.sql("ALTER ROLE plain BYPASSRLS")
    run = phases.run("preflight", source=endpoint(source, "app", "plain"),
                     destination=endpoint(dest, "app", "plain"), direction="forward")
    assert run.failed is None, run.text()
    forced = run.finding("guarded", "row security is forced")
    assert forced["severity"] == "degrades" and "BYPASSRLS" in forced["hint"]


def test_source_and_destination_must_differ(world, phases):
    _, source, _ = world
    run = phases.run("preflight", destination=endpoint(source, "app"))
    assert run.finding("the same database")["severity"] == "stops"


@pytest.mark.parametrize("made", ["TABLE foreign_thing AS SELECT 1 AS id",
                                  "TABLE foreign_thing (id int)", "VIEW foreign_thing AS SELECT 1",
                                  "SEQUENCE foreign_thing"])
def test_a_destination_with_anything_in_it_stops(phases, world, made):
    _, _, dest = world
    dest.sql(f"CREATE {made}", dbname="app")
    kind = made.split()[0]
    try:
        found = phases.run("preflight").finding("foreign_thing", "not empty")
        assert found["severity"] == "stops" and f"DROP {kind} public.foreign_thing" in found["hint"]
    finally:
        dest.sql(f"DROP {kind} foreign_thing", dbname="app")


def test_columns_that_differ_on_a_destination_that_is_ours(phases, world):
    _, _, dest = world
    dest.sql("CREATE SCHEMA bucardo_machine; CREATE TABLE parent (id bigint)", dbname="app")
    try:
        found = phases.run("preflight").finding("public.parent.id", "bigint")
        assert found["severity"] == "degrades" and "TYPE integer" in found["hint"]
    finally:
        dest.sql("DROP SCHEMA bucardo_machine; DROP TABLE parent", dbname="app")


def test_what_another_bucardo_left_is_seen_on_both_sides(phases, world):
    _, source, dest = world
    for server in (source, dest):
        server.sql("CREATE SCHEMA bucardo", dbname="app")
    try:
        run = phases.run("preflight", source=endpoint(source, "app", "plain"),
                         destination=endpoint(dest, "app", "plain"))
        for end in ("source", "destination"):
            found = run.finding("schema bucardo", f"on the {end} already")
            assert found["severity"] == "stops" and "GRANT USAGE, CREATE" in found["hint"]
    finally:
        for server in (source, dest):
            server.sql("DROP SCHEMA bucardo", dbname="app")


def test_a_collation_that_only_the_source_has_stops(phases, world):
    _, source, dest = world
    source.sql("CREATE TABLE german (id int PRIMARY KEY, t text COLLATE \"de-x-icu\")", dbname="app")
    dest.sql("ALTER COLLATION pg_catalog.\"de-x-icu\" RENAME TO hidden", dbname="app")
    try:
        found = phases.run("preflight").finding("de-x-icu", "collation")
        assert found["severity"] == "stops" and "pg_import_system_collations" in found["hint"]
    finally:
        dest.sql("ALTER COLLATION pg_catalog.hidden RENAME TO \"de-x-icu\"", dbname="app")
        source.sql("DROP TABLE german", dbname="app")


def test_room_for_connections_is_what_syncs_and_jobs_take(phases, world):
    _, source, _ = world
    source.sql("ALTER DATABASE app CONNECTION LIMIT 10")
    try:
        assert not [f for f in phases.run("preflight", syncs=1).findings() if "fit:" in f["why"]]
        found = phases.run("preflight", syncs=3).finding("more connections fit")
        assert "replication takes 10 for good" in found["why"] and found["object"] == "the source"
    finally:
        source.sql("ALTER DATABASE app CONNECTION LIMIT -1")


def test_a_source_without_tables_stops(world, phases):
    _, source, _ = world
    source.create_database("empty")
    run = phases.run("preflight", source=endpoint(source, "empty"))
    assert run.finding("no table")["severity"] == "stops"


@pytest.mark.parametrize("change,words,kind", [
    ({"user": "nobody"}, "password", "operator"),
    ({"dbname": "missing"}, "does not exist", "operator"),
    ({"sslmode": "verify-full"}, "certificate", "operator"),
    ({"port": 1}, "refused", "transient"),
])
def test_a_connection_that_fails_says_why_and_whose_turn_it_is(world, phases, change, words, kind):
    _, source, _ = world
    run = phases.run("preflight", source={**endpoint(source, "app"), **change})
    assert words in run.failed["message"] and run.failed["class"] == kind, run.failed
    assert source.password not in run.text()

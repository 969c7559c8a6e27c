"""Phase schema and what it decides for the others: which tables, whose, with which extensions."""

import random
import subprocess

import psycopg2
import pytest
from support import compare
from support.clone import Clone, schema_of
from support.declared import wait_live, yaml
from support.phases import Phases
from support.waiting import wait_for

CHOSEN = """
    CREATE SCHEMA audit;
    CREATE TABLE audit.entry (id serial PRIMARY KEY, what text);
    CREATE SEQUENCE audit.free;
    CREATE TABLE audit."Kept Name" (id int PRIMARY KEY);
    CREATE TABLE customer (id serial PRIMARY KEY, name text);
    CREATE TABLE log_2023 (id bigint PRIMARY KEY);
    CREATE TABLE log_2024 (id bigint PRIMARY KEY);
    CREATE TABLE orders (id serial PRIMARY KEY, customer int REFERENCES customer,
        log bigint CONSTRAINT orders_log REFERENCES log_2023);
    COMMENT ON CONSTRAINT orders_log ON orders IS 'goes with it';
    ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
    CREATE POLICY of_audit ON orders USING (EXISTS (SELECT 1 FROM audit.entry));
    CREATE POLICY plain ON orders USING (true);
    CREATE VIEW seen AS SELECT id FROM log_2023;
    CREATE VIEW over_seen AS SELECT id FROM seen;
    COMMENT ON VIEW over_seen IS 'goes with it';
    CREATE VIEW fine AS SELECT id FROM customer;
    CREATE MATERIALIZED VIEW summed AS SELECT count(*) AS n FROM orders, audit.entry;
    CREATE INDEX ON summed (n);
    CREATE FUNCTION of_log(log_2023) RETURNS bigint LANGUAGE sql AS 'SELECT ($1).id';
    COMMENT ON FUNCTION of_log(log_2023) IS 'goes with it';
    CREATE TABLE measure (id int, at int, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
    CREATE TABLE measure_1 PARTITION OF measure FOR VALUES FROM (0) TO (10);
    CREATE TABLE measure_2 PARTITION OF measure FOR VALUES FROM (10) TO (20);
    INSERT INTO audit.entry (what) SELECT 'x' FROM generate_series(1, 10);
    INSERT INTO log_2023 SELECT generate_series(1, 10);
    INSERT INTO customer (name) SELECT 'n' || i FROM generate_series(1, 10) i;
    INSERT INTO orders (customer, log) SELECT i, i FROM generate_series(1, 10) i;
    INSERT INTO measure SELECT i, i FROM generate_series(0, 19) i;
"""
EXCLUDE = ["audit.e*", "public.log_202?", "public.measure_1", "audit.free"]
FOLLOW = ["constraint orders_log on table public.orders", "function public.of_log(public.log_2023)",
          "materialized view public.summed", "policy of_audit on table public.orders",
          "view public.over_seen", "view public.seen"]
RELATIONS = ("SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n"
             " ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S') AND"
             " n.nspname !~ '^(pg_|information_schema|bucardo)' ORDER BY 1")


@pytest.fixture(scope="module")
def world(shared_workshop):
    """(machine, source, dest): the machine is not started, these phases need none."""
    source, dest = shared_workshop.server("source"), shared_workshop.server("dest")
    machine = shared_workshop.machine()
    machine.write_pgpass(source, dest)
    return machine, source, dest


def migration(world, name, sql, **members):
    machine, source, dest = world
    for server in (source, dest):
        server.create_database(name)
    source.sql(sql, dbname=name)
    return Phases(machine, source, dest, name, name, **members)


def run_all(phases, order=("preflight", "schema", "copy", "index")):
    for phase in order:
        run = phases.run(phase)
        assert run.failed is None, f"{run.findings('stops')}\n{run.text()}"
    return run


def relations(server, dbname):
    return [row[0] for row in server.sql(RELATIONS, dbname=dbname)]


# ---- which tables ----

def test_what_is_excluded_stays_behind_with_what_needs_it(world):
    _, source, dest = world
    phases = migration(world, "chosen", CHOSEN, tables={"exclude": EXCLUDE})
    run = phases.run("preflight")
    assert run.failed is None, run.findings("stops")
    assert sorted(f["object"] for f in run.findings("degrades")
                  if "stays behind" in f["why"]) == FOLLOW
    assert run.evidence["tables"] == 4
    run = phases.run("schema")
    assert run.failed is None, run.text()
    notes = " ".join(note["text"] for note in run.events("note"))
    assert all(name in notes for name in FOLLOW)
    assert "COMMENT" not in notes
    run_all(phases)
    assert relations(dest, "chosen") == [
        'audit."Kept Name"', "public.customer", "public.customer_id_seq", "public.fine",
        "public.measure", "public.measure_2", "public.orders", "public.orders_id_seq"]
    assert dest.value("SELECT count(*) FROM orders", dbname="chosen") == 10
    assert dest.value("SELECT count(*) FROM measure", dbname="chosen") == 10
    assert dest.sql("SELECT conname FROM pg_constraint WHERE contype = 'f'", dbname="chosen") == [
        ("orders_customer_fkey",)]
    assert dest.sql("SELECT polname FROM pg_policy", dbname="chosen") == [("plain",)]
    assert dest.value("SELECT last_value FROM orders_id_seq", dbname="chosen") == 10
    run_all(phases)  # again is harmless
    source.sql("DROP TABLE log_2023 CASCADE; DROP TABLE log_2024, audit.entry CASCADE;"
               "DROP TABLE measure_1; DROP SEQUENCE audit.free", dbname="chosen")
    assert compare.differences(source, dest, "chosen") == []


def test_only_what_is_included_is_moved(world):
    _, _, dest = world
    phases = migration(world, "included", CHOSEN, tables={
        "include": ["public.orders", "public.Customer", "public.measure", 'audit."Kept *"'],
        "exclude": ["*.measure_2"]})
    run = phases.run("preflight")
    assert run.failed is None, run.text()
    assert run.finding('"Kept *"')["why"] == "this pattern matches no table"
    run_all(phases)
    assert relations(dest, "included") == [
        "public.customer", "public.customer_id_seq", "public.measure", "public.measure_1",
        "public.orders", "public.orders_id_seq"]


def test_a_partition_without_its_parent_becomes_a_table(world):
    _, _, dest = world
    phases = migration(
        world, "parted", CHOSEN + 'CREATE TABLE "6"" steel" (id int PRIMARY KEY) PARTITION BY RANGE (id);'
        'CREATE TABLE "6"" nail" PARTITION OF "6"" steel" FOR VALUES FROM (0) TO (10);',
        tables={"include": ["public.measure_1", 'public."6"" nail"']})
    assert phases.run("preflight").finding("measure_1", "ordinary table")["severity"] == "degrades"
    run_all(phases)
    assert relations(dest, "parted") == ['public."6"" nail"', "public.measure_1"]
    assert dest.value("SELECT count(*) FROM measure_1", dbname="parted") == 10
    assert dest.value("SELECT count(*) FROM pg_index WHERE indisprimary AND indrelid = "
                      "'measure_1'::regclass", dbname="parted") == 1


def test_what_cannot_do_without_an_excluded_table_stops(world):
    phases = migration(world, "needs", """
        CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (PRIMARY KEY (id))
            INHERITS (parent);
        CREATE TABLE shape (id int); CREATE TABLE user_of (id int PRIMARY KEY, s shape);
        CREATE FUNCTION f(shape) RETURNS int LANGUAGE sql AS 'SELECT 1';
        CREATE TABLE with_default (id int PRIMARY KEY DEFAULT f(NULL))""",
                       tables={"include": ["public.child", "public.user_of", "public.with*"]})
    run = phases.run("preflight")
    assert run.failed["class"] == "operator"
    for table, needed in (("child", "table public.parent"), ("user_of", "type public.shape"),
                          ("with_default", "default value")):
        finding = run.finding(f"table public.{table}", needed)
        assert finding["severity"] == "stops" and "choose that as well" in finding["hint"]


def test_a_table_that_our_role_may_not_read_can_be_excluded(world):
    machine, source, dest = world
    phases = migration(world, "secret", "CREATE TABLE open (id int PRIMARY KEY);"
                       "CREATE SCHEMA shut; CREATE TABLE shut.t (id int PRIMARY KEY)",
                       tables={"exclude": ["shut.*"]}, direction="forward")
    source.sql("CREATE ROLE reader LOGIN PASSWORD 'reader'")
    source.sql("GRANT CREATE ON DATABASE secret TO reader; GRANT SELECT, TRIGGER ON open TO reader",
               dbname="secret")
    machine.write_pgpass(text=f"*:{source.port}:*:reader:reader\n" + source.pgpass_line()
                         + dest.pgpass_line())
    phases.migration["source"]["user"] = "reader"
    run_all(phases)
    assert relations(dest, "secret") == ["public.open"]


# ---- whose they are ----

ROLES = """
    CREATE ROLE shop_owner; CREATE ROLE teller LOGIN PASSWORD 'secret'; CREATE ROLE staff NOINHERIT;
    GRANT staff TO teller;
"""
OWNED = """
    CREATE SCHEMA till AUTHORIZATION shop_owner;
    CREATE TABLE till.sale (id serial PRIMARY KEY, by text);
    ALTER TABLE till.sale OWNER TO shop_owner;
    CREATE TABLE entry (id int PRIMARY KEY); ALTER TABLE entry OWNER TO shop_owner;
    CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql AS 'SELECT $1 * 2';
    ALTER FUNCTION twice(int) OWNER TO shop_owner;
    GRANT USAGE ON SCHEMA till TO teller; GRANT SELECT, INSERT ON till.sale TO teller;
    ALTER TABLE till.sale ENABLE ROW LEVEL SECURITY;
    CREATE POLICY own ON till.sale TO teller USING (by = current_user);
    CREATE MATERIALIZED VIEW till.sums AS SELECT count(*) AS n FROM till.sale;
    ALTER MATERIALIZED VIEW till.sums OWNER TO shop_owner;
    CREATE INDEX ON till.sale (by);
    INSERT INTO till.sale (by) VALUES ('teller'), ('other');
"""
OWNERS = ("SELECT c.relname, pg_get_userbyid(c.relowner) FROM pg_class c JOIN pg_namespace n"
          " ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'm', 'S') AND n.nspname IN"
          " ('till', 'public') UNION ALL SELECT nspname, pg_get_userbyid(nspowner) FROM"
          " pg_namespace WHERE nspname = 'till' UNION ALL SELECT proname,"
          " pg_get_userbyid(proowner) FROM pg_proc WHERE proname = 'twice' ORDER BY 1")


@pytest.fixture(scope="module")
def managed(world):
    """`carrier` on the destination is what a managed server gives: no superuser."""
    machine, source, dest = world
    source.sql(ROLES)
    dest.sql("CREATE ROLE carrier LOGIN CREATEROLE CREATEDB PASSWORD 'carrier';"
             "GRANT SET ON PARAMETER session_replication_role TO carrier")
    machine.write_pgpass(text=source.pgpass_line() + dest.pgpass_line()
                         + f"*:{dest.port}:*:carrier:carrier\n")

    def make(name, **members):
        phases = migration(world, name, OWNED, **members)
        dest.sql(f"ALTER DATABASE {name} OWNER TO carrier")
        phases.migration["destination"]["user"] = "carrier"
        return phases
    return make


def test_without_the_roles_everything_belongs_to_ours_and_is_told(managed, world):
    _, source, dest = world
    phases = managed("roleless")
    run = phases.run("preflight")
    assert run.failed is None, run.text()
    for role in ("shop_owner", "teller"):
        assert run.finding(role, "no such role", "create_roles")["severity"] == "degrades"
    run = phases.run("schema")
    note = next(n["text"] for n in run.events("note") if "does not have" in n["text"])
    assert "shop_owner" in note and "teller" in note
    run_all(phases)
    assert {owner for _, owner in dest.sql(OWNERS, dbname="roleless")} == {"carrier"}
    assert compare.differences(source, dest, "roleless") == []


def test_what_would_run_with_a_superusers_rights_stops_the_preflight(managed, world):
    _, source, dest = world
    more = ("CREATE PROCEDURE run(what text) LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN EXECUTE what; END';"
            "ALTER PROCEDURE run(text) OWNER TO shop_owner; CREATE VIEW seen AS SELECT 1 AS n; ALTER VIEW seen OWNER TO shop_owner")
    phases = migration(world, "definers", OWNED + more)
    run = phases.run("preflight")
    assert run.failed, run.text()
    assert run.finding("SECURITY DEFINER of shop_owner", "a superuser", "CREATE ROLE shop_owner")["severity"] == "stops"
    assert run.finding("views of shop_owner", "public.seen")["severity"] == "degrades"
    dest.sql("CREATE ROLE shop_owner")
    run = phases.run("preflight")
    dest.sql("DROP ROLE shop_owner")
    assert run.failed is None and "DEFINER" not in run.text(), run.text()
    phases = managed("unprivileged")
    source.sql(more, dbname="unprivileged")
    assert phases.run("preflight").finding("SECURITY DEFINER of shop_owner")["severity"] == "degrades"


def test_roles_can_be_mapped_and_grants_dropped(managed, world):
    _, source, dest = world
    dest.sql("CREATE ROLE keeper; GRANT keeper TO carrier; CREATE ROLE stranger")
    phases = managed("mapped", grants="drop", roles=["shop_owner=keeper", "teller=stranger"])
    source.sql("SELECT lo_from_bytea(4711, 'x'); ALTER LARGE OBJECT 4711 OWNER TO shop_owner;"
               "GRANT SELECT ON LARGE OBJECT 4711 TO teller", dbname="mapped")
    run_all(phases)
    assert {owner for _, owner in dest.sql(OWNERS, dbname="mapped")} == {"keeper"}
    assert dest.value("SELECT polroles = ARRAY['stranger'::regrole::oid] FROM pg_policy",
                      dbname="mapped")
    assert not dest.value("SELECT has_table_privilege('stranger', 'till.sale', 'SELECT')",
                          dbname="mapped")
    assert not dest.value("SELECT has_schema_privilege('keeper', 'public', 'CREATE')",
                          dbname="mapped")
    assert dest.sql("SELECT pg_get_userbyid(lomowner), array_length(lomacl, 1)"
                    " FROM pg_largeobject_metadata", dbname="mapped") == [("keeper", None)]
    assert compare.differences(source, dest, "mapped") == []


@pytest.mark.full
def test_an_owner_that_ours_may_not_set_is_told(managed, world):
    _, _, dest = world
    phases = managed("strange", roles=["shop_owner=stranger", "nobody=x"])
    run = phases.run("preflight")
    assert run.finding("stranger", "no member", "GRANT stranger TO carrier")["severity"] == "note"
    assert run.finding("nobody=x")["severity"] == "degrades"
    run = phases.run("schema")
    assert [n for n in run.events("note") if "no member" in n["text"] and "shop_owner" in n["text"]]
    assert {owner for _, owner in dest.sql(OWNERS, dbname="strange")} == {"carrier"}


def test_roles_are_made_on_request_without_passwords(managed, world):
    _, source, dest = world
    phases = managed("made", create_roles=True)
    run = phases.run("preflight")
    assert run.finding("shop_owner", "is made there")["severity"] == "note"
    run_all(phases)
    assert dest.sql(OWNERS, dbname="made") == source.sql(OWNERS, dbname="made")
    assert dest.sql("SELECT rolname, rolcanlogin, rolinherit, rolpassword FROM pg_authid WHERE"
                    " rolname IN ('shop_owner', 'staff', 'teller') ORDER BY 1") == [
        ("shop_owner", False, True, None), ("staff", False, False, None),
        ("teller", False, True, None)]
    assert dest.value("SELECT pg_has_role('teller', 'staff', 'MEMBER')")
    assert dest.value("SELECT has_table_privilege('teller', 'till.sale', 'INSERT')", dbname="made")
    with pytest.raises(psycopg2.Error, match="not cut over yet"):
        dest.sql("SET ROLE shop_owner; DELETE FROM till.sale", dbname="made")
    assert compare.differences(source, dest, "made") == []
    dest.sql("SELECT bucardo_machine.lift_fence()", dbname="made")
    assert schema_of(dest, "made") == schema_of(source, "made")


@pytest.mark.full
def test_owners_can_be_dropped(managed, world):
    _, _, dest = world
    phases = managed("ours", owners="drop")
    run_all(phases)
    assert {owner for _, owner in dest.sql(OWNERS, dbname="ours")} == {"carrier"}
    assert dest.value("SELECT has_table_privilege('teller', 'till.sale', 'INSERT')", dbname="ours")


# ---- extensions ----

def test_extensions_are_made_skipped_and_pinned_by_rule(world):
    _, _, dest = world
    phases = migration(world, "extended", """
        CREATE EXTENSION citext VERSION '1.4'; CREATE EXTENSION hstore; CREATE EXTENSION pg_trgm;
        CREATE EXTENSION seg; CREATE TABLE t (id int PRIMARY KEY, name citext)""",
                       extensions={"skip": ["hstore"], "versions": ["citext=source", "seg=1.3"]})
    dest.sql("CREATE EXTENSION pg_trgm VERSION '1.3'", dbname="extended")
    run = phases.run("preflight")
    assert run.failed is None, run.text()
    assert run.finding("'pg_trgm'", "on the destination")["severity"] == "degrades"
    assert not [f for f in run.findings() if f["object"] in ("citext", "hstore")]
    run = phases.run("schema")
    note = next(n["text"] for n in run.events("note") if n["text"].startswith("extensions"))
    there = dest.value("SELECT extversion FROM pg_extension WHERE extname = 'pg_trgm'",
                       dbname="extended")
    assert there == "1.3"
    assert "made: citext 1.4, seg 1.3 (1.4 on the source)" in note
    assert "there before: pg_trgm 1.3 (" in note and "skipped: hstore" in note
    assert dest.sql("SELECT extname FROM pg_extension ORDER BY 1", dbname="extended") == [
        ("citext",), ("pg_trgm",), ("plpgsql",), ("seg",)]
    run_all(phases)


def test_a_skipped_extension_that_is_needed_stops_and_so_does_a_version_that_is_not_there(world):
    phases = migration(world, "needy", """
        CREATE EXTENSION citext; CREATE EXTENSION hstore;
        CREATE TABLE t (id int PRIMARY KEY, name citext)""",
                       extensions={"skip": ["citext"], "versions": ["hstore=99.9"]})
    run = phases.run("preflight")
    assert run.finding("public.t", "needs extension citext")["severity"] == "stops"
    assert run.finding("hstore", "99.9", "only")["severity"] == "stops"
    run = phases.run("preflight", tables={"exclude": ["public.t"]}, extensions={"skip": ["citext"]})
    assert not [f for f in run.findings() if "citext" in f["why"]]


# ---- the fence ----

FENCED = """
    CREATE TABLE plain (id int PRIMARY KEY, v text); INSERT INTO plain VALUES (1, 'a');
    CREATE TABLE parted (id int PRIMARY KEY) PARTITION BY RANGE (id);
    CREATE TABLE part_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
    INSERT INTO parted VALUES (1);
    CREATE MATERIALIZED VIEW seen AS SELECT count(*) AS n FROM plain;
"""
WRITES = ["INSERT INTO plain VALUES (2)", "UPDATE plain SET v = 'b'", "DELETE FROM plain",
          "TRUNCATE plain", "INSERT INTO parted VALUES (2)", "INSERT INTO part_1 VALUES (2)",
          "INSERT INTO plain VALUES (1) ON CONFLICT DO NOTHING"]


def writer(dest, dbname):
    """A connection of a role that owns nothing and may write everywhere."""
    dest.sql("DO $$ BEGIN CREATE ROLE writer; EXCEPTION WHEN duplicate_object THEN NULL; END $$;"
             "GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA public"
             " TO writer", dbname=dbname)
    connection = dest.connect(dbname)
    connection.cursor().execute("SET ROLE writer")
    return connection


def test_nobody_else_writes_to_the_destination_until_the_fence_is_lifted(world):
    _, source, dest = world
    phases = migration(world, "fenced", FENCED)
    assert phases.run("schema").failed is None
    connection = writer(dest, "fenced")
    cursor = connection.cursor()
    for statement in WRITES:
        with pytest.raises(psycopg2.Error) as caught:
            cursor.execute(statement)
        assert caught.value.pgcode == "25006"
        assert "not cut over yet" in caught.value.diag.message_primary
        assert "bucardo_machine.lift_fence()" in caught.value.diag.message_hint
    with pytest.raises(psycopg2.Error, match="refuses INSERT"):
        dest.sql("INSERT INTO plain VALUES (2)", dbname="fenced")  # a superuser, neither
    run_all(phases)
    assert compare.differences(source, dest, "fenced") == []
    dest.sql("REFRESH MATERIALIZED VIEW seen; ANALYZE", dbname="fenced")
    with pytest.raises(psycopg2.Error, match="refuses UPDATE"):  # somebody else in replica role
        dest.sql("SET session_replication_role = replica; UPDATE plain SET v = 'a'", dbname="fenced")
    dest.sql("SET session_replication_role = replica; SET bucardo_machine.applying = 'on';"
             "UPDATE plain SET v = 'a'", dbname="fenced")
    dest.sql("CREATE TABLE part_2 PARTITION OF parted FOR VALUES FROM (10) TO (20)",
             dbname="fenced")
    raise_it = "SELECT bucardo_machine.raise_fence()"
    assert "1 table did not have it before" in dest.value(raise_it, dbname="fenced")
    assert "0 tables did not have it before" in dest.value(raise_it, dbname="fenced")
    with pytest.raises(psycopg2.Error, match="on public.part_2"):
        dest.sql("INSERT INTO part_2 VALUES (11)", dbname="fenced")
    assert dest.value("SELECT bucardo_machine.lift_fence()", dbname="fenced") == \
        "the fence is lifted"
    dest.sql("DROP TABLE part_2", dbname="fenced")
    assert schema_of(dest, "fenced", "-x") == schema_of(source, "fenced", "-x")
    run_all(phases)
    assert "was lifted" in dest.value(raise_it, dbname="fenced")
    cursor.execute("UPDATE plain SET v = 'b'")
    assert "3 tables did not have it before" in dest.value("SELECT bucardo_machine.raise_fence(true)",
                                            dbname="fenced")
    with pytest.raises(psycopg2.Error, match="refuses UPDATE"):
        cursor.execute("UPDATE plain SET v = 'c'")
    connection.close()


def test_lifting_waits_for_nobody(world):
    _, _, dest = world
    phases = migration(world, "lifted", FENCED)
    assert phases.run("schema").failed is None
    busy = dest.connect("lifted", autocommit=False)
    busy.cursor().execute("SELECT * FROM plain")
    said = dest.value("SELECT bucardo_machine.lift_fence()", dbname="lifted")
    assert "call this again" in said
    connection = writer(dest, "lifted")
    connection.cursor().execute("INSERT INTO plain VALUES (7)")
    busy.close()
    assert dest.value("SELECT bucardo_machine.lift_fence()", dbname="lifted") == \
        "the fence is lifted"
    assert dest.value("SELECT count(*) FROM pg_trigger WHERE tgname ~ 'fence'",
                      dbname="lifted") == 0
    connection.close()


# ---- all of it ----

def test_another_choice_is_refused_once_the_destination_is_begun(world):
    machine, source, dest = world
    source.create_database("cloned")
    dest.create_database("cloned")
    source.sql(CHOSEN, dbname="cloned")
    clone = Clone(machine.binary, machine.folder, source, dest, "cloned")
    assert clone.run("--exclude", "audit").returncode == 2
    options = [word for pattern in EXCLUDE for word in ("--exclude", pattern)]
    done = clone.must(*options)
    assert "view public.over_seen" in done.stdout
    assert clone.run("--exclude", "audit.*").returncode == 1
    assert clone.must(*options).stdout.startswith("The destination is a complete clone")
    assert "public.seen" not in relations(dest, "cloned")
    dest.sql("INSERT INTO customer (name) VALUES ('not fenced')", dbname="cloned")


def test_killed_anywhere_the_schema_phase_goes_on(managed, world, rounds):
    _, source, dest = world
    phases = managed("killed", create_roles=True)
    for _ in range(rounds(4, 40)):
        run = phases.start("schema")
        try:
            run.process.wait(random.uniform(0.02, 1.2))
        except subprocess.TimeoutExpired:
            run.process.kill()
            run.process.wait(10)
    run_all(phases)
    assert dest.sql(OWNERS, dbname="killed") == source.sql(OWNERS, dbname="killed")
    assert dest.value("SELECT count(*) FROM pg_trigger WHERE tgname = 'bucardo_machine_fence'",
                      dbname="killed") == 2
    assert compare.differences(source, dest, "killed") == []


def test_a_declared_migration_replicates_what_is_selected_and_no_more(shared_workshop, world):
    _, source, dest = world
    for server in (source, dest):
        server.create_database("live")
    source.sql(CHOSEN, dbname="live")
    machine = shared_workshop.machine(name="live", installed=True)
    machine.write_pgpass(source, dest)
    machine.write_config(yaml(source, dest, "live", extra=(
        "    tables: {exclude: [audit.entry, public.log_2023, public.measure_1]}\n")))
    machine.start()
    wait_live(machine)
    source.sql("INSERT INTO log_2023 VALUES (99); INSERT INTO log_2024 VALUES (99);"
               "INSERT INTO measure VALUES (5, 6), (15, 16);"
               "ALTER TABLE log_2023 ADD more int", dbname="live")
    wait_for(lambda: dest.value("SELECT count(*) FROM log_2024", dbname="live") == 1, 30, "arrived")
    wait_for(lambda: dest.value("SELECT count(*) FROM measure", dbname="live") == 11, 30, "arrived")
    source.sql("TRUNCATE log_2024", dbname="live")  # Bucardo's own TRUNCATE passes the fence
    wait_for(lambda: dest.value("SELECT count(*) FROM log_2024", dbname="live") == 0, 30, "emptied")
    assert "public.log_2023" not in relations(dest, "live")
    captured = source.sql("SELECT tablename FROM bucardo.bucardo_delta_names ORDER BY 1",
                          dbname="live")
    assert captured == [('audit."Kept Name"',), ("public.customer",), ("public.log_2024",),
                        ("public.measure_2",), ("public.orders",)]

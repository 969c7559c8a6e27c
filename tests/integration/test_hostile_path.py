"""All of pg_catalog is shadowed, first in the path of database and role: nobody falls for it.

The owner of the database is no superuser and may make schemas, functions and types in it, and set
its search_path. Whatever is looked up through that path runs as whoever connects.
"""

import pytest
from support import compare, shadow
from support.clone import Clone
from support.declared import replicating, wait_view
from support.traffic import marker
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(300)

SAFE = "SET search_path = pg_catalog, pg_temp; "
TABLES = """
    CREATE TYPE public.mood AS ENUM ('sad', 'glad');
    CREATE TABLE public.plain (id int PRIMARY KEY, v text, at timestamptz DEFAULT now());
    CREATE TABLE public.felt (k text, m public.mood, n numeric, PRIMARY KEY (k, n));
    CREATE TABLE public.keyless (v text);
    CREATE TABLE public.part (id int, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
    CREATE TABLE public.part_1 PARTITION OF public.part FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
    CREATE TABLE public.gen (id int PRIMARY KEY, a int, b int GENERATED ALWAYS AS (a + 1) STORED);
    CREATE SEQUENCE public.numbers;
    CREATE VIEW public.seen AS SELECT id, v FROM public.plain WHERE v <> 'none';
    CREATE INDEX plain_v ON public.plain (lower(v));
    INSERT INTO public.plain SELECT i, 'v' || i FROM generate_series(1, 200) i;
    INSERT INTO public.felt SELECT 'k' || i, 'sad', i FROM generate_series(1, 50) i;
    INSERT INTO public.part SELECT i, '2026-01-02' FROM generate_series(1, 50) i;
    INSERT INTO public.gen (id, a) SELECT i, i FROM generate_series(1, 50) i;
    INSERT INTO public.keyless VALUES ('x');
"""


def nobody_fell(server, dbname):
    assert shadow.calls(server) == []
    supers = server.sql(SAFE + "SELECT rolname FROM pg_roles WHERE rolsuper", dbname=dbname)
    assert supers == [(server.user,)]


# As `bucardo add` writes it; Bucardo's functions connect from inside the control server.
BY_HAND = """
    INSERT INTO bucardo.db (name, dbhost, dbport, dbname, dbuser, dbconn) VALUES
      ('hand_a', '{a.address}', {a.port}, 'hand', '{a.user}', 'sslmode=require'),
      ('hand_b', '{b.address}', {b.port}, 'hand', '{b.user}', 'sslmode=require');
    INSERT INTO bucardo.herd (name) VALUES ('hand_herd');
    INSERT INTO bucardo.goat (db, schemaname, tablename) VALUES ('hand_a', 'public', 'byhand');
    INSERT INTO bucardo.herdmap (herd, goat) SELECT 'hand_herd', id FROM bucardo.goat
      WHERE tablename = 'byhand';
    INSERT INTO bucardo.dbgroup (name) VALUES ('hand_group');
    INSERT INTO bucardo.dbmap (db, dbgroup, role) VALUES ('hand_a', 'hand_group', 'source'),
      ('hand_b', 'hand_group', 'target');
    INSERT INTO bucardo.customcode (name, whenrun, getdbh, src_code) VALUES
      ('seen', 'before_check_rows', true, convert_from(decode('{code}', 'hex'), 'UTF8'));
    INSERT INTO bucardo.sync (name, herd, dbs, autokick) VALUES ('hand_sync', 'hand_herd', 'hand_group', true);
    INSERT INTO bucardo.customcode_map (code, sync) SELECT id, 'hand_sync' FROM bucardo.customcode;
"""
CODE = """my ($info) = @_;
return if exists $info->{dummy};
$info->{dbh}{hand_b}->do("INSERT INTO public.seen VALUES (lower('RUN'))");
return;"""


def begin_by_hand(machine, source, dest):
    """A sync by hand with customcode, between databases that are as hostile."""
    for server in (source, dest):
        server.create_database("hand")
        server.sql(SAFE + "CREATE TABLE public.byhand (id int PRIMARY KEY, v text);"
                   " CREATE TABLE public.seen (v text)", dbname="hand")
        shadow.cast(server, "hand", server.user)
    for statement in BY_HAND.format(a=source, b=dest, code=CODE.encode().hex()).split(";\n"):
        if statement.strip():
            machine.control_sql(statement)
    machine.control_sql("NOTIFY bucardo_mcp_reload")


def test_a_migration_calls_nothing_that_the_owner_of_either_database_put_into_its_path(workshop):
    source, dest = workshop.server("source"), workshop.server("dest")
    for server in (source, dest):
        server.create_database("app")
    source.sql(SAFE + TABLES, dbname="app")
    # On both sides before the machine ever saw them; the source's come over with the schema.
    shadow.cast(source, "app", source.user)
    # A destination must have no tables or views.
    shadow.cast(dest, "app", dest.user, schema="devil", relations=False)
    machine = replicating(workshop, source, dest, "app",
                          extra="    direction: both\n    tables: {exclude: [evil.*]}\n")
    wait_view(machine, lambda v: v["reconcile"] and "paused" in v["reconcile"], "it reconciles")
    plan = machine.cli("plan", "app")
    assert plan.code in (0, 3), plan.output
    source.sql(SAFE + "UPDATE public.plain SET v = 'new' WHERE id < 20; TRUNCATE public.gen;"
               " DELETE FROM public.felt WHERE n < 10; INSERT INTO public.gen VALUES (1, 7);"
               " CREATE TABLE public.part_2 PARTITION OF public.part FOR VALUES FROM"
               " ('2026-02-01') TO ('2026-03-01');"
               " INSERT INTO public.part VALUES (77, '2026-02-03');"
               " SELECT nextval('public.numbers') FROM generate_series(1, 300);", dbname="app")
    # Drift pauses one table, and its rows are sent again.
    source.sql(SAFE + "ALTER TABLE public.plain ADD COLUMN late int DEFAULT 1", dbname="app")
    wait_view(machine, lambda v: v["reconcile"]["paused"] != [], "the table pauses", 60)
    dest.sql(SAFE + "SET session_replication_role = replica;"
             " ALTER TABLE public.plain ADD COLUMN late int DEFAULT 1", dbname="app")
    wait_view(machine, lambda v: v["reconcile"]["paused"] == [], "it goes on", 60)
    gone = "SELECT count(*) FROM bucardo.track_public_plain"
    assert wait_for(lambda: source.value(SAFE + gone, dbname="app") > 0, 60, "rows were applied")
    begin_by_hand(machine, source, dest)
    source.sql(SAFE + "INSERT INTO public.byhand SELECT i, 'v' FROM generate_series(1, 20) i",
               dbname="hand")
    for what in ("byhand", "seen"):
        wait_for(lambda what=what: dest.value(SAFE + f"SELECT count(*) FROM public.{what}",
                                              dbname="hand") > 0, 60, f"rows in {what}")
    wait_for(lambda: source.value(SAFE + gone, dbname="app") == 0, 90, "they were purged")
    compare.wait_equal(source, dest, "app", sequences=False)
    # And the way back.
    dest.sql(SAFE + "SELECT bucardo_machine.lift_fence();", dbname="app")
    dest.sql(SAFE + "UPDATE public.plain SET v = 'back' WHERE id > 190", dbname="app")
    wait_for(lambda: source.value(SAFE + "SELECT count(*) FROM public.plain WHERE v = 'back'",
                                  dbname="app") == 10, 60, "the way back")
    machine.cli("pause", "app")
    machine.cli("resume", "app")
    for server in (source, dest):
        nobody_fell(server, "app")
    # The trap is alive, and would have worked.
    assert shadow.is_cast(source, "app") and shadow.is_cast(dest, "app")


def test_a_clone_calls_nothing_that_the_owner_of_either_database_put_into_its_path(workshop):
    source, dest = workshop.server("source"), workshop.server("dest")
    source.create_database("app")
    dest.create_database("app")
    source.sql(SAFE + TABLES, dbname="app")
    shadow.cast(source, "app", source.user)
    # A destination must have no tables or views.
    shadow.cast(dest, "app", dest.user, schema="devil", relations=False)
    # Nor has an event trigger a say in what it makes.
    dest.sql(SAFE + "CREATE FUNCTION public.no() RETURNS event_trigger LANGUAGE plpgsql AS"
             " $$ BEGIN RAISE EXCEPTION 'DDL is forbidden here'; END $$;"
             " CREATE EVENT TRIGGER forbidden ON ddl_command_start EXECUTE FUNCTION public.no()",
             dbname="app")
    clone = Clone(workshop.binary, workshop.folder, source, dest, "app")
    clone.must("--exclude", "evil.*")
    compare.wait_equal(source, dest, "app", 5)
    for server in (source, dest):
        nobody_fell(server, "app")

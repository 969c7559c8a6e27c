"""What makes a table captured: functions that depend on no path, triggers that fire in every
session but in those that apply the migration."""

import os
import signal

import psycopg2
import pytest
from support import compare
from support.declared import replicating, view
from support.traffic import Traffic
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(400)

UNSAFE = r"""
    SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname = 'bucardo' AND p.prosecdef
    AND NOT coalesce(p.proconfig @> ARRAY['search_path=pg_catalog, pg_temp'], false)
    AND p.prosrc !~ '^\s*BEGIN /\* bucardo-machine: no name here depends on search_path'"""
MARK = "bucardo-machine: no name here depends on search_path"

# Keys whose types are in a schema that is on nobody's path, or whose equality is not bytes:
# (table, type of the key, a value, the same in another spelling).
KEYS = [
    ("k_citext", "addons.citext", "User@example.org", "user@Example.org"),
    ("k_ltree", "addons.ltree", "top.one", "moved.one"),
    ("k_hstore", "addons.hstore", '"a"=>"1"', '"a"=>"2"'),
    ("k_case", 'text COLLATE addons."nocase"', "Straße", "STRASSE"),
    ("k_numeric", "numeric", "1.5", "1.50"),
    ("k_float", "float8", "0", "-0"),
    ("k_char", "char(6)", "ab", "AB"),
    ("k_enum", "addons.mood", "sad", "glad"),
    ("k_domain", "addons.address", "Ann@example.org", "ann@example.org"),
    ("k_row", "addons.pair", "(1,1.0)", "(1,1.00)"),
]
SCHEMA = """
    CREATE SCHEMA addons; CREATE EXTENSION citext SCHEMA addons;
    CREATE EXTENSION ltree SCHEMA addons; CREATE EXTENSION hstore SCHEMA addons;
    CREATE TYPE addons.mood AS ENUM ('sad', 'glad'); CREATE DOMAIN addons.address AS addons.citext;
    CREATE TYPE addons.pair AS (a int, b numeric);
    CREATE COLLATION addons."nocase" (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
    CREATE TABLE news (id int PRIMARY KEY, v text);
    CREATE TABLE fixture (id int PRIMARY KEY, v text);
    CREATE TABLE "Old ""new" (tg_op int, "new" text, PRIMARY KEY (tg_op, "new"));
    ALTER TABLE "Old ""new" RENAME TO "Old new";
    CREATE TABLE "at" ("a@.b" int, "%s" int, v text, PRIMARY KEY ("a@.b", "%s"));
    CREATE TABLE guarded (id int PRIMARY KEY, v text); INSERT INTO guarded VALUES (1, 'x');
    CREATE ROLE plain LOGIN PASSWORD 'u'; GRANT ALL ON guarded TO plain;
    CREATE SCHEMA plain AUTHORIZATION plain;
""" + "".join(f"CREATE TABLE {t} (k {kind} PRIMARY KEY, v int);"
              f"INSERT INTO {t} VALUES ('{value}', 0);" for t, kind, value, _ in KEYS)


@pytest.fixture(scope="module")
def world(shared_workshop):
    """A migration in both directions that replicates; the destination also has news."""
    source, dest, dbname = shared_workshop.pair(
        "shop", dest_options={"settings": {"wal_level": "logical"}})
    source.sql(SCHEMA, dbname=dbname)
    dest.sql("CREATE ROLE plain")
    machine = replicating(shared_workshop, source, dest, dbname)
    return machine, source, dest, dbname


def deltas(server, dbname, table):
    """The keys that were captured and are not purged yet."""
    return [row[0] for row in server.sql(f"SELECT * FROM bucardo.delta_public_{table}", dbname=dbname)]


def attack(source, dbname):
    """A role that may write to one table tries what the trigger's owner may."""
    connection = psycopg2.connect(host=source.address, port=source.port, user="plain",
                                  password="u", dbname=dbname)
    connection.autocommit = True
    cursor = connection.cursor()
    for kind, name in (("int", "ints"), ("text", "texts"), ("name", "names")):
        cursor.execute(
            f"CREATE OR REPLACE FUNCTION plain.{name}(a {kind}, b {kind}) RETURNS boolean LANGUAGE "
            "plpgsql AS $$ BEGIN BEGIN ALTER ROLE plain SUPERUSER; EXCEPTION WHEN OTHERS THEN NULL;"
            " END; RETURN true; END $$")
        for operator in ("<>", "="):
            cursor.execute(f"CREATE OPERATOR plain.{operator} (LEFTARG = {kind}, RIGHTARG = {kind},"
                           f" FUNCTION = plain.{name})")
    cursor.execute("SET search_path = plain, pg_catalog, public")
    cursor.execute("UPDATE public.guarded SET id = id + 1")
    connection.close()
    return source.value("SELECT rolsuper FROM pg_roles WHERE rolname = 'plain'")


def test_no_function_of_an_owner_depends_on_the_path_of_its_caller(world):
    _, source, dest, dbname = world
    for server in (source, dest):
        assert not server.sql(UNSAFE, dbname=dbname)
    assert not attack(source, dbname)


def test_the_triggers_fire_in_every_role_and_stay_when_bucardo_validates_again(world):
    machine, source, dest, dbname = world
    query = ("SELECT DISTINCT tgenabled, left(tgname, 18) FROM pg_trigger"
             " WHERE tgname LIKE 'bucardo_delta' OR tgname LIKE 'bucardo\\_note\\_%%' ORDER BY 2")
    machine.shell("bucardo validate all && bucardo reload all", seconds=60).check()
    for server in (source, dest):
        assert server.sql(query, dbname=dbname) == [("A", "bucardo_delta"), ("A", "bucardo_note_trunc")]
        wait_for(lambda s=server: not s.sql(UNSAFE, dbname=dbname), 20, "all are safe")


@pytest.mark.parametrize("table,kind,value,other", KEYS, ids=[key[0] for key in KEYS])
def test_another_spelling_of_a_key_is_captured_and_no_write_fails(world, table, kind, value, other):
    _, source, _, dbname = world
    connection = source.connect(dbname, autocommit=False)
    cursor = connection.cursor()
    cursor.execute("SET search_path = pg_catalog")
    cursor.execute(f"UPDATE public.{table} SET v = v + 1")
    cursor.execute(f"SELECT count(*) FROM bucardo.delta_public_{table}")
    before = cursor.fetchone()[0]
    cursor.execute(f"UPDATE public.{table} SET k = '{other}'")
    cursor.execute(f"SELECT DISTINCT k::text COLLATE \"C\" FROM bucardo.delta_public_{table}"
                   " WHERE txntime = (SELECT max(txntime) FROM bucardo.delta_public_"
                   f"{table})")
    found = {row[0].strip() for row in cursor.fetchall()}
    cursor.execute(f"SELECT count(*) FROM bucardo.delta_public_{table}")
    assert cursor.fetchone()[0] == before + 2, f"{kind}: {value} became {other} unseen"
    assert found == {value, other}
    connection.rollback()
    connection.close()


def test_names_of_columns_are_no_names_of_plpgsql(world):
    _, source, dest, dbname = world
    source.sql('INSERT INTO "Old new" VALUES (1, \'a\'); UPDATE "Old new" SET "new" = \'b\';'
               'INSERT INTO "Old new" VALUES (2, \'c\'); DELETE FROM "Old new" WHERE tg_op = 2;'
               'INSERT INTO "at" VALUES (1, 1, \'a\'), (2, 2, \'b\'); UPDATE "at" SET "a@.b" = 3 WHERE v = \'b\'',
               dbname=dbname)
    wait_for(lambda: dest.sql('SELECT * FROM "Old new"', dbname=dbname) == [(1, "b")], 30, "it arrives")
    wait_for(lambda: dest.sql('SELECT * FROM "at" ORDER BY 1', dbname=dbname) == [(1, 1, "a"), (3, 2, "b")], 30,
             "it arrives")


def test_what_a_subscription_and_a_loader_of_fixtures_write_is_captured(world):
    machine, source, dest, dbname = world
    dest.create_database("elsewhere")
    dest.sql("CREATE TABLE news (id int PRIMARY KEY, v text); CREATE PUBLICATION p FOR TABLE news;"
             "INSERT INTO news SELECT i, 'first' FROM generate_series(1, 5) i", dbname="elsewhere")
    source.sql(f"CREATE SUBSCRIPTION s CONNECTION 'host={dest.address} port={dest.port} "
               f"user={dest.user} password={dest.password} dbname=elsewhere' PUBLICATION p",
               dbname=dbname)
    dest.sql("INSERT INTO news VALUES (100, 'later')", dbname="elsewhere")
    source.sql("SET session_replication_role = replica; INSERT INTO fixture SELECT i, 'loaded'"
               " FROM generate_series(1, 7) i; UPDATE fixture SET v = 'again' WHERE id = 7",
               dbname=dbname)
    wait_for(lambda: source.value("SELECT count(*) FROM news", dbname=dbname) == 6, 30, "subscribed")
    dest.sql("UPDATE news SET v = 'changed' WHERE id = 1; DELETE FROM news WHERE id = 2",
             dbname="elsewhere")
    wait_for(lambda: source.value("SELECT count(*) FROM news", dbname=dbname) == 5, 30, "subscribed")
    for table in ("news", "fixture"):
        query = f"SELECT * FROM {table} ORDER BY 1"
        wait_for(lambda q=query: source.sql(q, dbname=dbname) == dest.sql(q, dbname=dbname), 30,
                 f"{table} arrives")
    source.sql("SET session_replication_role = replica; TRUNCATE fixture", dbname=dbname)
    wait_for(lambda: dest.value("SELECT count(*) FROM fixture", dbname=dbname) == 0, 30, "truncated")
    plan = machine.cli("plan", "app").output
    assert "subscription s" in plan and "public.news" in plan, plan
    source.sql("ALTER SUBSCRIPTION s DISABLE", dbname=dbname)
    source.sql("DROP SUBSCRIPTION s", dbname=dbname)


def test_what_is_applied_makes_no_echo(world):
    machine, source, dest, dbname = world
    with Traffic(source, dbname, "shop", rate=60) as traffic:
        traffic.wait_total(150)
    compare.wait_equal(source, dest, dbname, sequences="ahead")
    echoes = dest.sql("SELECT deltaname FROM bucardo.bucardo_delta_names", dbname=dbname)
    assert len(echoes) > 10
    for (delta,) in echoes:
        assert dest.value(f"SELECT count(*) FROM bucardo.{delta}", dbname=dbname) == 0, delta


def test_what_an_older_machine_made_is_made_safe(world):
    machine, source, _, dbname = world
    with machine.control_session("UPDATE bucardo.db SET dbconn = regexp_replace(dbconn, "
                                 "';options=''[^'']*''', '')"):
        pass
    os.kill(view(machine)["reconcile"]["pid"], signal.SIGKILL)
    source.sql("DROP TRIGGER bucardo_delta ON fixture; CREATE OR REPLACE FUNCTION "
               "bucardo.delta_public_fixture() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $clone$ BEGIN IF "
               "(TG_OP = 'INSERT') THEN INSERT INTO bucardo.delta_public_fixture VALUES (NEW.\"id\");"
               " ELSE INSERT INTO bucardo.delta_public_fixture VALUES (OLD.\"id\"); END IF; RETURN NULL; END; $clone$;"
               "CREATE TRIGGER bucardo_delta AFTER INSERT OR UPDATE OR DELETE ON fixture FOR EACH ROW "
               "EXECUTE PROCEDURE bucardo.delta_public_fixture();"
               "DELETE FROM bucardo.machine_captured WHERE tablename = 'public.fixture'", dbname=dbname)
    wait_for(lambda: not source.sql(UNSAFE, dbname=dbname), 20, "all are safe")
    wait_for(lambda: source.sql("SELECT tgenabled FROM pg_trigger WHERE tgname = 'bucardo_delta' AND"
                                " tgrelid = 'fixture'::regclass", dbname=dbname) == [("A",)],
             40, "its trigger fires always")
    # A tree that a person starts says that it applies: or else it would make an echo.
    told = machine.shell("bucardo list dbs -vv").output
    assert told.count("bucardo_machine.applying=on") == 2, told


def test_functions_of_a_sync_that_a_person_made_are_made_safe(world):
    machine, source, dest, dbname = world
    source.create_database("manual")
    dest.create_database("manual")
    for server in (source, dest):
        server.sql("CREATE TABLE mine (id int PRIMARY KEY, v text); CREATE TABLE guarded (id int"
                   " PRIMARY KEY, v text); INSERT INTO guarded VALUES (1, 'x');"
                   f'CREATE TABLE marked ("{MARK}" int PRIMARY KEY)', dbname="manual")
    source.sql("GRANT ALL ON guarded TO plain; CREATE SCHEMA plain AUTHORIZATION plain", dbname="manual")
    for name, server in (("ms", source), ("md", dest)):
        machine.shell(f"bucardo add db {name} dbname=manual host={server.address} "
                      f"port={server.port} user={server.user} conn=sslmode=require").check()
    machine.shell("bucardo add table mine guarded marked db=ms relgroup=mrg && bucardo add dbgroup mg ms:source"
                  " md:target && bucardo add sync manual relgroup=mrg dbs=mg").check()
    wait_for(lambda: not source.sql(UNSAFE, dbname="manual"), 30, "they are safe")
    assert source.value("SELECT count(*) FROM pg_proc WHERE pronamespace = 'bucardo'::regnamespace AND prosecdef",
                        dbname="manual") >= 3, "a function for each table"
    assert not attack(source, "manual")
    # It works as ever: replica role is not captured there, everything else is.
    source.sql("INSERT INTO mine VALUES (1, 'a'); UPDATE mine SET id = 2", dbname="manual")
    assert sorted(deltas(source, "manual", "mine")) == [1, 1, 2]
    assert source.sql("SELECT DISTINCT tgenabled FROM pg_trigger WHERE tgname LIKE 'bucardo%%'",
                      dbname="manual") == [("O",)]

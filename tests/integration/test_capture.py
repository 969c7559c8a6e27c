"""Phase capture: `worker phase` by hand against a running machine."""

import os
import subprocess
import threading
import time

import pytest
from psycopg2 import errors
from support.phases import Phases
from support.waiting import wait_for

NASTY = """
    CREATE TABLE nokey (a int);
    CREATE TABLE nullable (a int UNIQUE);
    CREATE TABLE by_index (a int NOT NULL, b text NOT NULL, c int UNIQUE, UNIQUE (a, b));
    CREATE TABLE generated (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED);
    CREATE TABLE "Mixed Case" ("Key col" int PRIMARY KEY);
    CREATE TABLE "A quoted name that is so long that Bucardo loses it" (id int PRIMARY KEY);
    CREATE TABLE "with ""quotes"" in it" (id int PRIMARY KEY);
    CREATE SCHEMA a; CREATE SCHEMA a_b;
    CREATE TABLE a.b_c (id int PRIMARY KEY);
    CREATE TABLE a_b.c (id int PRIMARY KEY);
    CREATE TABLE a.kept_one (id int PRIMARY KEY);
    CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100);
    CREATE TYPE pair AS (a int, b char(3)); CREATE TYPE image AS (a int, at point); CREATE TYPE inner_image AS (i image[]);
    CREATE TABLE by_image (k pair NOT NULL);
    CREATE UNIQUE INDEX ON by_image (k record_image_ops);
    CREATE TABLE not_ordered (k image PRIMARY KEY);
    CREATE TABLE inside_not_ordered (k inner_image PRIMARY KEY);
    CREATE TABLE ordered (a pair, b varchar(9), c cidr, d int4range, PRIMARY KEY (a, b, c, d));
"""
LEFT_OUT = ['"A quoted name', "a.b_c", "a_b.c", "by_image", "public.not_ordered", "inside_not_ordered", "nokey",
            "nullable", "with "]


@pytest.fixture(scope="module")
def world(shared_workshop):
    """(machine, source, dest): three databases on both servers, Bucardo installed."""
    source, dest, _ = shared_workshop.pair("pagila")
    source.copy_schema(dest, "pagila")
    for server in (source, dest):
        server.create_database("nasty")
        server.sql(NASTY, dbname="nasty")
    machine = shared_workshop.machine(installed=True)
    machine.write_pgpass(source, dest)
    machine.start()
    machine.wait_ready(60)
    return machine, source, dest


def triggers(server, dbname, name="bucardo_delta"):
    return {row[0] for row in server.sql(
        "SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname = %s", (name,), dbname)}


class Writer:
    """An application that updates one row over and over; the longest wait is kept."""

    def __init__(self, server, dbname, statement):
        self.connection = server.connect(dbname)
        self.statement, self.longest, self.count = statement, 0.0, 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def _write(self):
        cursor = self.connection.cursor()
        while not self._stop.wait(0.02):
            begun = time.monotonic()
            cursor.execute(self.statement)
            self.longest = max(self.longest, time.monotonic() - begun)
            self.count += 1

    def stop(self):
        self._stop.set()
        self._thread.join(30)
        assert not self._thread.is_alive(), "the writer hangs"
        self.connection.close()


def test_an_idle_transaction_does_not_freeze_the_application(world):
    machine, source, dest = world
    phases = Phases(machine, source, dest, "pagila", "pagila")
    idle = source.connect("pagila", autocommit=False)
    idle.cursor().execute("UPDATE film SET length = length WHERE film_id = 1")
    writer = Writer(source, "pagila", "UPDATE film SET length = length WHERE film_id = 2")
    run = phases.start("capture")
    run.wait_line("note", "waiting for process", "idle in transaction", "public.film")
    # All others are captured meanwhile, and the application goes on.
    wait_for(lambda: len(triggers(source, "pagila")) == 20, 20, "the others are captured")
    run.wait_line("note", "public.film", seconds=20)
    assert "film" not in triggers(source, "pagila")
    before = writer.count
    wait_for(lambda: writer.count > before + 20, 20, "the application writes")
    idle.commit()
    idle.close()
    assert run.wait(60).evidence["tables"] == 21, run.text()
    writer.stop()
    assert writer.longest < 2, f"a statement took {writer.longest:.1f} s"
    assert len(triggers(source, "pagila")) == len(triggers(dest, "pagila")) == 21


@pytest.mark.parametrize("catalog", ["pg_namespace", "pg_proc"])
def test_migrations_of_one_source_that_begin_at_the_same_moment_all_succeed(world, catalog):
    """They look whether something is there, and wait for the catalog with the answer no."""
    machine, source, dest = world
    names = [f"{catalog}_{i}" for i in (1, 2, 3)]
    for server, databases in ((source, [catalog]), (dest, names)):
        for database in databases:
            server.create_database(database)
            server.sql("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY)", dbname=database)
    held = source.connect(catalog, autocommit=False)
    held.cursor().execute(f"LOCK TABLE pg_catalog.{catalog} IN SHARE MODE")
    runs = []
    for name in names:
        phases = Phases(machine, source, dest, catalog, name)
        phases.migration["destination"]["dbname"] = name
        runs.append(phases.start("capture"))
    waiting = ("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name ~"
               " '^bucardo-machine' AND datname = %s")
    wait_for(lambda: source.value(waiting, (catalog,)) == 3, 20, "all three wait")
    held.commit()
    held.close()
    for run in runs:
        assert not run.wait(60).failed, run.text()
        assert run.evidence["tables"] == 2, run.text()
    assert triggers(source, catalog) == {"t", "u"}


@pytest.fixture
def german(world, shared_workshop, monkeypatch):
    """A source that speaks German, as soon as PostgreSQL's translations are installed."""
    folder = os.path.join(shared_workshop.folder, "locales")
    os.makedirs(folder)
    made = subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", f"{folder}/de_DE.UTF-8"],
                          check=False, capture_output=True)
    os.chmod(folder, 0o755)
    monkeypatch.setenv("LOCPATH", folder)
    if made.returncode != 0:
        pytest.skip(f"no German locale can be made: {made.stderr}")
    source = shared_workshop.server("german", settings={"lc_messages": "de_DE.UTF-8"})
    world[0].write_pgpass(source, *world[1:])
    try:
        source.sql("SELECT nothing")
    except errors.UndefinedColumn as error:
        if "existiert nicht" not in str(error):
            pytest.skip("PostgreSQL's translations are not installed")
    return source


@pytest.mark.full
def test_a_lock_is_known_in_any_language(world, german):
    machine, _, dest = world
    for server in (german, dest):
        server.create_database("sprache")
        server.sql("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY)",
                   dbname="sprache")
    idle = german.connect("sprache", autocommit=False)
    idle.cursor().execute("INSERT INTO b VALUES (1)")
    run = Phases(machine, german, dest, "sprache", "sprache").start("capture")
    run.wait_line("note", "waiting for process", "public.b")
    assert "Sperr" in german.log_tail()
    idle.commit()
    idle.close()
    assert run.wait(60).evidence["tables"] == 2, run.text()


def test_repeating_it_changes_nothing(world):
    machine, source, dest = world
    phases = Phases(machine, source, dest, "pagila", "pagila")
    oids = "SELECT array_agg(oid ORDER BY oid) FROM pg_trigger WHERE tgname ~ '^bucardo'"
    before = source.value(oids, dbname="pagila")
    assert phases.run("capture").evidence["tables"] == 21
    assert source.value(oids, dbname="pagila") == before


def test_it_repairs_what_is_missing(world):
    machine, source, dest = world
    phases = Phases(machine, source, dest, "pagila", "pagila")
    source.sql("DROP TRIGGER bucardo_delta ON actor", dbname="pagila")
    phases.run("capture")
    assert "actor" in triggers(source, "pagila")


def test_the_sync_does_not_run_before_it_is_released(world):
    machine, _, _ = world
    assert machine.control_sql(
        "SELECT status, autokick FROM bucardo.sync WHERE name = 'pagila_sync'") == ["inactive|f"]
    for dbconn in machine.control_sql("SELECT dbconn FROM bucardo.db"):
        assert "lock_timeout=500" not in dbconn and dbconn.count("options=") == 1, dbconn


def test_leaves_out_what_bucardo_cannot_replicate_and_says_so(world):
    machine, source, dest = world
    phases = Phases(machine, source, dest, "nasty", "nasty")
    run = phases.run("capture")
    left_out = run.evidence["left_out"]
    assert len(left_out) == len(LEFT_OUT), left_out
    for name in LEFT_OUT:
        assert any(name in quoted for quoted in left_out), (name, left_out)
        assert run.finding(name)["severity"] == "degrades"
    captured = {"by_index", "generated", '"Mixed Case"', "ordered", "parts_1", "a.kept_one"}
    assert triggers(source, "nasty") == triggers(dest, "nasty") == captured
    assert run.evidence["syncs"] == ["nasty_sync"]
    # Generated columns are left out whichever way the rows go.
    assert machine.control_sql("SELECT db, clause FROM bucardo.customcols ORDER BY 1") == [
        "nasty_destination|SELECT id", "nasty_source|SELECT id"]
    assert machine.control_sql("SELECT pkey, pkeytype FROM bucardo.goat "
                               "WHERE tablename = 'by_index'") == ["a|b|integer|text"]


@pytest.mark.parametrize("phase", ["preflight", "capture"])
def test_a_captured_table_keeps_its_place_whoever_makes_one_that_reads_like_it(world, phase):
    machine, source, dest = world
    phases = Phases(machine, source, dest, "nasty", "nasty")
    # Somebody with the right to make a schema; a trigger may be called anything.
    for server in (source, dest):
        server.sql("CREATE SCHEMA IF NOT EXISTS a_kept; CREATE TABLE IF NOT EXISTS a_kept.one (k text PRIMARY KEY);"
                   "CREATE OR REPLACE FUNCTION public.mine() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
                   "DROP TRIGGER IF EXISTS bucardo_delta ON a_kept.one;"
                   "CREATE TRIGGER bucardo_delta AFTER INSERT ON a_kept.one FOR EACH ROW EXECUTE FUNCTION public.mine()",
                   dbname="nasty")
    source.sql("DROP TRIGGER IF EXISTS bucardo_delta ON a.kept_one", dbname="nasty")
    run = phases.run(phase)
    run.finding("'a_kept.one'", "joined by _")
    assert not [f for f in run.findings() if f["object"] == "a.kept_one" and "joined" in f["why"]], run.text()
    if phase == "capture":
        assert "a_kept.one" in run.evidence["left_out"] and "a.kept_one" not in run.evidence["left_out"]
        assert "a.kept_one" in triggers(source, "nasty"), "it is captured again"
        for server in (source, dest):
            server.sql("DROP SCHEMA a_kept CASCADE", dbname="nasty")


def test_a_partition_made_later_is_taken_in(world):
    machine, source, dest = world
    phases = Phases(machine, source, dest, "nasty", "nasty")
    for server in (source, dest):
        server.sql("CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (100) TO (200)",
                   dbname="nasty")
    phases.run("capture")
    assert "parts_2" in triggers(source, "nasty") and "parts_2" in triggers(dest, "nasty")


def test_it_fails_as_something_that_passes_while_the_source_is_down(world):
    machine, source, dest = world
    phases = Phases(machine, source, dest, "pagila", "pagila")
    source.stop()
    try:
        failed = phases.run("capture").failed
    finally:
        source.start()
    assert failed["class"] == "transient" and "source" in failed["message"], failed

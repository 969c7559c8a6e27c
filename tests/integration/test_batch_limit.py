"""A backlog that is larger than a run of Bucardo may take at once."""

import time

import pytest
from psycopg2 import errors
from support import compare
from support.declared import view, wait_live, yaml
from support.waiting import wait_for

TABLES = """
    CREATE TABLE big (id int PRIMARY KEY, v int NOT NULL);
    INSERT INTO big SELECT i, 0 FROM generate_series(1, 20000) i;
    CREATE TABLE "it's" (a text, b int, PRIMARY KEY (a, b));
    CREATE TABLE dense (id int PRIMARY KEY, v int UNIQUE NOT NULL);
    INSERT INTO dense SELECT i, i FROM generate_series(1, 3000) i"""
RUNS = "SELECT inserts FROM bucardo.syncrun WHERE sync = 'app_sync' AND inserts > 0 ORDER BY started"


@pytest.fixture(scope="module")
def world(shared_workshop):
    source, dest = shared_workshop.server("source"), shared_workshop.server("dest")
    source.create_database("parts")
    source.sql(TABLES, dbname="parts")
    dest.create_database("parts")
    machine = shared_workshop.machine(installed=True)
    machine.write_pgpass(source, dest)
    machine.write_config(yaml(source, dest, "parts"))
    machine.start()
    machine.wait_ready(60)
    wait_live(machine)
    return machine, source, dest


def limit(source, rows, dbname="parts"):
    source.sql(f"UPDATE bucardo.machine_syncs SET stage_rows = {rows}", dbname=dbname)


def backlog(machine):
    found = [s for s in machine.status_json()["syncs"] if s["name"] == "app_sync"]
    return found[0]["backlog_rows"] if found else None


def kid_peak_mib(machine):
    with open(f"/proc/{machine.one('kid')}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 1024


def wait_calm(machine, source, dest, dbname="parts", seconds=90):
    """Whatever the status says while it is not done must not be "nothing waits"."""
    query = "SELECT sum(v) FROM big"
    seen = False
    while True:
        left = backlog(machine)
        if source.value(query, dbname=dbname) == dest.value(query, dbname=dbname):
            break
        seen = seen or left > 0
        assert left != 0 or not seen, "the backlog is told as empty, and the contents differ"
        seconds -= 0.2
        assert seconds > 0, f"still {left} rows wait\n{machine.log_tail()}"
        time.sleep(0.2)
    compare.wait_equal(source, dest, dbname, 30, sequences=False)


def test_a_large_backlog_is_applied_in_parts(world):
    machine, source, dest = world
    limit(source, 4000)
    before = len(machine.control_sql(RUNS))
    wait_for(lambda: backlog(machine) == 0, 30, "nothing waits")
    source.sql("BEGIN; UPDATE big SET v = 1; INSERT INTO \"it's\" SELECT 'k' || i, i FROM"
               " generate_series(1, 2000) i; COMMIT", dbname="parts")
    wait_for(lambda: backlog(machine) > 0, 20, "the change is seen", every=0.05)
    wait_calm(machine, source, dest)
    runs = [int(n) for n in machine.control_sql(RUNS)[before:]]
    assert len(runs) >= 6 and max(runs) <= 4000, runs
    assert source.value("SELECT count(*) FROM bucardo.mpark_public_big", dbname="parts") == 0
    assert view(machine)["status"] == "live"


def test_many_changes_that_were_applied_and_not_purged_slow_no_run_down(world):
    machine, source, dest = world
    wait_for(lambda: backlog(machine) == 0, 30, "nothing waits")
    source.sql("WITH s AS (SELECT i, timestamptz '2001-01-01' + i * interval '1 ms' AS t"
               "  FROM generate_series(1, 40000) i),"
               " d AS (INSERT INTO bucardo.delta_public_big (id, txntime) SELECT i % 100, t FROM s)"
               " INSERT INTO bucardo.track_public_big (txntime, target)"
               " SELECT t, 'dbgroup app_dbs' FROM s;"
               "UPDATE big SET v = 77 WHERE id = 1", dbname="parts")
    wait_for(lambda: dest.value("SELECT v FROM big WHERE id = 1", dbname="parts") == 77, 15,
             "the change is applied", explain=machine.log_tail)


@pytest.mark.full
def test_keys_that_vanish_and_change_while_they_are_parked_arrive_as_they_are(world):
    machine, source, dest = world
    limit(source, 4000)
    source.sql("UPDATE big SET v = 2", dbname="parts")
    wait_for(lambda: source.value("SELECT count(*) FROM bucardo.mpark_public_big", dbname="parts"),
             30, "rows are deferred", every=0.05, explain=machine.log_tail)
    source.sql("DELETE FROM big WHERE id % 3 = 0; UPDATE big SET v = 3 WHERE id % 3 = 1",
               dbname="parts")
    machine.kill9_everything()
    machine.fresh_runtime()
    machine.start()
    machine.wait_ready(60)
    wait_calm(machine, source, dest)


@pytest.mark.full
def test_a_truncate_while_rows_are_parked_arrives(world):
    machine, source, dest = world
    limit(source, 2000)
    source.sql("UPDATE big SET v = 4", dbname="parts")
    wait_for(lambda: source.value("SELECT count(*) FROM bucardo.mpark_public_big", dbname="parts"),
             30, "rows are deferred", every=0.05)

    def truncated():
        try:
            source.sql("TRUNCATE big; INSERT INTO big SELECT i, 5 FROM generate_series(1, 7000) i",
                       dbname="parts")
        except errors.DeadlockDetected:
            return False  # with a run that reads the table: so it is without the limit, too
        return True
    wait_for(truncated, 30, "the table is truncated")
    wait_calm(machine, source, dest)


def test_parts_that_collide_are_applied_as_a_whole(world):
    machine, source, dest = world
    limit(source, 500)
    source.sql("BEGIN; UPDATE dense SET v = v + 100000; UPDATE dense SET v = v - 99999; COMMIT",
               dbname="parts")
    compare.wait_equal(source, dest, "parts", 90, sequences=False)
    wait_for(lambda: source.value("SELECT stage_rows FROM bucardo.machine_syncs", dbname="parts")
             == 200000, 30, "the limit is on again")
    # By the state and not by the text, which may be in any language.
    assert machine.control_sql("SELECT 1 FROM bucardo.syncrun WHERE sync = 'app_sync'"
                               " AND status LIKE '%SQLSTATE 23505 at public.%: DBD::Pg%'")


@pytest.mark.full
def test_a_million_rows_do_not_grow_the_kid(world):
    machine, source, dest = world
    source.sql("UPDATE bucardo.machine_syncs SET stage_rows = DEFAULT;"
               "INSERT INTO big SELECT i, 6 FROM generate_series(20001, 1020000) i", dbname="parts")
    wait_calm(machine, source, dest, seconds=900)
    source.sql("UPDATE big SET v = 7", dbname="parts")
    wait_calm(machine, source, dest, seconds=900)
    peak = kid_peak_mib(machine)
    print(f"the KID's peak: {peak:.0f} MiB")
    assert peak < 256

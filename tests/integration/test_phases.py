"""All phases of a migration in order, by hand, while the source is written to."""

import json
import subprocess

import psycopg2
import pytest
from support import compare
from support.phases import Phases
from support.traffic import Traffic
from support.users import as_user
from support.waiting import wait_for

ORDER = ("preflight", "schema", "capture", "copy", "index", "replicate")


@pytest.fixture(scope="module")
def world(shared_workshop):
    source, dest = shared_workshop.server("source"), shared_workshop.server("dest")
    for dbname in ("pagila", "again", "spread"):
        source.create_database(dbname, "pagila")
        dest.create_database(dbname)
    machine = shared_workshop.machine(installed=True)
    machine.write_pgpass(source, dest)
    machine.start()
    machine.wait_ready(60)
    return machine, source, dest


def kick_all(machine, syncs):
    """Whether the master serves every one of them."""
    return all([machine.shell(f"bucardo kick {sync} 10").code == 0 for sync in syncs])


def kick_until_equal(machine, source, dest, dbname, sync, seconds=90):
    def equal():
        machine.shell(f"bucardo kick {sync} 10")
        return not compare.differences(source, dest, dbname, sequences=False)
    wait_for(equal, seconds, "the contents are equal", every=0.5, explain=machine.log_tail)


@pytest.mark.parametrize("dbname,direction", [
    ("pagila", "both"), pytest.param("again", "forward", marks=pytest.mark.full)])
def test_a_live_database_arrives_complete(world, dbname, direction):
    machine, source, dest = world
    phases = Phases(machine, source, dest, dbname, dbname, direction=direction)
    with Traffic(source, dbname, sample="pagila") as traffic:
        for phase in ORDER[:-1]:
            run = phases.run(phase, seconds=120)
            assert run.failed is None, run.text()
            dones = [line["done"] for line in run.events("progress")]
            assert dones == sorted(dones)
        changed = dest.value("SELECT to_regclass('bucardo.delta_public_film') IS NOT NULL",
                             dbname=dbname)
        assert changed == (direction == "both")
        if changed:  # the copy itself is no change to apply back
            assert dest.value("SELECT count(*) FROM bucardo.delta_public_film", dbname=dbname) == 0
        last = phases.start("replicate")
        wait_for(lambda: machine.shell(f"bucardo kick {dbname}_sync 10").code == 0, 60, "served")
        last.wait(90)
        assert last.failed is None, last.text()
        traffic.wait_total(20)
    kick_until_equal(machine, source, dest, dbname, f"{dbname}_sync")
    assert compare.row_count(dest, dbname) > 10000


def test_every_phase_is_harmless_to_repeat(world):
    machine, source, dest = world
    phases = Phases(machine, source, dest, "pagila", "pagila")
    for phase in ORDER:
        run = phases.run(phase)
        assert run.failed is None, run.text()
    assert not compare.differences(source, dest, "pagila", sequences=False)


def test_the_way_back_replicates_too(world):
    machine, source, dest = world
    with pytest.raises(psycopg2.Error, match="was not cut over yet"):
        dest.sql("UPDATE film SET length = 76 WHERE film_id = 7", dbname="pagila")
    # No worker has transferred sequences here.
    assert dest.value("SELECT bucardo_machine.lift_fence()", dbname="pagila").startswith(
        "the fence is lifted; no machine has set its sequences yet")
    dest.sql("UPDATE film SET length = 77 WHERE film_id = 7", dbname="pagila")
    kick_until_equal(machine, source, dest, "pagila", "pagila_sync")
    assert source.value("SELECT length FROM film WHERE film_id = 7", dbname="pagila") == 77


def test_a_worker_that_waits_shows_that_it_lives(world):
    machine, source, dest = world
    source.sigstop()
    try:
        run = Phases(machine, source, dest, "pagila", "pagila").start("capture")
        run.wait_line("alive", seconds=15)
    finally:
        source.sigcont()
    run.wait(90)


def test_closing_stdin_ends_the_worker_at_once(world):
    machine, source, dest = world
    phases = Phases(machine, source, dest, "pagila", "pagila")
    source.sigstop()
    try:
        run = phases.start("capture")
        run.process.stdin.close()
        assert run.process.wait(5) == 1
    finally:
        source.sigcont()


@pytest.mark.parametrize("sent,words", [
    ("{", "not JSON"),
    (json.dumps({"v": 2}), "another version"),
    (json.dumps({"v": 1, "phase": "copy"}), "socket_dir"),
])
def test_a_wrong_request_is_refused(world, sent, words):
    machine, _, _ = world
    done = subprocess.run(as_user([machine.binary, "worker", "phase"]), input=sent + "\n",
                          capture_output=True, text=True, check=False, timeout=20)
    line = json.loads(done.stdout)
    assert done.returncode == 1 and line["event"] == "failed" and words in line["message"]


LONERS = """
    CREATE TABLE lonely (id int PRIMARY KEY, v text);
    CREATE TABLE mother (id int PRIMARY KEY); CREATE TABLE child (id int PRIMARY KEY,
        mother int REFERENCES mother DEFERRABLE INITIALLY DEFERRED);
    INSERT INTO lonely SELECT i, 'v' FROM generate_series(1, 200) i;
    INSERT INTO mother SELECT generate_series(1, 50); INSERT INTO child SELECT i, i
    FROM generate_series(1, 50) i"""
PLACES = ("SELECT g.schemaname || '.' || g.tablename || '=' || s.name FROM bucardo.goat g"
          " JOIN bucardo.herdmap h ON h.goat = g.id JOIN bucardo.sync s ON s.herd = h.herd"
          " WHERE s.name ~ '^spread_' ORDER BY 1")
TIES = ("SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint"
        " WHERE contype = 'f' UNION SELECT a.inhrelid::regclass::text, b.inhrelid::regclass::text"
        " FROM pg_inherits a JOIN pg_inherits b USING (inhparent)")


def test_tables_are_spread_over_several_syncs_and_related_ones_stay_together(world):
    machine, source, dest = world
    source.sql(LONERS, dbname="spread")
    phases = Phases(machine, source, dest, "spread", "spread", syncs=3)
    with Traffic(source, "spread", sample="pagila") as traffic:
        for phase in ORDER[1:3]:
            run = phases.run(phase, seconds=120)
            assert run.failed is None, run.text()
        syncs = run.evidence["syncs"]
        assert syncs == ["spread_sync", "spread_sync_2", "spread_sync_3"]
        places = dict(line.split("=") for line in machine.control_sql(PLACES))
        for one, other in source.sql(TIES, dbname="spread"):
            place = places.get(f"public.{one}"), places.get(f"public.{other}")
            assert None in place or place[0] == place[1], (one, other, place)
        # What is captured stays where it is, and related tables that come later follow.
        source.sql("CREATE TABLE sister (id int PRIMARY KEY, mother int REFERENCES mother)",
                   dbname="spread")
        dest.sql("CREATE TABLE sister (id int PRIMARY KEY, mother int)", dbname="spread")
        assert phases.run("capture", syncs=8).failed is None
        places["public.sister"] = places["public.mother"]
        assert dict(line.split("=") for line in machine.control_sql(PLACES)) == places
        for phase in ORDER[3:5]:
            assert phases.run(phase, seconds=120).failed is None
        last = phases.start("replicate")
        wait_for(lambda: kick_all(machine, syncs), 60, "served", explain=machine.log_tail)
        assert last.wait(90).failed is None, last.text()
        source.sql("UPDATE lonely SET v = 'w'; DELETE FROM child WHERE id < 10;"
                   "INSERT INTO sister VALUES (1, 1)", dbname="spread")
        traffic.wait_total(20)

    def equal():
        kick_all(machine, syncs)
        return not compare.differences(source, dest, "spread", sequences=False)
    wait_for(equal, 90, "the contents are equal", every=0.5, explain=machine.log_tail)


QUIET = """
    CREATE TABLE quiet (id int PRIMARY KEY, v text); INSERT INTO quiet SELECT i, 'x' FROM generate_series(1, 500) i;
    CREATE TABLE later (id int PRIMARY KEY, v text); INSERT INTO later SELECT i, 'x' FROM generate_series(1, 500) i;
    CREATE TABLE bare (id int PRIMARY KEY, v text); INSERT INTO bare SELECT i, 'x' FROM generate_series(1, 500) i"""


def test_the_copy_calls_no_trigger_of_ours_and_they_fire_always_once_it_is_done(world):
    machine, source, dest = world
    for server in (source, dest):
        server.create_database("quiet")
    source.sql(QUIET, dbname="quiet")
    dest.sql("ALTER DATABASE quiet SET track_functions = 'all'")
    phases = Phases(machine, source, dest, "quiet", "quiet")
    assert phases.run("schema").failed is None
    # What is not behind the fence is captured at all times.
    dest.sql("DROP TRIGGER bucardo_machine_fence ON bare", dbname="quiet")
    assert phases.run("capture").failed is None
    enabled = ("SELECT string_agg(concat_ws(' ', tgrelid::regclass, tgenabled), ', ' ORDER BY tgrelid::regclass::text)"
               " FROM pg_trigger WHERE tgname = 'bucardo_delta'")
    assert dest.value(enabled, dbname="quiet") == "bare A, later O, quiet O"
    assert source.value(enabled, dbname="quiet") == "bare A, later A, quiet A"
    # A changed key fails no write, in the hours of a copy neither (test_table_keys).
    assert all("machine_missed" in body for body, in source.sql(
        "SELECT prosrc FROM pg_proc WHERE proname ~ '^delta_public_'", dbname="quiet"))
    with pytest.raises(psycopg2.Error, match="was not cut over yet"):
        dest.sql("SET session_replication_role = replica; INSERT INTO quiet VALUES (0)", dbname="quiet")
    watch = "SELECT tablename, gap FROM bucardo.machine_capture_watch('[\"quiet_sync\"]') ORDER BY 1"
    assert dest.sql(watch, dbname="quiet") == [("public.later", ""), ("public.quiet", "")]
    holder = dest.connect("quiet", autocommit=False)
    holder.cursor().execute("LOCK TABLE quiet IN SHARE UPDATE EXCLUSIVE MODE")
    run = phases.run("copy")
    assert "of public.quiet on the destination fire always: process " in run.failed["message"], run.text()
    assert run.failed["class"] == "transient" and "pg_terminate_backend" in run.failed["hint"], run.text()
    holder.close()
    assert phases.run("copy").failed is None
    assert dest.value(enabled, dbname="quiet") == "bare A, later A, quiet A"
    calls = dict(dest.sql("SELECT funcname, calls FROM pg_stat_user_functions WHERE funcname ~ '^delta_'",
                          dbname="quiet"))
    assert calls == {"delta_public_bare": 500}
    assert not dest.sql(watch, dbname="quiet")
    assert compare.row_count(dest, "quiet") == 1500

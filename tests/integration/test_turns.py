"""Source and destination change places more than once: never does an older value win in silence."""

import functools
import os
import signal

import psycopg2
import pytest
from support import compare, declared
from support.declared import replicating, wait_view
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(400)

DB = "app"
LIFT = "SELECT bucardo_machine.lift_fence()"
RAISE = "SELECT bucardo_machine.raise_fence(true)"
FORCED = "SELECT bucardo_machine.raise_fence(true, force => true)"
SOON = "SET bucardo_machine.turn_timeout = '2s';"
TABLES = """
    CREATE TABLE t (id int PRIMARY KEY, v text);
    INSERT INTO t SELECT i, 'first' FROM generate_series(1, 30) i;
    CREATE TABLE emptied (id int PRIMARY KEY, v text);
    INSERT INTO emptied SELECT i, 'first' FROM generate_series(1, 5) i;
    CREATE TABLE apart (id int PRIMARY KEY, v text);
    INSERT INTO apart SELECT i, 'first' FROM generate_series(1, 5) i;
    CREATE SEQUENCE used;
"""


@pytest.fixture(scope="module")
def world(shared_workshop):
    source, dest = shared_workshop.server("source"), shared_workshop.server("dest")
    for server in (source, dest):
        server.create_database(DB)
    source.sql(TABLES, dbname=DB)
    machine = replicating(shared_workshop, source, dest, DB, "    direction: both\n")
    reconciled(machine, lambda t: t["sequences"]["transferred"] == 1 and "paused" in t, "is reconciled")
    machine.wait_ready(60)
    return machine, source, dest


reconciled = functools.partial(declared.reconciled, member="sequences", seconds=40)


def turn(dest, statement):
    """What it says; nobody waits here for what does not come."""
    return dest.value(SOON + statement, dbname=DB)


def refused(dest, statement, *words):
    before = dest.sql("SELECT lifted, turn FROM bucardo_machine.fence", dbname=DB)
    with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState) as caught:
        turn(dest, statement)
    said = str(caught.value)
    assert all(word in said for word in words), said
    assert "force => true" in said
    assert dest.sql("SELECT lifted, turn FROM bucardo_machine.fence", dbname=DB) == before


class NoRuns:
    """Nothing is applied meanwhile; the machine looks after the rest."""

    def __init__(self, machine):
        self.machine = machine

    def __enter__(self):
        self.machine.cli("service", "stop", "bucardo").check()
        wait_for(lambda: not self.machine.find("kid"), 30, "no run goes on")

    def __exit__(self, *_):
        self.machine.cli("service", "start", "bucardo").check()


def put(server, row, value):
    server.sql(f"UPDATE t SET v = '{value}' WHERE id = {row}", dbname=DB)


def value_of(server, row):
    return server.value(f"SELECT max(v) FROM t WHERE id = {row}", dbname=DB)


def settled(world):
    machine, source, dest = world
    compare.wait_equal(source, dest, DB, 60, sequences=False)
    wait_for(lambda: all(s["backlog_rows"] == 0 for s in machine.status_json()["syncs"]), 60,
             "nothing waits", explain=machine.log_tail)


def check(world, row, value):
    settled(world)
    assert [value_of(server, row) for server in world[1:]] == [value, value]


# ---- each test begins where the one before has ended: the source is live ----

def test_the_fence_is_raised_again_only_when_the_source_has_sent_what_it_had(world):
    machine, source, dest = world
    with NoRuns(machine):
        put(source, 1, "old")
        assert turn(dest, LIFT) == "the fence is lifted"
        put(dest, 1, "new")
        refused(dest, RAISE, "changes", "source", "public.t")
        assert turn(dest, LIFT) == "the fence is lifted"  # it is, and nothing changes
        refused(dest, RAISE, "public.t")
        put(dest, 1, "newest")
    assert "the fence stands" in dest.value(RAISE, dbname=DB)  # waits until it is so
    assert "the fence stands" in turn(dest, RAISE)
    put(source, 2, "later")
    check(world, 1, "newest")


def test_the_fence_is_lifted_again_only_when_the_destination_has_sent_what_it_had(world):
    machine, source, dest = world
    assert turn(dest, LIFT) == "the fence is lifted"
    settled(world)
    with NoRuns(machine):
        put(dest, 3, "old")
        dest.sql("TRUNCATE emptied", dbname=DB)
        assert "the fence stands" in turn(dest, RAISE)  # nothing waits on the source
        put(source, 3, "new")
        source.sql("INSERT INTO emptied VALUES (100, 'new')", dbname=DB)
        refused(dest, LIFT, "changes", "here", "public.t", "public.emptied")
        # Without a machine the destination knows its own changes.
        machine.cli("pause", "app").check()
        wait_view(machine, lambda v: v["reconcile"]["pid"] is None, "it is not reconciled")
        refused(dest, LIFT, "public.t")
        machine.cli("resume", "app").check()
    settled(world)
    assert "the fence is lifted" in turn(dest, LIFT)
    assert "the fence stands" in dest.value(RAISE, dbname=DB)
    check(world, 3, "new")
    assert dest.sql("SELECT * FROM emptied ORDER BY 1", dbname=DB)[-1] == (100, "new")


def test_parked_changes_and_those_of_paused_tables_count(world):
    machine, source, dest = world
    source.sql("ALTER TABLE apart ADD COLUMN more int NOT NULL DEFAULT 0;"
               "ALTER TABLE apart ALTER COLUMN more DROP DEFAULT", dbname=DB)
    reconciled(machine, lambda t: [one["table"] for one in t["paused"]] == ["public.apart"], "pauses it")
    source.sql("UPDATE apart SET v = 'old' WHERE id = 1", dbname=DB)
    with NoRuns(machine):
        source.sql("UPDATE t SET v = 'deferred' WHERE id = 4;"
                   "CREATE TABLE bucardo.mpark_public_t (LIKE bucardo.delta_public_t);"
                   "WITH gone AS (DELETE FROM bucardo.delta_public_t WHERE id = 4 RETURNING *)"
                   " INSERT INTO bucardo.mpark_public_t SELECT * FROM gone", dbname=DB)
        assert turn(dest, LIFT) == "the fence is lifted"
        put(dest, 4, "new")
        dest.sql("UPDATE apart SET v = 'new' WHERE id = 1", dbname=DB)
        refused(dest, RAISE, "public.apart", "public.t")
    wait_for(lambda: value_of(source, 4) == "new", 60, "it is applied", explain=machine.log_tail)
    refused(dest, RAISE, "public.apart")
    dest.sql("ALTER TABLE apart ADD COLUMN more int NOT NULL DEFAULT 0;"
             "ALTER TABLE apart ALTER COLUMN more DROP DEFAULT", dbname=DB)
    reconciled(machine, lambda t: t["paused"] == [], "is fixed")
    assert "the fence stands" in dest.value(RAISE, dbname=DB)
    check(world, 4, "new")
    assert source.value("SELECT v FROM apart WHERE id = 1", dbname=DB) == "new"


def test_rows_that_are_sent_again_wait_for_what_the_old_side_has_written(world):
    machine, source, dest = world
    assert turn(dest, LIFT) == "the fence is lifted"
    settled(world)
    with NoRuns(machine):
        put(dest, 5, "new")
        dest.sql("DELETE FROM t WHERE id = 6; INSERT INTO t VALUES (200, 'new')", dbname=DB)
        assert "the fence stands" in turn(dest, RAISE)
        # Not before: a pass of the machine in between would have the destination send its rows.
        source.sql("ALTER TABLE t DISABLE TRIGGER ALL; ALTER TABLE t ENABLE TRIGGER ALL", dbname=DB)
        # Of an earlier test's table all rows may be sent again still.
        owed = "SELECT count(*) FROM bucardo.machine_touches WHERE tablename = 'public.t'"
        wait_for(lambda: source.value(owed, dbname=DB) == 1, 60, "its rows are owed",
                 explain=machine.log_tail)
        told = view_of(machine)
        wait_for(lambda: view_of(machine)["age_msec"] < told["age_msec"] or
                 view_of(machine)["since"] != told["since"], 30, "it has looked once more")
        assert source.value(owed, dbname=DB) == 1
    check(world, 5, "new")
    assert value_of(source, 6) is None and value_of(source, 200) == "new"
    wait_for(lambda: source.value(owed, dbname=DB) == 0, 60, "they are sent", explain=machine.log_tail)
    settled(world)


def view_of(machine):
    return reconciled(machine, lambda t: True, "is seen")


def test_without_a_machine_the_fence_is_raised_again_by_force_only_and_that_is_told(world):
    machine, source, dest = world
    assert turn(dest, LIFT) == "the fence is lifted"
    settled(world)
    now = reconciled(machine, lambda t: t["live"]["side"] == "destination", "sees it")
    os.kill(now["pid"], signal.SIGSTOP)  # slow
    refused(dest, RAISE, "did not say")
    os.kill(now["pid"], signal.SIGCONT)
    machine.cli("pause", "app").check()
    wait_view(machine, lambda v: v["reconcile"]["pid"] is None, "it is not reconciled")
    put(source, 7, "straggler")
    put(dest, 7, "new")
    refused(dest, RAISE, "no machine is at work")
    said = turn(dest, FORCED)
    assert "the fence stands" in said and "by force" in said and "no machine" in said, said
    assert turn(dest, FORCED).startswith("the fence stands")
    refused(dest, LIFT, "public.t")
    machine.cli("resume", "app").check()
    check(world, 7, "straggler")  # the live side's
    assert "by force" in machine.cli("events").check()


def test_changes_that_are_on_their_way_are_told_when_the_sides_change_places(world):
    machine, source, dest = world
    settled(world)
    reconciled(machine, lambda t: t["live"]["side"] == "source", "sees it")
    connection = dest.connect(DB)
    cursor = connection.cursor()
    with NoRuns(machine):
        put(source, 8, "late")
        cursor.execute(LIFT)
        assert cursor.fetchone() == ("the fence is lifted",)
        assert "still on their way (public.t)" in connection.notices[-1]
    settled(world)
    del connection.notices[:]
    assert "the fence stands" in dest.value(RAISE, dbname=DB)
    connection.close()
    assert value_of(dest, 8) == "late"


def test_a_transaction_that_would_not_see_the_answer_is_refused(world):
    _, _, dest = world
    connection = dest.connect(DB, autocommit=False)
    connection.set_session(isolation_level="REPEATABLE READ")
    cursor = connection.cursor()
    assert value_of(dest, 7) == "straggler"
    wait_for(lambda: "is lifted" in turn(dest, LIFT), 60, "it may be lifted")
    with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState, match="READ COMMITTED"):
        cursor.execute(RAISE)
    connection.close()


# ---- sequences ----

def test_a_sequence_that_was_made_on_the_source_alone_is_named_and_set_once_both_have_it(world):
    machine, source, dest = world
    dest.value(RAISE, dbname=DB)
    reconciled(machine, lambda t: t["live"]["side"] == "source", "has turned back")
    source.sql("CREATE SEQUENCE later INCREMENT 3 START 7; SELECT nextval('later')", dbname=DB)
    found = reconciled(machine, lambda t: t["sequences"]["missing"], "names it")["sequences"]["missing"]
    assert [(one["sequence"], one["why"]) for one in found] == [("public.later", "it is on the source only")]
    assert "sequence public.later" in machine.cli("status", "--all").check()
    side, statement = found[0]["hint"].split(": ", 1)
    assert side == "on the destination"
    dest.sql(statement, dbname=DB)
    reconciled(machine, lambda t: t["sequences"]["missing"] == [], "transfers it")
    source.sql("SELECT nextval('later') FROM generate_series(1, 3000)", dbname=DB)
    wait_for(lambda: not compare.sequences_behind(source, dest, DB), 30, "it is ahead")


def test_a_sequence_that_could_not_be_set_is_told_by_the_lifting_and_until_it_is_fixed(world):
    machine, source, dest = world
    dest.sql("ALTER SEQUENCE used MAXVALUE 5000", dbname=DB)
    source.sql("SELECT setval('used', 9000)", dbname=DB)
    reconciled(machine, lambda t: [one["sequence"] for one in t["sequences"]["failed"]] == ["public.used"],
               "tells it")
    assert "sequence public.used" in machine.cli("status", "--all").check()
    said = wait_for(lambda: dest.value(LIFT, dbname=DB), 60, "it is lifted")
    assert "not set were public.used" in said, said
    for _ in range(2):  # in each pass
        told = reconciled(machine, lambda t: t["sequences"]["lifted"], "sees it")
        wait_for(lambda told=told: reconciled(machine, lambda t: True, "goes on")["since"] != told["since"], 30,
                 "it has looked once more")
    failed = reconciled(machine, lambda t: True, "goes on")["sequences"]["failed"]
    assert [one["sequence"] for one in failed] == ["public.used"] and "5000" in failed[0]["why"]
    dest.sql("ALTER SEQUENCE used NO MAXVALUE", dbname=DB)
    reconciled(machine, lambda t: t["sequences"]["failed"] == [], "has set it")
    assert dest.value("SELECT nextval('used')", dbname=DB) > 9000

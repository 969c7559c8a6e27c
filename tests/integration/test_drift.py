"""`worker reconcile`: tables that differ are paused alone, told with the fix, and go on when fixed."""

import functools
import os
import signal

import psycopg2
import pytest
from support import compare, declared
from support.declared import replicating, wait_view
from support.traffic import Traffic, marker
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(400)

TABLES = """
    CREATE TABLE typed (id int PRIMARY KEY, n int);
    CREATE TABLE renamed (id int PRIMARY KEY, old_name text);
    CREATE TABLE dropped (id int PRIMARY KEY);
    CREATE TABLE emptied (id int PRIMARY KEY, v text);
    CREATE TABLE tall (id int, k text, v text, PRIMARY KEY (k, id));
    INSERT INTO tall SELECT i, 'k' || i, repeat('x', 500) FROM generate_series(1, 300) i;
    CREATE TABLE priced (id int PRIMARY KEY, net numeric,
                         gross numeric GENERATED ALWAYS AS (net * 1.2) STORED);
    INSERT INTO priced SELECT i, i FROM generate_series(1, 50) i;
    CREATE TABLE keyed (id int, "the part" int, v text, PRIMARY KEY ("the part", id));
    INSERT INTO keyed SELECT i, i % 3, 'v' FROM generate_series(1, 50) i;
    CREATE TABLE lost (id int PRIMARY KEY, v text);
    INSERT INTO typed SELECT i, i FROM generate_series(1, 50) i;
    INSERT INTO renamed SELECT i, 'v' || i FROM generate_series(1, 50) i;
    INSERT INTO emptied SELECT i, 'v' || i FROM generate_series(1, 50) i;
"""


@pytest.fixture(scope="module")
def world(shared_workshop):
    source, dest, dbname = shared_workshop.pair("shop")
    source.sql(TABLES, dbname=dbname)
    machine = replicating(shared_workshop, source, dest, dbname)
    reconciled(machine, lambda t: t["paused"] == [], "looks at the tables")
    machine.wait_ready(60)
    return machine, source, dest, dbname


reconciled = functools.partial(declared.reconciled, seconds=30)


def paused(view):
    return {one["table"] for one in view["paused"]}


def fixes(view):
    """Statements for the destination, as told."""
    return [one["hint"].removeprefix("on the destination: ") for one in view["drift"]]


def wait_fixed(machine, seconds=30):
    reconciled(machine, lambda t: t["drift"] == [] and t["paused"] == [], "is fixed", seconds=seconds)


def test_a_column_added_on_the_source_pauses_that_table_only(world):
    machine, source, dest, dbname = world
    with Traffic(source, dbname, "shop", rate=30) as traffic:
        source.sql("ALTER TABLE customer ADD COLUMN colour text DEFAULT 'grey' NOT NULL",
                   dbname=dbname)
        found = reconciled(machine, lambda t: paused(t) == {"public.customer"}, "pauses the table")
        source.sql("UPDATE customer SET colour = 'red' WHERE customer_id < 20", dbname=dbname)
        assert "colour is on the source only" in found["drift"][0]["difference"]
        # The others go on, and the machine says which does not.
        marker(source, dest, dbname, "shop", 30)
        wait_for(lambda: "public.customer is paused" in machine.status_json()["why"], 20,
                 "the machine says so")
        shown = machine.cli("status").check()
        assert "differs" in shown and "ADD COLUMN colour" in shown and "changes that wait" in shown
        found = reconciled(machine, lambda t: t["paused"] and t["paused"][0]["rows"] >= 19,
                           "counts what waits")
        # What waits there is no backlog that is kicked for.
        wait_for(lambda: machine.status_json()["syncs"][0]["health"] in ("idle", "running"), 20,
                 "the sync is sound")
        dest.sql(fixes(found)[0], dbname=dbname)
        wait_fixed(machine)
        traffic.wait_total(20)
    marker(source, dest, dbname, "shop", 60)
    compare.wait_equal(source, dest, dbname, sequences=False)
    assert dest.value("SELECT count(*) FROM customer WHERE colour = 'red'", dbname=dbname) == 19
    machine.wait_ready(30)


def test_a_worker_killed_while_tables_are_paused_puts_them_back_when_fixed(world):
    machine, source, dest, dbname = world
    source.sql("ALTER TABLE typed ALTER COLUMN n TYPE bigint USING n + 1000000000000;"
               "ALTER TABLE renamed RENAME COLUMN old_name TO new_name", dbname=dbname)
    found = reconciled(machine, lambda t: paused(t) == {"public.typed", "public.renamed"}, "pauses two")
    os.kill(found["pid"], signal.SIGKILL)
    source.sql("INSERT INTO typed VALUES (51, 10000000000);"
               "UPDATE renamed SET new_name = 'changed' WHERE id = 7", dbname=dbname)
    assert any("renamed" in one["difference"] for one in found["drift"])
    dest.sql("ALTER TABLE typed ALTER COLUMN n TYPE bigint;"
             "ALTER TABLE renamed RENAME COLUMN old_name TO new_name", dbname=dbname)
    wait_fixed(machine)
    # Rows that the ALTER TABLE rewrote, which no trigger saw, are there too.
    compare.wait_equal(source, dest, dbname, sequences=False)


@pytest.mark.full
def test_a_truncate_of_a_paused_table_waits_with_it(world):
    machine, source, dest, dbname = world
    source.sql("ALTER TABLE emptied ADD COLUMN w int", dbname=dbname)
    reconciled(machine, lambda t: paused(t) == {"public.emptied"}, "pauses the table")
    source.sql("TRUNCATE emptied", dbname=dbname)
    source.sql("INSERT INTO emptied VALUES (99, 'after', 1)", dbname=dbname)
    marker(source, dest, dbname, "shop", 30)  # a run that would mark the truncate as done
    assert dest.value("SELECT count(*) FROM emptied", dbname=dbname) == 50
    dest.sql("ALTER TABLE emptied ADD COLUMN w int", dbname=dbname)
    wait_fixed(machine)
    compare.wait_equal(source, dest, dbname, sequences=False)


@pytest.mark.full
def test_a_table_dropped_on_the_source_stops_nobody(world):
    machine, source, dest, dbname = world
    source.sql("DROP TABLE dropped", dbname=dbname)
    found = reconciled(machine, lambda t: paused(t) == {"public.dropped"}, "pauses the table")
    marker(source, dest, dbname, "shop", 30)
    dest.sql(fixes(found)[0], dbname=dbname)
    wait_fixed(machine)
    marker(source, dest, dbname, "shop", 30)
    compare.wait_equal(source, dest, dbname, sequences=False)
    machine.wait_ready(30)


@pytest.mark.parametrize("add", [
    "ALTER TABLE renamed ADD COLUMN twice int GENERATED ALWAYS AS (id * 2) STORED",
    "ALTER TABLE priced ADD COLUMN tax int DEFAULT 1"], ids=["generated", "beside-generated"])
def test_a_column_made_later_on_both_sides_is_applied_if_it_is_to_be(world, add):
    machine, source, dest, dbname = world
    for server in (dest, source):
        server.sql(add, dbname=dbname)
    if "priced" in add:
        source.sql("UPDATE priced SET tax = 5 WHERE id < 20", dbname=dbname)
    else:
        source.sql("INSERT INTO renamed (id) VALUES (1000)", dbname=dbname)
    wait_for(lambda: "learn its columns anew" in machine.cli("events").output, 30, "it is told")
    compare.wait_equal(source, dest, dbname, 60, sequences=False)
    wait_fixed(machine)


def can_write(server, dbname, statement):
    try:
        server.sql(statement, dbname=dbname)
        return True
    except psycopg2.errors.UndefinedColumn:
        return False


def test_a_key_column_that_gets_another_name_is_followed_by_its_trigger(world):
    machine, source, dest, dbname = world
    rename = 'ALTER TABLE keyed RENAME "the part" TO "a Part"'
    source.sql(f"DELETE FROM keyed WHERE id = 7; {rename}", dbname=dbname)
    write = 'UPDATE keyed SET "a Part" = "a Part" + 10 WHERE id < 20'
    source.sql(write, dbname=dbname)
    dest.sql(rename, dbname=dbname)
    compare.wait_equal(source, dest, dbname, 60, sequences=False)
    wait_fixed(machine)
    assert dest.value("SELECT count(*) FROM keyed WHERE id = 7", dbname=dbname) == 0


@pytest.mark.full
def test_a_table_that_loses_its_key_is_told_and_sent_again_once_it_has_one(world):
    machine, source, dest, dbname = world
    for server in (dest, source):
        server.sql("ALTER TABLE lost DROP COLUMN id", dbname=dbname)
    write = "INSERT INTO lost VALUES ('x')"
    source.sql(write, dbname=dbname)
    found = reconciled(machine, lambda t: paused(t) == {"public.lost"}, "pauses the table")
    assert "it has no key any more on the source" in found["drift"][0]["difference"]
    assert "ADD PRIMARY KEY" in found["drift"][0]["hint"]
    for server in (source, dest):
        server.sql("ALTER TABLE lost ADD id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY",
                   dbname=dbname)
    wait_fixed(machine, 60)
    compare.wait_equal(source, dest, dbname, sequences=False)


@pytest.mark.full
def test_what_breaks_nothing_is_told_and_pauses_nothing(world):
    machine, source, dest, dbname = world
    dest.sql("ALTER TABLE typed ADD COLUMN extra int; ALTER TABLE typed ALTER n SET DEFAULT 3",
             dbname=dbname)
    found = reconciled(machine, lambda t: len(t["drift"]) == 2, "tells two differences")
    assert found["paused"] == [] and not any(one["breaks"] for one in found["drift"])
    source.sql("INSERT INTO typed VALUES (60, 60)", dbname=dbname)
    wait_for(lambda: dest.value("SELECT count(*) FROM typed WHERE id = 60", dbname=dbname) == 1,
             20, "rows still come")
    source.sql("ALTER TABLE typed ADD COLUMN extra int; ALTER TABLE typed ALTER n SET DEFAULT 3;"
               "UPDATE typed SET extra = id", dbname=dbname)
    wait_fixed(machine)
    compare.wait_equal(source, dest, dbname, sequences=False)


@pytest.mark.parametrize("ranges_since", [140000, 990000])
def test_rows_are_sent_again_in_portions_that_survive_a_rewrite_of_the_table(world, ranges_since):
    """Also the way of servers that cannot read a range of blocks."""
    machine, source, dest, dbname = world
    portion = "SELECT bucardo.machine_touch('public.tall', 4)"
    noted = "SELECT count(DISTINCT id) FROM bucardo.delta_public_tall"
    machine.cli("pause", "app").check()
    wait_view(machine, lambda v: v["reconcile"]["pid"] is None, "it is not reconciled")
    source.sql("DO $d$ BEGIN EXECUTE replace(pg_get_functiondef("
               f"'bucardo.machine_touch'::regproc), '140000', '{ranges_since}'); END $d$;"
               "DELETE FROM bucardo.delta_public_tall;"
               "INSERT INTO bucardo.machine_touches (tablename) VALUES ('public.tall')",
               dbname=dbname)
    assert source.value(portion, dbname=dbname) is None
    assert 0 < source.value(noted, dbname=dbname) < 100
    source.sql("DELETE FROM bucardo.delta_public_tall", dbname=dbname)
    source.sql("VACUUM FULL tall", dbname=dbname)  # its rows move, and no trigger sees it
    count = 0
    while (sent := source.value(portion, dbname=dbname)) is None:
        count += 1
    assert (sent, source.value(noted, dbname=dbname)) == (300, 300) and count > 2
    assert source.value("SELECT count(*) FROM bucardo.machine_touches", dbname=dbname) == 0
    machine.cli("resume", "app").check()
    compare.wait_equal(source, dest, dbname, sequences=False)


@pytest.mark.full
@pytest.mark.timeout(700)
def test_rows_are_sent_again_however_slow_the_server_is(world):
    """A portion of 16 blocks takes longer here than a statement may take."""
    machine, source, dest, dbname = world
    source.sql("CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
               " $$ BEGIN PERFORM pg_sleep(0.3); RETURN NEW; END $$;"
               "CREATE TRIGGER slow BEFORE INSERT ON bucardo.delta_public_tall"
               " FOR EACH ROW EXECUTE FUNCTION slow();"
               "ALTER TABLE bucardo.delta_public_tall ENABLE ALWAYS TRIGGER slow;"
               "INSERT INTO bucardo.machine_touches (tablename) VALUES ('public.tall')",
               dbname=dbname)
    left = "SELECT coalesce(min(block), -1) FROM bucardo.machine_touches"
    wait_for(lambda: source.value(left, dbname=dbname) > 0, 200, "a portion is sent again",
             every=1, explain=machine.log_tail)
    source.sql("DROP TRIGGER slow ON bucardo.delta_public_tall", dbname=dbname)
    wait_for(lambda: source.value(left, dbname=dbname) == -1, 150, "all rows are sent again",
             every=1, explain=machine.log_tail)
    assert reconciled(machine, lambda t: True, "is reconciled")["problems"] == []


@pytest.mark.full
def test_a_worker_that_hangs_is_replaced(world):
    """Three minutes without a sign, for which it is looked at every 45 s."""
    machine, _, _, _ = world
    hung = wait_view(machine, lambda v: v["reconcile"]["pid"], "it is reconciled")["reconcile"]["pid"]
    os.kill(machine.host_pid(hung), signal.SIGSTOP)
    wait_view(machine, lambda v: v["reconcile"]["pid"] not in (None, hung), "another reconciles it", 260)
    wait_for(lambda: not os.path.exists(f"/proc/{machine.host_pid(hung)}"), 20, "the other is gone")
    reconciled(machine, lambda t: t["drift"] == [], "is looked at")


def test_a_table_with_generated_columns_goes_both_ways(world):
    machine, source, dest, dbname = world
    dest.sql("SELECT bucardo_machine.lift_fence()", dbname=dbname)
    dest.sql("UPDATE priced SET net = net + 1000 WHERE id % 2 = 0", dbname=dbname)
    source.sql("UPDATE priced SET net = net + 2000 WHERE id % 2 = 1", dbname=dbname)
    compare.wait_equal(source, dest, dbname, 60, sequences=False)
    assert source.value("SELECT min(gross) FROM priced", dbname=dbname) > 1200
    assert [s["name"] for s in machine.status_json()["syncs"]] == ["app_sync"]


def test_a_bucardo_started_by_hand_gives_way_to_the_machines_own(world):
    machine, source, dest, dbname = world
    machine.shell("bucardo stop && sleep 2 && bucardo start").check()
    wait_for(lambda: "takes its place" in machine.cli("events").output, 40, "it is told",
             explain=machine.log_tail)
    source.sql("UPDATE priced SET net = net + 3000", dbname=dbname)
    compare.wait_equal(source, dest, dbname, 60, sequences=False)
    machine.wait_ready(30)

"""`worker reconcile`: what a declared migration needs for as long as it replicates."""

import functools
import os
import signal

import psycopg2
import pytest
from support import compare, declared
from support.declared import replicating, view, wait_view
from support.traffic import Traffic, marker
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(400)

SEQUENCES = """
    CREATE SEQUENCE down INCREMENT BY -3;
    CREATE SEQUENCE short MAXVALUE 40;
    CREATE SEQUENCE circle MAXVALUE 50 CYCLE;
    CREATE SEQUENCE "Odd ""name"" ö";
    CREATE TABLE ident (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text);
"""


@pytest.fixture(scope="module")
def world(shared_workshop):
    """A migration that replicates, with sequences of all kinds."""
    source, dest, dbname = shared_workshop.pair("shop")
    source.sql(SEQUENCES, dbname=dbname)
    machine = replicating(shared_workshop, source, dest, dbname)
    return machine, source, dest, dbname


reconciled = functools.partial(declared.reconciled, member="sequences", seconds=30)


def last(server, dbname, name):
    return server.sql(f"SELECT last_value FROM {name}", dbname=dbname)[0][0]


def test_the_destination_stays_ahead_of_every_sequence_of_the_source(world):
    machine, source, dest, dbname = world
    reconciled(machine, lambda t: t["sequences"]["transferred"] >= 5, "transfers the sequences")
    with Traffic(source, dbname, "shop", rate=60) as traffic:
        for name, count in (("down", 700), ("short", 30), ("circle", 20), ('"Odd ""name"" ö"', 9)):
            source.sql(f"SELECT nextval('{name}') FROM generate_series(1, {count})", dbname=dbname)
        source.sql("INSERT INTO ident (v) SELECT 'x' FROM generate_series(1, 500)", dbname=dbname)
        traffic.wait_total(100)
    wait_for(lambda: not compare.sequences_behind(source, dest, dbname), 15, "all are ahead",
             explain=lambda: str(compare.sequences_behind(source, dest, dbname)))
    # Head-room, and none that would use up a short sequence.
    wait_for(lambda: last(dest, dbname, "ident_id_seq") >= 600, 15, "there is head-room")
    wait_for(lambda: last(dest, dbname, "down") <= last(source, dbname, "down") - 300, 15,
             "there is head-room downwards")
    assert 30 <= last(dest, dbname, "short") <= 32
    marker(source, dest, dbname, "shop", 60)
    # The next row there collides with nothing.
    assert dest.value("SELECT max(id) FROM ident", dbname=dbname) < \
        last(dest, dbname, "ident_id_seq")


@pytest.mark.full
def test_a_sequence_that_went_round_is_followed(world):
    machine, source, dest, dbname = world
    reconciled(machine)
    source.sql("SELECT nextval('circle') FROM generate_series(1, 25)", dbname=dbname)
    wait_for(lambda: last(dest, dbname, "circle") >= last(source, dbname, "circle"), 15,
             "it is followed to its end")
    source.sql("SELECT nextval('circle') FROM generate_series(1, 10)", dbname=dbname)
    assert last(source, dbname, "circle") < 20
    wait_for(lambda: last(source, dbname, "circle") <= last(dest, dbname, "circle") < 30, 15,
             "it is followed round")


def test_a_worker_that_is_killed_starts_again_and_goes_on(world):
    machine, source, dest, dbname = world
    pid = reconciled(machine, lambda t: t["pid"])["pid"]
    os.kill(pid, signal.SIGKILL)
    reconciled(machine, lambda t: t["pid"] not in (None, pid), "is reconciled again")
    source.sql("SELECT nextval('ident_id_seq') FROM generate_series(1, 2000)", dbname=dbname)
    wait_for(lambda: not compare.sequences_behind(source, dest, dbname), 15, "all are ahead")


def test_what_an_older_machine_made_in_the_databases_is_brought_up_to_date(world):
    machine, source, dest, dbname = world
    for server in (source, dest):
        server.sql("ALTER TABLE bucardo.machine_syncs DROP COLUMN healed;"
                   "DROP FUNCTION bucardo.machine_fresh_stamp(text)", dbname=dbname)
    machine.kill9_everything()
    machine.fresh_runtime()
    machine.start()
    for server in (source, dest):
        wait_for(lambda s=server: s.value(
            "SELECT count(healed) > 0 AND to_regproc('bucardo.machine_fresh_stamp') IS NOT NULL"
            " FROM bucardo.machine_syncs", dbname=dbname), 40, f"it is there on the {server.name}")
    machine.wait_ready(60)


def test_a_pause_deactivates_its_sync_and_a_resume_activates_it(world):
    machine, source, dest, dbname = world
    machine.cli("pause", "app").check()
    status = "SELECT status FROM sync WHERE name = 'app_sync'"
    wait_for(lambda: machine.control_sql(status) == ["inactive"], 20, "its sync is inactive")
    wait_for(lambda: not machine.find("ctl") and not machine.find("kid"), 20, "nothing serves it")
    wait_view(machine, lambda v: not (v["reconcile"] or {}).get("pid"), "it is not reconciled")
    machine.wait_health("stopped", 20, sync="app_sync")
    source.sql("SELECT nextval('ident_id_seq') FROM generate_series(1, 2000)", dbname=dbname)
    machine.kill9_everything()
    machine.fresh_runtime()
    machine.start()
    wait_view(machine, lambda v: v["status"] == "paused", "it is paused still")
    machine.wait_health("stopped", 30, sync="app_sync")
    machine.cli("resume", "app").check()
    wait_for(lambda: machine.control_sql(status) == ["active"], 20, "its sync is active")
    machine.wait_ready(60)
    reconciled(machine, lambda t: t["pid"])
    wait_for(lambda: not compare.sequences_behind(source, dest, dbname), 15, "all are ahead")


def test_a_sequence_that_applications_use_at_the_destination_is_told_and_falls_not_behind(world):
    machine, source, dest, dbname = world
    reconciled(machine)
    used = dest.value("SELECT nextval('ident_id_seq')", dbname=dbname)
    reconciled(machine, lambda t: t["sequences"]["left"] == ["public.ident_id_seq"],
               "tells the sequence")
    assert "moved on at the destination" in machine.cli("events").check()
    source.sql("SELECT nextval('ident_id_seq') FROM generate_series(1, 20000)", dbname=dbname)
    source.sql("SELECT nextval('down') FROM generate_series(1, 5000)", dbname=dbname)
    wait_for(lambda: last(dest, dbname, "down") <= last(source, dbname, "down"), 15,
             "the others are transferred")
    wait_for(lambda: last(dest, dbname, "ident_id_seq") >= last(source, dbname, "ident_id_seq"), 15,
             "this one is ahead too")
    assert last(dest, dbname, "ident_id_seq") > used
    assert view(machine)["reconcile"]["sequences"]["left"] == ["public.ident_id_seq"]


def test_no_sequence_of_the_destination_is_set_once_the_fence_is_lifted(world):
    machine, source, dest, dbname = world
    reconciled(machine, lambda t: not t["sequences"]["lifted"])
    dest.sql("SELECT bucardo_machine.lift_fence()", dbname=dbname)
    found = reconciled(machine, lambda t: t["sequences"]["lifted"], "sees that the fence is lifted")
    stood = last(dest, dbname, "down")
    source.sql("SELECT nextval('down') FROM generate_series(1, 20000)", dbname=dbname)
    os.kill(found["pid"], signal.SIGKILL)
    reconciled(machine, lambda t: t["pid"] not in (None, found["pid"]) and t["why"] == "",
               "has looked again")
    assert last(dest, dbname, "down") == stood
    assert "fence is lifted" in machine.cli("events").check()


@pytest.mark.full
def test_stock_bucardo_sets_the_live_sequence_back(shared_workshop):
    """What declared migrations are spared: two sources, a tie, and the live side loses."""
    machine, source, dest = (shared_workshop.machine(name="stock", installed=True), shared_workshop.server("live"),
                             shared_workshop.server("other"))
    for server in (source, dest):
        server.create_database("stock")
        server.sql("CREATE TABLE t (id serial PRIMARY KEY, v text)", dbname="stock")
    machine.write_pgpass(source, dest)
    machine.start()
    machine.wait_ready(60)
    for name, server in (("z_live", source), ("a_other", dest)):
        machine.shell(f"bucardo add db {name} dbname=stock host={server.address} "
                      f"port={server.port} user={server.user} conn=sslmode=require").check()
    machine.shell("bucardo add all tables db=z_live relgroup=rg && "
                  "bucardo add all sequences db=z_live relgroup=rg && "
                  "bucardo add dbgroup dbg z_live:source a_other:source && "
                  "bucardo add sync stock relgroup=rg dbs=dbg && bucardo reload").check()
    wait_for(lambda: machine.shell("bucardo kick stock 10").code == 0, 60, "it is served")
    source.sql("INSERT INTO t (v) VALUES ('first')", dbname="stock")
    machine.shell("bucardo kick stock 30").check()
    with pytest.raises(psycopg2.errors.UniqueViolation):
        source.sql("INSERT INTO t (v) VALUES ('second')", dbname="stock")

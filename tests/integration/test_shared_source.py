"""One source, several who take from it: nobody deletes or keeps the changes of another.

Two migrations of one machine and a sync made by hand share a table, each with a destination of
its own, while applications write and both purges run all the time.
"""

import threading

import pytest
from support import compare, declared
from support.waiting import wait_for

SCHEMA = """
    CREATE TABLE t (id int PRIMARY KEY, v text);
    INSERT INTO t SELECT i, 'x' FROM generate_series(1, 200) i"""
DBS = ("app", "two", "man")
LEFT = "SELECT (SELECT count(*) FROM bucardo.delta_public_t), (SELECT count(*) FROM bucardo.track_public_t)"
PENDING = ("SELECT count(*) FROM bucardo.delta_public_t d WHERE NOT EXISTS (SELECT 1 FROM"
           " bucardo.track_public_t t WHERE t.txntime = d.txntime AND t.target = %s)")
PURGES = ("SELECT bucardo.bucardo_purge_delta('0 seconds')",
          "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT bucardo.machine_purge('app_sync', 100000);"
          " COMMIT",
          "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT bucardo.machine_purge('two_sync', 100000);"
          " COMMIT")


def purge(source):
    """Both purges, as they are called by Bucardo's VAC and by the machine, only more often."""
    for statement in PURGES:
        source.sql(statement, dbname="app")


def migrations(source, dest, names):
    return "version: 1\nmigrations:\n" + "".join(
        f"  - name: {name}\n    source: {declared.endpoint(source, 'app')}\n"
        f"    destination: {declared.endpoint(dest, name)}\n" for name in names)


def add_by_hand(machine, source, dest, name, dbname):
    for label, server, db in ((f"{name}s", source, "app"), (f"{name}d", dest, dbname)):
        machine.shell(f"bucardo add db {label} dbname={db} host={server.address} port={server.port} "
                      f"user={server.user} conn=sslmode=require").check()
    machine.shell(f"bucardo add table public.t db={name}s relgroup={name}rg && "
                  f"bucardo add dbgroup {name}dbg {name}s:source {name}d:target && "
                  f"bucardo add sync {name} relgroup={name}rg dbs={name}dbg && bucardo reload").check()


@pytest.fixture(scope="module")
def world(shared_workshop):
    source, dest = shared_workshop.server("source"), shared_workshop.server("dest")
    source.create_database("app")
    source.sql(SCHEMA, dbname="app")
    for dbname in DBS:
        dest.create_database(dbname)
    dest.sql(SCHEMA, dbname="man")
    machine = shared_workshop.machine(installed=True)
    machine.write_pgpass(source, dest)
    machine.start()
    machine.wait_ready(60)
    add_by_hand(machine, source, dest, "man", "man")
    machine.write_config(migrations(source, dest, ("app", "two")))
    for name in ("app", "two"):
        declared.wait_live(machine, name=name)
    return machine, source, dest


def content(server, dbname):
    return server.sql("SELECT * FROM t ORDER BY id", dbname=dbname)


def equal(source, dest, names=DBS):
    here = content(source, "app")
    return all(content(dest, name) == here for name in names)


def test_all_three_get_everything_and_nothing_is_kept(world):
    machine, source, dest = world
    stop = threading.Event()

    def write(first):
        number = 0
        while not stop.is_set():
            number += 1
            source.sql("INSERT INTO t VALUES (%(k)s, 'new'); UPDATE t SET v = %(v)s WHERE id ="
                       " 1 + %(n)s %% 200; DELETE FROM t WHERE id = %(k)s - 3",
                       {"k": first + number, "v": f"v{number}", "n": number}, dbname="app")
    threads = [threading.Thread(target=write, args=(first,)) for first in (10000, 20000)]
    for thread in threads:
        thread.start()
    try:
        done = []
        wait_for(lambda: purge(source) or done.append(1) or len(done) >= 25, 60,
                 "purged many times", every=0.2)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    wait_for(lambda: equal(source, dest), 60, "all three are equal", every=0.3,
             explain=machine.log_tail)
    wait_for(lambda: purge(source) or source.sql(LEFT, dbname="app") == [(0, 0)], 30,
             "deltas and marks are gone", every=0.5)


def test_a_purge_waits_for_each_target(world):
    """What stock Bucardo's own purge does with our target: see cases/safety/manual_sync_purge."""
    machine, source, dest = world
    with dest.connect("app", autocommit=False) as held:
        held.cursor().execute("LOCK TABLE t")
        source.sql("UPDATE t SET v = 'not everywhere yet' WHERE id <= 50", dbname="app")
        wait_for(lambda: equal(source, dest, ("two", "man")), 30, "the others have it")
        wait_for(lambda: source.value(PENDING, ("dbgroup mandbg",), dbname="app") == 0
                 and source.value(PENDING, ("dbgroup two_dbs",), dbname="app") == 0, 20, "marked")
        machine.shell("bucardo validate man").check()  # tries to put the table on its list again
        purge(source)
        assert source.value(PENDING, ("dbgroup app_dbs",), dbname="app") == 50
    held.close()
    wait_for(lambda: equal(source, dest), 60, "all three are equal", explain=machine.log_tail)


def test_a_dbgroup_of_our_name_is_refused(world):
    """Another Bucardo's sync with a dbgroup app_dbs would mark the migration's changes as done."""
    _, source, _ = world
    with pytest.raises(Exception, match="cannot use app_dbs: a migration on this database"):
        source.sql("BEGIN; INSERT INTO bucardo.bucardo_delta_targets (tablename, target)"
                   " VALUES ('t'::regclass, 'dbgroup app_dbs'); INSERT INTO"
                   " bucardo.bucardo_delta_names (sync, tablename) VALUES ('x', 'public.t'); COMMIT",
                   dbname="app")


def test_a_released_target_keeps_nothing(world):
    machine, source, dest = world
    machine.shell("bucardo deactivate man && bucardo remove sync man").check()
    source.sql("UPDATE t SET v = 'without man' WHERE id <= 20", dbname="app")
    wait_for(lambda: equal(source, dest, ("app", "two")), 30, "the others have it")
    purge(source)
    assert source.sql(LEFT, dbname="app") != [(0, 0)], "it might be back"
    assert source.sql("SELECT * FROM bucardo.machine_kept('0')", dbname="app") == [
        ("public.t", "dbgroup mandbg")]
    source.sql("SELECT bucardo.machine_release('man')", dbname="app")
    wait_for(lambda: purge(source) or source.sql(LEFT, dbname="app") == [(0, 0)], 30,
             "deltas and marks are gone", every=0.5)
    source.sql("UPDATE t SET v = 'still served' WHERE id <= 20", dbname="app")
    wait_for(lambda: equal(source, dest, ("app", "two")), 30, "the others are served")


def test_a_table_that_is_ours_no_more_goes_back_to_stock(world):
    _, source, _ = world
    stock = "SELECT target FROM bucardo.bucardo_delta_targets"
    connection = source.connect("app", autocommit=False)
    try:
        cursor = connection.cursor()
        cursor.execute("INSERT INTO bucardo.bucardo_delta_names (sync, tablename)"
                       " VALUES ('man', 'public.t');"
                       "INSERT INTO bucardo.bucardo_delta_targets (tablename, target)"
                       " VALUES ('t'::regclass, 'dbgroup mandbg')")
        cursor.execute(stock)
        assert cursor.fetchall() == []
        cursor.execute("SELECT bucardo.machine_release('app_sync');"
                       "SELECT bucardo.machine_release('dbgroup two_dbs');" + stock)
        assert cursor.fetchall() == [("dbgroup mandbg",)]
    finally:
        connection.close()


def test_a_released_migration_is_stopped_and_catches_up_on_command(world):
    machine, source, dest = world
    source.sql("SELECT bucardo.machine_release('two_sync')", dbname="app")
    wait_for(lambda: (declared.view(machine, "two")["reconcile"] or {}).get("stopped"), 30,
             "it finds out")
    source.sql("UPDATE t SET v = 'missed' WHERE id <= 30", dbname="app")
    wait_for(lambda: equal(source, dest, ("app",)), 30, "the other one is served")
    wait_for(lambda: purge(source) or source.sql(LEFT, dbname="app") == [(0, 0)], 30, "purged")
    assert not equal(source, dest, ("two",))
    machine.cli("accept", "two", "resend").check()
    wait_for(lambda: equal(source, dest, ("app", "two")), 60, "it caught up",
             explain=machine.log_tail)


def test_the_content_is_equal_to_the_end(world):
    _, source, dest = world
    assert compare.differences(source, dest, "app") == []

"""A side is set back or replaced: noticed, stopped, reported, and a person decides."""

import copy
import os
import shutil
import subprocess

import pytest
from support import declared
from support.servers import bin_dir, free_port
from support.users import as_user
from support.waiting import wait_for

SCHEMA = """
    CREATE TABLE t (id int PRIMARY KEY, v text);
    INSERT INTO t SELECT i, 'x' FROM generate_series(1, 100) i"""
TIMELINE = "SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)"


@pytest.fixture(scope="module")
def world(shared_workshop):
    source, dest = shared_workshop.server("source"), shared_workshop.server("dest")
    for server in (source, dest):
        server.create_database("app")
    source.sql(SCHEMA, dbname="app")
    machine = declared.replicating(shared_workshop, source, dest, "app")
    return machine, source, dest


def rows(server):
    try:
        return server.sql("SELECT * FROM t ORDER BY id", dbname="app")
    except Exception:  # pylint: disable=broad-except
        return None  # it is away


def change(source, key, text):
    source.sql("INSERT INTO t VALUES (%s, %s) ON CONFLICT (id) DO UPDATE SET v = excluded.v;"
               "UPDATE t SET v = %s WHERE id = 7", (key, text, text), dbname="app")


def wait_equal(machine, source, dest, what="both sides are equal"):
    wait_for(lambda: rows(dest) == rows(source), 90, what, every=0.3, explain=machine.log_tail)


def wait_passes(machine, source):
    """The reconciler was there: both sides have its number."""
    query = "SELECT pass FROM bucardo.machine_beats"
    before = source.value(query, dbname="app")
    wait_for(lambda: source.value(query, dbname="app") >= before + 2, 40, "two passes",
             explain=machine.log_tail)


def wait_stopped(machine, words):
    view = declared.wait_view(machine, lambda v: v["reconcile"] and v["reconcile"].get("stopped"),
                              "it is stopped", 90)
    assert words in view["reconcile"]["stopped"]["why"], view["reconcile"]["stopped"]
    assert "accept app resend" in view["reconcile"]["stopped"]["hint"]
    wait_for(lambda: not machine.status_json()["ready"], 10, "not ready")


def wait_goes_on(machine):
    declared.wait_view(machine, lambda v: v["reconcile"] and not v["reconcile"].get("stopped"),
                       "it goes on", 60)


def standby_of(server):
    """A replica on the same host, streaming."""
    replica = copy.copy(server)
    replica.data, replica.port, replica.process = server.data + "-standby", free_port(), None
    shutil.rmtree(replica.data, ignore_errors=True)
    subprocess.run(as_user([f"{bin_dir()}/pg_basebackup", "-R", "-c", "fast", "-D", replica.data,
                            "-h", server.folder, "-p", str(server.port), "-U", server.user]),
                   check=True, cwd=server.folder, capture_output=True, timeout=60)
    return replica.start()


def wait_replayed(server, replica):
    lsn = server.value("SELECT pg_current_wal_insert_lsn()")
    wait_for(lambda: replica.value("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", (lsn,)), 30,
             "the replica has everything")


def fail_over(server, replica):
    """The replica takes the place of the server, under its address."""
    server.stop("immediate")
    replica.stop("immediate")
    os.rename(server.data, f"{server.data}-{free_port()}")
    os.rename(replica.data, server.data)
    server.start()
    server.sql("SELECT pg_promote()")


def keep(server):
    """A backup of the whole server."""
    server.stop("fast")
    shutil.copytree(server.data, server.data + "-backup")
    subprocess.run(["chown", "-R", "--reference", server.data, server.data + "-backup"], check=True)
    server.start()


def restore(server):
    server.stop("fast")
    shutil.rmtree(server.data)
    os.rename(server.data + "-backup", server.data)
    server.start()


def test_a_destination_that_was_restored_is_noticed(world):
    machine, source, dest = world
    change(source, 1000, "before the backup")
    wait_equal(machine, source, dest)
    wait_passes(machine, source)
    keep(dest)
    change(source, 1001, "after the backup")
    wait_equal(machine, source, dest)
    restore(dest)
    change(source, 1002, "not to be applied")
    wait_stopped(machine, "the destination is not as it was left")
    assert (1002, "not to be applied") not in rows(dest)
    machine.cli("accept", "app", "resend").check()
    wait_equal(machine, source, dest)
    wait_goes_on(machine)


def test_a_restored_side_that_lacks_nothing_goes_on_as_it_is(world):
    machine, source, dest = world
    wait_equal(machine, source, dest)
    wait_passes(machine, source)
    keep(dest)
    change(source, 1500, "after the backup")
    wait_equal(machine, source, dest)
    restore(dest)
    wait_stopped(machine, "the destination is not as it was left")
    # A person knows what is missing, and brings it.
    dest.sql("SET session_replication_role = replica; SET bucardo_machine.applying = on;"
             "INSERT INTO t VALUES (1500, 'after the backup');"
             "UPDATE t SET v = 'after the backup' WHERE id = 7", dbname="app")
    untouched = dest.value("SELECT string_agg(ctid || ' ' || xmin, ',' ORDER BY id) FROM t", dbname="app")
    change(source, 1501, "while it is stopped")
    assert (1501, "while it is stopped") not in rows(dest)
    machine.cli("accept", "app", "as-is").check()
    wait_equal(machine, source, dest)
    wait_goes_on(machine)
    kept = dest.value("SELECT string_agg(ctid || ' ' || xmin, ',' ORDER BY id) FROM t"
                      " WHERE id NOT IN (7, 1501)", dbname="app")
    assert set(kept.split(",")) <= set(untouched.split(",")), "nothing else was sent again"


def test_a_failover_that_lost_nothing_goes_on_by_itself(world):
    machine, source, dest = world
    replica = standby_of(source)
    change(source, 2000, "before the failover")
    wait_equal(machine, source, dest)
    wait_replayed(source, replica)
    fail_over(source, replica)
    change(source, 2001, "after the failover")
    assert source.value(TIMELINE) == "00000002"
    wait_equal(machine, source, dest)
    wait_passes(machine, source)
    assert not declared.view(machine)["reconcile"].get("stopped")
    assert "another timeline" in machine.log()


def test_a_failover_that_lost_transactions_is_noticed(world):
    machine, source, dest = world
    replica = standby_of(source)
    wait_replayed(source, replica)
    replica.stop("fast")
    change(source, 3000, "lost")
    wait_equal(machine, source, dest)
    fail_over(source, replica)
    assert (3000, "lost") not in rows(source)
    change(source, 3001, "after the failover")
    wait_stopped(machine, "the source is not as it was left")
    assert (3000, "lost") in rows(dest) and (3001, "after the failover") not in rows(dest)
    machine.cli("accept", "app", "resend").check()
    wait_equal(machine, source, dest)  # the row that only the destination has is gone
    wait_goes_on(machine)


def test_bookkeeping_that_was_dropped_is_noticed_and_made_again(world):
    machine, source, dest = world
    source.sql("DROP SCHEMA bucardo CASCADE", dbname="app")
    change(source, 4000, "captured by nobody")
    wait_stopped(machine, "schema bucardo was dropped")
    # Its runs fail because of that: what is said of them comes after what a person has to type.
    machine.shell("bucardo kick app_sync 1")
    wait_for(lambda: machine.status_json()["syncs"][0]["health"] == "failing", 60, "its runs fail", explain=machine.log_tail)
    said = machine.status_json()
    assert "accept app resend" in said["advice"] and "it is stopped" in said["why"], (said["why"], said["advice"])
    machine.cli("accept", "app", "resend").check()
    wait_equal(machine, source, dest)
    change(source, 4001, "captured again")
    wait_equal(machine, source, dest)
    wait_goes_on(machine)


def test_a_destination_that_was_made_anew_is_noticed_and_filled(world):
    machine, source, dest = world
    dest.sql("DROP DATABASE app WITH (FORCE)")
    dest.create_database("app")
    dest.sql("CREATE TABLE t (id int PRIMARY KEY, v text)", dbname="app")
    change(source, 5000, "not to be applied")
    wait_stopped(machine, "the destination has nothing")
    assert rows(dest) == []
    machine.cli("accept", "app", "resend").check()
    wait_equal(machine, source, dest)
    change(source, 5001, "and it goes on")
    wait_equal(machine, source, dest)
    wait_goes_on(machine)

"""A pause and a resume hold, whatever is killed between them and their effect."""

import contextlib
import subprocess

import pytest
from support.declared import replicating, view, wait_view
from support.stories.stopping import wait_gone
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(300)

DB = "app"
HOLD = "BEGIN; LOCK TABLE bucardo.sync IN SHARE MODE; SELECT pg_sleep(120)"


@contextlib.contextmanager
def held_up(machine):
    """The master does not get to the end of what it is told."""
    command, env = machine.inside(["psql", "-X", "-h", machine.runtime, "-U", "bucardo", "-d", "bucardo", "-c", HOLD])
    with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as holder:
        wait_for(lambda: machine.control_sql("SELECT 1 FROM pg_locks WHERE mode = 'ShareLock' AND granted"
                                             " AND relation = 'bucardo.sync'::regclass"), 20, "it is held up")
        yield
        holder.kill()
        if machine.running():
            machine.control_sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'BEGIN; LOCK%'")


def request(machine, verb):
    machine.cli(verb, "app").check()
    wait_view(machine, lambda v: (v["status"] == "paused") == (verb == "pause"), f"{verb} is known")


def killed_before_its_effect(machine, verb):
    with held_up(machine):
        request(machine, verb)
        wait_for(lambda: machine.control_sql("SELECT 1 FROM pg_locks WHERE NOT granted"
                                             " AND relation = 'bucardo.sync'::regclass"), 30,
                 "the master is about to do it", explain=machine.log_tail)
        machine.kill9_everything()
    wait_gone(machine)
    machine.fresh_runtime()


def statuses(machine):
    return machine.control_sql("SELECT name || ' ' || status FROM bucardo.sync ORDER BY name")


def test_a_pause_and_a_resume_hold_when_all_is_killed_before_their_effect(workshop):
    source, dest = workshop.server("source"), workshop.server("dest")
    for server in (source, dest):
        server.create_database(DB)
    source.sql("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY)", dbname=DB)
    machine = replicating(workshop, source, dest, DB, "    syncs: 2\n")
    machine.wait_ready(60)

    def arrives(number):
        return dest.value(f"SELECT (SELECT count(*) FROM a WHERE id = {number})"
                          f" + (SELECT count(*) FROM b WHERE id = {number})", dbname=DB) == 2

    def write(number):
        source.sql(f"INSERT INTO a VALUES ({number}); INSERT INTO b VALUES ({number})", dbname=DB)

    killed_before_its_effect(machine, "pause")
    write(1)
    machine.start()
    wait_view(machine, lambda v: v["status"] == "paused", "it is paused still")
    wait_for(lambda: [s["health"] for s in machine.status_json()["syncs"]] == ["stopped", "stopped"], 30,
             "no sync is served", explain=machine.log_tail)
    machine.one("mcp", 30)
    wait_for(lambda: "has entered its main loop with 0 syncs" in machine.log(), 30, "and none was")
    assert statuses(machine) == ["app_sync inactive", "app_sync_2 inactive"] and not arrives(1)

    killed_before_its_effect(machine, "resume")
    machine.start()
    wait_for(lambda: arrives(1), 60, "its rows arrive", explain=machine.log_tail)
    wait_for(lambda: machine.control_sql("SELECT resuming FROM machine.migration") == ["f"], 30, "the resume is over")
    assert statuses(machine) == ["app_sync active", "app_sync_2 active"]

    # What the master was told before it has not done yet.
    told = machine.log().count("telling the master to deactivate")
    with held_up(machine):
        request(machine, "pause")
        wait_for(lambda: machine.log().count("telling the master to deactivate") >= told + 2, 30, "it is told")
        request(machine, "resume")
    write(2)
    wait_for(lambda: arrives(2), 60, "its rows arrive", explain=machine.log_tail)
    wait_for(lambda: machine.control_sql("SELECT resuming FROM machine.migration") == ["f"], 60, "that resume is over")
    assert statuses(machine) == ["app_sync active", "app_sync_2 active"]
    assert view(machine)["status"] != "paused"

    # A person's own word stays.
    machine.shell("bucardo deactivate app_sync 20").check()
    wait_for(lambda: "app_sync inactive" in statuses(machine), 20, "it is deactivated")
    machine.cli("resume", "app").check()
    machine.kill9()
    machine.start()
    machine.one("mcp", 60)
    wait_for(lambda: "stopped" in [s["health"] for s in machine.status_json()["syncs"]], 60, "it stays so")
    assert "app_sync inactive" in statuses(machine)

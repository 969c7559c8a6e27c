"""A host that gives little: it takes longer, and nothing is started anew for that."""

import re
import time

import pytest
from support import declared
from support.cgroup import Limit
from support.waiting import wait_for

TABLES = "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' FROM generate_series(1, 50) i"


def config(source, dest, names):
    lines = ["version: 1", "migrations:"]
    for name in names:
        lines += [f"  - name: {name}", f"    source: {declared.endpoint(source, name)}",
                  f"    destination: {declared.endpoint(dest, name)}"]
    return "\n".join(lines) + "\n"


@pytest.fixture
def crowd(workshop, rounds, request):
    """(machine, source, dest, names, limit) of some migrations that share a part of a processor."""
    names = [f"m{number}" for number in range(rounds(3, 12))]
    source, dest = workshop.server("source"), workshop.server("dest")
    for name in names:
        source.create_database(name)
        dest.create_database(name)
        source.sql(TABLES, dbname=name)
    machine = workshop.machine()
    machine.write_pgpass(source, dest)
    machine.write_config(config(source, dest, names))
    limit = Limit(f"bm-{machine.name}-{time.time_ns()}", rounds(0.2, 0.1))
    request.addfinalizer(limit.close)
    return machine, source, dest, names, limit


def wait_all_live(machine, names, seconds):
    def live():
        try:
            found = {m["name"]: m for m in machine.status_json()["migrations"]}
        except AssertionError:
            return False
        return all(name in found and found[name]["phase"] == "replicate"
                   and found[name]["status"] in ("done", "live") for name in names)
    wait_for(live, seconds, "all migrations replicate", every=1, explain=machine.log_tail)


def wait_carried(source, dest, names, key, seconds):
    for name in names:
        source.sql("INSERT INTO t VALUES (%s, 'new')", (key,), dbname=name)
    for name in names:
        wait_for(lambda n=name: dest.value("SELECT count(*) FROM t WHERE id = %s", (key,), dbname=n) == 1,
                 seconds, f"the row of {name} arrives", every=1)


def restarts(machine):
    """What the machine started anew by itself."""
    return re.findall(r"restarting Bucardo[^\"]*|ended unasked[^\"]*|not ready in time[^\"]*|"
                      r"no longer answers[^\"]*", machine.log())


@pytest.mark.timeout(1800)
def test_on_a_slow_host_all_go_live_and_nothing_is_started_anew(crowd, rounds):
    machine, source, dest, names, limit = crowd
    seconds = rounds(240, 1500)
    machine.start()
    limit.add(machine.process.pid)
    begun = time.monotonic()
    wait_all_live(machine, names, seconds)
    wait_carried(source, dest, names, 1001, seconds)
    assert restarts(machine) == []
    machine.kill9_everything()
    machine.fresh_runtime()
    machine.start()
    limit.add(machine.process.pid)
    again = time.monotonic()
    wait_carried(source, dest, names, 1002, seconds)
    machine.wait_ready(seconds)
    print(f"{len(names)} migrations: live after {again - begun:.0f} s, again after a kill within "
          f"{time.monotonic() - again:.0f} s, throttled in {limit.throttled()} periods")
    assert restarts(machine) == []

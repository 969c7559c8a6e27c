"""A host that gives little: it takes longer, and nothing is started anew for that."""

import contextlib
import re
import subprocess
import time

import pytest
from support import declared
from support.cgroup import Limit
from support.processes import cmdline, descendants
from support.waiting import wait_for

TABLES = "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' FROM generate_series(1, 50) i"


def config(source, dest, names):
    lines = ["version: 1", "migrations:"]
    for name in names:
        lines += [f"  - name: {name}", f"    source: {declared.endpoint(source, name)}",
                  f"    destination: {declared.endpoint(dest, name)}"]
    return "\n".join(lines) + "\n"


class Crowd:
    """A machine with some migrations that share a part of a processor, with busy loops or without."""

    def __init__(self, workshop, count, part, loops=0):
        self.names = [f"m{number}" for number in range(count)]
        settings = {"max_connections": str(60 + 20 * count)}
        self.source = workshop.server("source", settings=settings)
        self.dest = workshop.server("dest", settings=settings)
        for name in self.names:
            self.source.create_database(name)
            self.dest.create_database(name)
            self.source.sql(TABLES, dbname=name)
        self.machine = workshop.machine()  # its first start is work too
        self.machine.write_pgpass(self.source, self.dest)
        self.machine.write_config(config(self.source, self.dest, self.names))
        self.limit = Limit(f"bm-{self.machine.name}-{time.time_ns()}", part)
        self.loops = [subprocess.Popen(["/bin/sh", "-c", "while :; do :; done"]) for _ in range(loops)]
        for loop in self.loops:
            self.limit.add(loop.pid)

    def start(self):
        self.machine.start()
        self.limit.add(self.machine.process.pid)

    def close(self):
        for loop in self.loops:
            loop.kill()
            loop.wait()
        self.limit.close()


@pytest.fixture
def crowd(workshop, request):
    """Makes a Crowd, and ends it."""
    def make(*args, **more):
        made = Crowd(workshop, *args, **more)
        request.addfinalizer(made.close)
        return made
    return make


def served(machine):
    """The syncs that have a controller now, and those that have a KID."""
    found = {"Controller": set(), "Kid": set()}
    for pid in descendants(machine.pid()):
        with contextlib.suppress(OSError):
            title = re.match(r'Bucardo (Controller|Kid)\. Sync "([^"]+)"', cmdline(pid))
            if title:
                found[title[1]].add(title[2])
    return found["Controller"], found["Kid"]


def see_truth(machine, status):
    """Who is called live or idle has a controller (none ends here)."""
    called = {f"{m['name']}_sync" for m in status["migrations"] if m["live"]}
    called |= {s["name"] for s in status["syncs"] if s["health"] in ("idle", "running", "catching-up")}
    controllers, _ = served(machine)
    assert called <= controllers, f"{called - controllers} are not served, and said to be"


def wait_all_live(machine, names, seconds):
    """Gives what status said of the host on the way."""
    told = set()

    def live():
        try:
            status = machine.status_json()
        except AssertionError:
            return False
        found = {m["name"]: m for m in status["migrations"]}
        if status["host"] and status["host"]["slow"]:
            told.add(status["host"]["text"])
        see_truth(machine, status)
        return all(name in found and found[name]["status"] == "live" for name in names) \
            and served(machine) == ({f"{name}_sync" for name in names},) * 2
    wait_for(live, seconds, "all migrations replicate", every=1, explain=machine.log_tail)
    return told


def wait_applied(source, dest, names, key, seconds):
    for name in names:
        source.sql("INSERT INTO t VALUES (%s, 'new')", (key,), dbname=name)
    for name in names:
        wait_for(lambda n=name: dest.value("SELECT count(*) FROM t WHERE id = %s", (key,), dbname=n) == 1,
                 seconds, f"the row of {name} arrives", every=1)


def restarts(machine):
    """What the machine started anew by itself."""
    return re.findall(r"restarting Bucardo[^\"]*|ended unasked[^\"]*|not ready in time[^\"]*|"
                      r"no longer answers[^\"]*", machine.log())


def flaps(machine):
    """Ready, and not so any more; and databases that were slow alone."""
    return re.findall(r"ready -> [^\"]*|is unreachable[^\"]*|cannot be reached[^\"]*", machine.log())


def controllers_begun(machine):
    """A sync that begins to replicate ends no other, and is begun once."""
    assert "Reloading MCP" not in machine.log()
    return len(re.findall(r"MCP Created controller \d+ for sync", machine.log()))


def tell(crowd, seconds):
    """From nothing to live, and from `kill -9` of everything to live again; nothing is started anew."""
    machine, names = crowd.machine, crowd.names
    crowd.start()
    begun = time.monotonic()
    told = wait_all_live(machine, names, seconds)
    assert controllers_begun(machine) == len(names)
    wait_applied(crowd.source, crowd.dest, names, 1001, seconds)
    assert restarts(machine) == []
    assert flaps(machine) == []
    machine.kill9_everything()
    machine.fresh_runtime()
    crowd.start()
    again = time.monotonic()
    wait_applied(crowd.source, crowd.dest, names, 1002, seconds)
    machine.wait_ready(seconds)
    print(f"{len(names)} migrations: live after {again - begun:.0f} s, again after a kill within "
          f"{time.monotonic() - again:.0f} s, throttled in {crowd.limit.throttled()} periods, "
          f"{len(restarts(machine))} restarts by the machine; {sorted(told)[-1:]}")
    assert restarts(machine) == []
    assert flaps(machine) == []
    assert any(re.match(r"the host is slow: this machine got \d+ % of a processor, and waited \d+ % of", text)
               for text in told), told


@pytest.mark.timeout(1800)
def test_on_a_slow_host_all_go_live_and_nothing_is_started_anew(crowd, rounds):
    tell(crowd(rounds(3, 12), rounds(0.2, 0.1)), rounds(240, 1500))


@pytest.mark.timeout(1800)
def test_beside_busy_loops_all_go_live_and_nothing_is_started_anew(crowd, rounds):
    tell(crowd(rounds(2, 12), 1, loops=rounds(6, 40)), rounds(240, 1500))


@pytest.mark.full
@pytest.mark.parametrize("count", [20, 40])
@pytest.mark.timeout(900)
def test_many_migrations_in_one_machine_are_all_served_and_stay_so(crowd, count):
    many = crowd(count, 2)
    machine = many.machine
    many.start()
    wait_all_live(machine, many.names, 600)
    wait_applied(many.source, many.dest, many.names, 1001, 120)
    wait_applied(many.source, many.dest, many.names, 1002, 120)
    machine.wait_ready(60)
    see_truth(machine, machine.status_json())
    assert controllers_begun(machine) == count
    assert (restarts(machine), flaps(machine)) == ([], [])

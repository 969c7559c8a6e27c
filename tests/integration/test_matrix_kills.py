"""All events of the matrix go on while something is killed at random instants: nothing is lost."""

import random
import threading
import time
from collections import Counter

import psycopg2
import pytest
from support import compare, matrix
from support.declared import wait_live, yaml
from support.processes import KINDS, cmdline, descendants, send
from support.waiting import wait_for

KILL = 9


class Events(threading.Thread):
    """Events of the matrix in random order, as an application whose server dies now and then."""

    def __init__(self, server, dbname, rng):
        super().__init__(daemon=True)
        self.server, self.dbname, self.rng = server, dbname, rng
        self.whole = matrix.whole_cases()
        rng.shuffle(self.whole)
        self.done, self.cut, self.refused = Counter(), 0, []
        self._ending = threading.Event()

    def run(self):
        first = 10000
        while not self._ending.is_set():
            first += 10
            self._one(*self._next(range(first, first + 5)))

    def _next(self, numbers):
        if self.whole and self.rng.random() < 0.03:
            key, name, table = self.whole.pop()
            return name, "SELECT 1", matrix.WHOLE[name](key, table)
        key, name = self.rng.choice(matrix.KEYS), self.rng.choice(list(matrix.EVENTS))
        return name, matrix.insert(key, numbers, "before"), matrix.event(key, name, numbers)

    def _one(self, name, before, text):
        try:
            matrix.run(self.server, self.dbname, before)
            matrix.run(self.server, self.dbname, text)
            self.done[name] += 1
        except (psycopg2.OperationalError, psycopg2.InterfaceError):
            self.cut += 1  # whether it was committed, the source knows
            self._ending.wait(0.1)
        except psycopg2.Error as error:
            self.refused.append(f"{name}: {error}")

    def end(self):
        self._ending.set()
        self.join(60)
        assert not self.is_alive(), "the application's last event hangs"


class Killer:
    """Kills one thing and lets it come back, by itself or as a person or Kubernetes would."""

    def __init__(self, machine, source, dest, rng):
        self.machine, self.source, self.dest, self.rng = machine, source, dest, rng
        self.killed = Counter()

    def kill(self):
        victim = self.rng.choice(["all", "source", "dest", "mcp", "ctl", "kid", "postmaster",
                                  "observe", "worker", "backend", "kid", "all"])
        self.killed[victim] += 1
        if victim == "all":
            self.machine.kill9_everything()
            self.machine.fresh_runtime()
            self.machine.start()
        elif victim in ("source", "dest"):
            server = getattr(self, victim)
            server.kill()
            server.start(60)
        else:
            self._kill_process(victim)

    def _kill_process(self, kind):
        matches = KINDS.get(kind, lambda pid: " worker " in cmdline(pid))
        for pid in descendants(self.machine.process.pid):
            try:
                if matches(pid):
                    send(pid, KILL)
                    return
            except OSError:
                continue  # gone meanwhile


@pytest.mark.timeout(3600)
def test_no_row_is_lost_by_kills_at_random_instants(workshop, rounds, request):
    rng = random.Random(request.config.option.seed)
    source, dest = workshop.server("source"), workshop.server("dest")
    for server in (source, dest):
        server.create_database("app")
    matrix.run(source, "app", matrix.schema())
    machine = workshop.machine(installed=True)
    machine.write_pgpass(source, dest)
    machine.write_config(yaml(source, dest, "app", extra="    direction: both\n"))
    machine.start()
    events = Events(source, "app", random.Random(rng.random()))
    events.start()
    wait_live(machine, 240)
    killer = Killer(machine, source, dest, rng)
    for _ in range(rounds(8, 200)):
        time.sleep(rng.uniform(0, 4))  # the instant is the input of this test
        killer.kill()
    events.end()
    print(f"killed {dict(killer.killed)}; {events.cut} events cut off; done {dict(events.done)}")
    assert not events.refused, "\n".join(events.refused)
    wait_for(lambda: not compare.differences(source, dest, "app", sequences=False), 240,
             "both sides are equal", every=2, explain=lambda: "\n".join(
                 compare.differences(source, dest, "app", sequences=False)
                 + [machine.cli("status").output]))

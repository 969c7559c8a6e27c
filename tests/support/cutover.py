"""Cut-overs by the worker alone, and what applications see of them.

    sides = Sides(machine, source, dest, "app")
    sides.cutover()                   # the evidence of the worker; it has to be done
    sides.ask("failback", mode="rehearse")
    with Writers(sides) as writers, Probe(sides) as probe: ...
    writers.check()                   # nothing that was acknowledged is lost
    assert probe.changes() == 1       # never two writable sides
"""

import itertools
import threading
import time

import psycopg2

from . import declared
from .phases import Phases
from .verify import verify_migration
from .waiting import wait_for

_numbers = itertools.count(1)
READ_ONLY = "25006"

TABLES = """
    CREATE TABLE entry (id bigserial PRIMARY KEY, writer int NOT NULL, n int NOT NULL, UNIQUE (writer, n));
    CREATE TABLE account (id int PRIMARY KEY, balance bigint NOT NULL, changed int NOT NULL DEFAULT 0);
    INSERT INTO account SELECT i, 1000 FROM generate_series(1, 200) i;
    CREATE TABLE part (id int, day int, v text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
    CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (100);
    CREATE TABLE "Odd name" (id int PRIMARY KEY, v text);
    INSERT INTO "Odd name" SELECT i, 'v' FROM generate_series(1, 20) i;
    CREATE TABLE probe (side text PRIMARY KEY, n bigint);
    INSERT INTO probe VALUES ('source', 0), ('dest', 0);
    CREATE TABLE drawn (v bigint PRIMARY KEY);
    INSERT INTO drawn VALUES (-1);
    INSERT INTO entry (writer, n) VALUES (0, 0);
    INSERT INTO part VALUES (0, 0, 'p');
"""


def proven(workshop, dbname="app", machine=None, more="", extra=""):
    """The sides of a migration that replicates, and was compared. `more` SQL, `extra` of machine.yaml."""
    source, dest = workshop.server("source"), workshop.server("dest")
    for server in (source, dest):
        server.create_database(dbname)
    source.sql(TABLES + more, dbname=dbname)
    source.sql("ANALYZE", dbname=dbname)
    machine = declared.replicating(workshop, source, dest, dbname, extra, machine)
    declared.reconciled(machine, member="sequences")
    result = verify_migration(machine, "--wait", "10")
    assert result.code == 0, result.output
    return Sides(machine, source, dest, dbname)


class Sides:
    """Both sides of one migration, and the attempts to make them change places."""

    def __init__(self, machine, source, dest, dbname, name="app"):
        self.machine, self.source, self.dest, self.dbname = machine, source, dest, dbname
        self.phases = Phases(machine, source, dest, dbname, name)
        self.number = 0

    def start(self, phase, mode="run", number=None, **request):
        if number is None:
            number = next(_numbers)
        self.number = number
        return self.phases.start(phase, more={"mode": mode, "number": number, **request})

    def ask(self, phase, mode="run", **request):
        return self.start(phase, mode, **request).wait(120)

    def ready(self, phase, **request):
        """Wait until it is: the sequences, say, follow some seconds after the sides have changed places."""
        found = {}

        def is_ready():
            found.update(self.start(phase, "check", number=0, **request).wait(60).evidence)
            return found["result"] == "ready"
        wait_for(is_ready, 90, f"ready for {phase}", every=0.5, explain=lambda: str(
            [c for c in found.get("conditions", []) if c["state"] not in ("ready", "accepted")]))

    def change(self, phase, **request):
        self.ready(phase, **request)
        run = self.ask(phase, **request)
        assert not run.failed and run.evidence["result"] == "done", run.text()
        return run.evidence

    def cutover(self, **request):
        return self.change("cutover", **request)

    def failback(self, **request):
        return self.change("failback", **request)

    def servers(self):
        return (self.source, self.dest)

    def writable(self):
        """The servers on which an application may write now."""
        found = []
        for server in self.servers():
            try:
                server.sql("UPDATE probe SET n = n + 1 WHERE side = 'source'", dbname=self.dbname)
                found.append(server)
            except psycopg2.Error as error:
                assert error.pgcode == READ_ONLY, error
        return found


class Writers:
    """Applications that follow a refusal to the other side, and keep a list of what was acknowledged."""

    def __init__(self, sides, writers=3, pause=0.004):
        self.sides, self.pause = sides, pause
        self.acknowledged, self.unknown, self.refused, self.errors = [], [], 0, []
        self.worst = 0.0
        self._base = next(_numbers) * 100
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._write, args=(self._base + i,), daemon=True)
                         for i in range(writers)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), "a writer hangs"

    def wait_more(self, count=20, seconds=30):
        goal = len(self.acknowledged) + count
        wait_for(lambda: len(self.acknowledged) >= goal, seconds, "more is acknowledged",
                 explain=lambda: str(self.errors[-3:]))

    def _write(self, writer):
        place, connections, n = 0, [None, None], 0
        while not self._stop.is_set():
            started = time.monotonic()
            while not self._stop.is_set():
                try:
                    if connections[place] is None:
                        connections[place] = self.sides.servers()[place].connect(self.sides.dbname, autocommit=False)
                    self._one(connections[place], writer, n)
                    self.acknowledged.append((writer, n))
                    break
                except psycopg2.Error as error:
                    place = self._follow(error, connections, place, writer, n)
            self.worst = max(self.worst, time.monotonic() - started)
            n += 1
            self._stop.wait(self.pause)
        for connection in connections:
            if connection is not None:
                connection.close()

    def _follow(self, error, connections, place, writer, n):
        if error.pgcode == READ_ONLY:
            self.refused += 1
            connections[place].rollback()
            return 1 - place
        self.errors.append(str(error))
        # A COMMIT without an answer may have worked.
        self.unknown.append((writer, n))
        if connections[place] is not None:
            connections[place].close()
            connections[place] = None
        time.sleep(0.05)
        return place

    def _one(self, connection, writer, n):
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = '20s'")
            cursor.execute("UPDATE account SET balance = balance + 1, changed = %s WHERE id = %s",
                           (n, 1 + (writer * 7 + n) % 200))
            cursor.execute("INSERT INTO entry (writer, n) VALUES (%s, %s) ON CONFLICT (writer, n) DO NOTHING",
                           (writer, n))
            if n % 5 == 0:
                cursor.execute("DELETE FROM \"Odd name\" WHERE id = %s", (n % 20,))
                cursor.execute("INSERT INTO \"Odd name\" VALUES (%s, 'w') ON CONFLICT DO NOTHING", (n % 20,))
            if n % 7 == 0:
                cursor.execute("INSERT INTO part VALUES (%s, %s, 'p') ON CONFLICT DO NOTHING", (writer * 100000 + n, n % 100))
        connection.commit()

    def check(self):
        """All that was acknowledged is on both sides."""
        for server in self.sides.servers():
            there = set(server.sql("SELECT writer, n FROM entry", dbname=self.sides.dbname))
            lost = set(self.acknowledged) - there
            assert not lost, f"{len(lost)} of {len(self.acknowledged)} acknowledged are not on {server.name}: {sorted(lost)[:5]}"
        assert len(self.acknowledged) > 20


class Probe:
    """From outside: tries to write to both sides each 50 ms. At no moment may both have worked."""

    def __init__(self, sides, every=0.05):
        self.sides, self.every = sides, every
        self._spans = {"source": [], "dest": []}
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._try, args=pair, daemon=True)
                         for pair in (("source", sides.source), ("dest", sides.dest))]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def _try(self, name, server):
        connection = None
        while not self._stop.is_set():
            begun = time.monotonic()
            try:
                if connection is None:
                    connection = server.connect(self.sides.dbname)
                connection.cursor().execute("UPDATE probe SET n = n + 1 WHERE side = %s", (name,))
                self._spans[name].append((begun, time.monotonic()))
            except psycopg2.Error as error:
                if error.pgcode != READ_ONLY:
                    connection = None
            self._stop.wait(self.every)

    def changes(self):
        """How often the writable side has changed: as often as the sides have, if never both were."""
        marks = sorted((ended, name) for name, spans in self._spans.items() for _, ended in spans)
        return sum(1 for (_, one), (_, two) in zip(marks, marks[1:]) if one != two)


class Slow:
    """Something that makes one step wait for as long as it is there."""

    def __init__(self, server, dbname, *statements):
        self.connection = server.connect(dbname, autocommit=False)
        self.server, self.statements = server, statements

    def __enter__(self):
        for statement in self.statements:
            self.connection.cursor().execute(statement)
        return self

    def __exit__(self, *_):
        self.connection.close()


class Gate:
    """The lock's request of an attempt waits in it, so that what comes after it can be made slow."""

    def __init__(self, sides, run, table="account"):
        self.sides, self.run, self.table = sides, run, table  # writers take that one first: no deadlock

    def __enter__(self):
        self.run.wait_line("progress", "until Bucardo rests")
        self.connection = self.sides.source.connect(self.sides.dbname, autocommit=False)
        self.execute(f"LOCK TABLE {self.table} IN ROW EXCLUSIVE MODE")
        wait_for(lambda: self.sides.source.value(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'bucardo-machine cutover'"
            " AND query LIKE 'LOCK TABLE%' AND wait_event_type = 'Lock'", dbname=self.sides.dbname), 30, "it waits for the lock",
            every=0.02, explain=self.run.text)
        return self

    def execute(self, statement):
        self.connection.cursor().execute(statement)

    def __exit__(self, *_):
        self.connection.commit()
        self.connection.close()


def slow_drain(sides):
    """The applier waits for a table."""
    return Slow(sides.dest, sides.dbname, "SET bucardo_machine.applying = on; SET session_replication_role = replica",
                "LOCK TABLE probe IN ACCESS EXCLUSIVE MODE")

"""Applications writing to a database while the machine replicates it.

    with Traffic(source, "pagila") as traffic:
        ...
        seconds = marker(source, dest, "pagila", "pagila", seconds=30)
    traffic.counts["insert"]

A writer that loses its connection opens a new one, as applications do; one that is refused because
the sides have changed places goes to the other one, when `other` names it. The rate is bounded, so
that two cores are enough for everything.
"""

import collections
import itertools
import random
import threading
import time

import psycopg2

from . import samples
from .waiting import wait_for

_markers = itertools.count(1)
REFUSED = "25006"  # read_only_sql_transaction


class Traffic:
    """`writers` threads, together about `rate` transactions a second."""

    def __init__(self, server, dbname, sample=None, rate=40, writers=2, seed=None, steps=None, other=None):
        self.servers, self.dbname = (server, other or server), dbname
        self.steps = steps or samples.STEPS[sample or dbname]
        self.pause = writers / rate
        self.seed = random.SystemRandom().randrange(10**6) if seed is None else seed
        self.counts = collections.Counter()
        self.last_error = None
        # Unique over several Traffic objects on one database.
        self._serial = itertools.count(int(time.time()) % 10**6 * 1000)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._write, args=(n,), daemon=True)
                         for n in range(writers)]

    def start(self):
        for thread in self._threads:
            thread.start()
        return self

    def stop(self):
        """End all writers; returns the counts of committed steps by kind."""
        self._stop.set()
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive(), "a writer did not end within 30 s"
        return dict(self.counts)

    def total(self):
        with self._lock:
            return sum(self.counts[kind] for kind in ("insert", "update", "delete"))

    def wait_total(self, count, seconds=30):
        """Wait until that many more transactions are committed."""
        goal = self.total() + count
        wait_for(lambda: self.total() >= goal, seconds, f"{count} more transactions",
                 explain=lambda: f"last error of a writer: {self.last_error}")

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def _write(self, number):
        rng = random.Random(f"{self.seed}/{number}")
        connection, place = None, 0
        while not self._stop.is_set():
            try:
                if connection is None:
                    connection = self.servers[place].connect(self.dbname, autocommit=False)
                self._one(connection, rng)
            except psycopg2.Error as error:
                connection = self._recover(connection, error)
                if error.pgcode == REFUSED and connection is not None:
                    connection.close()
                    connection, place = None, 1 - place
            self._stop.wait(self.pause * rng.uniform(0.5, 1.5))
        if connection is not None:
            connection.close()

    def _one(self, connection, rng):
        with connection.cursor() as cursor:
            # A lock held by a test must not hold up stop().
            cursor.execute("SET LOCAL statement_timeout = '20s'")
            kind = rng.choice(self.steps)(cursor, rng, next(self._serial))
        connection.commit()
        with self._lock:
            self.counts[kind] += 1

    def _recover(self, connection, error):
        with self._lock:
            self.counts["error"] += 1
            self.last_error = error
        try:
            connection.rollback()
            return connection
        except (psycopg2.Error, AttributeError):
            return None  # the connection is gone: open a new one


def marker(source, dest, dbname, sample, seconds=30):
    """Commit one row on `source`; wait until it is on `dest`; returns how long that took."""
    insert, look_up = samples.MARKERS[sample]
    name = f"mark {next(_markers)} {random.SystemRandom().randrange(10**9)}"
    source.sql(insert, (name,), dbname)
    return await_marker(dest, dbname, look_up, name, seconds)


def await_marker(dest, dbname, look_up, name, seconds):
    started = time.monotonic()
    connection = None

    def arrived():
        nonlocal connection
        try:
            if connection is None:
                connection = dest.connect(dbname)
            with connection.cursor() as cursor:
                cursor.execute(look_up, (name,))
                return cursor.fetchone() is not None
        except psycopg2.Error:
            connection = None
            raise

    try:
        wait_for(arrived, seconds, f"the row '{name}' is at {dest.name}", every=0.02)
    finally:
        if connection is not None:
            connection.close()
    return time.monotonic() - started

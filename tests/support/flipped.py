"""PgBouncers that a cut-over leads from one side to the other, and applications behind them.

    with Flipped(sides, folder) as front:
        hooks = [front.hook()]
        with Clients(front, sides) as clients: ...
        clients.worst, clients.errors
"""

import itertools
import json
import os
import threading
import time

import psycopg2

from .pooler import Pooler
from .users import give

_numbers = itertools.count(10000)
PASSWORD = "console-secret"


class Flipped(Pooler):
    """Its line of the database stands in a file of its own, which the machine may replace."""

    def __init__(self, sides, folder, name="front", **settings):
        super().__init__(sides.source, folder, admin_users="console", **settings)
        self.sides, self.hook_name = sides, name
        self.user, self.password = "client", "client-secret"  # alike on both sides: a pooler knows one password
        for server in sides.servers():
            if not server.sql("SELECT 1 FROM pg_roles WHERE rolname = 'client'"):
                server.sql("CREATE ROLE client LOGIN SUPERUSER PASSWORD 'client-secret'")
        self.usual = sides.dbname
        self.file = os.path.join(self.folder, "databases.ini")
        self.lead(sides.source)

    databases = property(lambda self: f"%include {self.file}\n")

    def lead(self, server):
        with open(self.file, "w", encoding="utf-8") as out:
            out.write(f"; of the machine\n{self.sides.dbname} = host={server.address} port={server.port}"
                      f" dbname={self.sides.dbname} pool_size=20\n")
        give(self.file)

    def users(self):
        return super().users() + f'"console" "{PASSWORD}"\n'

    def hook(self, **changes):
        return {"name": self.hook_name, "type": "pgbouncer", "timeout_msec": 5000,
                "connection": {"host": self.address, "port": str(self.port), "user": "console"},
                "databases": [self.sides.dbname], "file": self.file, **changes}

    def pgpass_line(self):
        return f"{self.address}:{self.port}:pgbouncer:console:{PASSWORD}\n"

    def console(self, command):
        """Rows as dicts; the console knows no parameters and no transactions."""
        connection = psycopg2.connect(host=self.address, port=self.port, user="console", dbname="pgbouncer",
                                      password=PASSWORD, sslmode="require", connect_timeout=5)
        try:
            connection.autocommit = True
            cursor = connection.cursor()
            cursor.execute(command)
            if cursor.description is None:
                return []
            names = [column.name for column in cursor.description]
            return [dict(zip(names, row)) for row in cursor.fetchall()]
        finally:
            connection.close()

    def line(self):
        row, = (r for r in self.console("SHOW DATABASES") if r["name"] == self.sides.dbname)
        return row

    def leads_to(self):
        row = self.line()
        server, = (s for s in self.sides.servers() if str(s.port) == str(row["port"]))
        return server

    def is_paused(self):
        return self.line()["paused"] == 1


class Clients:
    """Applications behind a pooler: each transaction is timed, and kept when it was acknowledged."""

    def __init__(self, pooler, sides, clients=4, pause=0.002):
        self.pooler, self.sides, self.pause = pooler, sides, pause
        self.errors, self.acknowledged, self.spans = [], [], []
        self._stop = threading.Event()
        base = next(_numbers) * 100
        self._threads = [threading.Thread(target=self._work, args=(base + i,), daemon=True) for i in range(clients)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), "a client hangs"

    def _work(self, writer):
        n, connection = 0, None
        while not self._stop.is_set():
            begun = time.monotonic()
            try:
                if connection is None:
                    connection = self.pooler.connect(self.sides.dbname, autocommit=False)
                with connection.cursor() as cursor:
                    cursor.execute("UPDATE account SET balance = balance + 1, changed = %s WHERE id = %s",
                                   (n, 1 + (writer * 7 + n) % 200))
                    cursor.execute("INSERT INTO entry (writer, n) VALUES (%s, %s)", (writer, n))
                connection.commit()
                self.acknowledged.append((writer, n))
            except psycopg2.Error as error:
                self.errors.append(f"{time.monotonic() - begun:.3f} s: {error}")
                connection = None
            self.spans.append((begun, time.monotonic()))
            n += 1
            self._stop.wait(self.pause)
        if connection is not None:
            connection.close()

    def wait_more(self, count=20, seconds=30):
        goal, end = len(self.acknowledged) + count, time.monotonic() + seconds
        while len(self.acknowledged) < goal:
            assert time.monotonic() < end, f"{self.errors[-3:]}"
            time.sleep(0.01)

    def worst(self, since=0.0):
        return max((ended - begun for begun, ended in self.spans if ended > since), default=0.0)

    def check(self):
        for server in self.sides.servers():
            there = set(server.sql("SELECT writer, n FROM entry", dbname=self.sides.dbname))
            lost = set(self.acknowledged) - there
            assert not lost, f"{len(lost)} of {len(self.acknowledged)} acknowledged are not on {server.name}"


def command_hook(name, script, when="after", **changes):
    return {"name": name, "type": "command", "when": when, "timeout_msec": 5000,
            "command": ["/bin/sh", "-c", script], **changes}


def sql_hook(name, server, dbname, *statements, when="after", **connection):
    return {"name": name, "type": "sql", "when": when, "timeout_msec": 5000, "statements": list(statements),
            "connection": {"host": server.address, "port": str(server.port), "dbname": dbname, "user": server.user,
                           "sslmode": "require", **connection}}


def yaml_of(*hooks):
    """For machine.yaml: JSON is YAML."""
    lines = ""
    for hook in hooks:
        hook = dict(hook)
        timeout = hook.pop("timeout_msec")
        lines += f"        - {json.dumps({**hook, 'timeout': f'{timeout}ms'})}\n"
    return "    cutover:\n      hooks:\n" + lines

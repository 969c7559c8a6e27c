"""Volumes of earlier versions, and what their machines left on both sides, as SQL.

One folder a format, named after the commit that wrote it (make.py makes it):
    control.sql      the journal (schema machine), and the rows of Bucardo's tables
    functions.sql    our functions in schema bucardo, the same on both sides
    source.sql, destination.sql    the databases: tables, rows, our bookkeeping
    moved.sql        written by hand: what names an oid, brought in line with the new place

Bucardo's own functions are not here: Bucardo makes them again. Of places and numbers that are
others each time there are names in between @.
"""

import contextlib
import os
import re
import subprocess

from ..servers import bin_dir
from ..users import as_user

HERE = os.path.dirname(os.path.abspath(__file__))
DBNAME = "shop"
BUCARDO_TABLES = ["db", "dbgroup", "dbmap", "goat", "herd", "herdmap", "sync"]


class ControlCluster:
    """The control cluster of a machine that does not run."""

    def __init__(self, machine):
        self.machine = machine
        self.data, = (os.path.join(machine.volume, "postgres", name)
                      for name in os.listdir(os.path.join(machine.volume, "postgres")))

    def run(self, program, *words, text=None):
        done = subprocess.run(as_user([f"{bin_dir()}/{program}", *words]), input=text, text=True,
                              env={**self.machine.env(), "PGPASSFILE": self.machine.pgpass},
                              cwd="/", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                              timeout=60)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def dump(self, *words):
        """As SQL; pg_dump's warnings (of foreign keys in a circle) are not in it."""
        return self.run("pg_dump", "-h", self.machine.runtime, "-U", "bucardo", *words, "bucardo")

    def psql(self, text):
        return self.run("psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", self.machine.runtime,
                        "-U", "bucardo", "-d", "bucardo", text=text).strip()


@contextlib.contextmanager
def control_cluster(machine):
    cluster = ControlCluster(machine)
    log = os.path.join(machine.folder, "control.log")
    cluster.run("pg_ctl", "-D", cluster.data, "-w", "-l", log, "-o",
                f"-k {machine.runtime} -c listen_addresses=''", "start")
    try:
        yield cluster
    finally:
        cluster.run("pg_ctl", "-D", cluster.data, "-w", "-m", "fast", "stop")


def dump(server):
    """All of a side, as SQL."""
    done = subprocess.run([f"{bin_dir()}/pg_dump", "-h", server.folder, "-p", str(server.port),
                           "-U", server.user, DBNAME], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout


SYSTEM = "SELECT system_identifier::text FROM pg_control_system()"
DATABASE = "SELECT oid::text FROM pg_database WHERE datname = current_database()"


def places(cluster, source, dest):
    """What the names in between @ stand for."""
    found = {"OWNER": cluster.psql(SYSTEM)}
    for side, server in (("SOURCE", source), ("DESTINATION", dest)):
        found[f"{side}_PORT"] = str(server.port)
        found[f"{side}_SYSTEM"] = server.value(SYSTEM, dbname=DBNAME)
        found[f"{side}_DATABASE"] = server.value(DATABASE, dbname=DBNAME)
    return found


def put(version, machine, source, dest):
    """This version's migration `app`, live, on a machine that is down and on two empty servers."""
    for server in (source, dest):
        server.create_database(DBNAME)
    with control_cluster(machine) as cluster:
        names = places(cluster, source, dest)

        def text(name):
            with open(os.path.join(HERE, version, name), encoding="utf-8") as file:
                return re.sub(r"@([A-Z_]+)@", lambda found: names[found[1]], file.read())

        cluster.psql("DROP SCHEMA IF EXISTS machine CASCADE;\n" + text("control.sql"))
        for server, side in ((source, "source.sql"), (dest, "destination.sql")):
            server.psql(DBNAME, text=text("functions.sql") + text(side))
        cluster.psql("SELECT bucardo.validate_sync('app_sync')")
        for server in (source, dest):
            server.psql(DBNAME, text=text("moved.sql"))

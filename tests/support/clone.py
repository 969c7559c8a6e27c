"""Running `bucardo-machine clone` between two throw-away servers, and looking at its ledger."""

import json
import os
import subprocess

from .servers import bin_dir
from .users import as_user, give


class Clone:
    """One source database, one destination database, one passfile."""

    def __init__(self, binary, folder, source, dest, dbname, dest_user=None, sslmode="require"):
        self.binary, self.source, self.dest, self.dbname = binary, source, dest, dbname
        self.dest_user, self.sslmode = dest_user or dest.user, sslmode
        self.folder, self.pgpass = folder, os.path.join(folder, "clone-pgpass")
        with open(self.pgpass, "w", encoding="utf-8") as out:
            out.write(source.pgpass_line() + dest.pgpass_line())
            out.write(f"{dest.address}:{dest.port}:*:{self.dest_user}:secret-of-{dest.name}\n")
        give(self.pgpass)
        os.chmod(self.pgpass, 0o600)

    def conninfo(self, server, user=None, **more):
        words = {"host": server.address, "port": server.port, "user": user or server.user,
                 "dbname": self.dbname, "sslmode": self.sslmode, **more}
        return " ".join(f"{key}={value}" for key, value in words.items())

    def argv(self, *options, jobs=2, source=None, dest=None):
        return as_user([self.binary, "clone", "--source", source or self.conninfo(self.source),
                        "--destination", dest or self.conninfo(self.dest, self.dest_user),
                        "--jobs", jobs, *options])

    def env(self, **more):
        return {**os.environ, "HOME": self.folder, "PGPASSFILE": self.pgpass, **more}

    def run(self, *options, env=None, timeout=300, **more):
        return subprocess.run(self.argv(*options, **more), env=self.env(**(env or {})),
                              capture_output=True, text=True, timeout=timeout, check=False)

    def start(self, *options, env=None, **more):
        return subprocess.Popen(self.argv(*options, **more), env=self.env(**(env or {})),
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def must(self, *options, **more):
        done = self.run(*options, **more)
        assert done.returncode == 0, f"clone failed:\n{done.stdout}\n{done.stderr}"
        return done

    def events(self, done):
        return [json.loads(line) for line in done.stdout.splitlines()]

    def chunks(self):
        """What the ledger says of finished chunks: {id: (xmin, rows, bytes, done)}."""
        there = self.dest.value("SELECT to_regclass('bucardo_machine.chunk') IS NOT NULL",
                                dbname=self.dbname)
        if not there:
            return {}
        rows = self.dest.sql("SELECT id, xmin::text, rows, bytes, done::text "
                             "FROM bucardo_machine.chunk WHERE done IS NOT NULL",
                             dbname=self.dbname)
        return {row[0]: row[1:] for row in rows}


def clone_of(pair, dbname, sample=None, **options):
    """A clone of a new database; `pair` is (source, destination, workshop)."""
    source, dest, workshop = pair
    source.create_database(dbname, sample)
    dest.create_database(dbname)
    return Clone(workshop.binary, workshop.folder, source, dest, dbname, **options)


def schema_of(server, dbname, *options):
    """The schema as pg_dump sees it, without our ledger and without pg_dump's random words."""
    done = subprocess.run(
        [f"{bin_dir()}/pg_dump", "-s", "-N", "bucardo_machine", "-h", server.folder, "-p",
         str(server.port), "-U", server.user, *options, dbname],
        capture_output=True, text=True, check=True, timeout=120)
    return [line for line in done.stdout.splitlines() if not line.startswith("\\")]

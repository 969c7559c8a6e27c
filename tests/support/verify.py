"""Running `bucardo-machine verify` on two servers, and reading its report."""

import json
import os
import subprocess

from .users import as_user


class Compared:
    """What it said: the exit code, the report (None when there is none), its objects by name."""

    def __init__(self, code, output, errors):
        self.code, self.output, self.errors = code, output, errors
        events = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
        reports = [event["report"] for event in events if event["event"] == "report"]
        self.report = reports[0] if reports else None
        # A table's definition may have the table's name; rows come first.
        self.objects = {one["name"]: one for one in reversed(self.report["objects"])} if reports else {}

    def of_rows(self, state):
        """Tables, views and sequences in this state; definitions are another matter."""
        return {one["name"] for one in self.report["objects"]
                if one["state"] == state and one["kind"] in ("table", "materialized view", "sequence")}

    def states(self, state):
        return {name for name, one in self.objects.items() if one["state"] == state}

    def rows(self, name):
        """The differences of a table: {(kind, key values, columns)}."""
        return {(row["kind"], tuple(row["key"].values()), tuple(row.get("columns", ())))
                for row in self.objects[name].get("differences", [])}


def verify(binary, clone, *options, seconds=120):
    """Without a machine; `clone` (support/clone.py) knows both sides and their passfile."""
    done = subprocess.run(as_user([binary, "verify", "--source", clone.conninfo(clone.source), "--destination",
                                   clone.conninfo(clone.dest, clone.dest_user), "--json", *options]),
                          env=clone.env(), capture_output=True, text=True, timeout=seconds, check=False)
    return Compared(done.returncode, done.stdout, done.stderr)


def verify_migration(machine, *options, name="app", seconds=120):
    done = machine.cli("verify", name, "--json", *options, seconds=seconds)
    return Compared(done.code, done.output, "")

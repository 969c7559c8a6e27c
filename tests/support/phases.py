"""`worker phase` by hand: a request on stdin, lines of JSON from stdout.

    phases = Phases(machine, source, dest, "shop", "app")
    run = phases.run("preflight")
    run.findings("stops"); run.failed; run.evidence
"""

import json
import subprocess
import threading

from .users import as_user
from .waiting import wait_for


class Run:
    """One worker; its lines as they come."""

    def __init__(self, process):
        self.process, self.lines, self.errors = process, [], []
        self._readers = [threading.Thread(target=self._read, daemon=True),
                         threading.Thread(target=self._read_errors, daemon=True)]
        for reader in self._readers:
            reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(json.loads(line))

    def _read_errors(self):
        for line in self.process.stderr:
            self.errors.append(line)

    def events(self, kind):
        return [line for line in list(self.lines) if line["event"] == kind]

    def findings(self, severity=None):
        return [line for line in self.events("finding")
                if severity is None or line["severity"] == severity]

    def finding(self, *words):
        """The only finding that has all the words in it."""
        found = [line for line in self.findings() if all(word in str(line) for word in words)]
        assert len(found) == 1, f"{len(found)} findings with {words}:\n{self.text()}"
        return found[0]

    @property
    def failed(self):
        return next(iter(self.events("failed")), None)

    @property
    def evidence(self):
        done = self.events("done")
        assert len(done) == 1, self.text()
        return done[0]["evidence"]

    def wait(self, seconds=60):
        """Until the worker ends; its exit code agrees with its last line."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"no end within {seconds} s\n{self.text()}") from None
        for reader in self._readers:
            reader.join(10)
        last = next((line["event"] for line in reversed(self.lines) if line["event"] != "alive"), None)
        assert last and code == (0 if last == "done" else 1), self.text()
        return self

    def wait_line(self, kind, *words, seconds=20):
        return wait_for(lambda: [line for line in self.events(kind)
                                 if all(word in str(line) for word in words)],
                        seconds, f"a line '{kind}' with {words}", explain=self.text)

    def text(self):
        return "".join([json.dumps(line) + "\n" for line in self.lines[-40:]] + self.errors[-20:])


class Phases:
    """Orders for one migration."""

    def __init__(self, machine, source, dest, dbname, name, **migration):
        self.machine = machine
        self.migration = {
            "name": name, "source": endpoint(source, dbname),
            "destination": endpoint(dest, dbname),
            "direction": "both", "copy": {"jobs": 2}, **migration}

    def start(self, phase, fix=False, plan=False, worker="phase", more=None, **changes):
        request = {"v": 1, "phase": phase, "control": {"socket_dir": self.machine.runtime},
                 "migration": {**self.migration, **changes}, "fix": fix, "plan": plan,
                 **(more or {})}
        process = subprocess.Popen(
            as_user([self.machine.binary, "worker", worker], pdeathsig="KILL"),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**self.machine.env(), "PGPASSFILE": self.machine.pgpass}, cwd="/")
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        return Run(process)

    def run(self, phase, seconds=60, **changes):
        return self.start(phase, **changes).wait(seconds)


def endpoint(server, dbname, user=None):
    return {"host": server.address, "port": server.port, "dbname": dbname,
            "user": user or server.user, "sslmode": "require", "sslrootcert": None}

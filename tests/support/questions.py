"""What can be asked of a machine wherever it runs: as a plain process or in a container.

A subclass says how to reach it: cli(), shell(), on_volume(), log(), log_tail(), running(),
exit_code(), pid(), owns(); `runtime` and `volume` are its folders as it sees them itself.
"""

import json
import re

from .processes import KINDS, descendants, pids
from .waiting import Abandon, wait_for


class Questions:
    """Questions, and waiting for an answer."""

    # ---- its log ----

    def wait_log(self, text, seconds, since=0):
        """Wait for `text` in the log, after position `since` (see log_size())."""
        return wait_for(lambda: text in self.log()[since:], seconds, f"log says '{text}'",
                        explain=self.log_tail)

    def log_size(self):
        return len(self.log())

    # ---- its status ----

    def status_json(self):
        """`status --json`; raises while the daemon does not answer."""
        result = self.cli("status", "--json")
        assert result.output.startswith("{"), f"no JSON: {result.code} {result.output}"
        return json.loads(result.output)

    def state(self):
        return self.status_json()["state"]

    def unit(self, name):
        """One unit of the status by name; raises when there is none."""
        return next(u for u in self.status_json()["units"] if u["name"] == name)

    def sync(self, name="MyDBSync"):
        """One sync of the status by name; raises when there is none."""
        return next(s for s in self.status_json()["syncs"] if s["name"] == name)

    def wait_state(self, state, seconds):
        """Wait for a machine state: starting, ready, degraded, holding, stopping."""
        self._wait(lambda: self.state() == state, seconds, f"machine is {state}")

    def is_ready(self):
        """What the probe says that Kubernetes would use."""
        return self.cli("health", "ready").code == 0

    def wait_ready(self, seconds=90):
        self._wait(self.is_ready, seconds, "machine is ready")
        return self

    def wait_health(self, health, seconds, sync="MyDBSync"):
        """Wait until a sync has one of the named healths; returns it as in the status."""
        names = (health,) if isinstance(health, str) else health

        def reached():
            found = self.sync(sync)
            return found if found["health"] in names else None

        return self._wait(reached, seconds, f"sync {sync} is {' or '.join(names)}")

    def _wait(self, condition, seconds, what):
        def alive_and():
            if not self.running():
                raise Abandon(f"{what}: the machine ended with exit code "
                              f"{self.exit_code()}\n{self.log_tail()}")
            return condition()

        return wait_for(alive_and, seconds, what, every=0.1, explain=self._explain)

    def _explain(self):
        return self.cli("status").output + "\n" + self.log_tail()

    # ---- its processes, as this computer sees them ----

    def find(self, kind):
        """Pids of 'mcp', 'ctl', 'kid', 'vac', 'postmaster', 'backend' or 'observe'."""
        return [pid for pid in descendants(self.pid()) if KINDS[kind](pid)]

    def one(self, kind, seconds=20):
        """The pid of a process of that kind; waits for it."""
        return wait_for(lambda: (self.find(kind) or [None])[0], seconds,
                        f"a {kind} process runs", explain=self.log_tail)

    def leftovers(self):
        """Processes of this machine that are no descendants of a live daemon."""
        mine = set(descendants(self.pid())) | {self.pid()} if self.running() else set()
        return [pid for pid in pids() if pid not in mine and self.owns(pid)]

    # ---- its control PostgreSQL ----

    def control_sql(self, query, dbname="bucardo"):
        """A query in the control database; lines of text, columns divided by |."""
        return self.shell(f"psql -X -q -A -t -h '{self.runtime}' -d {dbname} -U bucardo "
                          f"-c \"{query}\"").check().splitlines()

    def cluster_state(self):
        """What pg_controldata says of the control cluster of a machine that is not running."""
        text = self.on_volume("sh", "-c", f"pg_controldata {self.volume}/postgres/[0-9]*").check()
        return re.search(r"cluster state: +(.*)", text).group(1)

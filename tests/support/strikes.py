"""What may fail in the midst of a cut-over that the machine does, and where it may fail.

    stage = Stage(workshop, "app")              # both sides behind proxies, the worker can be held
    stage.strike("cutover", "drain", "cut source")

A step's worker is held when its line is out, before it has done anything: the end of the step before
it, and its own beginning. What fails then is one of STRIKES.
"""

import contextlib
import os
import signal
import subprocess
import time

from . import compare, declared
from .cutover import Probe, Sides, Writers, TABLES
from .processes import descendants
from .proxy import Proxy
from .users import give
from .verify import verify_migration
from .waiting import wait_for

BUDGET_SECONDS = 3
# What the server needs to let go, and a host that has other things to do.
LET_GO_SECONDS, SLACK_SECONDS = 1, 1.5

STEPS = {
    "ready": "asking whether all is ready", "look": "asking which side is live",
    "arm": "putting the fence's triggers", "quiet": "waiting until Bucardo rests",
    "carry": "carrying what waits", "verify": "comparing what changed since", "hold": "keeping everybody else",
    "lock": "locking the tables", "drain": "carrying the last keys",
    "keyless": "copying tables without a key again", "sequences": "setting the sequences ahead", "prove": "comparing what was carried",
    "fence": "raising the fence", "commit": "committing",
    "again": "setting the sequences once more", "open": "opening the other side",
    "replicate": "replicating the other way", "seen": "waiting for the first run",
}
FROZEN = ("drain", "keyless", "sequences", "prove", "fence", "commit")
COMMITTED = ("again", "open", "replicate", "seen")


class Hold:
    """Makes the worker wait at a line; see hold_lines.c."""

    def __init__(self, folder):
        self.folder = os.path.join(folder, "hold")
        os.makedirs(self.folder)
        give(self.folder)
        self.library = os.path.join(folder, "hold.so")
        subprocess.run(["cc", "-shared", "-fPIC", "-D_GNU_SOURCE", f'-DFOLDER="{self.folder}"', "-o", self.library,
                        os.path.join(os.path.dirname(__file__), "hold_lines.c")], check=True)

    def environment(self):
        asan = os.environ.get("ASAN_OPTIONS", "")
        return {"LD_PRELOAD": self.library,
                "ASAN_OPTIONS": f"{asan}:verify_asan_link_order=0" if asan else "verify_asan_link_order=0"}

    def _path(self, name):
        return os.path.join(self.folder, name)

    def at(self, words):
        self.release()
        with contextlib.suppress(FileNotFoundError):
            os.remove(self._path("held"))
        with open(self._path("new"), "w", encoding="utf-8") as out:
            out.write(words)
        os.rename(self._path("new"), self._path("at"))

    def is_held(self):
        return os.path.exists(self._path("held"))

    def release(self):
        with contextlib.suppress(FileNotFoundError):
            os.remove(self._path("at"))


class Behind:
    """A server as the machine knows it: behind a proxy."""

    def __init__(self, server, proxy):
        self.name, self.user = server.name, server.user
        self.address, self.port = proxy.address, proxy.port
        self._line = f"{proxy.address}:{proxy.port}:*:{server.user}:{server.password}\n"

    def pgpass_line(self):
        return self._line


class Stage:
    """A migration that replicates and is proven, with all that may be struck."""

    def __init__(self, workshop, dbname="app"):
        self.dbname = dbname
        self.source, self.dest = workshop.server("source"), workshop.server("dest")
        for server in (self.source, self.dest):
            server.create_database(dbname)
        self.source.sql(TABLES, dbname=dbname)
        self.source.sql("ANALYZE", dbname=dbname)
        self.proxies = {"source": Proxy(self.source), "dest": Proxy(self.dest)}
        self.hold = Hold(workshop.folder)
        self.machine = workshop.machine(env=self.hold.environment())
        declared.replicating(workshop, Behind(self.source, self.proxies["source"]),
                             Behind(self.dest, self.proxies["dest"]), dbname, machine=self.machine)
        declared.reconciled(self.machine, member="sequences")
        result = verify_migration(self.machine, "--wait", "10")
        assert result.code == 0, result.output
        self.sides = Sides(self.machine, self.source, self.dest, dbname)

    # ---- what a person asks ----

    def ready(self, direction):
        def is_ready():
            self.said = self.machine.cli(direction, "app", "--check", seconds=60)
            return self.said.code == 0
        self.said = None
        wait_for(is_ready, 180, f"ready for {direction}", every=0.3, explain=lambda: self.said.output if self.said else "")

    def _ask(self, direction):
        self.machine.shell(f"bucardo-machine {direction} app --yes --budget {BUDGET_SECONDS}s > /dev/null 2>&1 &")

    def _over(self, number):
        """How the attempt ended, by the status."""
        view = declared.wait_view(
            self.machine, lambda v: v["cutover"] and v["cutover"]["number"] > number and not v["cutover"]["under_way"],
            "ends the attempt", 180)
        return view["cutover"]

    def _number(self):
        cutover = declared.view(self.machine)["cutover"]
        return cutover["number"] if cutover else 0

    def _held(self, direction, step):
        """Ask until the worker is held there: what was ready a moment ago may not be so now. The number before."""
        while True:
            number = self._number()
            self.hold.at(STEPS[step])
            self._ask(direction)
            wait_for(lambda: self.hold.is_held() or self._number() > number and not self._under_way(), 60,
                     f"the worker is held at {step}", every=0.02, explain=self.machine.log_tail)
            if self.hold.is_held():
                return number
            self.ready(direction)

    def _under_way(self):
        cutover = declared.view(self.machine)["cutover"]
        return cutover and cutover["under_way"]

    def bring(self, live):
        """This server is the live side."""
        if self.sides.writable() != [live]:
            direction = "cutover" if live is self.dest else "failback"
            self.ready(direction)
            said = self.machine.cli(direction, "app", "--yes", seconds=120)
            assert said.code == 0, said.output
        assert self.sides.writable() == [live]

    # ---- what fails ----

    def _restart(self, server):
        server.stop("immediate")
        server.start()

    def _kill_machine(self):
        self.machine.kill9_everything()
        self.hold.release()
        self.machine.start()

    def _kill_control(self):
        with open(self.machine.shell(f"ls {self.machine.volume}/postgres/*/postmaster.pid").check().split()[0],
                  encoding="ascii") as pid:
            os.kill(int(pid.readline()), signal.SIGKILL)

    def _kill_worker(self):
        os.kill(self._worker(), signal.SIGKILL)

    def _worker(self):
        return next(pid for pid in descendants(self.machine.pid()) if _is_phase(pid))

    def _cut(self, which, writers, step, live):
        """While nobody reaches it, its server lets writers go on by itself, however long we are held."""
        self.proxies[which].cut()
        if step in FROZEN and live is getattr(self, which):
            writers.wait_more(5, seconds=BUDGET_SECONDS + LET_GO_SECONDS + SLACK_SECONDS)
        self.hold.release()
        time.sleep(4)  # how long the network is away
        self.proxies[which].restore()

    def _strike(self, what, writers, step, live):
        if what.startswith("cut "):
            self._cut(what.split()[1], writers, step, live)
        elif what in ("source", "dest"):
            self._restart(getattr(self, what))
        else:
            {"machine": self._kill_machine, "control": self._kill_control, "worker": self._kill_worker}[what]()
        self.hold.release()

    def strike(self, direction, step, what):
        """One attempt in whose `step` something fails: the promises hold. Returns its result."""
        live, other = (self.source, self.dest) if direction == "cutover" else (self.dest, self.source)
        self.hold.release()
        self.bring(live)
        self.ready(direction)
        with Writers(self.sides, pause=0.01) as writers, Probe(self.sides) as probe:
            writers.wait_more()
            number = self._held(direction, step)
            self._strike(what, writers, step, live)
            ended = self._over(number)
            done = ended["state"] == "done"
            assert done or step not in COMMITTED, ended
            assert self.sides.writable() == [other if done else live], ended
            writers.wait_more(seconds=60)
        assert probe.changes() == (1 if done else 0), ended
        if what not in ("source", "dest"):
            assert not writers.errors, writers.errors[:3]
        if what in ("worker", "machine") or what == ("cut source" if live is self.source else "cut dest"):
            limit = BUDGET_SECONDS + LET_GO_SECONDS + SLACK_SECONDS
            assert step in COMMITTED or writers.worst < limit, f"a writer waited {writers.worst:.1f} s"
        compare.wait_equal(self.source, self.dest, self.dbname, 180, sequences=False)
        writers.check()
        return "done" if done else "aborted"


def _is_phase(pid):
    with open(f"/proc/{pid}/cmdline", "rb") as words:
        return words.read().split(b"\0")[1:3] == [b"worker", b"phase"]


STRIKES = ("worker", "machine", "source", "dest", "control", "cut source", "cut dest")

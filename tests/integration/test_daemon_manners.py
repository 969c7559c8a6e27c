"""The daemon in surroundings that are not as they should be, or not as usual."""

import os
import signal
import subprocess
import sys

import pytest
from support.init import dirty
from support.machine import Machine, children, cmdline
from support.users import as_user
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(200)


def _field(pid, name):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return next(line.split()[1] for line in file if line.startswith(name + ":"))


def test_a_dirty_inheritance_hinders_neither_the_daemon_nor_its_children(workshop):
    machine = workshop.machine()
    stray = os.open("/dev/zero", os.O_RDONLY)
    machine.process = subprocess.Popen(
        as_user([machine.binary, "run", "--volume", machine.volume, "--runtime", machine.runtime,
                 "--pgpass", machine.pgpass], pdeathsig="KILL"),
        env=machine.env(), pass_fds=[stray], preexec_fn=dirty, restore_signals=False, cwd="/")
    os.close(stray)
    with open(machine.log_path, "w", encoding="utf-8"):
        machine.wait_ready(60)
    for kind in ("postmaster", "mcp", "observe"):
        pid = machine.one(kind)
        opened = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        assert "/dev/zero" not in opened, f"{kind} inherited a stray descriptor"
        blocked = int(_field(pid, "SigBlk"), 16)
        assert not blocked & (1 << signal.SIGTERM - 1 | 1 << signal.SIGUSR2 - 1), kind
    # SIGCHLD ignored would let the kernel reap: nobody would learn of this end.
    first = machine.one("postmaster")
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: machine.unit("postgres")["state"] == "ready"
             and machine.unit("postgres")["pid"] != first, 60, "another postmaster is ready")
    machine.wait_ready(60)
    assert machine.stop()[0] == 0


def test_what_waits_for_its_next_start_is_cleared_of_leftovers_once(workshop):
    machine = workshop.machine()
    machine.start().wait_ready(60)
    first, size = machine.one("mcp"), machine.log_size()
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: machine.unit("bucardo")["state"] == "ready"
             and machine.unit("bucardo")["pid"] != first, 60, "another master is ready")
    assert machine.log()[size:].count("no longer wanted") <= 1, machine.log_tail()


class SharedNamespace(Machine):
    """As with shareProcessNamespace: the machine is not PID 1 of its pid namespace."""

    def start(self, *options):
        words = as_user([self.binary, "run", "--volume", self.volume, "--runtime", self.runtime,
                         "--pgpass", self.pgpass, *options])
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "unshare", "--pid", "--fork", "--kill-child",
                 "--mount-proc", sys.executable, "-c", PAUSE, *words],
                stdout=log, stderr=log, cwd="/", stdin=subprocess.DEVNULL, env=self.env(),
                start_new_session=True)
        return self

    def pause(self):
        """The namespace's PID 1, as this process sees it."""
        return wait_for(lambda: children(self.process.pid), 5, "PID 1 runs")[0]

    def pid(self):
        def find():
            return [pid for pid in children(self.pause()) if " run --volume" in cmdline(pid)]
        return wait_for(find, 5, "the machine runs beside it")[0]


# PID 1 reaps what falls to it, as pause does; the end of the machine is its end, so that
# the test sees the exit code.
PAUSE = """
import os, sys
machine = os.spawnvp(os.P_NOWAIT, sys.argv[1], sys.argv[1:])
while True:
    pid, status = os.wait()
    if pid == machine:
        others = [name for name in os.listdir("/proc") if name.isdigit() and name != "1"]
        print("left over:", len(others), flush=True)
        sys.exit(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.skipif(os.getuid() != 0, reason="needs root for a pid namespace")
def test_with_a_shared_process_namespace_it_owns_its_tree_all_the_same(workshop):
    machine = SharedNamespace(workshop.folder, workshop.binary, mode="pod", name="shared")
    workshop.things.append(machine)
    machine.start().wait_ready(60)
    for kind in ("mcp", "postmaster"):
        victim = machine.one(kind)
        os.kill(victim, signal.SIGKILL)
        wait_for(lambda k=kind, v=victim: [pid for pid in machine.find(k) if pid != v], 60,
                 f"another {kind} runs", explain=machine.log_tail)
        machine.wait_ready(60)
    # What a dead parent of ours leaves comes to us, not to PID 1.
    assert children(machine.pause()) == [machine.pid()]
    machine.shell("bucardo stop lunch").check()
    wait_for(lambda: machine.unit("bucardo")["state"] == "down", 30, "bucardo is down")
    machine.shell("bucardo start").check()
    machine.wait_ready(60)
    assert machine.stop()[0] == 0
    assert "left over: 0" in machine.log()


def test_bucardos_failures_while_postgres_is_down_do_not_count(workshop):
    machine = workshop.machine()
    machine.write_config("version: 1\nsupervision: {backoff_first: 50ms}\n")
    machine.start().wait_ready(60)
    for _ in range(4):
        first = machine.one("postmaster")
        os.kill(first, signal.SIGKILL)
        wait_for(lambda f=first: [pid for pid in machine.find("postmaster") if pid != f], 60,
                 "another postmaster runs", explain=machine.log_tail)
        machine.wait_ready(60)
        assert machine.unit("bucardo")["failures"] == 0
    assert machine.unit("postgres")["failures"] == 4


def test_a_stopped_postmaster_is_woken(workshop):
    machine = workshop.machine()
    machine.start().wait_ready(60)
    postmaster = machine.one("postmaster")
    os.kill(postmaster, signal.SIGSTOP)
    # A new connection: those that are open would be served all the time.
    assert machine.control_sql("SELECT 1") == ["1"]
    assert machine.one("postmaster") == postmaster
    assert "was stopped by a signal and lets nobody in" in machine.cli("events").output


def test_a_killed_observer_is_counted_in_the_status(workshop):
    machine = workshop.machine()
    machine.start().wait_ready(60)
    first = machine.unit("observe")
    assert (first["restarts"], first["last_exit"]) == (0, "")
    os.kill(machine.one("observe"), signal.SIGKILL)
    wait_for(lambda: machine.unit("observe")["restarts"] == 1, 20, "another one is counted")
    second = machine.unit("observe")
    assert second["state"] == "ready" and second["pid"] != first["pid"]
    assert second["last_exit"] == "killed by SIGKILL"
    assert second["since"] > first["since"], "its own uptime"


def test_a_restart_of_postgres_takes_bucardo_down_before(workshop):
    machine = workshop.machine()
    machine.start().wait_ready(60)
    mark = machine.log_size()
    first = machine.one("postmaster")
    machine.cli("service", "restart", "postgres").check()
    wait_for(lambda: machine.unit("postgres")["pid"] not in (0, None, first), 60, "another one")
    machine.wait_ready(60)
    log = machine.log()[mark:]
    order = [log.index(f"unit {what}") for what in (
        "bucardo is down", "postgres is stopping", "postgres is ready", "bucardo is ready")]
    assert order == sorted(order), log


def test_asked_to_read_again_it_answers_and_names_what_waits(workshop):
    machine = workshop.machine()
    machine.start().wait_ready(60)
    mark = machine.log_size()
    os.kill(machine.pid(), signal.SIGHUP)
    machine.wait_log("configuration is as it was", 10, since=mark)
    machine.write_config("version: 1\nbucardo: {observe_interval: 2s}\n"
                         "postgres: {settings: {work_mem: 8MB}}\n")
    machine.wait_log("takes effect when the machine starts next: postgres.settings, "
                     "bucardo.observe_interval", 10, since=mark)


def test_links_swapped_as_kubernetes_does_are_followed(workshop):
    machine = workshop.machine()
    swap(machine.volume, "machine.yaml", "version: 1\nbucardo: {stalled_after: 31s}\n", 1)
    machine.start().wait_ready(60)
    for generation in (2, 3):
        swap(machine.volume, "machine.yaml",
             f"version: 1\nbucardo: {{stalled_after: 3{generation}s}}\n", generation)
        wait_for(lambda g=generation: f"stalled_after: 3{g}s" in
                 machine.cli("config", "show").output, 10, "it is taken over")


def swap(folder, name, text, generation):
    """A new generation of a mounted ConfigMap or Secret: only the link ..data changes."""
    made = os.path.join(folder, f"..generation-{generation}")
    os.mkdir(made, 0o755)
    with open(os.path.join(made, name), "w", encoding="utf-8") as out:
        out.write(text)
    os.symlink(os.path.basename(made), os.path.join(folder, "..data_tmp"))
    os.rename(os.path.join(folder, "..data_tmp"), os.path.join(folder, "..data"))
    if not os.path.lexists(os.path.join(folder, name)):
        os.symlink(os.path.join("..data", name), os.path.join(folder, name))

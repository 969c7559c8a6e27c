"""The machine as a plain process on its own folders, without a container.

    machine = Machine(folder, binary)
    machine.write_pgpass(source, dest)
    machine.start()
    machine.wait_ready(60)
    machine.shell("bucardo list all")       # typed as in the pod: HOME, PATH, PGPASSFILE

mode="plain": an ordinary process, a subreaper. kill9() kills it alone and leaves its
children behind; kill9_everything() kills all.
mode="pod": PID 1 of its own pid namespace (needs root): killing it kills everything, as
when a container is lost.
"""

import contextlib
import glob
import os
import shlex
import shutil
import signal
import subprocess
import time

from . import templates
from .processes import children, cmdline, freeze, runs, send
from .questions import Questions
from .servers import bin_dir
from .users import as_user, give
from .waiting import wait_for


class Result:
    """What a command did; check() raises with its output."""

    def __init__(self, argv, code, output):
        self.argv, self.code, self.output = argv, code, output

    def check(self):
        assert self.code == 0, f"exit code {self.code} of {self.argv}:\n{self.output}"
        return self.output


class Machine(Questions):
    """One machine, its volume, its runtime folder and its log."""

    def __init__(self, folder, binary, mode="plain", name="machine", env=None, wrapper=(), installed=False):
        """`wrapper`: a program, with its words, that runs the daemon (valgrind).
        `installed`: the volume is a copy of one whose machine was ready once."""
        self.binary, self.mode, self.name = binary, mode, name
        self.folder = os.path.join(folder, name)
        self.volume = os.path.join(self.folder, "volume")
        self.runtime = os.path.join(self.folder, "run")
        self.pgpass = os.path.join(self.folder, "pgpass")
        self.log_path = os.path.join(self.folder, "log")
        self.home = os.path.join(self.volume, "home")
        self.extra_env, self.wrapper = env or {}, wrapper
        self.process = None
        for path in (self.folder, self.volume, self.runtime):
            os.makedirs(path, mode=0o755, exist_ok=True)
            give(path)
        if installed and not os.listdir(self.volume):
            os.rmdir(self.volume)
            if templates.copy("volume", self._first_start, self.volume):
                templates.new_identity(glob.glob(f"{self.volume}/postgres/*")[0], bin_dir())

    def _first_start(self, volume):
        first = Machine(os.path.dirname(self.folder), self.binary, name="first")
        try:
            first.write_pgpass()
            first.start()
            first.wait_ready(60)
            first.stop()
            shutil.move(first.volume, volume)
        finally:
            first.remove()

    # ---- files ----

    def write_pgpass(self, *servers, text=None):
        """The Secret: one line a server."""
        with open(self.pgpass, "w", encoding="utf-8") as out:
            out.write(text if text is not None else "".join(s.pgpass_line() for s in servers))
        os.chmod(self.pgpass, 0o600)
        give(self.pgpass)

    def write_config(self, text):
        """machine.yaml, replaced in one step as an editor does."""
        path = os.path.join(self.volume, "machine.yaml")
        with open(path + ".tmp", "w", encoding="utf-8") as out:
            out.write(text)
        give(path + ".tmp")
        os.rename(path + ".tmp", path)

    def fresh_runtime(self):
        """Empty the runtime folder, as a new pod's tmpfs is."""
        shutil.rmtree(self.runtime, ignore_errors=True)
        os.makedirs(self.runtime, mode=0o755)
        give(self.runtime)

    # ---- life ----

    def env(self):
        """The environment of the daemon: what the image gives."""
        keep = {name: os.environ[name] for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "BM_PGBIN")
                if name in os.environ}
        if "BM_PGBIN" in keep:
            keep["BUCARDO_MACHINE_PGBIN"] = keep.pop("BM_PGBIN")
        return {"PATH": f"{bin_dir()}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
                "LANG": "C.UTF-8", "HOME": self.home,
                "BUCARDO_MACHINE_VOLUME": self.volume, "BUCARDO_MACHINE_RUNTIME": self.runtime,
                "BUCARDO_MACHINE_PGPASS": self.pgpass, **keep, **self.extra_env}

    def start(self, *options):
        """Run the daemon; does not wait."""
        argv = [*self.wrapper, self.binary, "run", "--volume", self.volume, "--runtime", self.runtime,
                "--pgpass", self.pgpass, *options]
        if self.mode == "pod":
            argv = ["setpriv", "--pdeathsig", "KILL", "unshare", "--pid", "--fork",
                    "--kill-child", "--mount-proc", *as_user(argv)]
        else:
            argv = as_user(argv, pdeathsig="TERM")
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(argv, stdout=log, stderr=log, cwd="/",
                                            stdin=subprocess.DEVNULL, env=self.env(),
                                            start_new_session=True)
        return self

    def running(self):
        return self.process is not None and self.process.poll() is None

    def exit_code(self):
        return self.process.returncode

    def host_pid(self, pid):
        """A pid of the status, as this computer sees it."""
        assert self.mode != "pod"
        return pid

    def pid(self):
        """The daemon's pid as this process sees it."""
        if self.mode != "pod":
            return self.process.pid
        return wait_for(lambda: (children(self.process.pid) or [0])[0], 5,
                        "the machine's pid namespace has a PID 1")

    def stop(self, seconds=40, signo=signal.SIGTERM):
        """Ask it to stop as Kubernetes does; returns (exit code, seconds)."""
        started = time.monotonic()
        if self.running():
            os.kill(self.pid(), signo)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill9_everything()
                raise AssertionError(f"the machine did not stop within {seconds} s\n"
                                     + self.log_tail()) from None
        return self.process.returncode, time.monotonic() - started

    def kill9(self):
        """SIGKILL for the daemon alone (in a pod that takes everything with it)."""
        os.kill(self.pid(), signal.SIGKILL)
        self.process.wait(10)

    def kill9_everything(self):
        """SIGKILL for the daemon and all its descendants, at one instant."""
        if not self.running():
            return
        pid = self.pid()
        if self.mode == "pod":
            os.kill(pid, signal.SIGKILL)
        else:
            victims = freeze(pid)
            for victim in victims:
                send(victim, signal.SIGKILL)
            wait_for(lambda: not any(runs(victim) for victim in victims), 10, "all are dead")
        self.process.wait(10)

    def remove(self):
        """End it by all means and delete its folders."""
        self.kill9_everything()
        for pid in self.leftovers():
            send(pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def owns(self, pid):
        """Does this process work in our folders?"""
        try:
            where = os.readlink(f"/proc/{pid}/cwd")
            words = cmdline(pid)
        except OSError:
            return False
        return where.startswith(self.folder + "/") or self.volume in words

    # ---- looking at it ----

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def log_tail(self, lines=60):
        try:
            tail = self.log().splitlines()[-lines:]
        except OSError:
            tail = ["(no log)"]
        return "\n".join([f"--- log of {self.name}", *tail])

    def cli(self, *words, seconds=20):
        """Our own command, as in `kubectl exec … -- bucardo-machine WORDS`."""
        return self._run([self.binary, *words], seconds)

    def shell(self, script, seconds=120, env=None):
        """A login shell in the pod: the script is what a person types."""
        return self._run(["bash", "-c", script], seconds, env)

    def on_volume(self, *argv):
        """Run a program beside the volume, whether the machine runs or not."""
        return self._run(list(argv), 60)

    def inside(self, argv):
        """(command, environment) that run `argv` as `kubectl exec` would."""
        env = {**self.env(), "PGPASSFILE": os.path.join(self.runtime, "pgpass")}
        env["PATH"] = os.path.dirname(self.binary) + ":" + env["PATH"]
        command = as_user(argv)
        if self.mode == "pod" and self.running():
            command = ["nsenter", "--target", str(self.pid()), "--pid", "--mount", "--", *command]
        return command, env

    @contextlib.contextmanager
    def control_session(self, sql):
        """A session in the control database that has done `sql` and stays open meanwhile."""
        command, env = self.inside(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", self.runtime,
                                    "-d", "bucardo", "-U", "bucardo"])
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                              env=env, cwd=self.home) as session:
            session.stdin.write(sql + ";\n\\echo done\n")
            session.stdin.flush()
            assert session.stdout.readline() == "done\n"
            yield
            session.stdin.close()

    def shell_script(self):
        """A script that opens an interactive shell in here, for people."""
        command, env = self.inside(["env", f"--chdir={self.home}", "bash", "--norc"])
        env["PS1"] = "bucardo-machine $ "
        words = ["env", "-i", f"TERM={os.environ.get('TERM', 'dumb')}",
                 *(f"{name}={value}" for name, value in env.items()), *command]
        return "#!/bin/sh\nexec " + " ".join(shlex.quote(word) for word in words) + ' "$@"\n'

    def _run(self, argv, seconds, env=None):
        command, inside = self.inside(argv)
        inside.update(env or {})
        where = self.home if os.path.isdir(self.home) else "/"
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL, text=True, errors="replace", check=False,
                              timeout=seconds, env=inside, cwd=where)
        return Result(argv, done.returncode, done.stdout)

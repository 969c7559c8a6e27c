"""`run -- COMMAND` started as PID 1 of a namespace of its own, or as a plain process.

support.containers.ContainerInit is the same as PID 1 of a container.
"""

import functools
import os
import signal
import subprocess

import pytest
from .waiting import wait_for

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("BM_BUILD") or os.path.join(REPOSITORY, "build")
INIT = [os.environ.get("BM_BINARY") or os.path.join(BUILD, "bucardo-machine"), "run", "--"]
METER = os.path.join(BUILD, "tests", "bench", "meter")


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        return [int(word) for word in f.read().split()]


def status_field(pid, field):
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        for line in f:
            if line.startswith(field + ":"):
                return line.split(":", 1)[1].strip()
    return None


class Init:
    """One init with one command below it."""

    def __init__(self, mode, command, binary=None, words=(), **options):
        """`words` are options of `run`."""
        prefix = []
        if mode == "pid1":
            if os.getuid() != 0:
                pytest.skip("a pid namespace of its own needs root")
            prefix = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        self.process = subprocess.Popen([*prefix, binary or INIT[0], "run", *words, "--", *command], **options)
        self.mode = mode

    @property
    def pid(self):
        """Of the init itself."""
        if self.mode == "plain":
            return self.process.pid
        return wait_for(lambda: children(self.process.pid), 10, "unshare has a child")[0]

    def wait_blocking(self, every=0.0005):
        """Until it has blocked its signals: from then on none may be lost."""
        pid = self.pid

        def blocks_term():
            with open(f"/proc/{pid}/status", encoding="utf-8") as f:
                fields = dict(line.split(":", 1) for line in f)
            # Who becomes the init (unshare, a container's runtime) may block it as well.
            return fields["Name"].strip() == "bucardo-machine" and \
                int(fields["SigBlk"], 16) & (1 << signal.SIGTERM - 1)

        wait_for(blocks_term, 10, "signals are blocked", every=every)

    @property
    def command_pid(self):
        pid = self.pid
        return wait_for(lambda: children(pid), 10, "the command runs")[0]

    def kill(self, signo):
        os.kill(self.pid, signo)

    def end(self, seconds=20):
        """(exit code, stdout, stderr)"""
        try:
            out, err = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.abandon()
            raise
        return self.process.returncode, out, err

    def abandon(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe:
                pipe.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.abandon()


def dirty():
    """What careless parents leave: ignored and blocked signals, closed standard descriptors."""
    for signo in (signal.SIGCHLD, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(signo, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR2, signal.SIGCHLD})
    for fd in range(3):
        os.close(fd)


modes = pytest.mark.parametrize("mode", ["plain", "pid1"])
inits = pytest.mark.parametrize("init", [functools.partial(Init, "plain"),
                                         functools.partial(Init, "pid1")], ids=["plain", "pid1"])

"""What an init must bear: orphans, a dirty inheritance, early signals, no free descriptors."""

import os
import resource
import signal
import subprocess
import sys
import time

import pytest
from support.init import INIT, Init, children, dirty, inits, modes, status_field
from support.stories import pid1
from support.waiting import wait_for


@inits
def test_ten_thousand_orphans_are_reaped_as_they_come(init):
    pid1.ten_thousand_orphans_are_reaped_as_they_come(init)


@inits
def test_a_thousand_orphans_that_die_at_once_are_reaped(init):
    pid1.orphans_that_die_at_once_are_reaped(init, 1000)


def test_orphans_that_died_while_the_init_was_stopped_are_reaped():
    script = "for i in $(seq 300); do (true & exec true); done; echo made; read line"
    with Init("plain", ["sh", "-c", script], stdin=subprocess.PIPE) as init:
        pid = init.pid
        init.command_pid  # pylint: disable=pointless-statement  (waits for it)
        init.kill(signal.SIGSTOP)
        assert init.process.stdout.readline() == b"made\n"
        wait_for(lambda: len(children(pid)) >= 2, 10, "orphans wait")
        init.kill(signal.SIGCONT)
        wait_for(lambda: len(children(pid)) == 1, 10, "all reaped but the command")
        init.process.stdin.close()
        assert init.process.wait(10) == 1


LOOK = """
import os, sys
fields = dict(line.split(":\\t") for line in open("/proc/self/status") if ":\\t" in line)
fds = [(fd, os.readlink(f"/proc/self/fd/{fd}")) for fd in (0, 1, 2)]
extra = [fd for fd in os.listdir("/proc/self/fd") if int(fd) > 2 and os.path.exists(f"/proc/self/fd/{fd}")]
blocked, ignored = int(fields["SigBlk"], 16), int(fields["SigIgn"], 16)
with open(sys.argv[1], "w") as out:
    print(blocked, ignored, fds, len(extra), file=out)
sys.exit(23)
"""


@modes
def test_a_dirty_inheritance_does_not_reach_the_command(mode, tmp_path):
    told = tmp_path / "told"
    strays = [os.open("/dev/zero", os.O_RDONLY) for _ in range(3)]
    # Python ignores SIGPIPE and SIGXFSZ on its own: a shell's word counts for those.
    with Init(mode, [sys.executable, "-c", LOOK, str(told)], preexec_fn=dirty, restore_signals=False,
              pass_fds=strays, stdin=None, stdout=None, stderr=None) as init:
        assert init.process.wait(20) == 23
    for fd in strays:
        os.close(fd)
    blocked, ignored, rest = told.read_text(encoding="utf-8").split(" ", 2)
    assert int(blocked) == 0
    python_ignores = (1 << signal.SIGPIPE - 1) | (1 << signal.SIGXFSZ - 1)
    assert int(ignored) & ~python_ignores == 0
    if mode == "plain":  # unshare opens files of its own before
        assert "(0, '/dev/null'), (1, '/dev/null'), (2, '/dev/null')" in rest
    assert rest.strip().endswith(", 0") or rest.strip().endswith("] 0")


def test_signals_are_blocked_within_2_ms_of_the_start():
    def measure():
        with Init("plain", ["true"]) as init:
            wait_for(lambda: status_field(init.pid, "Name") == "bucardo-machine", 10, "exec", every=0)
            started = time.monotonic()
            init.wait_blocking(every=0)
            return time.monotonic() - started

    # The quickest of a few: others may want the processor too. Sanitizers have a start of their own.
    limit = 0.05 if b"__asan_init" in open(INIT[0], "rb").read() else 0.002
    assert min(measure() for _ in range(15)) < limit


@inits
@pytest.mark.parametrize("range_msec", [(0, 1), (0, 20), (20, 400)])
def test_a_term_at_any_moment_of_the_start_is_obeyed(init, range_msec):
    pid1.a_term_at_any_moment_of_the_start_is_obeyed(init, range_msec, 10)


# A sanitizer's search for leaks needs descriptors and processes itself.
NO_LEAK_SEARCH = dict(os.environ, ASAN_OPTIONS="detect_leaks=0")


def test_with_few_descriptors_it_works_or_says_why():
    worked = []
    for limit in range(3, 33):
        with Init("plain", ["true"], env=NO_LEAK_SEARCH,
                  preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))) as init:
            code, _, err = init.end()
        # 127: not even the dynamic loader could open its libraries.
        assert code in (0, 125, 127), (limit, code, err)
        if code == 125:
            assert b"bucardo-machine: cannot" in err, limit
        worked.append(code == 0)
    assert worked[-1]
    assert worked == sorted(worked), worked


def alone():
    """Under a user who may have no second process; for root there is no such limit."""
    resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
    if os.getuid() == 0:
        os.setuid(64999)  # a user who has no process yet


def test_when_no_process_can_be_made_it_says_so(binary):
    with Init("plain", ["true"], binary=binary, env=NO_LEAK_SEARCH, preexec_fn=alone) as init:
        code, _, err = init.end()
    assert code == 125
    assert b"cannot start a process" in err


@modes
def test_a_command_that_leaves_at_once_is_never_missed(mode):
    for _ in range(50):
        with Init(mode, ["sh", "-c", "exit 3"]) as init:
            assert init.end()[0] == 3


def test_nothing_is_left_behind_unreaped():
    script = "for i in 1 2 3 4 5; do (sleep 0.0$i & exec true); done; sleep 0.3; echo made; read line"
    with Init("plain", ["sh", "-c", script], stdin=subprocess.PIPE) as init:
        assert init.process.stdout.readline() == b"made\n"
        command = init.command_pid
        wait_for(lambda: children(init.pid) == [command], 10, "only the command is left")
        assert status_field(command, "State")[0] != "Z"
        init.process.stdin.close()
        assert init.process.wait(10) == 1

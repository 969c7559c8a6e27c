"""`run -- COMMAND`: exit codes, signals, descriptors and the terminal."""

import fcntl
import os
import pty
import signal
import subprocess

import pytest
from support.init import INIT, Init, inits, modes, status_field
from support.stories import pid1
from support.waiting import wait_for


def run(mode, *command, **options):
    with Init(mode, command, **options) as init:
        return init.end()


@inits
@pytest.mark.parametrize("code", pid1.CODES)
def test_the_commands_exit_code_becomes_ours(init, code):
    pid1.the_commands_exit_code_becomes_ours(init, code)


@inits
@pytest.mark.parametrize("name", pid1.KILLS)
def test_a_killed_command_gives_128_and_the_signal(init, name):
    pid1.a_killed_command_gives_128_and_the_signal(init, name)


@inits
def test_a_missing_command_gives_127_and_is_named(init):
    pid1.a_missing_command_gives_127_and_is_named(init)


@inits
def test_a_file_that_is_no_program_gives_126_and_is_named(init):
    pid1.a_file_that_is_no_program_gives_126_and_is_named(init)


@inits
def test_every_signal_is_passed_on(init):
    pid1.every_signal_is_passed_on(init)


@inits
def test_a_stopped_command_hears_term(init):
    pid1.a_stopped_command_hears_term(init)


@inits
def test_a_command_that_ignores_term_goes_on_and_the_init_still_serves_it(init):
    pid1.a_command_that_ignores_term_goes_on_and_the_init_still_serves_it(init)


def test_a_killed_init_takes_its_command_along():
    with Init("plain", ["sh", "-c", "trap '' TERM HUP; echo ready; while :; do sleep 0.05; done"]) as init:
        assert init.process.stdout.readline() == b"ready\n"
        command = init.command_pid
        init.kill(signal.SIGKILL)
        wait_for(lambda: not os.path.exists(f"/proc/{command}") or
                 status_field(command, "State").startswith("Z"), 10, "the command is gone")


@modes
def test_input_and_output_pass_through_untouched(mode):
    data = os.urandom(300000)
    with Init(mode, ["cat"], stdin=subprocess.PIPE) as init:
        out, err = init.process.communicate(data, timeout=20)
        assert init.process.returncode == 0
        assert out == data
        assert err == b""


@modes
def test_shared_descriptors_stay_blocking(mode):
    reading, writing = os.pipe()
    code, _, _ = run(mode, "sh", "-c", "sleep 0.2", stdin=reading, stdout=writing)
    assert code == 0
    for fd in (reading, writing):
        assert not fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_NONBLOCK
        os.close(fd)


@modes
def test_the_command_keeps_folder_and_environment(mode, tmp_path):
    env = dict(os.environ, BM_TEST="a b")
    code, out, _ = run(mode, "sh", "-c", "pwd; echo $BM_TEST", cwd=tmp_path, env=env)
    assert (code, out) == (0, f"{tmp_path}\na b\n".encode())


# ---- what users of tini and dumb-init expect ----

@modes
def test_signals_go_to_the_whole_group_if_asked(mode):
    for words, heard in ((["--group"], 2), ([], 1)):
        script = "trap 'echo child; exit' USR1; echo ready; while :; do sleep 0.02; done"
        # The end of the init's command is the end of all in its pid namespace: it waits for the child.
        last = "wait" if heard == 2 else "kill -9"
        parent = (f"trap 'echo parent; {last} $!; exit 3' USR1; sh -c \"{script}\" & "
                  "echo ready; while :; do sleep 0.02; done")
        with Init(mode, ["sh", "-c", parent], words=words) as init:
            assert {init.process.stdout.readline() for _ in range(2)} == {b"ready\n"}
            init.kill(signal.SIGUSR1)
            lines = {init.process.stdout.readline() for _ in range(heard)}
            assert lines == ({b"child\n", b"parent\n"} if heard == 2 else {b"parent\n"})


@modes
def test_signals_are_rewritten_and_dropped(mode):
    words = ["--rewrite", "15:USR2", "--rewrite", "SIGHUP:0"]
    script = "trap 'echo usr2; exit 4' USR2; trap 'echo hup' HUP; echo ready; while :; do sleep 0.02; done"
    with Init(mode, ["sh", "-c", script], words=words) as init:
        assert init.process.stdout.readline() == b"ready\n"
        init.kill(signal.SIGHUP)
        init.kill(signal.SIGTERM)
        assert init.end()[:2] == (4, b"usr2\n")


@modes
@pytest.mark.parametrize("given, code", [("exit 143", 0), ("exit 7", 0), ("exit 8", 8), ("kill $$", 0)])
def test_expected_exit_codes_become_0(mode, given, code):
    assert run(mode, "sh", "-c", given, words=["--expect", "143", "--expect", "7"])[0] == code


@modes
def test_ignored_and_blocked_signals_are_kept_if_asked(mode):
    def inherit():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})

    for words, kept in ((["--keep-signals"], True), ([], False)):
        _, out, _ = run(mode, "grep", "^Sig", "/proc/self/status", words=words, preexec_fn=inherit)
        fields = dict(line.split(":\t") for line in out.decode().splitlines())
        assert bool(int(fields["SigIgn"], 16) & 1 << signal.SIGHUP - 1) is kept
        assert bool(int(fields["SigBlk"], 16) & 1 << signal.SIGUSR2 - 1) is kept


@modes
def test_a_running_command_hears_no_cont_that_nobody_sent(mode):
    script = ("use POSIX; $SIG{$_} = sub { syswrite STDOUT, \"$_[0]\\n\" } for qw(TERM INT QUIT CONT);"
              "$SIG{USR1} = sub { exit 5 }; syswrite STDOUT, \"ready\\n\"; sleep 1 while 1")
    with Init(mode, ["perl", "-e", script]) as init:
        assert init.process.stdout.readline() == b"ready\n"
        for signo in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            init.kill(signo)
            assert init.process.stdout.readline() == b"%s\n" % signo.name[3:].encode()
        init.kill(signal.SIGUSR1)
        assert init.end()[:2] == (5, b"")


@modes
def test_the_init_keeps_no_folder_busy(mode, tmp_path):
    with Init(mode, ["sh", "-c", "pwd; exec sleep 100"], cwd=tmp_path) as init:
        assert init.process.stdout.readline().decode().strip() == str(tmp_path)
        wait_for(lambda: os.readlink(f"/proc/{init.pid}/cwd") == "/", 10, "it works in /")


# ---- on a terminal ----

def on_terminal(command):
    """(pid of the init, the terminal's other side)"""
    pid, master = pty.fork()
    if pid == 0:
        os.execv(INIT[0], INIT + command)
    return pid, master


def read_until(master, text):
    seen = b""
    while text not in seen:
        seen += os.read(master, 4096)
    return seen


def end_of(pid):
    status = wait_for(lambda: (lambda got: got[0] == pid and [got[1]])(os.waitpid(pid, os.WNOHANG)),
                      10, "the init ends")[0]
    return os.waitstatus_to_exitcode(status)


COUNT_INTERRUPTS = ("trap 'n=$((n+1))' INT; n=0; echo ready; "
                    "while [ $n -eq 0 ]; do sleep 0.05; done; sleep 0.2; echo n=$n.")


def test_an_interrupt_from_the_terminal_arrives_once():
    pid, master = on_terminal(["sh", "-c", COUNT_INTERRUPTS])
    read_until(master, b"ready")
    os.write(master, b"\x03")
    assert b"n=1." in read_until(master, b".")
    assert end_of(pid) == 0
    os.close(master)


def test_the_command_owns_the_terminal_and_may_read_it():
    pid, master = on_terminal(["sh", "-c", "read line; echo got=$line."])
    os.write(master, b"hello\n")
    assert b"got=hello." in read_until(master, b".")
    assert end_of(pid) == 0
    os.close(master)


def test_a_vanished_terminal_ends_the_command():
    pid, master = on_terminal(["sh", "-c", "echo ready.; exec sleep 100"])
    read_until(master, b"ready.")
    os.close(master)
    assert end_of(pid) in (128 + signal.SIGHUP, -signal.SIGHUP)

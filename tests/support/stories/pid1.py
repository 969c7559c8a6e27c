"""What an init must do as `run -- COMMAND`, whoever started it (story 8).

`init(command)` starts one, as support.init.Init does.
"""

import os
import random
import signal
import time

from support.init import METER, status_field
from support.waiting import wait_for

CODES = [0, 1, 2, 42, 125, 126, 127, 128, 255]
KILLS = ["HUP", "INT", "QUIT", "ABRT", "KILL", "SEGV", "PIPE", "TERM", "USR1", "RTMIN+3"]

# Prints the number of each signal that it hears; leaves with 7 at SIGTERM.
ANSWER = r"""
use Config; my @names = split / /, $Config{sig_name}; my @numbers = split / /, $Config{sig_num};
for my $i (1 .. $#names) {
    next if $names[$i] =~ /^(KILL|STOP|CONT|NUM32|NUM33)$/;
    $SIG{$names[$i]} = sub { syswrite STDOUT, "$numbers[$i]\n"; exit 7 if $numbers[$i] == 15 };
}
syswrite STDOUT, "ready\n";
sleep 1 while 1;
"""

_FAULTS = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP,
           signal.SIGABRT, signal.SIGSYS}
_OURS = {signal.SIGCHLD, signal.SIGPIPE, signal.SIGTTIN, signal.SIGTTOU}
PASSED_ON = sorted(set(signal.valid_signals()) - _FAULTS - _OURS -
                   {signal.SIGKILL, signal.SIGSTOP, signal.SIGCONT, signal.SIGTERM})


def _run(init, *command):
    with init(list(command)) as started:
        return started.end(60)


def the_commands_exit_code_becomes_ours(init, code):
    assert _run(init, "sh", "-c", f"exit {code}")[0] == code


def a_killed_command_gives_128_and_the_signal(init, name):
    number = 37 if name == "RTMIN+3" else getattr(signal, "SIG" + name)
    assert _run(init, "sh", "-c", f"kill -{int(number)} $$")[0] == 128 + number


def a_missing_command_gives_127_and_is_named(init):
    code, _, err = _run(init, "bm-no-such-program")
    assert code == 127
    assert b"'bm-no-such-program': No such file or directory" in err


def a_file_that_is_no_program_gives_126_and_is_named(init):
    code, _, err = _run(init, "/etc/passwd")
    assert code == 126
    assert b"'/etc/passwd': Permission denied" in err


def every_signal_is_passed_on(init):
    with init(["perl", "-e", ANSWER]) as started:
        assert started.process.stdout.readline() == b"ready\n"
        for signo in PASSED_ON:
            started.kill(signo)
            assert started.process.stdout.readline() == b"%d\n" % signo
        started.kill(signal.SIGTERM)
        code, out, _ = started.end()
        assert (code, out) == (7, b"15\n")


def a_stopped_command_hears_term(init):
    with init(["sleep", "100"]) as started:
        command = started.command_pid
        wait_for(lambda: status_field(command, "Name") == "sleep", 10, "exec")
        os.kill(command, signal.SIGSTOP)
        wait_for(lambda: status_field(command, "State").startswith("T"), 10, "stopped")
        started.kill(signal.SIGTERM)
        assert started.end()[0] == 128 + signal.SIGTERM


def a_command_that_ignores_term_goes_on_and_the_init_still_serves_it(init):
    script = ("trap '' TERM; trap 'echo heard; exit 5' USR1; echo ready; "
              "while :; do sleep 0.05; done")
    with init(["sh", "-c", script]) as started:
        assert started.process.stdout.readline() == b"ready\n"
        started.kill(signal.SIGTERM)
        started.kill(signal.SIGUSR1)
        code, out, _ = started.end()
        assert (code, out) == (5, b"heard\n")


def ten_thousand_orphans_are_reaped_as_they_come(init):
    with init([METER, "trickle", "10000"]) as started:
        code, out, err = started.end(120)
        assert code == 0, err
        assert int(out) <= 100


def orphans_that_die_at_once_are_reaped(init, count):
    with init([METER, "burst", str(count)]) as started:
        code, out, err = started.end(60)
        assert code == 0, err
        assert float(out) < 10000


def a_term_at_any_moment_of_the_start_is_obeyed(init, range_msec, times):
    for _ in range(times):
        with init(["sleep", "100"]) as started:
            started.wait_blocking()
            time.sleep(random.uniform(*range_msec) / 1000)
            started.kill(signal.SIGTERM)
            assert started.end()[0] == 128 + signal.SIGTERM

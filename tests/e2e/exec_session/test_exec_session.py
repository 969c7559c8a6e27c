"""Story 3: a person's shell in the pod stays while it is used, and goes when nobody is there."""

import time

import pytest

from support.waiting import wait_for

# A shell, and all that people leave running in it: a job, one that ignores hang-ups, one
# that ignores everything that can be ignored, a program in front.
JOBS = ("sleep 7001 & nohup sleep 7002 >/dev/null 2>&1 & (trap '' HUP TERM INT; sleep 7003) & "
        "sleep 7004\r")


def left_behind(machine):
    """Processes of sessions that nobody ended: shells and what was started in them."""
    return [row for row in machine.processes()
            if "sleep 70" in row[4] or row[4].startswith(("bash", "-bash", "bucardo-machine session"))]


def open_shell(machine, answers=True, env=None):
    terminal = machine.terminal(answers=answers, env=env)
    terminal.wait_for("$ ")
    return terminal


@pytest.fixture(autouse=True)
def empty_machine(shared_stage):
    """The machine is shared; its shells are not."""
    yield
    machine = shared_stage.only_machine
    machine.close_terminals()
    machine.exec("pkill", "-KILL", "-f", "^bash|^sleep 70|session")
    wait_for(lambda: not left_behind(machine), 10, "all shells are gone")


def test_a_client_that_disappears_leaves_no_process(shared_stage):
    vanish_from(shared_stage.only_machine, answers=True)


# Not in podman: conmon reads on for a client that is gone, so only an answer could tell.
@pytest.mark.parametrize("shared_stage", [pytest.param("k8s", marks=pytest.mark.k8s)],
                         indirect=True)
def test_a_client_with_a_dumb_terminal_that_disappears_leaves_no_process(shared_stage):
    vanish_from(shared_stage.only_machine, answers=False)


def vanish_from(machine, answers):
    terminal = open_shell(machine, answers)
    terminal.type(JOBS)
    wait_for(lambda: len([row for row in machine.processes() if "sleep 70" in row[4]]) == 4, 10,
             "all jobs run", explain=terminal.log_tail)
    terminal.vanish()
    wait_for(lambda: not left_behind(machine), 60, "nothing of the session is left", every=1,
             explain=lambda: str(left_behind(machine)))


@pytest.mark.parametrize("answers", [True, False], ids=["answering", "dumb"])
def test_a_client_that_is_there_keeps_its_shell(shared_stage, answers):
    machine = shared_stage.only_machine
    # Times are shortened; what is sent and when is the same.
    terminal = open_shell(machine, answers, {"BUCARDO_MACHINE_HANGUP": "10",
                                             "BUCARDO_MACHINE_KEEPALIVE": "0"})
    terminal.type("sleep 24\r")
    time.sleep(25)  # the time itself is what is tested: more than twice the limit
    terminal.type("echo still he''re\r")
    terminal.wait_for("still here")
    terminal.type("exit 7\r")
    assert terminal.wait_end() == 7
    assert not left_behind(machine)


def test_a_silent_connection_gets_a_byte_that_prints_nothing(shared_stage):
    machine = shared_stage.only_machine
    terminal = open_shell(machine, env={"BUCARDO_MACHINE_KEEPALIVE": "4",
                                        "BUCARDO_MACHINE_HANGUP": "0"})
    shown, begin = terminal.text(), time.monotonic()
    wait_for(lambda: terminal.since(begin), 20, "a byte arrives")
    assert time.monotonic() - begin > 2
    wait_for(lambda: len(terminal.since(begin)) >= 3, 20, "a byte every four seconds")
    assert set(terminal.since(begin)) == {0}
    assert terminal.text() == shown


@pytest.mark.full
def test_a_silent_connection_is_kept_by_default(shared_stage):
    """The figure of the README: a byte after 150 s of silence."""
    machine = shared_stage.only_machine
    terminal = open_shell(machine, env={"BUCARDO_MACHINE_HANGUP": "0"})
    begin = time.monotonic()
    wait_for(lambda: terminal.since(begin), 170, "a byte arrives", every=0.5)
    assert 140 < time.monotonic() - begin < 160
    assert terminal.since(begin) == b"\0"


def test_what_is_typed_and_the_size_of_the_window_arrive(shared_stage):
    machine = shared_stage.only_machine
    terminal = open_shell(machine)
    terminal.type("stty size\r")
    terminal.wait_for("50 132")
    terminal.resize(33, 99)
    wait_for(lambda: terminal.type("stty size\r") or "33 99" in terminal.text(), 10,
             "the new size arrives", every=0.5)
    terminal.type("read -rsn3 key; printf %q \"$key\"\r")
    time.sleep(0.5)
    terminal.type("\x1b[A")
    terminal.wait_for("$'\\E[A'")
    terminal.type("sleep 7005\r")
    wait_for(lambda: any(" 7005" in row[4] for row in machine.processes()), 10, "it runs")
    terminal.type("\x03")
    terminal.type("echo interrupted $?.\r")
    terminal.wait_for("interrupted 130.")


def test_commands_without_a_terminal_print_nothing_of_ours(shared_stage):
    machine = shared_stage.only_machine
    assert machine.exec("bash", "-lc", "echo one; exit 3").output == "one\n"
    assert machine.exec("bash", "-lc", "exit 3").code == 3
    assert machine.exec("bash", "-c", "psql --version").check().startswith("psql")
    assert machine.exec("psql", "--version").check().startswith("psql")
    assert machine.exec("bash", "-l", stdin="echo two\n").output == "two\n"
    assert machine.exec("sh", "-c", "bucardo status 2>&1 >/dev/null").output.startswith("machine: ready")
    assert machine.exec("pg_dump", "--version").check().startswith("pg_dump (PostgreSQL)")
    assert not left_behind(machine)


def test_a_daemon_started_in_a_shell_outlives_it(shared_stage):
    machine = shared_stage.only_machine
    terminal = open_shell(machine)
    terminal.type("setsid sleep 7006 & sleep 1\r")
    wait_for(lambda: any(" 7006" in row[4] for row in machine.processes()), 10, "it runs")
    terminal.type("exit\r")
    terminal.wait_end()
    assert any(" 7006" in row[4] for row in machine.processes())


def test_tab_completes_and_psql_alone_says_how_to_name_a_database(shared_stage):
    terminal = open_shell(shared_stage.only_machine)
    terminal.type("bucardo-machine sta\t--wa\t\x15")
    terminal.wait_for("bucardo-machine status --watch ")
    alone = terminal.run("psql")
    assert alone.code == 2 and "psql service=control" in alone.output, alone.output
    named = terminal.run("psql service=control -XAtc 'SELECT 40 + 2'")
    assert named.code == 0 and "42" in named.output, named.output

"""The role `run` around the machine: options, signals, the socket, the end."""

import os
import signal

from support.users import give
from support.waiting import wait_for

BROKEN = "version: 1\nunknown: 1\n"  # holds before anything is created: these tests are quick


def holding(workshop, *options):
    machine = workshop.machine()
    machine.write_pgpass(text="")
    machine.write_config(BROKEN)
    machine.start(*options)
    machine.wait_state("holding", 10)
    return machine


def test_a_machine_that_holds_is_live_and_not_ready_and_stops_when_asked(workshop):
    machine = holding(workshop)
    assert machine.cli("health", "live").code == 0
    ready = machine.cli("health", "ready")
    assert ready.code == 1 and ready.output.startswith("not ready: ")
    screen = machine.cli("status").output
    assert "unknown" in screen and "holding" in screen
    code, seconds = machine.stop()
    assert code == 0 and seconds < 5
    assert not os.path.exists(os.path.join(machine.runtime, "control.sock"))


def test_the_version_is_told_by_the_word_and_by_the_option(workshop):
    machine = workshop.machine()
    by_word, by_option = machine.cli("version"), machine.cli("--version")
    assert by_word.code == by_option.code == 0
    assert by_word.output == by_option.output and "bucardo-machine 0" in by_word.output


def test_strict_ends_with_code_3_instead_of_holding(workshop):
    machine = workshop.machine()
    machine.write_pgpass(text="")
    machine.write_config(BROKEN)
    machine.start("--strict")
    assert machine.process.wait(10) == 3


def test_signals_without_a_meaning_do_not_end_it(workshop):
    machine = holding(workshop)
    for signo in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP, signal.SIGPIPE):
        machine.process.send_signal(signo)
    assert machine.cli("health", "live").code == 0
    assert machine.stop(signo=signal.SIGINT)[0] == 0


def test_the_socket_is_opened_as_soon_as_its_place_is_free(workshop):
    machine = workshop.machine()
    machine.write_pgpass(text="")
    machine.write_config(BROKEN)
    place = os.path.join(machine.runtime, "control.sock")
    os.mkdir(place)
    give(place)
    machine.start()
    machine.wait_log("nobody can ask the machine", 10)
    assert machine.running()
    os.rmdir(place)
    wait_for(lambda: machine.cli("health", "live").code == 0, 10, "the socket is open")
    assert machine.log().count("nobody can ask the machine") == 1


def test_the_log_options_are_stronger_than_the_file(workshop):
    machine = holding(workshop, "--log-format", "text", "--log-level", "error")
    machine.write_config("version: 1\nlog:\n  format: json\n  level: debug\n")
    wait_for(lambda: machine.state() != "holding", 20, "the file is taken")
    assert not [line for line in machine.log().splitlines()
                if line.startswith("{") or (" info " in line and " output " not in line)]


def test_relative_folders_are_understood(workshop):
    machine = workshop.machine()
    machine.write_pgpass(text="")
    machine.write_config(BROKEN)
    machine.start("--runtime", os.path.relpath(machine.runtime, "/"),
                  "--volume", os.path.relpath(machine.volume, "/"))
    machine.wait_state("holding", 10)
    assert machine.status_json()["runtime"] == machine.runtime

"""Story 8 in podman: what the machine itself must bear as PID 1 of a container."""

import os
import signal
import subprocess
import time

import pytest
from support.containers import ContainerInit
from support.stories import daemon
from support.waiting import wait_for

pytestmark = pytest.mark.podman


@pytest.fixture(name="machine")
def _machine(podman_stage):
    return podman_stage.new_machine()


@pytest.fixture(name="disk")
def _disk(machine):
    """A small file system of this computer under the volume: disk("60m") mounts it anew."""
    machine.storage = os.path.join(os.path.dirname(os.path.dirname(machine.pgpass)), "disk")
    os.mkdir(machine.storage)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300m,uid=10001,gid=10001,mode=700", "bm",
                    machine.storage], check=True)

    def resize(size):
        subprocess.run(["mount", "-o", f"remount,size={size}", machine.storage], check=True)

    yield resize
    machine.remove()
    subprocess.run(["umount", "-l", machine.storage], check=True)


def test_one_that_ignores_term_is_killed_and_named(machine):
    daemon.one_that_ignores_term_is_killed_and_named(machine)


def test_a_stopped_unit_hears_term(machine):
    daemon.a_stopped_unit_hears_term(machine)


@pytest.mark.parametrize("delay_ms", [0, 20, 100, 200, 400])
def test_a_term_at_any_moment_of_the_start_is_obeyed(podman_stage, delay_ms):
    del podman_stage  # it skips without podman
    with ContainerInit([]) as started:
        started.wait_blocking()
        time.sleep(delay_ms / 1000)  # the instant is the input of this test
        begin = time.monotonic()
        started.kill(signal.SIGTERM)
        assert started.end(30)[0] == 0
        assert time.monotonic() - begin < 15


def test_one_that_runs_out_of_descriptors_goes_on_when_there_are_some(machine):
    daemon.one_that_runs_out_of_descriptors_goes_on_when_there_are_some(machine)


def test_a_full_volume_holds_and_goes_on_when_there_is_room(machine, disk):
    daemon.a_full_volume_holds_and_goes_on_when_there_is_room(machine, disk)


def test_a_volume_that_fills_up_while_it_runs_is_healed_when_there_is_room(machine, disk):
    daemon.a_volume_that_fills_up_while_it_runs_is_healed_when_there_is_room(machine, disk)


def test_a_reader_that_does_not_read_never_stops_the_machine(machine):
    machine.write_config("version: 1\nunits:\n  - {name: flood, command: "
                         "[sh, -c, 'while :; do seq 1 2000; sleep 0.2; done']}\n")
    machine.start().wait_ready(60)
    reader = int(machine.inspect("{{.State.ConmonPid}}"))
    os.kill(reader, signal.SIGSTOP)  # who reads the container's output
    try:
        wait_for(lambda: machine.status_json()["log_lines_dropped"] > 1000, 60, "lines drop")
        assert machine.cli("health", "live").code == 0
        machine.wait_ready(30)
    finally:
        os.kill(reader, signal.SIGCONT)
    assert machine.stop()[0] == 0


def test_a_replaced_pgpass_arrives_in_the_running_container(machine, podman_stage):
    server = podman_stage.server("later")
    machine.write_pgpass()
    machine.start().wait_ready(60)
    machine.write_pgpass(server)
    wait_for(lambda: machine.exec("cat", "/run/bucardo-machine/pgpass").output ==
             server.pgpass_line(), 20, "the new passwords are in use", explain=machine.log_tail)
    assert "pgpass: " not in machine.cli("status").output, "rights as in README warn of nothing"

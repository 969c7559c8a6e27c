"""What the machine itself must bear as PID 1: bad children, full disks, no descriptors (story 8).

`machine` is one that has not been started yet.
"""

import os
import signal

from support.waiting import wait_for

DEAF = ("version: 1\nunits:\n  - {name: deaf, stop_timeout: 6s, "
        "command: [sh, -c, 'trap \"\" TERM; while :; do sleep 1; done']}\n")
FROZEN = ("version: 1\nunits:\n"
          "  - {name: frozen, command: [sleep, '1000000'], stop_timeout: 20s}\n")


def one_that_ignores_term_is_killed_and_named(machine):
    machine.write_config(DEAF)
    machine.start().wait_ready(60)
    code, seconds = machine.stop()
    assert code == 0
    assert seconds < 25
    assert "is what the stop waits for" in machine.log()


def a_stopped_unit_hears_term(machine):
    machine.write_config(FROZEN)
    machine.start().wait_ready(60)
    os.kill(machine.host_pid(machine.unit("frozen")["pid"]), signal.SIGSTOP)
    code, seconds = machine.stop()
    assert code == 0
    assert seconds < 10


def holds(machine, what, seconds=15):
    """It stays up, is not ready, and says why and what the fix is."""
    machine.wait_state("holding", seconds)
    status = machine.status_json()
    assert what in status["why"], status["why"]
    assert status["advice"], "a hold without advice"
    assert status["ready"] is False
    assert machine.cli("health", "ready").code != 0
    assert machine.cli("health", "live").code == 0
    assert what in machine.log()
    return status


def a_full_volume_holds_and_goes_on_when_there_is_room(machine, resize):
    resize("60m")
    machine.start()
    holds(machine, "MB free")
    resize("300m")
    machine.wait_ready(60)


def a_volume_that_fills_up_while_it_runs_is_healed_when_there_is_room(machine, resize):
    machine.start().wait_ready(60)
    filled = machine.shell(f"cat /dev/zero >{machine.volume}/filler")
    assert "No space left" in filled.output
    machine.shell("psql -X -h '%s' -U bucardo bucardo -c 'CREATE TABLE big AS SELECT "
                  "generate_series(1,400000)'" % machine.runtime)
    assert machine.cli("health", "live").code == 0, "the machine must survive a full disk"
    machine.shell(f"rm {machine.volume}/filler").check()
    resize("310m")
    machine.wait_ready(90)


def one_that_runs_out_of_descriptors_goes_on_when_there_are_some(machine):
    machine.start().wait_ready(60)
    first, master = machine.pid(), machine.one("mcp")
    itself = machine.status_json()["pid"]

    def limit(count):
        machine.shell(f"prlimit --pid {itself} --nofile={count}:").check()

    before = machine.shell(f"prlimit --pid {itself} --nofile --raw --noheadings -o SOFT").check()
    # Fewer than it has open already: whatever wants one now gets EMFILE.
    limit(8)
    try:
        assert machine.cli("health", "live", seconds=30).code != 0, "it had one left"
        os.kill(master, signal.SIGKILL)
        wait_for(lambda: machine.find("mcp") == [], 10, "the master is gone")
        machine.wait_log("Too many open files", 60)
        assert machine.running()
    finally:
        limit(before.strip())
    machine.wait_ready(60)
    assert machine.pid() == first and machine.one("mcp") != master

"""The daemon's units: order, readiness, restarts, stops, and changes of the configuration."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time

import pytest

from support.stories import daemon
from support.users import as_user
from support.waiting import wait_for

SLEEPER = "[sleep, '1000000']"


def config(*units, supervision=""):
    text = "version: 1\n"
    if supervision:
        text += f"supervision: {{{supervision}}}\n"
    return text + "units:\n" + "".join(f"  - {unit}\n" for unit in units)


@pytest.fixture(name="machine")
def _machine(workshop):
    return workshop.machine()


def state_of(machine, name):
    return machine.unit(name)["state"]


def wait_unit(machine, name, state, seconds=20):
    wait_for(lambda: state_of(machine, name) == state, seconds, f"unit {name} is {state}",
             explain=machine.log_tail)
    return machine.unit(name)


def order_in_log(machine, *texts, since=0):
    log = machine.log()[since:]
    places = [log.find(text) for text in texts]
    assert -1 not in places, f"not in the log: {texts[places.index(-1)]}\n{machine.log_tail()}"
    assert places == sorted(places), f"wrong order: {list(zip(texts, places))}"


def test_units_come_up_before_bucardo_and_go_down_after_it(machine):
    machine.write_config(config(
        f"{{name: first, command: {SLEEPER}}}",
        f"{{name: second, command: {SLEEPER}}}"))
    machine.start().wait_ready(60)
    events = [line for line in machine.cli("events").output.splitlines() if " is " in line]
    ups = [line for line in events if "is ready" in line]
    names = [next(n for n in ("first", "second", "postgres", "bucardo") if n in line) for line in ups]
    assert names.index("first") < names.index("second") < names.index("bucardo")
    assert names.index("postgres") < names.index("bucardo")
    mark = machine.log_size()
    assert machine.stop()[0] == 0
    downs = [json.loads(line) for line in machine.log()[mark:].splitlines() if line.startswith("{")]
    stopped = [d["unit"] for d in downs if d.get("to") == "down"]
    assert stopped == ["bucardo", "postgres", "second", "first"]


def test_a_unit_is_ready_when_its_port_answers_and_bucardo_waits_for_that(machine):
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        machine.write_config(config(
            f"{{name: tunnel, command: {SLEEPER}, ready: {{tcp: '127.0.0.1:{port}', timeout: 60s}}}}"))
        machine.start()
        wait_unit(machine, "postgres", "ready", 60)
        assert state_of(machine, "tunnel") == "starting"
        assert state_of(machine, "bucardo") == "down"
        server.listen()
        wait_unit(machine, "tunnel", "ready")
        machine.wait_ready(60)


def test_a_unit_is_ready_when_its_command_succeeds(machine):
    flag = os.path.join(machine.volume, "flag")
    machine.write_config(config(
        f"{{name: proxy, command: {SLEEPER}, ready: {{exec: [test, -e, '{flag}'], timeout: 60s}}}}"))
    machine.start()
    wait_unit(machine, "proxy", "starting", 60)
    with open(flag, "w", encoding="utf-8"):
        wait_unit(machine, "proxy", "ready")


def test_a_unit_that_dies_is_started_again_with_a_growing_pause(machine):
    machine.write_config(config(
        "{name: brief, command: [sh, -c, 'echo hello from $$; exit 3']}",
        supervision="backoff_first: 100ms"))
    machine.start()
    wait_for(lambda: machine.unit("brief")["restarts"] >= 3, 60, "three restarts")
    unit = machine.unit("brief")
    assert unit["last_exit"] == "exit code 3"
    assert "hello from" in machine.log()
    machine.wait_state("degraded", 60)
    assert "brief" in machine.status_json()["why"]
    assert machine.cli("health", "ready").code != 0


def test_a_program_that_does_not_exist_is_named_in_the_status(machine):
    machine.write_config(config("{name: typo, command: [no-such-program]}"))
    machine.start()
    wait_for(lambda: "no-such-program" in machine.unit("typo")["why"], 60, "the reason is shown")
    advice = wait_for(lambda: machine.status_json()["advice"], 20, "there is advice")
    assert "3 times in a row, last: could not be started: cannot execute" in advice


def test_the_status_says_what_a_failing_unit_said(machine):
    quick = "backoff_first: 50ms, backoff_limit: 100ms"
    machine.write_config(config("{name: mute, command: [sh, -c, 'echo the host is gone; exit 5']}",
                                supervision=quick))
    machine.start()
    wait_for(lambda: "exit code 5, it said: the host is gone" in machine.unit("mute")["why"], 20,
             "its last words are shown", explain=machine.log_tail)
    wait_for(lambda: "the host is gone" in machine.status_json()["advice"], 20, "and in the advice")
    refused = f"{{name: deaf, command: {SLEEPER}, ready: {{tcp: '127.0.0.1:1', timeout: 200ms}}}}"
    machine.write_config(config(refused, supervision=quick))
    wait_for(lambda: "not ready in time: killed by SIGTERM, its probe: Connection refused"
             in machine.unit("deaf")["why"], 20, "the answer is shown", explain=machine.log_tail)


def test_give_up_after_ends_the_machine_in_order_with_exit_code_1(machine):
    machine.write_config(config("{name: broken, command: ['false']}",
                                supervision="give_up_after: 3, backoff_first: 50ms"))
    machine.start()
    assert wait_for(lambda: machine.process.poll(), 60, "the machine leaves") == 1
    wait_for(lambda: not machine.leftovers(), 5, "what was killed is gone")


def test_one_that_ignores_term_is_killed_and_named(machine):
    daemon.one_that_ignores_term_is_killed_and_named(machine)


def test_a_stopped_unit_hears_term(machine):
    daemon.a_stopped_unit_hears_term(machine)


def test_one_that_runs_out_of_descriptors_goes_on_when_there_are_some(machine):
    daemon.one_that_runs_out_of_descriptors_goes_on_when_there_are_some(machine)


def test_everything_is_over_at_the_deadline_and_a_second_term_does_not_move_it(machine):
    machine.write_config(config(
        "{name: deaf, command: [sh, -c, 'trap \"\" TERM; while :; do sleep 1; done'],"
        " stop_timeout: 30s}", supervision="stop_deadline: 8s"))
    machine.start().wait_ready(60)
    started = time.monotonic()
    os.kill(machine.pid(), signal.SIGTERM)
    machine.wait_log("stopping", 5)
    time.sleep(3)  # the second TERM must come in the middle
    os.kill(machine.pid(), signal.SIGTERM)
    machine.process.wait(20)
    assert 5 < time.monotonic() - started < 12
    wait_for(lambda: not machine.leftovers(), 5, "what was killed is gone")


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, for a process that cannot be killed")
def test_one_that_cannot_be_killed_is_named_and_left_behind(machine):
    # Setuid root, so that it can become a user whose processes the machine may not signal.
    program = os.path.join(machine.folder, "setpriv")
    shutil.copy(shutil.which("setpriv"), program)
    os.chmod(program, 0o4755)
    machine.write_config(config(
        f"{{name: foreign, command: [{program}, --reuid=65534, --clear-groups, sleep, '1000000']}}",
        supervision="stop_deadline: 3s"))
    machine.start().wait_ready(60)
    pid = machine.unit("foreign")["pid"]
    wait_for(lambda: os.stat(f"/proc/{pid}").st_uid == 65534, 5, "it is somebody else's")
    try:
        code, seconds = machine.stop()
        assert code == 1
        assert seconds < 25  # the deadline is 3 s; the default would be 25
        assert f"could not be ended, leaving without it (pid {pid})" in machine.log()
    finally:
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("delay_ms", [0, 5, 20, 50, 100, 200, 300, 400])
def test_a_term_at_any_moment_of_the_start_is_obeyed(machine, delay_ms):
    machine.start()
    time.sleep(delay_ms / 1000)  # the instant is the input of this test
    code, seconds = machine.stop()
    # Before our first instruction, late on a busy computer, SIGTERM's default action applies.
    assert code == 0 or (code == -signal.SIGTERM and "starts on volume" not in machine.log())
    assert seconds < 15
    wait_for(lambda: not machine.leftovers(), 5, "what was killed is gone")


def test_a_changed_file_is_taken_over_without_disturbing_the_rest(machine):
    machine.write_config(config(f"{{name: stays, command: {SLEEPER}}}",
                                f"{{name: goes, command: {SLEEPER}}}"))
    machine.start().wait_ready(60)
    before = {name: machine.unit(name)["pid"] for name in ("stays", "postgres", "bucardo")}
    machine.write_config(config(f"{{name: stays, command: {SLEEPER}}}",
                                f"{{name: comes, command: {SLEEPER}}}"))
    wait_unit(machine, "comes", "ready")
    wait_for(lambda: "goes" not in [u["name"] for u in machine.status_json()["units"]], 20,
             "the removed unit is gone")
    assert {name: machine.unit(name)["pid"] for name in before} == before


def test_a_bad_file_keeps_the_old_configuration_and_says_so(machine):
    machine.write_config(config(f"{{name: stays, command: {SLEEPER}}}"))
    machine.start().wait_ready(60)
    pid = machine.unit("stays")["pid"]
    machine.write_config("version: 1\nunits: [{nam: x}]\n")
    wait_for(lambda: machine.status_json()["config"]["state"] == "rejected", 10, "it is refused")
    assert "machine.yaml:2:" in "\n".join(machine.status_json()["config"]["errors"])
    reload = machine.cli("config", "reload")
    assert reload.code != 0
    assert "machine.yaml:2:" in reload.output
    assert machine.unit("stays")["pid"] == pid
    os.kill(machine.pid(), signal.SIGHUP)
    machine.write_config(config(f"{{name: stays, command: {SLEEPER}}}"))
    wait_for(lambda: machine.status_json()["config"]["state"] == "loaded", 10, "it is loaded again")


def test_a_file_that_disappears_ends_nothing_until_a_person_says_so(machine):
    machine.write_config(config(f"{{name: stays, command: {SLEEPER}}}"))
    machine.start().wait_ready(60)
    pid = machine.unit("stays")["pid"]
    path = os.path.join(machine.volume, "machine.yaml")
    os.rename(path, path + ".away")
    machine.wait_log("machine.yaml is gone", 10)
    assert machine.unit("stays")["pid"] == pid
    assert machine.status_json()["config"]["state"] == "rejected"
    os.rename(path + ".away", path)
    wait_for(lambda: machine.status_json()["config"]["state"] == "loaded", 10, "it is back")
    assert machine.unit("stays")["pid"] == pid
    os.unlink(path)
    machine.wait_log("machine.yaml is gone", 10, since=machine.log().rfind("is as it was"))
    assert machine.cli("config", "reload").code == 0
    wait_for(lambda: "stays" not in [u["name"] for u in machine.status_json()["units"]], 20,
             "the unit ends with the file")


def test_services_can_be_stopped_started_and_restarted(machine):
    machine.write_config(config(f"{{name: proxy, command: {SLEEPER}}}"))
    machine.start().wait_ready(60)
    pid = machine.unit("proxy")["pid"]
    assert machine.cli("service", "restart", "proxy").code == 0
    wait_for(lambda: machine.unit("proxy")["pid"] not in (0, None, pid), 20, "a new process")
    assert machine.cli("service", "stop", "postgres").code == 0
    wait_unit(machine, "postgres", "down")
    assert state_of(machine, "bucardo") == "down"
    assert machine.cli("service", "start", "postgres").code == 0
    machine.wait_ready(60)
    unknown = machine.cli("service", "stop", "nonsense")
    assert unknown.code != 0
    assert "proxy" in unknown.output, "the names that exist are not offered"


def test_a_script_that_restarts_or_edits_what_dies_at_once_starts_it_no_faster(machine):
    brief = "{{name: brief, command: [sh, -c, 'exit {}']}}"
    machine.write_config(config(brief.format(3)))
    machine.start()
    wait_for(lambda: machine.unit("brief")["restarts"] >= 3, 60, "three restarts")
    began = machine.unit("brief")["restarts"]
    assert machine.cli("service", "restart", "brief").code == 0
    said = [machine.cli("service", "restart", "brief") for _ in range(8)]
    refused = [r for r in said if r.code != 0]
    assert len(refused) >= 4 and all("the next restart is taken in" in r.output for r in refused), said[-1].output
    for number in range(6):
        machine.write_config(config(brief.format(10 + number)))
        machine.cli("config", "reload").check()
    assert wait_unit(machine, "brief", "backoff")["restarts"] - began < 12, machine.log_tail()


def test_every_line_of_the_log_is_json_when_nobody_sits_at_a_terminal(machine):
    machine.write_config(config(
        "{name: noisy, command: [sh, -c, \"printf 'a\\\\377b\\\\033[31m\\\"q\\\\\\\\\\\\n'; exec sleep 1000000\"]}"))
    machine.start().wait_ready(60)
    machine.stop()
    lines = machine.log().splitlines()
    assert len(lines) > 20
    for line in lines:
        parsed = json.loads(line)
        assert {"ts", "level", "area", "msg"} <= set(parsed)


def test_a_reader_that_does_not_read_never_stops_the_machine(machine):
    machine.write_config(config(
        "{name: flood, command: [sh, -c, 'while :; do seq 1 20000; sleep 0.2; done']}"))
    read_end, write_end = os.pipe()
    process = subprocess.Popen(
        as_user([machine.binary, "run", "--volume", machine.volume, "--runtime", machine.runtime],
                pdeathsig="KILL"),
        stdout=write_end, stderr=write_end, env=machine.env(), stdin=subprocess.DEVNULL)
    os.close(write_end)
    machine.process = process
    try:
        with open(machine.log_path, "w", encoding="utf-8"):
            machine.wait_ready(60)
        wait_for(lambda: machine.status_json()["log_lines_dropped"] > 1000, 30, "lines drop")
        started = time.monotonic()
        assert machine.cli("health", "live").code == 0
        assert time.monotonic() - started < 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        os.close(read_end)
        process.kill()
        process.wait(10)

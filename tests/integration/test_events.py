"""What happened is kept: over a restart of the machine, its death, and a table that is dropped."""

import json
import os
import subprocess
import time

import pytest
from support.waiting import wait_for


@pytest.fixture(name="machine", scope="module")
def _machine(shared_workshop):
    machine = shared_workshop.machine()
    machine.start().wait_ready(60)
    yield machine


def told(machine, *options):
    return [json.loads(line) for line in machine.cli("events", "--json", *options).check().splitlines()]


def stored(machine):
    done = machine.shell("psql -XAtq -h $BUCARDO_MACHINE_RUNTIME -U bucardo bucardo"
                         " -c 'SELECT id FROM machine.event_log ORDER BY id'")
    return [int(word) for word in done.check().split()]


def wait_stored(machine):
    wait_for(lambda: stored(machine) == [event["id"] for event in told(machine)], 5, "all are stored",
             explain=lambda: str((stored(machine)[-5:], told(machine)[-5:])))
    return told(machine)


def rise(events):
    ids = [event["id"] for event in events]
    return ids == sorted(set(ids))


class Follower:
    def __init__(self, machine):
        command, env = machine.inside([machine.binary, "events", "--follow", "--json"])
        self.path = os.path.join(machine.folder, "followed")
        with open(self.path, "w", encoding="utf-8") as out:
            self.process = subprocess.Popen(command, env=env, stdout=out, stderr=subprocess.DEVNULL)

    def events(self):
        with open(self.path, encoding="utf-8") as out:
            return [json.loads(line) for line in out if line.endswith("\n")]

    def end(self):
        self.process.kill()
        self.process.wait()


def test_events_survive_and_a_follower_goes_on(machine):
    follower = Follower(machine)
    before = wait_stored(machine)
    assert any("starts on volume" in event["text"] for event in before)
    machine.stop()
    machine.start().wait_ready(60)
    after = wait_stored(machine)
    assert after[:len(before)] == before
    texts = [event["text"] for event in after[len(before):]]
    for text in ("stopping: ", "leaving: ", "starts on volume"):
        assert any(text in line for line in texts), f"'{text}' is kept: {texts}"
    assert rise(after)

    machine.kill9_everything()
    machine.start().wait_ready(60)
    last = wait_stored(machine)
    assert last[:len(after)] == after, "a kill -9 takes nothing that was stored"
    wait_for(lambda: follower.events()[-1:] == told(machine)[-1:], 10, "the follower has gone on")
    followed = follower.events()
    follower.end()
    assert rise(followed), "no event twice"
    assert {event["id"] for event in last} <= {event["id"] for event in followed}, "none missed"
    log = machine.log()
    assert "machine.event_log" in log
    fatal = [line for line in log.splitlines() if "FATAL" in line and "administrator command" not in line]
    assert not fatal, fatal
    assert '"msg":""' not in log


def test_events_since_a_moment_are_those_since_then(machine):
    everything = told(machine)
    moment = everything[len(everything) // 2]["at"]
    assert told(machine, "--since", moment)[0]["at"] <= moment[:19] + "z"
    assert len(told(machine, "--since", moment)) < len(everything)
    assert told(machine, "--since", "1h") == told(machine, "--since", "60min") == everything
    assert told(machine, "--since", "2099-01-01") == []
    refused = machine.cli("events", "--since", "yesterday")
    assert refused.code == 2 and "90s, 30min, 2h, 7d" in refused.output


def test_a_dropped_table_of_events_is_made_again(machine):
    wait_stored(machine)
    machine.shell("psql -XAtq -h $BUCARDO_MACHINE_RUNTIME -U bucardo bucardo"
                  " -c 'DROP TABLE machine.event_log'").check()
    machine.cli("service", "restart", "bucardo").check()
    wait_for(lambda: "does not exist" not in machine.shell(
        "psql -XAtq -h $BUCARDO_MACHINE_RUNTIME -U bucardo bucardo -c 'TABLE machine.event_log'").output,
        10, "it is there")
    wait_stored(machine)


def test_ids_grow_where_the_clock_was_set_back(machine):
    machine.wait_ready(60)
    before = wait_stored(machine)
    ahead = int(time.time() * 1000) + 3600_000
    machine.shell("psql -XAtq -h $BUCARDO_MACHINE_RUNTIME -U bucardo bucardo -c \"INSERT INTO machine.event_log"
                  f" VALUES ({ahead}, now() + interval '1 hour', 'info', 'machine', 'of the future')\"").check()
    machine.stop()
    machine.start().wait_ready(60)
    after = wait_stored(machine)
    assert rise(after) and len(after) > len(before) + 1
    future = [event["text"] for event in after].index("of the future")
    assert any("starts on volume" in event["text"] for event in after[future:])

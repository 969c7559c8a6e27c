"""`cutover` and `failback` as a person types them, under writers, with the machine's own worker."""

import json
import os

import pytest
from support import compare, declared, http
from support.cutover import Probe, Slow, Writers, proven
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(400)
DB = "app"


@pytest.fixture(scope="module", name="sides")
def both_sides(shared_workshop):
    port = http.free_port()
    sides = proven(shared_workshop, DB, shared_workshop.machine(env={"BUCARDO_MACHINE_HTTP": f"127.0.0.1:{port}"}))
    sides.port = port
    return sides


def metrics(sides):
    return http.Metrics(http.ask(sides.port, "/metrics").text)


def attempts_are_counted(sides):
    """A rehearsal, a cut-over and a failback: each once, also those that nobody looked at in between."""
    def count(**labels):
        return metrics(sides).value("cutover_attempts_total", migration="app", **labels)
    wait_for(lambda: count(direction="failback", mode="run", result="done"), 30, "the failback is counted")
    assert count(direction="cutover", mode="rehearse", result="rehearsed") == 1
    assert count(direction="cutover", mode="run", result="done", step="") == 1
    now = metrics(sides)
    for direction in ("cutover", "failback"):
        assert now.value("cutover_freeze_seconds_count", migration="app", direction=direction) == 1
        assert now.value("cutover_freeze_seconds_bucket", migration="app", direction=direction, le="+Inf") == 1
        assert 0 < now.value("cutover_freeze_seconds_sum", migration="app", direction=direction) < 60
    kinds = [mark["kind"] for mark in json.loads(http.ask(sides.port, "/api/v1/history?migration=app").text)["marks"]]
    assert "cutover" in kinds and "failback" in kinds and "phase" in kinds


def command(sides, *words, code=0):
    said = sides.machine.cli(*words, "--json", seconds=90)
    assert said.code == code, said.output
    return json.loads(said.output.strip().splitlines()[-1])["result"]


def ready(sides, direction):
    wait_for(lambda: sides.machine.cli(direction, "app", "--check", seconds=60).code == 0, 60, f"ready for {direction}",
             every=0.5)


def rehearsal(sides):
    said = sides.machine.cli("cutover", "app", "--check", "--json", seconds=60)
    found = json.loads(said.output.strip().splitlines()[-1])["result"]["conditions"]
    condition, = (c for c in found if c["name"] == "rehearsal")
    return condition


def test_check_rehearse_cut_over_and_fail_back(sides):
    machine = sides.machine
    with Writers(sides) as writers, Probe(sides) as probe:
        ready(sides, "cutover")
        assert rehearsal(sides)["value"] == "never" and "--rehearse" in rehearsal(sides)["hint"]
        rehearsed = command(sides, "cutover", "app", "--rehearse")
        assert rehearsed["result"] == "rehearsed" and sides.writable() == [sides.source]
        ready(sides, "cutover")
        assert rehearsal(sides)["value"].endswith(" ago") and not rehearsal(sides)["hint"]
        said = machine.cli("cutover", "app", "--yes", "--report", os.path.join(machine.runtime, "report.json"), seconds=90)
        assert said.code == 0 and "the destination is the live side now" in " ".join(said.output.split()), said.output
        assert "fence" in said.output and sides.writable() == [sides.dest]
        view = declared.wait_view(machine, lambda v: v["status"] == "live", "replicates the other way")
        assert view["cutover"]["state"] == "done" and view["released"], view["cutover"]
        declared.reconciled(machine, lambda r: r["live"]["side"] == "destination", "says so", member="live")
        now = metrics(sides)
        assert now.value("fence_up", side="source") == 1 and now.value("fence_up", side="destination") == 0
        assert now.value("writable_sides", migration="app") == 1
        writers.wait_more()
        ready(sides, "failback")
        assert command(sides, "failback", "app", "--yes")["result"] == "done"
        writers.wait_more()
    assert not writers.errors and probe.changes() == 2 and sides.writable() == [sides.source]
    compare.wait_equal(sides.source, sides.dest, DB, 60, sequences=False)
    writers.check()
    events = machine.cli("events").output
    assert "cutover number 2 is done: the destination is live" in events, events
    attempts_are_counted(sides)
    assert "failback number 3 is done: the source is live" in events, events


def test_a_writer_that_does_not_commit_is_named_and_the_attempt_is_over(sides):
    with Slow(sides.source, DB, "SET application_name = 'billing'", "UPDATE account SET balance = 7 WHERE id = 3"):
        result = command(sides, "cutover", "app", "--yes", code=4)
        assert result["result"] == "not_ready", result
        why, = (c["why"] for c in result["conditions"] if c["state"] == "not_ready")
        assert "billing" in why, why
    assert declared.wait_live(sides.machine)["cutover"]["state"] == "failed"
    assert sides.writable() == [sides.source]


@pytest.mark.full
def test_a_machine_killed_in_the_midst_finishes_it_by_undoing_it(sides):
    machine = sides.machine
    ready(sides, "cutover")
    machine.shell("bucardo-machine cutover app --yes > /dev/null 2>&1 &")
    declared.wait_view(machine, lambda v: v["phase"] == "cutover" and "Bucardo rests" in v["progress"]["text"], "is quieted")
    machine.kill9_everything()
    machine.start()
    view = declared.wait_view(machine, lambda v: v["cutover"] and not v["cutover"]["under_way"], "ends the attempt", 90)
    live = sides.writable()
    assert live == [sides.source if view["cutover"]["state"] == "failed" else sides.dest], view["cutover"]
    declared.wait_live(machine)
    live[0].sql("INSERT INTO entry (writer, n) VALUES (-1, 1)", dbname=DB)
    compare.wait_equal(sides.source, sides.dest, DB, 60, sequences=False)


def test_a_teardown_after_a_cut_over_leaves_nothing_of_ours(sides):
    """The last of the file: the destination stays what applications write to."""
    ready(sides, "cutover")
    assert command(sides, "cutover", "app", "--yes")["result"] == "done"
    with Writers(sides) as writers:
        writers.wait_more()
    compare.wait_equal(sides.source, sides.dest, DB, 60, sequences=False)
    done = sides.machine.cli("teardown", "app", "--yes", seconds=120)
    assert done.code == 0 and done.output.count("nothing of ours is left on") == 2, done.output
    for server in sides.servers():
        assert server.value("SELECT count(*) FROM pg_trigger WHERE tgname ~ 'bucardo'", dbname=DB) == 0
        assert server.value("SELECT count(*) FROM pg_namespace WHERE nspname ~ '^bucardo'", dbname=DB) == 0
    sides.dest.sql("INSERT INTO entry (writer, n) VALUES (-9, 1)", dbname=DB)

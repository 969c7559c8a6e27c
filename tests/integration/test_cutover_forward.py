"""Direction forward is cut over too: without a way back, which is said, or with one that is made before the freeze."""

import contextlib
import json
import subprocess
import threading

import pytest
from support import compare, declared
from support.cutover import TABLES, Probe, Sides, Writers
from support.verify import verify_migration
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(400)
DB = "app"
FORWARD = "    direction: forward\n"
WAY_BACK = FORWARD + "    cutover: {way_back: true}\n"


def forward(workshop, extra):
    source, dest = workshop.server("source"), workshop.server("dest")
    for server in (source, dest):
        server.create_database(DB)
    source.sql(TABLES, dbname=DB)
    source.sql("ANALYZE", dbname=DB)
    machine = declared.replicating(workshop, source, dest, DB, extra=extra)
    declared.reconciled(machine, member="sequences")
    result = verify_migration(machine, "--wait", "10")
    assert result.code == 0, result.output
    return Sides(machine, source, dest, DB)


def ready(sides, direction):
    said = []

    def is_ready():
        said[:] = [sides.machine.cli(direction, "app", "--check", seconds=60)]
        return said[0].code == 0
    wait_for(is_ready, 90, f"ready for {direction}", every=0.5, explain=lambda: said and said[0].output)


def ask(sides, *words, code=0):
    said = sides.machine.cli(*words, "--yes", "--json", seconds=120)
    assert said.code == code, said.output
    return json.loads(said.output.strip().splitlines()[-1])["result"]


def captured(server):
    return server.value("SELECT count(*) FROM pg_trigger WHERE tgname = 'bucardo_delta'", dbname=DB)


def equal(sides):
    compare.wait_equal(sides.source, sides.dest, DB, 90, sequences=False)


def nothing_of_ours(sides):
    done = sides.machine.cli("teardown", "app", "--yes", seconds=120)
    assert done.code == 0 and done.output.count("nothing of ours is left on") == 2, done.output
    for server in sides.servers():
        assert server.value("SELECT count(*) FROM pg_trigger WHERE tgname ~ 'bucardo'", dbname=DB) == 0
        assert server.value("SELECT count(*) FROM pg_namespace WHERE nspname ~ '^bucardo'", dbname=DB) == 0


@contextlib.contextmanager
def held_for(server, seconds):
    """A run of Bucardo is under way, and has written to the rows of the machine there."""
    held = server.connect(DB, autocommit=False)
    held.cursor().execute("UPDATE bucardo.machine_beats SET seen = seen")
    release = threading.Timer(seconds, held.close)
    release.start()
    yield
    release.join()


@pytest.mark.full
def test_without_a_way_back_it_is_cut_over_and_failback_is_refused(workshop):
    sides = forward(workshop, FORWARD)
    with Writers(sides) as writers, Probe(sides) as probe:
        writers.wait_more()
        ready(sides, "cutover")
        said = sides.machine.cli("cutover", "app", "--check", seconds=60)
        assert "no way back" in said.output, said.output
        result = ask(sides, "cutover", "app")
        assert result["result"] == "done" and "nothing is replicated back" in str(result["steps"][-1]), result
        assert sides.writable() == [sides.dest] and captured(sides.dest) == 0
        writers.wait_more()
        declared.reconciled(sides.machine, lambda r: r["live"]["side"] == "destination", "says so", member="live")
    assert not writers.errors and probe.changes() == 1
    there = set(sides.dest.sql("SELECT writer, n FROM entry", dbname=DB))
    assert set(writers.acknowledged) <= there
    # What was written before the cut-over is on both, what came after it on one.
    before = set(sides.source.sql("SELECT writer, n FROM entry", dbname=DB))
    assert before < there
    refused = sides.machine.cli("failback", "app", "--yes", seconds=60)
    assert refused.code != 0 and "direction is forward" in " ".join(refused.output.split()), refused.output
    refused = sides.machine.cli("failback", "app", "--check", seconds=60)
    assert refused.code != 0 and "direction is forward" in " ".join(refused.output.split()), refused.output
    status = " ".join(sides.machine.cli("status").output.split())
    assert "direction is forward" in status, status
    assert sides.writable() == [sides.dest]
    nothing_of_ours(sides)
    sides.dest.sql("INSERT INTO entry (writer, n) VALUES (-9, 1)", dbname=DB)


def test_with_a_way_back_it_replicates_the_other_way_and_fails_back(workshop):
    sides = forward(workshop, WAY_BACK)
    assert captured(sides.dest) == 0
    with Writers(sides) as writers, Probe(sides) as probe:
        writers.wait_more()
        ready(sides, "cutover")
        said = sides.machine.cli("cutover", "app", "--check", seconds=60)
        assert "is made first" in said.output, said.output
        with held_for(sides.dest, 1.5):
            result = ask(sides, "cutover", "app", "--rehearse")
        assert result["result"] == "rehearsed" and captured(sides.dest) == captured(sides.source) > 0
        ready(sides, "cutover")
        assert ask(sides, "cutover", "app")["result"] == "done"
        writers.wait_more()
        sides.machine.kill9_everything()
        sides.machine.start()
        ready(sides, "failback")
        writers.wait_more()
        assert ask(sides, "failback", "app")["result"] == "done"
        writers.wait_more()
        assert sides.writable() == [sides.source]
    assert not writers.errors and probe.changes() == 2
    equal(sides)
    writers.check()
    nothing_of_ours(sides)


@pytest.mark.full
def test_a_machine_killed_while_it_makes_the_way_back_leaves_the_source_live_and_goes_on_when_asked(workshop):
    sides = forward(workshop, WAY_BACK)
    with Writers(sides) as writers, Probe(sides) as probe:
        writers.wait_more()
        ready(sides, "cutover")
        command, env = sides.machine.inside([sides.machine.binary, "cutover", "app", "--yes"])
        attempt = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        wait_for(lambda: captured(sides.dest) > 0 or attempt.poll() is not None, 60, "the destination is being captured", every=0.01)
        assert attempt.poll() is None, attempt.communicate()[0]
        assert sides.dest.value("SELECT lifted IS NULL FROM bucardo_machine.fence", dbname=DB)
        sides.machine.kill9_everything()
        attempt.communicate(timeout=60)
        writers.wait_more()
        sides.machine.start()
        declared.wait_view(sides.machine, lambda v: v["cutover"] and not v["cutover"]["under_way"], "it is over", 120)
        assert sides.writable() == [sides.source] and probe.changes() == 0
        writers.wait_more()
        ready(sides, "cutover")
        assert ask(sides, "cutover", "app")["result"] == "done"
        writers.wait_more()
        ready(sides, "failback")
        assert ask(sides, "failback", "app")["result"] == "done"
        writers.wait_more()
    assert not writers.errors and probe.changes() == 2
    equal(sides)
    writers.check()

"""Source and destination change places: proven, within a budget, or not at all; and back the same way."""

import pytest

from support import compare
from support.cutover import Probe, Writers, proven

pytestmark = pytest.mark.timeout(600)
DB = "app"


@pytest.fixture(scope="module", name="sides")
def both_sides(shared_workshop):
    return proven(shared_workshop, DB)


def equal(sides):
    compare.wait_equal(sides.source, sides.dest, DB, 60, sequences=False)


def test_cut_over_fail_back_and_cut_over_again_under_writers(sides, rounds):
    phases = (["cutover", "failback"] * rounds(2, 25))[:-1]
    with Writers(sides) as writers, Probe(sides) as probe:
        for phase in phases:
            writers.wait_more()
            evidence = sides.change(phase)
            assert evidence["freeze_msec"] <= 1000 and evidence["unwritable_msec"] <= evidence["freeze_msec"]
            assert [s["name"] for s in evidence["steps"]].index("fence") > 5
            assert "good" in evidence["steps"][-1]["detail"], evidence["steps"][-1]
        writers.wait_more()
    assert not writers.errors, writers.errors[:3]
    assert sides.writable() == [sides.dest]
    equal(sides)
    writers.check()
    assert probe.changes() == len(phases)
    sides.failback()


def test_a_rehearsal_freezes_and_leaves_nothing(sides):
    with Writers(sides) as writers, Probe(sides) as probe:
        writers.wait_more()
        run = sides.ask("cutover", mode="rehearse")
        assert run.evidence["result"] == "rehearsed" and 0 < run.evidence["freeze_msec"] <= 1000, run.text()
        writers.wait_more()
    assert not writers.errors and not writers.refused
    assert probe.changes() == 0 and sides.writable() == [sides.source]
    assert sides.source.value("SELECT count(*) FROM pg_trigger WHERE tgname ~ '^bucardo_machine_refuse'"
                              " AND tgenabled <> 'D'", dbname=DB) == 0
    equal(sides)
    writers.check()

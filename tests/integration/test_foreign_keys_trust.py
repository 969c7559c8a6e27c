"""`copy: {foreign_keys: trust}` of a declared migration: no row is checked that verify proves anyway."""

import os
import random
import signal
import subprocess

import pytest

from support import compare, declared, foreign_keys
from support.clone import clone_of
from support.phases import Phases
from support.verify import verify_migration


@pytest.fixture(scope="module", name="pair")
def pair_of_servers(shared_workshop):
    return shared_workshop.server("source"), shared_workshop.server("dest"), shared_workshop


@pytest.fixture(scope="module", name="scene")
def source_and_phases(pair):
    source, dest, workshop = pair
    clone = clone_of(pair, "trust")
    source.psql("trust", text=foreign_keys.SCHEMA + foreign_keys.ROWS)
    machine = workshop.machine()
    machine.write_pgpass(source, dest)
    return clone, Phases(machine, source, dest, "trust", "trust", direction="forward")


def emptied(scene):
    clone, phases = scene
    clone.dest.sql("DROP DATABASE IF EXISTS trust WITH (FORCE)")
    clone.dest.create_database("trust")
    return clone, phases


def killed(phases, phase, dice, copy):
    """Kill -9 at random moments, until it comes to its end: how often."""
    for kills in range(30):
        run = phases.start(phase, copy=copy)
        try:
            run.process.wait(dice.uniform(0.05, 0.3 + kills / 4))
        except subprocess.TimeoutExpired:
            os.kill(run.process.pid, signal.SIGKILL)
            run.process.wait(10)
            continue
        assert run.wait(20).failed is None, run.text()
        return kills, run
    raise AssertionError("it never came to its end")


def test_killed_in_any_phase_no_row_is_checked_and_the_ledger_says_so(scene):
    clone, phases = emptied(scene)
    dice, copy = random.Random(11), {"jobs": 2, "foreign_keys": "trust"}
    kills = 0
    for phase in ("schema", "copy", "index"):
        more, run = killed(phases, phase, dice, copy)
        kills += more
    assert kills >= 3 and run.evidence["trusted_keys"] == len(foreign_keys.TRUSTED), (kills, run.text())
    assert foreign_keys.trusted(clone.dest, "trust") == foreign_keys.TRUSTED
    assert foreign_keys.definitions(clone.dest, "trust") == foreign_keys.definitions(clone.source, "trust")
    assert compare.differences(clone.source, clone.dest, "trust") == []


def test_check_looks_at_each_row(scene):
    clone, phases = emptied(scene)
    copy = {"jobs": 2, "foreign_keys": "check"}
    assert phases.run("schema", copy=copy).failed is None and phases.run("copy", copy=copy).failed is None
    run = phases.run("index", copy=copy)
    assert run.failed and "violates foreign key constraint" in str(run.failed), run.text()
    assert foreign_keys.trusted(clone.dest, "trust") == set()


def test_plan_says_which_way_they_are_made(scene):
    _, phases = scene
    for way in ("trust", "check"):
        plan = phases.run("preflight", plan=True, copy={"jobs": 2, "foreign_keys": way}).events("plan")[0]["plan"]
        assert plan["foreign_keys"] == 11 and plan["trusts_keys"] == (way == "trust")


def test_a_declared_migration_trusts_and_is_proven(pair):
    """The orphans are taken over as they are, and every row is proven equal to a source whose keys are valid."""
    source, dest, workshop = pair
    clone_of(pair, "whole")
    source.psql("whole", text=foreign_keys.SCHEMA + foreign_keys.ROWS)
    source.sql('ALTER TABLE paired ADD PRIMARY KEY (a, b); ALTER TABLE "odd""name"."re fers" ADD id serial PRIMARY KEY',
               dbname="whole")
    machine = declared.replicating(workshop, source, dest, "whole")
    assert foreign_keys.trusted(dest, "whole") == foreign_keys.TRUSTED
    assert foreign_keys.definitions(dest, "whole") == foreign_keys.definitions(source, "whole")
    result = verify_migration(machine)
    assert result.code == 0, result.output[-3000:]
    compare.wait_equal(source, dest, "whole", sequences="ahead")
    plan = machine.cli("plan", "app").output
    assert "made on empty tables" in plan, plan

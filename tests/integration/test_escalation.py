"""A sync that stands still is repaired one step at a time, and held when nothing helps."""

import contextlib
import json
import re

import pytest
from support.traffic import marker
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(600)
CONFIG = "version: 1\nbucardo: {stalled_after: 2s, observe_interval: 500ms, escalation: %s}\n"
STEPS = ["kick", "reload-sync", "restart-tree", "restart-postgres", "hold"]


def _run_begins_with(machine, statement):
    machine.control_sql("CREATE OR REPLACE FUNCTION public.before_a_run() RETURNS trigger "
                        f"LANGUAGE plpgsql AS 'BEGIN {statement}; RETURN NEW; END'")


@contextlib.contextmanager
def nothing_moves(machine):
    """Every KID that begins a run waits for ever: no error, no lock, no process gone."""
    _run_begins_with(machine, "PERFORM pg_sleep(3600)")
    try:
        yield
    finally:
        _run_begins_with(machine, "NULL")


def _climbed(machine):
    lines = [json.loads(line) for line in machine.log().splitlines() if line.startswith("{")]
    return [line for line in lines if "taking the next step" in line["msg"]]


@pytest.fixture(scope="module")
def parts(shared_workshop):
    made = shared_workshop.replicating(sample="shop", config=CONFIG % "true")
    _run_begins_with(made[0], "NULL")
    made[0].control_sql("CREATE TRIGGER before_a_run BEFORE INSERT ON bucardo.dbrun "
                        "FOR EACH ROW EXECUTE FUNCTION public.before_a_run()")
    return made


def test_rows_after_a_long_quiet_are_no_stall(parts):
    machine, source, dest, dbname = parts
    machine.wait_health("idle", 30)
    for _ in range(3):
        marker(source, dest, dbname, dbname, 30)
        # Quiet for longer than stalled_after: the observer looks only every 5 s by then.
        with pytest.raises(AssertionError):
            machine.wait_health(("stalled", "unknown"), 6)
    assert _climbed(machine) == []


def test_every_step_is_taken_until_one_helps_or_none_is_left(parts):
    machine, source, dest, dbname = parts
    machine.wait_health("idle", 30)
    postmaster, master = machine.one("postmaster"), machine.one("mcp")
    with nothing_moves(machine):
        source.sql("UPDATE product SET price = price + 1", dbname=dbname)
        machine.wait_health("stalled", 30)
        assert "the machine kicks it" in machine.cli("status").output
        machine.wait_state("holding", 400)
        assert machine.cli("health", "ready").code == 1
        assert machine.cli("health", "live").code == 0
        status = machine.status_json()
        assert "stalled, and nothing helped" in status["why"] and status["advice"]
        counts = {(r["step"], r["result"]): r["count"] for r in status["recoveries"]}
        assert len(counts) == len(STEPS) * 3
        assert {key for key, count in counts.items() if count} == {(step, "failed") for step in STEPS[:-1]}
    climbed = _climbed(machine)
    assert [line["to"] for line in climbed] == STEPS, "one after the other, each once"
    assert all(line["rows"] > 0 and line["lag_ms"] > 0 for line in climbed)
    assert machine.one("postmaster") != postmaster and machine.one("mcp") != master
    machine.cli("service", "restart", "bucardo").check()
    marker(source, dest, dbname, dbname, 60)
    machine.wait_ready(30)
    events = machine.cli("events").output
    for step in STEPS:
        assert re.search(rf"sync 'MyDBSync' stalled, lag \d+ .*: {step}\n", events), step
    over = (r"no escalation any more after hold: sync 'MyDBSync' is \S+, lag \d+ .* before and "
            r"\d+ .* now")
    wait_for(lambda: re.search(over, machine.cli("events").output), 20,
             "the end is told with its lag", explain=lambda: machine.cli("events").output)


def test_without_escalation_a_stall_is_reported_only(parts):
    machine, source, dest, dbname = parts
    machine.wait_health("idle", 30)
    machine.write_config(CONFIG % "false")
    machine.cli("config", "reload").check()
    before = len(_climbed(machine))
    with nothing_moves(machine):
        source.sql("UPDATE product SET price = price + 1", dbname=dbname)
        machine.wait_health("stalled", 30)
        assert "bucardo kick MyDBSync" in machine.cli("status").output
        # Long enough for two steps.
        with pytest.raises(AssertionError):
            machine.wait_state("holding", 45)
    assert len(_climbed(machine)) == before
    machine.cli("service", "restart", "bucardo").check()
    marker(source, dest, dbname, dbname, 60)

"""A declared migration with real databases: from one YAML to live replication."""

import pytest
from support import compare
from support.declared import wait_live, wait_view, yaml
from support.traffic import Traffic, marker
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(400)

PHASES = ["preflight", "schema", "capture", "copy", "index", "replicate"]


@pytest.fixture
def scene(workshop):
    """A machine, a source with a sample, an empty destination."""
    source, dest, dbname = workshop.pair()
    machine = workshop.machine()
    machine.write_pgpass(source, dest)
    return machine, source, dest, dbname


def test_one_yaml_brings_a_database_under_load_to_live_replication(scene):
    machine, source, dest, dbname = scene
    machine.write_config(yaml(source, dest, dbname))
    with Traffic(source, dbname, rate=50) as traffic:
        traffic.wait_total(20)
        machine.start()
        done = wait_live(machine)
        assert all(phase["state"] == "done" for phase in done["phases"])
        traffic.wait_total(50)
    marker(source, dest, dbname, dbname, 60)
    compare.wait_equal(source, dest, dbname, sequences="ahead")
    machine.wait_ready(30)


def test_a_machine_killed_in_every_phase_goes_on_to_live_replication(scene):
    machine, source, dest, dbname = scene
    machine.write_config(yaml(source, dest, dbname))
    seen = []
    with Traffic(source, dbname, rate=50) as traffic:
        traffic.wait_total(20)
        machine.start()
        for phase in PHASES:
            at = wait_view(machine, lambda v, p=phase: PHASES.index(v["phase"]) >= PHASES.index(p),
                           f"the migration comes to {phase}")
            seen.append(at["phase"])
            machine.kill9_everything()
            machine.fresh_runtime()
            machine.start()
        wait_live(machine)
        traffic.wait_total(50)
    marker(source, dest, dbname, dbname, 60)
    compare.wait_equal(source, dest, dbname, sequences="ahead")
    # A phase may be over before it can be killed; most are not.
    assert len(set(seen)) >= 4, seen


def test_what_comes_during_a_run_goes_with_the_next_and_waits_for_no_look(scene):
    machine, source, dest, dbname = scene
    machine.write_config("bucardo: {observe_interval: 15s}\n"
                         + yaml(source, dest, dbname, extra="    direction: forward\n"))
    with Traffic(source, dbname, rate=50):
        machine.start()
        wait_live(machine)
        wait_for(lambda: machine.sync("app_sync")["backlog_rows"], 40, "a look sees rows wait",
                 explain=machine.log_tail)
        marker(source, dest, dbname, dbname, 30)
        for _ in range(3):  # each would wait some 15 s for a look
            marker(source, dest, dbname, dbname, 9)

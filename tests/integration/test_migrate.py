"""A declared migration with real databases: from one YAML to live replication."""

import pytest
from support import compare
from support.traffic import Traffic, marker
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(400)

PHASES = ["preflight", "schema", "capture", "copy", "index", "replicate"]


def endpoint(server, dbname):
    return (f"{{host: {server.address}, port: {server.port}, dbname: {dbname}, "
            f"user: {server.user}}}")


def yaml(source, dest, dbname, name="app", extra=""):
    return (f"version: 1\nmigrations:\n  - name: {name}\n"
            f"    source: {endpoint(source, dbname)}\n"
            f"    destination: {endpoint(dest, dbname)}\n{extra}")


def view(machine, name="app"):
    try:
        found = [m for m in machine.status_json()["migrations"] if m["name"] == name]
    except AssertionError:
        return None  # the machine is starting
    return found[0] if found else None


def wait_view(machine, condition, what, seconds=120):
    def reached():
        now = view(machine)
        return now if now and condition(now) else None
    return wait_for(reached, seconds, what)


def wait_live(machine, seconds=120):
    return wait_view(machine, lambda v: v["phase"] == "replicate" and v["status"] == "done",
                     "the migration replicates", seconds)


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
    compare.wait_equal(source, dest, dbname, sequences=False)
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
    compare.wait_equal(source, dest, dbname, sequences=False)
    # A phase may be over before it can be killed; most are not.
    assert len(set(seen)) >= 4, seen

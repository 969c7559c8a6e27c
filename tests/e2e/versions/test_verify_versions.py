"""From each version of PostgreSQL to later ones: no pass of verify under churn, in either direction, names a row."""

import pytest
from support import churn, compare
from support.declared import wait_live, yaml
from support.server_images import VERSIONS, ContainerServer
from support.traffic import Traffic
from support.verify import verify_migration
from support.waiting import wait_for

pytestmark = [pytest.mark.podman, pytest.mark.full, pytest.mark.timeout(1800)]

PASSES = 50


def passes(machine, writer):
    """Never a row that differs; and not everything is under way all the time."""
    proven = set()
    with Traffic(writer, "app", "shop", rate=40), Traffic(writer, "app", steps=churn.STEPS, rate=60):
        for _ in range(PASSES):
            result = verify_migration(machine, "--wait", "1", "--table", "public.*", "--table", '"Odd Names".*')
            assert result.code in (0, 4) and not result.states("different"), result.output
            assert not result.states("unproven"), result.output
            proven |= result.states("equal")
    assert len(proven) > 5, proven


@pytest.mark.parametrize("suites", [("bullseye", "trixie"), ("bookworm", "trixie"), ("trixie", "sid")],
                         ids=lambda suites: "to".join(str(VERSIONS[suite]) for suite in suites))
def test_no_pass_names_a_row_that_is_under_way_between_versions(podman_stage, suites):
    source, dest = (ContainerServer(name, suite) for name, suite in zip(("source", "dest"), suites))
    podman_stage.workshop.things += [source, dest]
    source.create_database("app", "shop")
    source.sql(churn.TABLES, dbname="app")
    dest.create_database("app")
    machine = podman_stage.machine(source, dest).wait_ready()
    machine.write_config(yaml(source, dest, "app", extra="    direction: both\n"))
    wait_live(machine, 180)
    passes(machine, source)
    compare.wait_equal(source, dest, "app", 60, sequences="ahead")
    wait_for(lambda: dest.sql("SELECT bucardo_machine.lift_fence()", dbname="app"), 60, "the destination is live")
    passes(machine, dest)
    compare.wait_equal(dest, source, "app", 60, sequences=False)
    found = verify_migration(machine, "--wait", "30")
    assert found.code in (0, 4) and not found.states("different") and not found.states("in_flight"), found.output

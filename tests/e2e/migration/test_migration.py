"""Story K: two databases by one YAML, the pod deleted in each phase, contents equal."""

import pytest
from support import samples
from support.stories import migrating

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def scene(stage):
    missing = [name for name in migrating.SAMPLES if samples.path_of(name) is None]
    if missing:
        pytest.skip(f"{missing[0]} is not on this computer")
    source, dest = stage.server("source"), stage.server("dest")
    for name in migrating.SAMPLES:
        source.create_database(name, name)
        dest.create_database(name)
    return stage.machine(source, dest).wait_ready(), source, dest


def test_two_databases_reach_live_replication_though_the_pod_is_deleted_in_each_phase(scene):
    machine, source, dest = scene
    migrating.two_databases_are_brought_to_live_replication(
        machine, source, dest, lambda: machine.replace(force=True))

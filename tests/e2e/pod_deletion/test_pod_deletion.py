"""Story 2: the pod is deleted while applications write; replication goes on by itself."""

import pytest

from support import compare
from support.traffic import Traffic, marker


@pytest.mark.parametrize("force", [False, True], ids=["graceful", "forced"])
def test_replication_goes_on_after_the_pod_was_deleted(stage, force):
    machine, source, dest, sample = stage.replicating()
    with Traffic(source, sample) as traffic:
        for _ in range(3):
            traffic.wait_total(30)
            machine.replace(force=force)
            traffic.wait_total(30)
            marker(source, dest, sample, sample, seconds=60)
            if not force:
                assert "database system was shut down at" in machine.log_of_this_one()
        machine.wait_ready(60)
    compare.wait_equal(source, dest, sample, seconds=60)

"""Story 4 in podman: whatever dies, replication goes on without a person."""

import pytest
from support.stories import healing

pytestmark = [pytest.mark.podman, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def parts(shared_podman_stage):
    return shared_podman_stage.replicating()


@pytest.mark.parametrize("kind", healing.KINDS)
def test_a_killed_process_is_healed_under_writes(parts, kind):
    healing.a_killed_process_is_healed_under_writes(parts, kind)


def test_a_row_written_after_the_idle_kid_was_killed_arrives(parts):
    healing.a_row_written_after_the_idle_kid_was_killed_arrives(parts)


def test_a_kid_killed_in_the_middle_of_a_run_loses_nothing(parts):
    healing.a_kid_killed_in_the_middle_of_a_run_loses_nothing(parts)


def test_a_stopped_master_is_noticed_and_replaced(parts):
    healing.a_stopped_master_is_noticed_and_replaced(parts)


def test_after_all_this_nothing_is_left_over(parts):
    healing.after_all_this_nothing_is_left_over(parts)

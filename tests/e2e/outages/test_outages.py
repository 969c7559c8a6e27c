"""Story 5 in podman: a database goes away and comes back, and nobody has to act.

The long outages run with --full only: what happens in them is told by the same bodies in
tests/integration each time.
"""

import pytest
from support.netns import Namespace
from support.stories import outages

pytestmark = [pytest.mark.podman, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def parts(shared_podman_stage):
    return shared_podman_stage.replicating()


@pytest.mark.parametrize("seconds", [4, pytest.param(60, marks=pytest.mark.full)])
@pytest.mark.parametrize("which", ["destination", "source"])
def test_a_database_that_was_down_is_caught_up_with(parts, which, seconds):
    outages.a_database_that_was_down_is_caught_up_with(parts, which, seconds)


def test_bucardos_mark_of_an_outage_is_not_taken_for_a_stop_by_a_person(parts):
    outages.bucardos_mark_of_an_outage_is_not_taken_for_a_stop_by_a_person(parts)


@pytest.mark.parametrize("command", outages.BY_HAND)
def test_a_control_postgres_restarted_by_hand_comes_back_with_bucardo(parts, command):
    outages.a_control_postgres_restarted_by_hand_comes_back_with_bucardo(parts, command)


@pytest.mark.full
def test_dropped_packets_to_the_destination_end_in_unreachable_and_heal(podman_stage):
    namespace = Namespace()
    try:
        parts = podman_stage.replicating(
            dest_options={"address": namespace.address, "netns": namespace})
        outages.dropped_packets_to_the_destination_end_in_unreachable_and_heal(
            parts, namespace, 90)
        podman_stage.workshop.close()
    finally:
        namespace.remove()

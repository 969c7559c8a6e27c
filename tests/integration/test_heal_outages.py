"""Story 5 as a plain process: a database goes away and comes back, and nobody has to act."""

import os

import pytest
from support.netns import Namespace
from support.stories import outages

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def parts(shared_workshop):
    return shared_workshop.replicating()


@pytest.mark.parametrize("seconds", [4, 60])
@pytest.mark.parametrize("which", ["destination", "source"])
def test_a_database_that_was_down_is_caught_up_with(parts, which, seconds):
    outages.a_database_that_was_down_is_caught_up_with(parts, which, seconds)


def test_bucardos_mark_of_an_outage_is_not_taken_for_a_stop_by_a_person(parts):
    outages.bucardos_mark_of_an_outage_is_not_taken_for_a_stop_by_a_person(parts)


@pytest.mark.parametrize("command", outages.BY_HAND)
def test_a_control_postgres_restarted_by_hand_comes_back_with_bucardo(parts, command):
    outages.a_control_postgres_restarted_by_hand_comes_back_with_bucardo(parts, command)


@pytest.mark.skipif(os.getuid() != 0, reason="needs root for a network namespace")
def test_dropped_packets_to_the_destination_end_in_unreachable_and_heal(workshop):
    namespace = Namespace()
    try:
        parts = workshop.replicating(
            dest_options={"address": namespace.address, "netns": namespace})
        outages.dropped_packets_to_the_destination_end_in_unreachable_and_heal(
            parts, namespace, 90)
        workshop.close()
    finally:
        namespace.remove()

"""Story 7 in podman: a stop under load is ordered and leaves nothing to recover."""

import pytest
from support.stories import stopping

pytestmark = [pytest.mark.podman, pytest.mark.timeout(400)]


def test_a_stop_under_load_is_ordered_and_needs_no_recovery(podman_stage, rounds):
    stopping.a_stop_under_load_is_ordered_and_needs_no_recovery(
        podman_stage.replicating(), rounds(1, 6))

"""Story 6 in podman: what only a person can fix is reported with its fix, and not fought."""

import pytest
from support.stories import reports

pytestmark = [pytest.mark.podman, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def parts(shared_podman_stage):
    return shared_podman_stage.replicating(sample="shop")


def test_a_lock_on_the_destination_is_reported_with_its_holder_and_not_fought(parts):
    reports.a_lock_on_the_destination_is_reported_with_its_holder_and_not_fought(parts)


def test_a_column_added_on_the_source_only_is_reported_with_the_hint(parts):
    reports.a_column_added_on_the_source_only_is_reported_with_the_hint(parts)

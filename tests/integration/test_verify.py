"""`bucardo-machine verify` on two databases at rest: what is equal, what differs, what cannot be told."""

import pytest

from support import samples
from support.clone import clone_of
from support.verify import verify


@pytest.fixture(scope="module", name="pair")
def pair_of_servers(shared_workshop):
    return shared_workshop.server("source"), shared_workshop.server("dest"), shared_workshop


@pytest.fixture(scope="module", name="sample")
def cloned_sample(pair):
    name = samples.best()
    clone = clone_of(pair, name, name)
    clone.must()
    return clone


def test_a_clone_is_proven_equal(pair, sample):
    result = verify(pair[2].binary, sample)
    assert result.code in (0, 4), result.output + result.errors
    assert not result.states("different") and not result.states("in_flight"), result.output
    assert all(result.objects[name]["kind"] == "materialized view" for name in result.states("unproven"))
    assert len(result.states("equal")) > 10


def test_only_the_tables_that_were_asked_for_are_compared(pair, sample):
    name = "public.language" if sample.dbname == "pagila" else "public.customer"
    result = verify(pair[2].binary, sample, "--table", name)
    assert result.code == 0 and set(result.objects) == {name, "definitions"}, result.output
    result = verify(pair[2].binary, sample, "--table", "public.nowhere")
    assert result.code == 1 and "no table of the source matches 'public.nowhere'" in result.errors

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
    verdict = verify(pair[2].binary, sample)
    assert verdict.code in (0, 4), verdict.output + verdict.errors
    assert not verdict.states("different") and not verdict.states("in_flight"), verdict.output
    assert all(verdict.objects[name]["kind"] == "materialized view" for name in verdict.states("unproven"))
    assert len(verdict.states("equal")) > 10


def test_only_the_tables_that_were_asked_for_are_compared(pair, sample):
    name = "public.language" if sample.dbname == "pagila" else "public.customer"
    verdict = verify(pair[2].binary, sample, "--table", name)
    assert verdict.code == 0 and set(verdict.objects) == {name, "definitions"}, verdict.output
    verdict = verify(pair[2].binary, sample, "--table", "public.nowhere")
    assert verdict.code == 1 and "no table of the source matches 'public.nowhere'" in verdict.errors

"""`bucardo-machine verify` on two databases at rest: each planted difference is named, and nothing else."""

import pytest

from support import planted
from support.clone import clone_of
from support.verify import verify


@pytest.fixture(scope="module", name="pair")
def pair_of_servers(shared_workshop):
    return shared_workshop.server("source"), shared_workshop.server("dest"), shared_workshop


@pytest.fixture(scope="module", name="zoo")
def planted_zoo(pair):
    clone = clone_of(pair, "zoo")
    planted.load(pair[0], "zoo")
    clone.must()
    before = verify(clone.binary, clone)
    planted.plant(pair[1], "zoo")
    return clone, planted.expected(*pair[:2], "zoo"), before


def test_a_clone_of_every_kind_of_table_is_equal(zoo):
    assert zoo[2].code == 0, {name: one for name, one in zoo[2].objects.items() if one["state"] != "equal"}


def assert_exactly_the_planted(result, expected):
    assert result.code == 5, result.output[-2000:] + result.errors
    found = {name: result.rows(name) or None for name in result.of_rows("different")}
    wrong = {name: (found.get(name, "not named"), expected.get(name, "not planted"))
             for name in {*found, *expected} if found.get(name, ()) != expected.get(name, ())}
    assert not wrong, "\n".join(f"{name}: found {found}, planted {planted}" for name, (found, planted) in wrong.items())
    assert not result.of_rows("unproven") and not result.states("in_flight")


@pytest.mark.parametrize("way", ["native", "sha256"])
def test_exactly_the_planted_differences_are_named(pair, zoo, way):
    result = verify(pair[2].binary, zoo[0], *(["--hash", "sha256"] if way == "sha256" else []))
    assert result.report is not None, f"exit code {result.code}: {result.output[-2000:]}{result.errors}"
    assert result.report["hash"] == way
    assert_exactly_the_planted(result, zoo[1])

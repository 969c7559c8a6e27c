"""Whatever fails at any step of a cut-over that the machine does: one definite side, and nothing is lost."""

import pytest
from support.strikes import STEPS, STRIKES, Stage

pytestmark = pytest.mark.timeout(600)

# In CI: where most is at stake.
OFTEN = {("cutover", "drain", "cut source")}


@pytest.fixture(scope="module", name="stage")
def both_sides(shared_workshop):
    return Stage(shared_workshop)


def cases():
    for what in STRIKES:
        for step in STEPS:
            for direction in ("cutover", "failback"):
                case = (direction, step, what)
                yield pytest.param(*case, id="-".join(case).replace(" ", "-"),
                                   marks=[] if case in OFTEN else [pytest.mark.full])


@pytest.mark.parametrize("direction, step, what", cases())
def test_something_fails_at_a_step(stage, direction, step, what):
    stage.strike(direction, step, what)

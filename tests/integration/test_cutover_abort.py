"""From the decision to abort until writers run again: 100 ms at most, whatever the reason."""

import contextlib

import pytest
from support import compare
from support.cutover import Gate, Slow, Writers, proven, slow_drain

pytestmark = [pytest.mark.timeout(600), pytest.mark.full]
DB = "app"
GO_ON_SECONDS = 0.1


@pytest.fixture(scope="module", name="sides")
def both_sides(shared_workshop):
    return proven(shared_workshop, DB)


@contextlib.contextmanager
def budget(sides, run):
    """The applier cannot go on."""
    with contextlib.ExitStack() as stack:
        with Gate(sides, run) as gate:
            gate.execute("UPDATE probe SET n = n + 1")
            stack.enter_context(slow_drain(sides))
        yield


@contextlib.contextmanager
def difference(sides, run):
    """What is applied is not what was read."""
    sides.dest.sql("""CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN NEW.n := NEW.n + 1; RETURN NEW; END';
        CREATE TRIGGER spoil BEFORE INSERT ON probe FOR EACH ROW EXECUTE PROCEDURE spoil();
        ALTER TABLE probe ENABLE ALWAYS TRIGGER spoil""", dbname=DB)
    with Gate(sides, run) as gate:
        gate.execute("UPDATE probe SET n = n + 1")
    yield
    sides.dest.sql("DROP TRIGGER spoil ON probe; DROP FUNCTION spoil()", dbname=DB)
    sides.source.sql("UPDATE probe SET n = n + 1", dbname=DB)


@contextlib.contextmanager
def lock(sides, run):
    """A writer does not end."""
    with Gate(sides, run):
        yield


@contextlib.contextmanager
def destination(sides, run):
    """Its server is killed in the freeze."""
    with contextlib.ExitStack() as stack:
        with Gate(sides, run) as gate:
            gate.execute("UPDATE probe SET n = n + 1")
            stack.enter_context(Slow(sides.dest, DB, "SET bucardo_machine.applying = on; SET session_replication_role"
                                     " = replica", "LOCK TABLE probe IN ACCESS EXCLUSIVE MODE"))
        run.wait_line("progress", "carrying the last keys")
        sides.dest.stop("immediate")
        yield
    sides.dest.start()


@pytest.mark.parametrize("reason", [budget, difference, lock, destination])
def test_writers_run_again_at_once(sides, reason):
    sides.ready("cutover")
    with Writers(sides, writers=1, pause=0.002) as writers:
        writers.wait_more()
        run = sides.start("cutover", budget_msec=2000)
        with reason(sides, run):
            run.wait(60)
        assert run.failed and run.failed["evidence"]["result"] == "aborted", run.text()
        writers.wait_more()
    evidence = run.failed["evidence"]
    # Three attempts at the lock, and writers go on between them.
    frozen = (evidence["freeze_msec"] or evidence["held_msec"] / 3) / 1000
    after = writers.worst - frozen
    print(f"abort by {reason.__name__}: a writer waited {1000 * writers.worst:.0f} ms, {1000 * after:.0f} ms longer"
          f" than the freeze of {1000 * frozen:.0f} ms; goal 100")
    assert not writers.errors and after <= GO_ON_SECONDS
    compare.wait_equal(sides.source, sides.dest, DB, 120, sequences=False)
    writers.check()

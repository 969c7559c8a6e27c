"""Whatever fails in a cut-over: before its commit nothing has happened, after it there is one definite side."""

import contextlib
import os
import signal
import threading
import time

import pytest

from support import compare
from support.cutover import Gate, Probe, Slow, Writers, proven, slow_drain
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(600)
DB = "app"
DONE, ABORTED = "done", "aborted"
OURS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'bucardo-machine cutover'"


@pytest.fixture(scope="module", name="sides")
def both_sides(shared_workshop):
    return proven(shared_workshop, DB)


@pytest.fixture(autouse=True)
def back_to_the_source(sides):
    yield
    if sides.writable() == [sides.dest]:
        sides.failback()


def equal(sides):
    compare.wait_equal(sides.source, sides.dest, DB, 60, sequences=False)


def aborted(run, *words):
    """The worker said so, and that nothing has changed."""
    assert run.failed and run.failed["class"] == "operator", run.text()
    assert run.failed["evidence"]["result"] == ABORTED, run.text()
    for word in words:
        assert word in run.failed["message"] + run.failed["hint"], run.text()
    return run.failed


def test_a_long_writer_is_named_and_the_others_go_on(sides):
    sides.ready("cutover")
    with Writers(sides) as writers, Probe(sides) as probe:
        writers.wait_more()
        run = sides.start("cutover", budget_msec=1200)
        with Gate(sides, run) as gate:
            gate.execute("SET application_name = 'report'")
            failed = aborted(run.wait(60), str(gate.connection.info.backend_pid), "'report'")
            assert 0 < failed["evidence"]["held_msec"] < 1800, failed
            writers.wait_more()
    assert not writers.errors and writers.worst < 1, writers.worst
    assert probe.changes() == 0 and sides.writable() == [sides.source]
    equal(sides)
    writers.check()


def test_past_its_budget_it_aborts_and_writers_go_on_at_once(sides):
    sides.ready("cutover")
    with Writers(sides) as writers:
        writers.wait_more()
        run = sides.start("cutover", budget_msec=1600)
        with contextlib.ExitStack() as stack:
            with Gate(sides, run) as gate:
                gate.execute("UPDATE probe SET n = n + 1")
                stack.enter_context(slow_drain(sides))
            # The lock's own limit comes a little before the budget's, and names the table.
            failed = aborted(run.wait(30), "'drain'", "public.probe", "lock timeout")
        assert 1000 < failed["evidence"]["freeze_msec"] < 1800, failed
        writers.wait_more(seconds=3)
    assert not writers.errors and sides.writable() == [sides.source]
    equal(sides)
    writers.check()


def test_a_pod_that_is_cut_off_in_the_freeze_lets_writers_go_on_by_itself(sides):
    """The server ends the transaction: nobody of ours does anything any more."""
    sides.ready("cutover")
    with Writers(sides) as writers:
        writers.wait_more()
        run = sides.start("cutover", budget_msec=3000)
        with contextlib.ExitStack() as stack:
            with Gate(sides, run) as gate:
                gate.execute("UPDATE probe SET n = n + 1")
                stack.enter_context(slow_drain(sides))
            run.wait_line("progress", "carrying the last keys")
            os.kill(run.process.pid, signal.SIGSTOP)
            stopped = time.monotonic()
            writers.wait_more(seconds=8)
            assert time.monotonic() - stopped < 3 + 1 + 0.8, "the budget, a second, and a slow host"
        os.kill(run.process.pid, signal.SIGCONT)
        aborted(run.wait(60))
    assert not writers.errors and sides.writable() == [sides.source]
    equal(sides)
    writers.check()


def test_a_difference_in_what_was_carried_aborts(sides):
    sides.ready("cutover")
    run = sides.start("cutover", budget_msec=8000)
    with Gate(sides, run) as gate:
        gate.execute("UPDATE account SET changed = 7 WHERE id = 7")
        sides.dest.sql("""CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN NEW.balance := NEW.balance + 1; RETURN NEW; END';
            CREATE TRIGGER spoil BEFORE INSERT ON account FOR EACH ROW EXECUTE PROCEDURE spoil();
            ALTER TABLE account ENABLE ALWAYS TRIGGER spoil""", dbname=DB)
    run.wait(30)
    sides.dest.sql("DROP TRIGGER spoil ON account; DROP FUNCTION spoil()", dbname=DB)
    aborted(run, "account", "'prove'")
    assert sides.writable() == [sides.source]
    sides.source.sql("UPDATE account SET changed = 8 WHERE id = 7", dbname=DB)
    equal(sides)


def test_a_deadlock_with_a_writer_is_tried_again_and_the_writer_goes_on(sides):
    """It holds what we want next, and wants what we hold: our session is the one that gives way, soon."""
    sides.ready("cutover")
    run = sides.start("cutover", budget_msec=3000)
    with contextlib.closing(sides.source.connect(DB, autocommit=False)) as writer:
        def write():
            writer.cursor().execute("INSERT INTO \"Odd name\" VALUES (777, 'w')")
            writer.commit()
        with Gate(sides, run, '"Odd name"'):
            writer.cursor().execute("UPDATE account SET changed = 777 WHERE id = 1")
            waits = threading.Thread(target=write)
            waits.start()
            wait_for(lambda: sides.source.value("SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = %s",
                                                [writer.info.backend_pid], dbname=DB), 10, "it waits", every=0.02)
        waits.join(20)
    run.wait(60)
    assert not run.failed and run.evidence["result"] == DONE, run.text()
    assert run.wait_line("note", "not to be had in attempt 1 of 3") and run.evidence["held_msec"] > 0
    assert sides.dest.value("SELECT count(*) FROM account a, \"Odd name\" o WHERE a.changed = 777 AND o.id = 777", dbname=DB) == 1


def kill(run):
    os.kill(run.process.pid, signal.SIGKILL)
    run.process.wait(10)


def slow_fence(sides):
    return Slow(sides.source, DB, "SELECT 1 FROM bucardo.machine_cutovers FOR UPDATE")


def slow_open(sides):
    return Slow(sides.dest, DB, "SELECT 1 FROM bucardo_machine.fence FOR UPDATE")


class SlowCommit:
    """The source waits for a standby that is not there."""

    def __init__(self, sides):
        self.source = sides.source

    def _set(self, value):
        self.source.sql(f"ALTER SYSTEM SET synchronous_standby_names = '{value}'")
        self.source.sql("SELECT pg_reload_conf()")

    def __enter__(self):
        self._set("nobody")

    def __exit__(self, *_):
        connection = self.source.connect("postgres")
        connection.cursor().execute("SET synchronous_commit = local")
        connection.cursor().execute("ALTER SYSTEM RESET synchronous_standby_names")
        connection.cursor().execute("SELECT pg_reload_conf()")
        connection.close()


def commits(sides, run):
    """The process of the session that is in the commit of the freeze."""
    run.wait_line("progress", "committing")
    return wait_for(lambda: sides.source.sql(
        "SELECT pid FROM pg_stat_activity WHERE query = 'COMMIT' AND wait_event = 'SyncRep'"
        " AND application_name = 'bucardo-machine cutover'", dbname=DB), 10, "it commits", explain=run.text)[0][0]


# Step, its line, what makes it slow, and what finish has to say.
KILLS = [
    ("arm", "putting the fence", None, ABORTED),
    ("quiet", "until Bucardo rests", None, ABORTED),
    ("verify", "comparing what changed", None, ABORTED),
    ("drain", "carrying the last keys", slow_drain, ABORTED),
    ("fence", "raising the fence", slow_fence, ABORTED),
    ("open", "opening the other side", slow_open, DONE),
    ("seen", "waiting for the first run", None, DONE),
]


def held_at(sides, line, slow, stack):
    """A worker that is at this step and cannot end it. Where the lock met a deadlock with a writer, another one: the next attempt
    at the lock would carry first, which is what was made slow."""
    while True:
        run = sides.start("cutover", budget_msec=6000)
        held = contextlib.ExitStack()
        with Gate(sides, run):
            held.enter_context(slow(sides))
        if wait_for(lambda: run.events("note") or [e for e in run.events("progress") if line in e["text"]], 20,
                    f"it is at '{line}'", explain=run.text)[0]["event"] == "progress":
            stack.push(held)
            return run
        kill(run)
        held.close()
        aborted(sides.ask("cutover", mode="finish", number=sides.number))


@pytest.mark.parametrize("step, line, slow, result", [
    pytest.param(*row, id=row[0], marks=[] if row[0] == "drain" else [pytest.mark.full]) for row in KILLS])
def test_a_worker_that_is_killed_leaves_one_definite_side(sides, step, line, slow, result):
    sides.ready("cutover")
    with Writers(sides, pause=0.02) as writers, Probe(sides) as probe:
        writers.wait_more()
        if slow is None:
            run = sides.start("cutover", budget_msec=6000)
            run.wait_line("progress", line)
            kill(run)
        else:
            with contextlib.ExitStack() as stack:
                run = held_at(sides, line, slow, stack)
                time.sleep(0.15)  # it is in that step, which cannot end
                kill(run)
                if result == ABORTED:
                    writers.wait_more(seconds=10)
        finished = sides.ask("cutover", mode="finish", number=sides.number)
        if result == DONE:
            assert not finished.failed and finished.evidence["result"] == DONE, finished.text()
        else:
            aborted(finished)
        assert sides.writable() == [sides.dest if result == DONE else sides.source]
        writers.wait_more()
    assert not writers.errors, writers.errors[:3]
    assert probe.changes() == (1 if result == DONE else 0)
    equal(sides)
    writers.check()


def test_a_worker_that_is_killed_in_its_commit_falls_on_one_side(sides):
    sides.ready("cutover")
    with Probe(sides) as probe:
        run = sides.start("cutover", budget_msec=20000)
        with contextlib.ExitStack() as stack:
            with Gate(sides, run):
                stack.enter_context(SlowCommit(sides))
            commits(sides, run)
            kill(run)
        finished = sides.ask("cutover", mode="finish", number=sides.number)
        assert not finished.failed and finished.evidence["result"] == DONE, finished.text()
        assert sides.writable() == [sides.dest]
    assert probe.changes() <= 1
    equal(sides)


def terminate(server):
    return server.sql(f"SELECT pg_terminate_backend(x.pid) FROM ({OURS}) x", dbname=DB)


@pytest.mark.full
@pytest.mark.parametrize("which", ["source", "dest"])
def test_sessions_that_are_killed_in_the_freeze_abort_it(sides, which):
    sides.ready("cutover")
    with Writers(sides, pause=0.02) as writers:
        writers.wait_more()
        run = sides.start("cutover", budget_msec=6000)
        with contextlib.ExitStack() as stack:
            with Gate(sides, run) as gate:
                gate.execute("UPDATE probe SET n = n + 1")
                stack.enter_context(slow_drain(sides))
            run.wait_line("progress", "carrying the last keys")
            wait_for(lambda: terminate(getattr(sides, which)), 5, "they are there")
        aborted(run.wait(30))
        writers.wait_more()
    assert not writers.errors and sides.writable() == [sides.source]
    equal(sides)
    writers.check()


@pytest.mark.full
def test_an_answer_to_commit_that_is_lost_is_asked_for(sides):
    sides.ready("cutover")
    run = sides.start("cutover", budget_msec=20000)
    with contextlib.ExitStack() as stack:
        with Gate(sides, run):
            stack.enter_context(SlowCommit(sides))
        sides.source.sql(f"SELECT pg_terminate_backend({commits(sides, run)})", dbname=DB)
    run.wait(60)
    assert not run.failed and run.evidence["result"] == DONE, run.text()
    run.wait_line("note", "was lost")
    assert sides.writable() == [sides.dest]
    equal(sides)

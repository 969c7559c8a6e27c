"""Source and destination change places: proven, within a budget, or not at all; and back the same way."""

import contextlib
import itertools
import threading
import time

import psycopg2
import pytest

from support import compare, declared
from support.cutover import READ_ONLY, Gate, Probe, Writers, proven, slow_drain
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(600)
DB = "app"


@pytest.fixture(scope="module", name="sides")
def both_sides(shared_workshop):
    return proven(shared_workshop, DB, extra='    tables: {exclude: ["outside.*"]}\n')


def equal(sides):
    compare.wait_equal(sides.source, sides.dest, DB, 60, sequences=False)


def test_cut_over_fail_back_and_cut_over_again_under_writers(sides, rounds):
    phases = (["cutover", "failback"] * rounds(2, 25))[:-1]
    with Writers(sides) as writers, Probe(sides) as probe:
        for phase in phases:
            writers.wait_more()
            evidence = sides.change(phase)
            assert evidence["freeze_msec"] <= 1000 and evidence["unwritable_msec"] <= evidence["freeze_msec"]
            assert [s["name"] for s in evidence["steps"]].index("fence") > 5
            assert "good" in evidence["steps"][-1]["detail"], evidence["steps"][-1]
        writers.wait_more()
    assert not writers.errors, writers.errors[:3]
    assert sides.writable() == [sides.dest]
    equal(sides)
    writers.check()
    assert probe.changes() == len(phases)
    sides.failback()


def test_a_rehearsal_freezes_and_leaves_nothing(sides):
    with Writers(sides) as writers, Probe(sides) as probe:
        writers.wait_more()
        run = sides.ask("cutover", mode="rehearse")
        assert run.evidence["result"] == "rehearsed" and 0 < run.evidence["freeze_msec"] <= 1000, run.text()
        writers.wait_more()
    assert not writers.errors and not writers.refused
    assert probe.changes() == 0 and sides.writable() == [sides.source]
    assert sides.source.value("SELECT count(*) FROM pg_trigger WHERE tgname ~ '^bucardo_machine_refuse'"
                              " AND tgenabled <> 'D'", dbname=DB) == 0
    equal(sides)
    writers.check()


class Waiting:
    """A transaction that has looked already, and writes while the tables are locked."""

    def __init__(self, sides, level):
        self.connection, self.error = sides.source.connect(DB, autocommit=False), None
        self.connection.set_session(isolation_level=level)
        self.cursor = self.connection.cursor()
        self.cursor.execute("PREPARE w AS UPDATE account SET balance = 0 WHERE id = 1")
        self.connection.commit()  # it had locked the table
        self.cursor.execute("SELECT count(*) FROM entry")
        self.thread = threading.Thread(target=self._write, daemon=True)

    def _write(self):
        try:
            self.cursor.execute("EXECUTE w")
            self.connection.commit()
        except psycopg2.Error as error:
            self.error = error
        self.connection.close()


def waits(server):
    return server.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query = 'EXECUTE w'",
                        dbname=DB)


def test_writers_of_every_isolation_level_that_wait_for_the_lock_are_refused(sides):
    sides.ready("cutover")
    old = [Waiting(sides, level) for level in ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")]
    run = sides.start("cutover", budget_msec=8000)
    with contextlib.ExitStack() as stack:
        with Gate(sides, run) as gate:
            gate.execute("UPDATE probe SET n = n + 1")
            stack.enter_context(slow_drain(sides))
        run.wait_line("progress", "carrying the last keys")
        for one in old:
            one.thread.start()
        wait_for(lambda: waits(sides.source) == 3, 8, "all wait", explain=run.text)
    assert run.wait(60).evidence["result"] == "done", run.text()
    for one in old:
        one.thread.join(20)
        assert one.error is not None and one.error.pgcode == READ_ONLY, one.error
        assert f"{sides.dest.address}:{sides.dest.port}/{DB}" in one.error.diag.message_hint
    assert sides.writable() == [sides.dest]
    equal(sides)


def test_what_was_fenced_by_a_cut_over_is_opened_when_the_other_fence_is_raised_by_hand(sides):
    assert sides.writable() == [sides.dest]
    declared.reconciled(sides.machine, lambda t: t["live"]["side"] == "destination", "sees the side", member="live")
    equal(sides)
    sides.dest.sql("SELECT bucardo_machine.raise_fence(true)", dbname=DB)
    wait_for(lambda: sides.writable() == [sides.source], 40, "the source is open", explain=sides.machine.log_tail)
    sides.cutover()
    sides.failback()
    sides.dest.sql("SELECT bucardo_machine.lift_fence()", dbname=DB)
    assert sides.dest in sides.writable()
    sides.dest.sql("SELECT bucardo_machine.raise_fence(true)", dbname=DB)
    assert sides.writable() == [sides.source]


def test_a_table_made_on_the_side_that_was_left_is_fenced_too(sides):
    sides.cutover()
    sides.source.sql("CREATE SCHEMA outside; CREATE TABLE outside.late (id int PRIMARY KEY);"
                     "CREATE TABLE late (id int PRIMARY KEY)", dbname=DB)
    numbers = itertools.count(1)

    def refused():
        try:
            sides.source.sql(f"INSERT INTO late VALUES ({next(numbers)})", dbname=DB)
        except psycopg2.Error as error:
            assert error.pgcode == READ_ONLY, error
            return True
        return False
    wait_for(refused, 60, "the new table is fenced", every=0.5, explain=sides.machine.log_tail)
    said = sides.machine.cli("events").output
    assert "public.late of the source is behind the fence too" in said and "on no other side" in said, said
    # What is no table of this migration is open to those who use it.
    sides.source.sql("INSERT INTO outside.late VALUES (1); DROP SCHEMA outside CASCADE", dbname=DB)
    sides.failback()
    sides.source.sql("INSERT INTO late VALUES (0); DROP TABLE late", dbname=DB)


@pytest.mark.full
def test_a_commit_after_which_no_side_was_opened_is_told(sides):
    """Its machine is gone with its volume, and another one has taken over."""
    sides.ready("cutover")
    assert sides.ask("cutover", "rehearse").evidence["result"] == "rehearsed"
    state = "UPDATE bucardo.machine_cutovers SET state = '{}' WHERE migration = 'app'"
    sides.source.sql(state.format("fenced"), dbname=DB)
    told = wait_for(lambda: "no side can be written to" in sides.machine.status_json()["why"] and sides.machine.status_json(),
                    90, "it is told", explain=sides.machine.log_tail)
    assert not told["ready"] and "bucardo-machine cutover app finishes it" in told["why"], told["why"]
    sides.source.sql(state.format("open"), dbname=DB)
    sides.machine.wait_ready(60)


def test_values_that_are_drawn_during_the_freeze_are_not_drawn_again(sides):
    drawn = []

    def storm():
        connection = sides.source.connect(DB)
        with contextlib.suppress(psycopg2.errors.ReadOnlySqlTransaction):
            while True:
                cursor = connection.cursor()
                cursor.execute("INSERT INTO drawn SELECT nextval('entry_id_seq') FROM generate_series(1, 20) RETURNING v")
                drawn.extend(row[0] for row in cursor.fetchall())
                time.sleep(0.005)
        connection.close()

    thread = threading.Thread(target=storm, daemon=True)
    thread.start()
    wait_for(lambda: len(drawn) > 1000, 20, "values are drawn")
    sides.cutover()
    thread.join(20)
    assert sides.dest.value("SELECT nextval('entry_id_seq')", dbname=DB) > max(drawn)
    sides.failback()


@pytest.mark.full
def test_without_a_lock_a_writer_is_found_and_the_rest_is_the_same(sides):
    sides.ready("cutover")
    run = sides.start("cutover", quiesce="manual", budget_msec=800)
    run.wait_line("progress", "until Bucardo rests")
    writer = sides.source.connect(DB, autocommit=False)
    writer.cursor().execute("UPDATE account SET balance = balance + 1 WHERE id = 3")
    run.wait(60)
    assert run.failed and run.failed["evidence"]["result"] == "aborted", run.text()
    writer.commit()
    writer.close()
    assert sides.writable() == [sides.source]
    assert sides.cutover(quiesce="manual")["unwritable_msec"] < 1000
    assert sides.writable() == [sides.dest]
    equal(sides)
    sides.failback(quiesce="manual")

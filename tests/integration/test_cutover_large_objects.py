"""Large objects, which no trigger sees and no lock on a table protects, are the same after a cut-over and a failback."""

import contextlib
import threading

import psycopg2
import pytest

from support import compare, declared
from support.cutover import READ_ONLY, Gate, Writers, proven, slow_drain
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(600)
DB = "app"
BLOBS = """
    CREATE TABLE blob (n int PRIMARY KEY, object oid NOT NULL, v text NOT NULL);
    SELECT lo_from_bytea(100, 'first'), lo_from_bytea(101, 'second'), lo_from_bytea(102, 'third');
    SELECT lo_put(103, 3000000, 'behind a hole') FROM lo_create(103);
"""


@pytest.fixture(scope="module", name="sides")
def both_sides(shared_workshop):
    return proven(shared_workshop, DB, more=BLOBS, extra=declared.BY_HAND)


def equal(sides):
    compare.wait_equal(sides.source, sides.dest, DB, 60, sequences=False)


def text(server, oid):
    return bytes(server.value(f"SELECT lo_get({oid})", dbname=DB)).decode()


class Application(threading.Thread):
    """Makes, changes and unlinks large objects, each with its row, until it is refused."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.done, self.error, self.stopped = server, 0, None, threading.Event()

    def run(self):
        connection = self.server.connect(DB, autocommit=False)
        cursor = connection.cursor()
        cursor.execute("SELECT coalesce(max(n), 0) FROM blob")
        n = cursor.fetchone()[0] + 1
        try:
            while not self.stopped.wait(0.002):
                cursor.execute("INSERT INTO blob SELECT %s, lo_from_bytea(0, %s), %s", (n, f"new {n}".encode(), f"new {n}"))
                cursor.execute("SELECT lo_put(object, 0, %s) FROM blob WHERE n = %s", (f"other {n}".encode(), n - 2))
                cursor.execute("UPDATE blob SET v = encode(lo_get(object), 'escape') WHERE n = %s", (n - 2,))
                cursor.execute("WITH gone AS (DELETE FROM blob WHERE n = %s RETURNING object) SELECT lo_unlink(object) FROM"
                               " gone", (n - 5,))
                connection.commit()
                n, self.done = n + 1, self.done + 1
        except psycopg2.Error as error:
            self.error = error
        connection.close()

    def wait_more(self):
        goal = self.done + 10
        wait_for(lambda: self.done >= goal, 20, "large objects are written", explain=lambda: str(self.error))


@contextlib.contextmanager
def application(server):
    thread = Application(server)
    thread.start()
    thread.wait_more()
    yield thread
    thread.stopped.set()
    thread.join(20)


def check(sides, live):
    """Each row has its object with its text on the side that is live, and there are no others."""
    equal(sides)
    wrong = live.sql("SELECT n, v, encode(lo_get(object), 'escape') FROM blob WHERE v <> encode(lo_get(object), 'escape')",
                     dbname=DB)
    assert not wrong, wrong
    others = live.sql("SELECT oid FROM pg_largeobject_metadata WHERE oid > 110 AND oid NOT IN (SELECT object FROM blob)",
                      dbname=DB)
    assert not others, others


def test_they_are_the_same_after_a_cut_over_and_a_failback_under_writers(sides):
    with application(sides.source) as writer:
        evidence = sides.cutover(budget_msec=3000)
    assert writer.error is not None and writer.error.pgcode == READ_ONLY, writer.error
    steps = [s["name"] for s in evidence["steps"]]
    assert steps.count("large objects") == 3 and steps.index("large objects") < steps.index("quiet"), evidence
    check(sides, sides.dest)
    sides.dest.sql("ANALYZE blob", dbname=DB)
    sides.source.sql("ANALYZE blob", dbname=DB)
    sides.dest.sql("SELECT lo_put(100, 0, 'changed there'), lo_unlink(101), lo_from_bytea(105, 'made there');"
                   "SELECT lo_truncate(lo_open(102, 131072), 2)", dbname=DB)
    with application(sides.dest) as writer:
        sides.failback(budget_msec=3000)
    assert writer.error is not None and writer.error.pgcode == READ_ONLY, writer.error
    check(sides, sides.source)
    assert (text(sides.source, 100), text(sides.source, 102), text(sides.source, 105)) == ("changed there", "th", "made there")


def test_a_writer_that_waited_for_the_lock_is_not_lost_and_a_later_one_is_told(sides):
    sides.ready("cutover")
    sides.source.sql("SELECT lo_create(110)", dbname=DB)
    run = sides.start("cutover", budget_msec=5000)
    with contextlib.ExitStack() as stack:
        with Gate(sides, run) as gate:
            gate.execute("UPDATE probe SET n = n + 1")
            slow = stack.enter_context(slow_drain(sides))
        run.wait_line("progress", "carrying the last keys")
        waiting = threading.Thread(target=sides.source.sql, args=("SELECT lo_put(110, 0, 'waited')",), kwargs={"dbname": DB})
        waiting.start()
        wait_for(lambda: sides.source.value("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation ="
                                            " 'pg_largeobject'::regclass", dbname=DB), 20, "it waits", every=0.02)
        slow.connection.close()
        run.wait_line("progress", "replicating the other way")
        waiting.join(20)
        sides.source.sql("SELECT lo_put(100, 0, 'after it')", dbname=DB)
        run.wait(60)
    assert not run.failed and run.evidence["result"] == "done", run.text()
    assert text(sides.dest, 110) == "waited"
    assert any("1 large objects of the source were written after" in str(note) and "100" in str(note)
               for note in run.events("note")), run.text()
    assert text(sides.dest, 100) != "after it"
    sides.failback()
    equal(sides)


@pytest.mark.full
def test_an_error_in_the_copy_aborts_and_writers_go_on(sides):
    sides.ready("cutover")
    sides.source.sql("CREATE ROLE somebody; SELECT lo_from_bytea(120, 'not yet there')", dbname=DB)
    with contextlib.closing(sides.dest.connect(DB, autocommit=False)) as other, Writers(sides) as writers:
        # The same OID, by somebody who has not committed.
        other.cursor().execute("SELECT lo_create(120)")
        writers.wait_more()
        run = sides.start("cutover", budget_msec=1000)
        run.wait_line("progress", "making large objects the same")
        wait_for(lambda: sides.dest.value("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'",
                                          dbname=DB), 30, "it waits for that", every=0.05)
        other.commit()
        run.wait(60)
        writers.wait_more()
    assert run.failed and run.failed["evidence"]["result"] == "aborted", run.text()
    for word in ("'large objects'", "120"):
        assert word in run.failed["message"], run.text()
    assert not writers.errors and not writers.refused and sides.writable() == [sides.source]
    sides.cutover()
    equal(sides)
    sides.failback()


def test_check_tells_what_they_cost_and_refuses_past_half_the_budget(sides):
    def condition(**request):
        conditions = sides.ask("cutover", mode="check", number=0, **request).evidence["conditions"]
        return next(c for c in conditions if c["name"] == "large objects")

    sides.source.sql("SELECT lo_from_bytea(200, decode(repeat('00', 20000000), 'hex'))", dbname=DB)
    found = condition(budget_msec=10000)
    assert found["state"] == "ready" and " objects, " in found["value"] and found["limit"] == "5000 ms", found
    found = condition(budget_msec=2)
    assert found["state"] == "not_ready" and found["limit"] == "1 ms", found
    assert "--budget" in found["hint"] and "--accept 'large objects'" in found["hint"], found
    assert condition(budget_msec=2, accept=["large objects"])["value"] == "accepted"
    sides.cutover(accept=["large objects"])
    assert sides.dest.value("SELECT count(*) FROM pg_largeobject_metadata WHERE oid = 200", dbname=DB) == 0
    sides.failback(accept=["large objects"])

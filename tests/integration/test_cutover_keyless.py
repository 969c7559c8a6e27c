"""Tables without a key, which nothing replicates, are copied again in the freeze: equal after it, or nothing has happened."""

import contextlib
import os
import signal
import threading

import psycopg2
import pytest

from support import compare, declared
from support.cutover import READ_ONLY, Slow, Writers, proven
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(600)
DB = "app"
# Tables with a key that Bucardo cannot replicate, and one without a column: columns, and what a row is.
LEFT_OUT = {
    "listed": ("id int[] PRIMARY KEY", "VALUES ('{%d}')"),
    "timed": ("id int, txntime int, PRIMARY KEY (id, txntime)", "VALUES (%d, 1)"),
    '"TARGETNAME"': ("id int PRIMARY KEY", "VALUES (%d)"),
    '"with (brackets)"': ("id int PRIMARY KEY REFERENCES account", "VALUES (%d)"),
    "without_columns": ("", "SELECT WHERE %d > 0"),
}
LOG = """
    CREATE TABLE log (at int, v text, twice int GENERATED ALWAYS AS (at * 2) STORED);
    INSERT INTO log (at, v) SELECT i % 10, 'x' FROM generate_series(1, 1000) i;
    INSERT INTO log VALUES (NULL, NULL);
""" + "".join(f"CREATE TABLE {table} ({columns}); INSERT INTO {table} {row % 1};" for table, (columns, row) in LEFT_OUT.items())


@pytest.fixture(scope="module", name="sides")
def both_sides(shared_workshop):
    return proven(shared_workshop, DB, more=LOG, extra=declared.BY_HAND)


def equal(sides):
    compare.wait_equal(sides.source, sides.dest, DB, 60, sequences=False)


class Log(threading.Thread):
    """Writes lines until it is refused."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.acknowledged, self.error = server, 0, None
        self.stopped = threading.Event()

    def run(self):
        connection = self.server.connect(DB)
        try:
            while not self.stopped.wait(0.003):
                connection.cursor().execute("INSERT INTO log (at, v) VALUES (-1, 'written')")
                self.acknowledged += 1
        except psycopg2.Error as error:
            self.error = error
        connection.close()

    def wait_more(self):
        goal = self.acknowledged + 10
        wait_for(lambda: self.acknowledged >= goal, 20, "lines are written")

    def count(self, server):
        return server.value("SELECT count(*) FROM log WHERE v = 'written'", dbname=DB)


@contextlib.contextmanager
def logging(server):
    log = Log(server)
    log.start()
    log.wait_more()
    yield log
    log.stopped.set()
    log.join(20)


def test_a_table_without_a_key_is_equal_after_a_cut_over_and_after_a_failback(sides):
    for table, (_, row) in LEFT_OUT.items():
        sides.source.sql(f"INSERT INTO {table} {row % 2}", dbname=DB)
    with logging(sides.source) as log:
        evidence = sides.cutover(budget_msec=3000)
    assert log.error is not None and log.error.pgcode == READ_ONLY
    assert log.count(sides.source) == log.count(sides.dest) == log.acknowledged
    step = next(s for s in evidence["steps"] if s["name"] == "keyless")
    assert step["detail"].startswith(f"{1 + len(LEFT_OUT)} of {1 + len(LEFT_OUT)} tables"), step
    equal(sides)
    for table, (_, row) in LEFT_OUT.items():
        assert sides.dest.value(f"SELECT count(*) FROM {table}", dbname=DB) == 2
        sides.dest.sql(f"INSERT INTO {table} {row % 3}", dbname=DB)
    sides.dest.sql("UPDATE log SET v = 'changed' WHERE at = 3; DELETE FROM log WHERE at = 4", dbname=DB)
    sides.failback(budget_msec=3000)
    assert sides.source.value("SELECT count(*) FROM log WHERE v = 'changed'", dbname=DB) == 100
    assert [sides.source.value(f"SELECT count(*) FROM {table}", dbname=DB) for table in LEFT_OUT] == [3] * len(LEFT_OUT)
    equal(sides)


def test_an_error_in_the_copy_aborts_and_writers_go_on(sides):
    sides.dest.sql("""CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
        $$BEGIN RAISE 'no room for it'; END$$;
        CREATE TRIGGER refuse BEFORE INSERT ON log FOR EACH ROW EXECUTE PROCEDURE refuse();
        ALTER TABLE log ENABLE ALWAYS TRIGGER refuse""", dbname=DB)
    sides.source.sql("INSERT INTO log (at, v) VALUES (77, 'late')", dbname=DB)
    with Writers(sides) as writers:
        writers.wait_more()
        run = sides.ask("cutover", budget_msec=3000)
        writers.wait_more()
    sides.dest.sql("DROP TRIGGER refuse ON log; DROP FUNCTION refuse()", dbname=DB)
    assert run.failed and run.failed["evidence"]["result"] == "aborted", run.text()
    for word in ("'keyless'", "public.log", "no room for it"):
        assert word in run.failed["message"], run.text()
    assert not writers.errors and not writers.refused and sides.writable() == [sides.source]
    assert sides.dest.value("SELECT count(*) FROM log", dbname=DB) > 900
    sides.cutover(budget_msec=3000)
    equal(sides)
    sides.failback(budget_msec=3000)


@pytest.mark.full
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_that_is_killed_in_the_copy_has_changed_nothing(sides, sent):
    sides.ready("cutover", budget_msec=6000)
    sides.source.sql("INSERT INTO log (at, v) VALUES (78, 'late')", dbname=DB)
    with Writers(sides, pause=0.02) as writers:
        writers.wait_more()
        with Slow(sides.dest, DB, "SET bucardo_machine.applying = on; SET session_replication_role = replica",
                  "LOCK TABLE log IN ROW EXCLUSIVE MODE", "DELETE FROM log WHERE at = 3"):
            run = sides.start("cutover", budget_msec=6000)
            run.wait_line("progress", "copying tables without a key again")
            wait_for(lambda: sides.dest.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND"
                                              " query LIKE 'DELETE FROM ONLY public.log%'", dbname=DB), 5, "it copies", every=0.02)
            os.kill(run.process.pid, sent)
            run.process.wait(20)
            writers.wait_more(seconds=10)
        finished = sides.ask("cutover", mode="finish", number=sides.number)
        assert finished.failed and finished.failed["evidence"]["result"] == "aborted", finished.text()
        assert sides.writable() == [sides.source]
        assert sides.dest.value("SELECT count(*) FROM log WHERE at = 3", dbname=DB) > 0
        writers.wait_more()
    assert not writers.errors and not writers.refused
    sides.cutover(budget_msec=6000)
    equal(sides)
    sides.failback(budget_msec=6000)


def test_one_that_is_too_big_for_the_budget_is_refused_with_the_numbers(sides):
    sides.source.sql("INSERT INTO log (at, v) SELECT i, md5(i::text) FROM generate_series(1, 100000) i", dbname=DB)

    def condition(**request):
        conditions = sides.ask("cutover", mode="check", number=0, **request).evidence["conditions"]
        return next(c for c in conditions if c["name"] == "without a key")

    found = condition(budget_msec=100)
    assert found["state"] == "not_ready" and found["limit"] == "50 ms", found
    assert f"{1 + len(LEFT_OUT)} tables, " in found["value"] and "public.log" in found["why"], found
    assert "PRIMARY KEY" in found["hint"] and "--accept public.log" in found["hint"] and "--budget" in found["hint"]
    accepted = condition(budget_msec=100, accept=["public.log"])
    assert accepted["value"].startswith(f"{len(LEFT_OUT)} tables, {3 * len(LEFT_OUT)} rows") and accepted["state"] == "ready", accepted
    sides.cutover(accept=["public.log"], budget_msec=3000)
    assert sides.dest.value("SELECT count(*) FROM log WHERE v ~ '^[0-9a-f]{32}$'", dbname=DB) == 0
    sides.failback(accept=["public.log"], budget_msec=3000)

"""A clone that was interrupted while the source was written to ends as one moment of it, or says
which tables are not."""

import random
import signal
import subprocess
import threading

import pytest

from support import compare
from support.clone import clone_of
from support.waiting import wait_for

REST = '"public"."rest"'


@pytest.fixture(scope="module", name="pair")
def pair_of_servers(shared_workshop):
    return shared_workshop.server("source"), shared_workshop.server("dest"), shared_workshop


def fill(server, dbname, *tables, large_objects=True):
    """Small tables, one of three ranges, and one that a run is killed in."""
    server.sql("CREATE TABLE rest (v text); INSERT INTO rest SELECT repeat(md5(i::text), 31)"
               " FROM generate_series(1, 12000) i;"
               "CREATE TABLE ranged (id integer PRIMARY KEY, v text); INSERT INTO ranged"
               " SELECT i, repeat(md5(i::text), 31) FROM generate_series(1, 3000) i", dbname=dbname)
    for table in tables:
        server.sql(f"CREATE TABLE {table} (id integer PRIMARY KEY, v text); INSERT INTO {table}"
                   " SELECT i, md5(i::text) FROM generate_series(1, 400) i", dbname=dbname)
    if large_objects:
        server.sql("SELECT lo_from_bytea(i, 'x') FROM generate_series(101, 105) i;"
                   "COMMENT ON LARGE OBJECT 101 IS 'one'", dbname=dbname)


def interrupt(clone):
    """A run that is killed when all is copied but the rest."""
    child = clone.start("--chunk", "1", "--max-rate", "4MB", jobs=2)
    left = "SELECT DISTINCT table_name FROM bucardo_machine.chunk WHERE done IS NULL"
    wait_for(lambda: clone.chunks() and clone.dest.sql(left, dbname=clone.dbname) == [(REST,)], 60,
             "all but the rest is copied", every=0.02)
    child.send_signal(signal.SIGKILL)
    child.wait(10)


def stamps(clone):
    """When each chunk but the rest was copied."""
    return clone.dest.sql("SELECT table_name, id, done::text FROM bucardo_machine.chunk"
                          f" WHERE table_name <> '{REST}' ORDER BY 2", dbname=clone.dbname)


def again(before, after):
    """The tables of which something was copied again."""
    return sorted({new[0] for old, new in zip(before, after) if old != new})


def assert_equal(clone):
    assert compare.differences(clone.source, clone.dest, clone.dbname) == []
    comments = ("SELECT objoid, description FROM pg_description WHERE"
                " classoid = 'pg_largeobject'::regclass ORDER BY 1")
    assert clone.source.sql(comments, dbname=clone.dbname) == \
        clone.dest.sql(comments, dbname=clone.dbname)


def test_whatever_changed_between_two_runs_is_copied_again_and_nothing_else(pair):
    clone = clone_of(pair, "changed")
    tables = ["inserted", "updated", "deleted", "truncated", "emptied", "moved", "swapped", "back",
              "under_way", "quiet", "seen"]
    fill(clone.source, "changed", *tables)
    # Nothing of this is in the first snapshot, though a savepoint's number is in no list.
    open_session = clone.source.connect("changed", autocommit=False)
    cursor = open_session.cursor()
    cursor.execute("SELECT txid_current(); SAVEPOINT s; UPDATE under_way SET v = 'late' WHERE id = 7;"
                   "RELEASE s")
    interrupt(clone)
    before = stamps(clone)
    open_session.commit()
    open_session.close()
    clone.source.psql("changed", text="""
INSERT INTO inserted VALUES (401, 'new');
UPDATE updated SET v = 'new' WHERE id = 3;
DELETE FROM deleted WHERE id = 5;
TRUNCATE truncated; INSERT INTO truncated VALUES (1, 'after');
DELETE FROM emptied;
UPDATE moved SET id = id + 1000 WHERE id = 9;
CREATE TABLE other (LIKE swapped INCLUDING ALL);
INSERT INTO other SELECT id, 'other' FROM swapped;
DROP TABLE swapped; ALTER TABLE other RENAME TO swapped;
UPDATE ranged SET v = 'new' WHERE id = 2999;
SELECT lo_unlink(102), lo_put(103, 0, 'y'), lo_create(900);
COMMENT ON LARGE OBJECT 101 IS NULL;
""")
    for harmless in ("BEGIN; DELETE FROM back WHERE id = 1; ROLLBACK", "ANALYZE", "VACUUM quiet",
                     "SELECT 1 FROM seen WHERE id = 1 FOR UPDATE", "VACUUM FREEZE seen"):
        clone.source.sql(harmless, dbname="changed")
    told = clone.must("--chunk", "1").stdout
    assert_equal(clone)
    # What a transaction under way may have written is in doubt: there was only the one.
    changed = again(before, stamps(clone))
    expected = sorted(['"public"."%s"' % table for table in
                       ("inserted", "updated", "deleted", "truncated", "emptied", "moved",
                        "swapped", "under_way", "ranged")] + ["large objects"])
    assert changed == expected
    named = next(line for line in told.splitlines() if "copied again: " in line)
    assert sorted(named.split("copied again: ")[1].split(", ")) == expected
    assert "nothing to do" in clone.must().stdout


def test_where_nothing_changed_nothing_is_copied_again(pair):
    clone = clone_of(pair, "same")
    fill(clone.source, "same", "a", "b")
    interrupt(clone)
    before = stamps(clone)
    clone.source.sql("SELECT txid_current()", dbname="same")  # another moment all the same
    assert "copied again:" not in clone.must("--chunk", "1").stdout
    assert again(before, stamps(clone)) == []
    assert_equal(clone)


def test_a_run_that_is_killed_while_it_copies_again_leaves_nothing_twice(pair):
    clone = clone_of(pair, "thrice")
    fill(clone.source, "thrice", "a", "b")
    for number in range(3):
        interrupt(clone)
        clone.source.sql(f"UPDATE a SET v = '{number}' WHERE id = 3; DELETE FROM b WHERE id = {number};"
                         f"UPDATE ranged SET v = '{number}' WHERE id = 2000 + {number}",
                         dbname="thrice")
    clone.must("--chunk", "1")
    assert_equal(clone)


def test_tables_that_came_or_changed_meanwhile_are_named_with_exit_code_4(pair):
    clone = clone_of(pair, "made")
    fill(clone.source, "made", "a", "b")
    interrupt(clone)
    clone.source.sql("CREATE TABLE late (id serial)", dbname="made")
    done = clone.run("--chunk", "1", "--json")
    assert done.returncode == 4
    assert 'not copied: "public"."late";' in done.stderr
    assert clone.events(done)[-1]["code"] == "moments"
    assert "the same command cannot go on with it" in done.stderr
    assert "where it stopped" not in done.stderr
    clone.source.sql("ALTER TABLE b ALTER COLUMN id TYPE bigint", dbname="made")
    done = clone.run("--chunk", "1", "--accept-moments")
    assert done.returncode == 4
    assert 'and with it "public"."b": begin again with an empty database' in done.stderr
    clone.source.sql("ALTER TABLE b ALTER COLUMN id TYPE integer", dbname="made")
    done = clone.must("--chunk", "1", "--accept-moments")
    assert 'not copied: "public"."late"' in done.stdout
    assert 'does not have: "public"."late_id_seq"' in done.stdout
    clone.source.sql("DROP TABLE late", dbname="made")
    assert_equal(clone)


def test_a_sequence_that_is_set_back_while_rows_are_copied_stays_beyond_them(pair):
    clone = clone_of(pair, "back")
    fill(clone.source, "back", large_objects=False)
    clone.source.sql("CREATE SEQUENCE up; CREATE SEQUENCE down INCREMENT -1 START -1;"
                     "CREATE SEQUENCE round CYCLE; SELECT setval('up', 500), setval('down', -500),"
                     " setval('round', 500)", dbname="back")
    child = clone.start("--chunk", "1", "--max-rate", "4MB", jobs=1)
    wait_for(lambda: clone.dest.value("SELECT count(*) FROM pg_stat_activity WHERE query LIKE"
                                      " 'COPY%%'", dbname="back"), 30, "it copies", every=0.02)
    clone.source.sql("SELECT setval('up', 5), setval('down', -5), setval('round', 5)",
                     dbname="back")
    assert child.wait(60) == 0
    assert clone.dest.sql("SELECT nextval('up'), nextval('down'), nextval('round')",
                          dbname="back") == [(501, -501, 6)]


def test_a_table_that_is_truncated_before_its_turn_is_read_from_a_new_snapshot(pair):
    clone = clone_of(pair, "turn")
    fill(clone.source, "turn", "small", "other", large_objects=False)
    child = clone.start("--chunk", "1", "--max-rate", "4MB", jobs=1)  # the biggest comes first
    wait_for(lambda: clone.dest.value("SELECT to_regclass('bucardo_machine.chunk')",
                                      dbname="turn"), 30, "the plan is made", every=0.02)
    clone.source.sql("TRUNCATE small; INSERT INTO small VALUES (1, 'after');"
                     "DELETE FROM other WHERE id = 1", dbname="turn")
    assert child.wait(60) == 0
    assert clone.dest.value("SELECT count(*) FROM small", dbname="turn") == 1
    assert_equal(clone)


class Bank(threading.Thread):
    """Transfers, each of which a moment has wholly or not at all."""

    def __init__(self, server, dbname):
        super().__init__(daemon=True)
        self.server, self.dbname, self.stopped = server, dbname, threading.Event()

    def run(self):
        with self.server.connect(self.dbname, autocommit=False) as connection:
            cursor = connection.cursor()
            while not self.stopped.is_set():
                a, b = random.sample(range(1, 401), 2)
                cursor.execute("UPDATE account SET v = (v::int - 1)::text WHERE id = %s;"
                               "UPDATE account SET v = (v::int + 1)::text WHERE id = %s;"
                               "INSERT INTO entry (a, b) VALUES (%s, %s);"
                               "UPDATE counter SET v = (v::int + 1)::text", (a, b, a, b))
                if random.random() < 0.01:
                    cursor.execute("TRUNCATE entry; UPDATE counter SET v = '0'")
                connection.commit()
                self.stopped.wait(0.003)

    def stop(self):
        self.stopped.set()
        self.join(20)


def test_a_clone_killed_again_and_again_under_writes_is_one_moment(pair, rounds):
    clone = clone_of(pair, "bank")
    fill(clone.source, "bank", "account", "counter")
    clone.source.sql("UPDATE account SET v = '100'; DELETE FROM counter WHERE id > 1;"
                     "UPDATE counter SET v = '0'; CREATE TABLE entry (id bigserial PRIMARY KEY,"
                     " a integer REFERENCES account, b integer REFERENCES account)", dbname="bank")
    bank = Bank(clone.source, "bank")
    bank.start()
    for _ in range(rounds(3, 20)):
        child = clone.start("--chunk", "1", "--max-rate", "8MB")
        try:
            child.wait(random.uniform(0.3, 2))
            break
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait(10)
    clone.must("--chunk", "1")
    bank.stop()
    state = clone.dest.sql("SELECT (SELECT sum(v::int) FROM account), (SELECT count(*) FROM entry)"
                           " - (SELECT v::int FROM counter)", dbname="bank")
    assert state == [(40000, 0)]

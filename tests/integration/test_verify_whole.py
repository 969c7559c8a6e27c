"""A table without a key that is larger than one snapshot may read: in parts, and writes in between say nothing."""

import contextlib
import subprocess
import threading

import pytest

from support.clone import clone_of
from support.users import as_user
from support.verify import Compared, verify
from support.waiting import wait_for

ROWS = 12_000  # two of each; the destination has them in another order, and on other pages
SCHEMA = f"""
CREATE TABLE log (n int, v int DEFAULT 0, text text DEFAULT repeat('x', 1200));
INSERT INTO log SELECT i % {ROWS // 2} FROM generate_series(1, {ROWS}) i;
"""
REORDER = """
DELETE FROM log WHERE ctid < '(100,0)';
CREATE TABLE again AS SELECT * FROM log; TRUNCATE log;
INSERT INTO log SELECT * FROM again ORDER BY md5(n::text); DROP TABLE again;
"""
NAME = "public.log"
ARGV = ("--max-snapshot", "1", "--hash", "sha256", "--table", NAME)


@pytest.fixture(scope="module", name="clone")
def log_clone(shared_workshop):
    pair = shared_workshop.server("source"), shared_workshop.server("dest"), shared_workshop
    clone = clone_of(pair, "whole")
    pair[0].psql("whole", text=SCHEMA)
    clone.must()
    rows = clone.dest.sql("SELECT n, v, text FROM log WHERE ctid < '(100,0)'", dbname="whole")
    clone.dest.psql("whole", text=REORDER)
    with clone.dest.connect("whole") as connection, connection.cursor() as cursor:
        cursor.executemany("INSERT INTO log VALUES (%s, %s, %s)", rows)
    return clone


def look(clone, *more):
    return verify(clone.binary, clone, *ARGV, *more)


def test_in_parts_that_were_read_at_several_moments_it_is_equal_when_nobody_writes(clone):
    whole = verify(clone.binary, clone, "--table", NAME).objects[NAME]
    assert (whole["state"], whole["ranges"], whole["rows"]) == ("equal", 1, ROWS), whole
    found = look(clone).objects[NAME]
    assert found["state"] == "equal" and found["rows"] == found["rows_destination"] == ROWS, found
    assert found["ranges"] > 2 and 0 < found["longest_snapshot_ms"] < 1000, found


def test_copies_that_are_swapped_between_parts_differ(clone):
    # As many rows, each of which is there on either side: three of one and one of another.
    clone.dest.sql("UPDATE log SET n = 7 WHERE ctid = (SELECT max(ctid) FROM log WHERE n = 8)", dbname="whole")
    try:
        result = look(clone)
        assert result.code == 5 and result.objects[NAME]["ranges"] > 2, result.output
        assert "no key" in result.objects[NAME]["why"], result.output
    finally:
        clone.dest.sql("UPDATE log SET n = 8 WHERE ctid = (SELECT max(ctid) FROM log WHERE n = 7)", dbname="whole")
    assert look(clone).code == 0


def pass_with(clone, cursor, statement):
    """A pass while one part of which, neither the first nor the last, was read this was done."""
    argv = as_user([clone.binary, "verify", "--source", clone.conninfo(clone.source), "--destination",
                    clone.conninfo(clone.dest), "--json", *ARGV])

    def is_in_the_midst():
        # What asks for rows is too long to be shown to its end.
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = 'whole' AND pid <> pg_backend_pid()"
                       " AND query ~ 'xmin.*ctid >= .*ctid < '")
        return cursor.fetchone()[0] > 0

    with subprocess.Popen(argv, env=clone.env(), stdout=subprocess.PIPE, text=True) as running:
        wait_for(is_in_the_midst, 30, "a part in the midst is read", every=0.002)
        cursor.execute(statement)
        output, _ = running.communicate(timeout=60)
    return Compared(running.returncode, output, "").objects[NAME]


@pytest.mark.parametrize("side", ["source", pytest.param("dest", marks=pytest.mark.full)])
def test_a_row_that_moves_from_one_part_to_another_meanwhile_is_neither_missed_nor_counted_twice(clone, side):
    with contextlib.closing(getattr(clone, side).connect("whole")) as connection:
        for order in ("ASC", "DESC"):
            seen = 0
            for _ in range(10):
                # To wherever there is room: at the end, or where others were before.
                cursor = connection.cursor()
                cursor.execute(f"SELECT ctid::text FROM log ORDER BY ctid {order} LIMIT 40")
                rows = [row[0] for row in cursor.fetchall()]
                found = pass_with(clone, cursor, f"WITH gone AS (DELETE FROM log WHERE ctid = ANY (ARRAY{rows}::tid[])"
                                  " RETURNING *) INSERT INTO log SELECT * FROM gone")
                # What was written is counted some time later, so it may be given up; it is never different.
                assert found["state"] in ("equal", "unproven"), found
                assert found["state"] == "unproven" or found["rows"] == found["rows_destination"] == ROWS, found
                seen += found["ranges_read"] > found["ranges"]
                if seen:
                    break
            assert seen, found
    assert look(clone).code == 0


@contextlib.contextmanager
def moving(server, predicate):
    """Rows that are written anew all the time, with the same values."""
    ended = threading.Event()

    def run():
        with contextlib.closing(server.connect("whole")) as connection:
            while not ended.is_set():
                connection.cursor().execute(f"UPDATE log SET v = v WHERE {predicate}")

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def test_while_it_is_written_to_all_the_time_nothing_is_said(clone, rounds):
    for _ in range(rounds(1, 25)):
        with moving(clone.source, "n = 4711"):
            found = look(clone).objects[NAME]
        assert found["state"] in ("unproven", "equal"), found
        # And a row that the other side does not have is never overlooked.
        clone.source.sql("INSERT INTO log VALUES (-1)", dbname="whole")
        with moving(clone.source, "n = -1"):
            found = look(clone).objects[NAME]
        assert found["state"] in ("unproven", "different"), found
        assert found["state"] == "different" or "--max-snapshot" in found["why"], found
        clone.source.sql("DELETE FROM log WHERE n = -1", dbname="whole")
    assert look(clone).code == 0


def test_where_writes_are_not_counted_parts_prove_nothing(clone):
    clone.dest.sql("ALTER DATABASE whole SET track_counts = off")
    try:
        result = look(clone)
        assert result.code == 4 and "track_counts" in result.objects[NAME]["why"], result.output
        assert verify(clone.binary, clone, "--table", NAME).code == 0
    finally:
        clone.dest.sql("ALTER DATABASE whole RESET track_counts")

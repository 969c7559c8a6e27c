"""`bucardo-machine verify --jobs N` and `--max-snapshot`: several readers find what one finds, and no snapshot is old."""

import contextlib
import math
import subprocess

import pytest

from support.clone import Clone, clone_of
from support.users import as_user
from support.verify import Compared, verify
from support.waiting import wait_for

COLUMNS = ", ".join(f"c{i} text DEFAULT 'c{i}'" for i in range(12))
SCHEMA = f"""
CREATE TABLE numbered (id int PRIMARY KEY, v text);
INSERT INTO numbered SELECT i, 'v' || i FROM generate_series(1, 260000) i;
CREATE TABLE timed (at timestamptz PRIMARY KEY, v int);
INSERT INTO timed SELECT timestamptz '2026-01-01Z' + i * interval '1.000001 s', i FROM generate_series(1, 150000) i;
CREATE TABLE words (k text PRIMARY KEY, {COLUMNS});
INSERT INTO words SELECT 'k' || i FROM generate_series(1, 70000) i;
CREATE TABLE tenants (tenant int, id int, {COLUMNS}, PRIMARY KEY (tenant, id));
INSERT INTO tenants SELECT 1, i FROM generate_series(1, 40000) i;
ANALYZE;
"""
PLANTS = """
DELETE FROM numbered WHERE id IN (1, 8192, 131072, 260000);
INSERT INTO numbered VALUES (-5, 'below'), (260001, 'above');
UPDATE numbered SET v = 'x' WHERE id % 20000 = 7;
UPDATE timed SET v = v + 1 WHERE v % 30000 = 1;
DELETE FROM words WHERE k IN ('k7', 'k49999');
"""


@pytest.fixture(scope="module", name="clone")
def cloned(shared_workshop):
    pair = shared_workshop.server("source"), shared_workshop.server("dest"), shared_workshop
    clone = clone_of(pair, "jobs")
    pair[0].psql("jobs", text=SCHEMA)
    clone.must()
    return clone


def argv_of(clone, *options):
    return as_user([clone.binary, "verify", "--source", clone.conninfo(clone.source), "--destination",
                    clone.conninfo(clone.dest), "--json", *options])


def readers(server):
    """Sessions that sum up rows of `numbered` now, those that were connected first to the front."""
    return [row[0] for row in server.sql(
        "SELECT pid FROM pg_stat_activity WHERE datname = 'jobs' AND state = 'active' AND query ~ '^SELECT b, count.*numbered'"
        " ORDER BY backend_start")]


@contextlib.contextmanager
def reading(clone, jobs):
    """A pass all of whose readers, so many of them, were seen to read `numbered`; and them."""
    seen = set()

    def all_were_seen():
        seen.update(readers(clone.dest))
        return len(seen) == jobs

    argv = argv_of(clone, "--jobs", str(jobs), "--hash", "sha256", "--table", "public.numbered")
    with subprocess.Popen(argv, env=clone.env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        try:
            wait_for(all_were_seen, 30, f"{jobs} readers", every=0.01, explain=lambda: str(seen))
            yield running, seen
        finally:
            running.kill()


def result_of(running):
    output, errors = running.communicate(timeout=60)
    return Compared(running.returncode, output, errors)


@pytest.mark.parametrize("which", [0, -1], ids=["the first", "another one"])
def test_a_reader_that_is_killed_loses_nothing(clone, which):
    with reading(clone, 4) as (running, pids):
        first = clone.dest.sql("SELECT pid FROM pg_stat_activity WHERE pid = ANY (%s) ORDER BY backend_start", (list(pids),))
        assert clone.dest.value("SELECT pg_terminate_backend(%s)", (first[which][0],))
        result = result_of(running)
    assert result.code == 0 and not result.states("unproven"), result.output + result.errors
    assert result.objects["public.numbered"]["rows"] == 260000, result.output


def test_where_the_server_has_no_more_connections_fewer_readers_do_it(clone, shared_workshop):
    clone.dest.sql("ALTER DATABASE jobs CONNECTION LIMIT 5; CREATE ROLE few LOGIN PASSWORD 'secret-of-dest' IN ROLE pg_read_all_data")
    try:
        few = Clone(clone.binary, shared_workshop.folder, clone.source, clone.dest, "jobs", dest_user="few")
        result = verify(clone.binary, few, "--jobs", "16", "--table", "public.numbered")
        assert result.code == 0, result.output + result.errors
    finally:
        clone.dest.sql("ALTER DATABASE jobs CONNECTION LIMIT -1; DROP ROLE few")


def test_no_snapshot_is_older_than_its_limit_and_every_row_is_read(clone):
    options = ("--hash", "sha256", "--table", "public.words")
    whole = verify(clone.binary, clone, *options).objects["public.words"]
    assert whole["state"] == "equal" and whole["longest_snapshot_ms"] > 500, whole
    limit = math.ceil(0.9 * whole["longest_snapshot_ms"] / 1000)
    clone.dest.sql("UPDATE words SET c9 = 'x' WHERE k = 'k123'; DELETE FROM words WHERE k = 'k50000'", dbname="jobs")
    try:
        result = verify(clone.binary, clone, *options, "--max-snapshot", str(limit))
        if result.code == 4:  # the host is slower by now: a part took longer than all of it before
            limit *= 3
            result = verify(clone.binary, clone, *options, "--max-snapshot", str(limit))
        table = result.objects["public.words"]
        assert result.code == 5 and table["rows"] == 70000, result.output + result.errors
        assert 0 < table["longest_snapshot_ms"] < limit * 1000, table
        assert result.rows("public.words") == {("changed", ("k123",), ("c9",)), ("missing", ("k50000",), ())}, result.output
    finally:
        clone.dest.sql("UPDATE words SET c9 = 'c9' WHERE k = 'k123'; INSERT INTO words VALUES ('k50000')", dbname="jobs")


def test_a_part_that_takes_longer_than_a_snapshot_may_live_is_unproven(clone):
    result = verify(clone.binary, clone, "--hash", "sha256", "--table", "public.tenants", "--max-snapshot", "1")
    assert result.code == 4, result.output + result.errors
    assert "while a snapshot may live (1 s)" in result.objects["public.tenants"]["why"], result.output


@pytest.mark.parametrize("value", ["0", "17", "-1", "many", ""])
def test_other_numbers_of_readers_are_refused(clone, value):
    done = subprocess.run(argv_of(clone, "--jobs", value), env=clone.env(), capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2 and "jobs" in done.stderr and not done.stdout, done.stdout + done.stderr


def test_many_readers_find_what_one_finds(clone):
    clone.dest.sql(PLANTS, dbname="jobs")
    names = ["public.numbered", "public.timed", "public.words"]
    found = {}
    for jobs in (1, 4, 16):
        result = verify(clone.binary, clone, "--jobs", str(jobs))
        assert result.code == 5 and result.states("different") == set(names), result.output + result.errors
        found[jobs] = {name: (result.rows(name), result.objects[name]["rows"], result.objects[name]["ranges_read"])
                       for name in names}
    assert len(found[1]["public.numbered"][0]) == 4 + 2 + 13, found[1]
    assert found[1] == found[4] == found[16], found

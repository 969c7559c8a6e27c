"""`bucardo-machine verify` when something breaks in the middle of it: never equal by mistake, nothing left behind."""

import contextlib
import os
import subprocess

import pytest

from support.clone import clone_of
from support.users import as_user
from support.verify import Compared, verify
from support.waiting import wait_for

SCHEMA = """
CREATE TABLE first (id int PRIMARY KEY);
CREATE TABLE added (id int PRIMARY KEY, v text DEFAULT repeat('x', 100));
CREATE TABLE dropped (id int PRIMARY KEY, v text DEFAULT repeat('x', 100));
CREATE TABLE renamed (id int PRIMARY KEY, v text DEFAULT repeat('x', 100));
INSERT INTO first VALUES (1);
INSERT INTO added SELECT generate_series(1, 1000);
INSERT INTO dropped SELECT generate_series(1, 2000);
INSERT INTO renamed SELECT generate_series(1, 3000);
"""


@pytest.fixture(scope="module", name="clone")
def small_clone(shared_workshop):
    pair = shared_workshop.server("source"), shared_workshop.server("dest"), shared_workshop
    clone = clone_of(pair, "faults")
    pair[0].psql("faults", text=SCHEMA)
    clone.must()
    return clone


def command(clone, *options):
    argv = [clone.binary, "verify", "--source", clone.conninfo(clone.source), "--destination",
            clone.conninfo(clone.dest), "--json", *options]
    return subprocess.Popen(as_user(argv), env=clone.env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def waits(server):
    return server.value("SELECT count(*) FROM pg_stat_activity WHERE datname = 'faults' AND wait_event_type = 'Lock'") > 0


def sessions(server, locker=0):
    return server.value("SELECT count(*) FROM pg_stat_activity WHERE datname = 'faults' AND backend_type = 'client backend'"
                        " AND pid <> %s", (locker,))


@contextlib.contextmanager
def in_the_middle(clone, statements="LOCK TABLE added"):
    """A verify that waits for a table of the destination: (its process, the session that it waits for)."""
    locker = clone.dest.connect("faults", autocommit=False)
    locker.cursor().execute(statements)
    running = command(clone)
    wait_for(lambda: waits(clone.dest), 30, "it waits in the middle of a pass")
    try:
        yield running, locker
    finally:
        locker.close()
        running.kill()
        running.wait(10)


def verdict_of(running):
    output, errors = running.communicate(timeout=60)
    return Compared(running.returncode, output, errors)


@pytest.mark.parametrize("side", ["source", "dest"])
def test_a_killed_session_is_made_again_and_the_pass_goes_on(clone, side):
    with in_the_middle(clone) as (running, locker):
        getattr(clone, side).sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'faults'"
                                 " AND pid <> %s AND pid <> pg_backend_pid()", (locker.info.backend_pid,))
        locker.rollback()
        result = verdict_of(running)
    assert result.code == 0 and not result.states("unproven"), result.output + result.errors
    wait_for(lambda: sessions(clone.source) == 0 and sessions(clone.dest) == 0, 10, "no session is left")


def test_a_killed_command_leaves_no_session_even_while_its_statements_run(clone):
    with in_the_middle(clone) as (running, locker):
        running.kill()
        running.wait(10)
        wait_for(lambda: sessions(clone.source) == 0 and sessions(clone.dest, locker.info.backend_pid) == 0, 10,
                 "no session is left")


def test_a_server_that_stops_is_told_and_proves_nothing(clone):
    with in_the_middle(clone) as (running, _):
        clone.dest.stop("immediate")
        result = verdict_of(running)
    clone.dest.start()
    assert result.code in (1, 4), result.output + result.errors
    assert "destination" in result.output + result.errors
    wait_for(lambda: sessions(clone.source) == 0, 10, "no session is left")


def test_a_table_that_changes_in_the_middle_of_a_pass_is_unproven(clone):
    with in_the_middle(clone, "ALTER TABLE added ADD more int; DROP TABLE dropped; ALTER TABLE renamed RENAME TO other") \
            as (running, locker):
        locker.commit()
        result = verdict_of(running)
    assert result.code in (4, 5), result.output + result.errors  # 5: definitions are compared as well
    assert result.of_rows("unproven") == {"public.added", "public.dropped", "public.renamed"}
    assert result.of_rows("equal") == {"public.first"} and not result.of_rows("different")


# ---- memory ----

def highest_memory(running):
    """VmHWM of a running command in kB, as far as it was seen."""
    highest = 0
    while running.poll() is None:
        with contextlib.suppress(OSError, ValueError), open(f"/proc/{running.pid}/status", encoding="ascii") as status:
            lines = [line for line in status if line.startswith("VmHWM")]
            highest = max([highest, *(int(line.split()[1]) for line in lines)])
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(0.05)
    return highest


def measured(clone, tmp_path, *options):
    """(what it says, the most memory that it had)."""
    with open(tmp_path / "out", "w+", encoding="utf-8") as out:
        argv = [clone.binary, "verify", "--source", clone.conninfo(clone.source), "--destination",
                clone.conninfo(clone.dest), "--json", "--show-values", *options]
        running = subprocess.Popen(as_user(argv), env=clone.env(), stdout=out)
        highest = highest_memory(running)
        out.seek(0)
        return Compared(running.returncode, out.read(), ""), highest


def is_bounded(highest):
    """AddressSanitizer keeps what was freed, and a shadow of all."""
    return 0 < highest < 64 * 1024 * (4 if "sanitize" in os.environ.get("BM_BINARY", "") else 1)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("rows", [pytest.param(300_000), pytest.param(10_000_000, marks=pytest.mark.full)])
def test_rows_that_all_differ_fit_into_memory_and_the_report_says_where_it_was_cut(clone, rows, tmp_path):
    """On the destination every other one of them is missing."""
    for server, value, step in ((clone.source, 1, 1), (clone.dest, 2, 2)):
        server.sql("DROP TABLE IF EXISTS narrow", dbname="faults")
        server.sql(f"CREATE TABLE narrow (id int PRIMARY KEY, v int); INSERT INTO narrow SELECT i, {value} FROM"
                   f" generate_series(1, {rows}, {step}) i; ANALYZE narrow", dbname="faults")
    result, highest = measured(clone, tmp_path, "--table", "public.narrow")
    table = result.objects["public.narrow"]
    assert result.code == 5 and table["is_cut"] and len(table["differences"]) == 1000
    assert table["changed"] >= 1000 and table["missing"] >= 1000 and "more rows differ than" in table["why"]
    assert (table["rows"], table["rows_destination"]) == (rows, rows / 2), table
    assert is_bounded(highest), highest


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("tables,rows", [pytest.param(16, 3000), pytest.param(40, 60_000, marks=pytest.mark.full)])
def test_many_tables_that_all_differ_fit_into_memory_and_each_has_rows_that_are_named(
        clone, shared_workshop, tables, rows, tmp_path):
    name = f"many_{tables}"
    clone = clone_of((clone.source, clone.dest, shared_workshop), name)
    for server, value in ((clone.source, 1), (clone.dest, 2)):
        server.sql("DO $$ BEGIN FOR n IN 1..%s LOOP EXECUTE format('CREATE TABLE many_%%s (id int PRIMARY KEY, k text, v int)', n);"
                   " EXECUTE format('INSERT INTO many_%%s SELECT i, md5(i::text || %s), %s FROM generate_series(1, %s) i', n);"
                   " END LOOP; END $$" % (tables, value, value, rows), dbname=name)
        server.sql("ANALYZE", dbname=name)
    result, highest = measured(clone, tmp_path)
    assert result.code == 5 and len(result.of_rows("different")) == tables, result.output[:2000]
    found = [result.objects[f"public.many_{n}"] for n in range(1, tables + 1)]
    assert all(one["changed"] >= min(rows, 1000) and one["is_cut"] and len(one["differences"]) >= 3 for one in found)
    assert sum(len(one["differences"]) for one in found) < 1000 * tables, "memory for those that are named has an end"
    assert is_bounded(highest), highest

"""How fast the copy goes: never above what a person allows, nor what the source can bear."""

import contextlib
import json
import re
import subprocess
import threading

import pytest

from support import compare
from support.clone import clone_of
from support.phases import Phases
from support.proxy import Proxy
from support.waiting import wait_for

MB = 1 << 20  # as PostgreSQL has it
RATE = 4 * MB


@pytest.fixture(scope="module", name="pair")
def pair_of_servers(shared_workshop):
    return shared_workshop.server("source"), shared_workshop.server("dest"), shared_workshop


def fill(server, dbname, megabytes, tables=1):
    """Tables that make about so many MB on the wire, all together."""
    for number in range(tables):
        server.sql(f"CREATE TABLE t{number} (id integer PRIMARY KEY, v text);"
                   f"INSERT INTO t{number} SELECT i, repeat(md5(i::text), 31)"
                   f" FROM generate_series(1, {megabytes * 1000 // tables}) i", dbname=dbname)


def moved(events):
    """(seconds, bytes) of each progress event of the copy."""
    return [(event["elapsed_ms"] / 1000, event["bytes"]) for event in events
            if event["event"] == "progress" and event["phase"] in ("copy", "index")]


@pytest.mark.parametrize("jobs", [1, pytest.param(3, marks=pytest.mark.full)])
def test_the_rate_that_a_person_sets_holds_for_all_jobs_together(pair, jobs):
    clone = clone_of(pair, f"rate{jobs}")
    fill(clone.source, clone.dbname, 16)
    points = moved(clone.events(clone.must("--json", "--chunk", "1", "--max-rate", "4MB",
                                           jobs=jobs)))
    took, total = points[-1][0] - points[0][0], points[-1][1] - points[0][1]
    assert total > 12 * MB
    assert 0.8 * RATE < total / took < 1.15 * RATE, points
    for (before, some), (after, more) in zip(points, points[1:]):  # and evenly
        assert more - some < 1.25 * RATE * (after - before) + RATE / 4, points


def test_without_a_limit_the_same_rows_go_much_faster(pair):
    clone = clone_of(pair, "free")
    fill(clone.source, "free", 32)  # beside the time that any clone takes
    took = clone.events(clone.must("--json", "--chunk", "1"))[-2]["elapsed_ms"] / 1000
    assert took < 32 * MB / RATE / 2


def test_a_new_rate_in_mid_copy_costs_no_finished_chunk(pair):
    clone = clone_of(pair, "changed")
    source, dest, workshop = pair
    fill(source, "changed", 24, tables=6)
    machine = workshop.machine()
    machine.write_pgpass(source, dest)
    phases = Phases(machine, source, dest, "changed", "changed")
    assert phases.run("schema").failed is None
    slow = phases.start("copy", copy={"jobs": 2, "max_rate": RATE, "throttle": False})
    wait_for(clone.chunks, 30, "a chunk is done", every=0.02)
    slow.process.kill()  # as the engine does when machine.yaml has another rate
    slow.process.wait(10)
    before = clone.chunks()
    assert 0 < len(before) < 6
    run = phases.run("copy", copy={"jobs": 2, "max_rate": 0, "throttle": False})
    assert run.failed is None and run.evidence["reused_chunks"] >= len(before)
    after = clone.chunks()
    assert len(after) == 6 and {key: after[key] for key in before} == before


def test_a_table_of_a_few_chunks_is_loaded_whole_where_that_is_quick(pair):
    clone = clone_of(pair, "near")
    fill(clone.source, "near", 220)
    clone.must()
    assert clone.dest.value("SELECT count(*) FROM bucardo_machine.chunk", dbname="near") == 1
    assert compare.differences(clone.source, clone.dest, "near") == []
    # Loaded in the transaction that made its file: no page waits for its first reader.
    clone.dest.sql("CREATE EXTENSION pg_visibility", dbname="near")
    assert clone.dest.value("SELECT all_frozen = pg_relation_size('t0') / 8192"
                            " FROM pg_visibility_map_summary('t0')", dbname="near")
    clone = clone_of(pair, "far")
    source, dest, workshop = pair
    fill(source, "far", 220)
    machine = workshop.machine()
    machine.write_pgpass(source, dest)
    plan = Phases(machine, source, dest, "far", "far").run("preflight", plan=True)
    assert plan.events("plan")[0]["plan"]["chunks"] == 1, plan.text()
    with Proxy(clone.source) as proxy:
        pass_account(clone, proxy)
        proxy.delay = 0.01
        assert planned(clone, source=clone.conninfo(proxy, clone.source.user)) == 2
    clone.dest.sql("DROP SCHEMA bucardo_machine CASCADE; DROP TABLE t0", dbname="far")
    assert planned(clone, "--max-rate", "50MB") == 2


def planned(clone, *options, **more):
    """Of how many chunks a run says that it will copy them; it is killed then."""
    child = clone.start(*options, **more)
    try:
        return wait_for(lambda: clone.dest.value("SELECT to_regclass('bucardo_machine.chunk')",
                                                 dbname=clone.dbname) and
                        clone.dest.value("SELECT count(*) FROM bucardo_machine.chunk",
                                         dbname=clone.dbname), 30, "there is a plan", every=0.02)
    finally:
        child.kill()
        child.wait(10)


@contextlib.contextmanager
def running(clone, proxy, *options):
    """A clone through the proxy; what it told so far, as a list that grows."""
    argv = clone.argv("--json", "--chunk", "1", *options,
                      source=clone.conninfo(clone.source, host=proxy.address, port=proxy.port))
    child = subprocess.Popen(argv, env=clone.env(), stdout=subprocess.PIPE, text=True)
    told = []

    def read():
        for line in child.stdout:
            told.append(json.loads(line))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        yield told
    finally:
        child.kill()
        child.wait(10)
        reader.join(10)


def speed(told, since):
    """Bytes a second over what was told after the first `since` events."""
    points = moved(told[since:])
    assert len(points) > 1, told[-5:]
    return (points[-1][1] - points[0][1]) / (points[-1][0] - points[0][0])


def wait_copying(told):
    wait_for(lambda: len(moved(told)) > 4, 30, "rows are copied", every=0.05)


def limit_of(event):
    """Bytes a second that the copy is slowed to; 0: it is not."""
    found = re.match(r"slowed to ([\d.]+) MB/s", event.get("remark", ""))
    return float(found.group(1)) * MB if found else 0


def pass_account(clone, proxy):
    with open(clone.pgpass, "a", encoding="utf-8") as out:
        out.write(f"{proxy.address}:{proxy.port}:*:{clone.source.user}:{clone.source.password}\n")


def test_a_source_that_answers_late_is_spared_until_it_answers_again(pair):
    clone = clone_of(pair, "late")
    fill(clone.source, "late", 80)
    with Proxy(clone.source) as proxy:
        pass_account(clone, proxy)
        with running(clone, proxy, "--throttle", "--max-rate", "4MB") as told:
            wait_copying(told)
            assert speed(told, 0) > 0.7 * RATE
            proxy.delay = 0.3
            wait_for(lambda: any("slowed to" in event.get("text", "") for event in told), 20,
                     "it is told that the copy is slowed", explain=lambda: str(told[-5:]))
            wait_for(lambda: 0 < limit_of(told[-1]) < 0.3 * RATE, 20, "a quarter is left")
            since = len(told)
            wait_for(lambda: len(told) > since + 4, 20, "some more progress")
            assert speed(told, since) < 0.4 * RATE
            proxy.delay = 0
            wait_for(lambda: any("as fast as before" in event.get("text", "") for event in told),
                     40, "it is told that the copy is free", explain=lambda: str(told[-5:]))
            since = len(told) + 1
            wait_for(lambda: len(told) > since + 5, 20, "some more progress")
            assert speed(told, since) > 0.7 * RATE


@pytest.mark.full
def test_who_does_not_ask_for_it_is_not_slowed(pair):
    clone = clone_of(pair, "rude")
    fill(clone.source, "rude", 80)
    with Proxy(clone.source) as proxy:
        pass_account(clone, proxy)
        with running(clone, proxy, "--max-rate", "4MB") as told:
            wait_copying(told)
            proxy.delay = 0.3
            wait_for(lambda: len(told) > 24, 30, "ten seconds of progress")
            assert speed(told, 14) > 0.7 * RATE
            assert not any(event["event"] == "note" for event in told)


def begun(clone, rows=30):
    """A clone that was killed in mid-copy: another run needs no pg_dump."""
    fill(clone.source, clone.dbname, rows)
    child = clone.start("--chunk", "1", "--max-rate", "4MB", jobs=1)
    wait_for(lambda: clone.chunks(), 30, "a chunk is done", every=0.02)
    child.kill()
    child.wait(10)


def is_question(piece):
    """Does the copy ask here how soon the source answers?"""
    return b"FROM ONLY" in piece and b"ctid =" in piece


class MuteProxy(Proxy):
    """A connection that asks how the source is gets no answer any more."""

    def _pump(self, source, target):
        try:
            while piece := source.recv(65536):
                if is_question(piece):
                    return
                target.sendall(piece)
        except OSError:
            pass


class RefusingProxy(Proxy):
    """The source refuses to say how it is, as it does while its table is locked."""

    def _pump(self, source, target):
        try:
            while piece := source.recv(65536):
                target.sendall(piece.replace(b"FROM", b"FORM") if is_question(piece) else piece)
        except OSError:
            pass


def test_a_source_that_gives_no_answer_is_told_and_holds_up_no_row(pair):
    clone = clone_of(pair, "mute", sslmode="disable")
    begun(clone, 8)
    with MuteProxy(clone.source) as proxy:
        pass_account(clone, proxy)
        with running(clone, proxy, "--throttle") as told:
            wait_for(lambda: any(event["event"] == "done" for event in told), 20, "it ends",
                     explain=lambda: str(told[-5:]))
    assert any("cannot be measured" in event.get("text", "") for event in told), told


def test_a_source_that_refuses_the_question_is_asked_another_and_spared(pair):
    clone = clone_of(pair, "refused", sslmode="disable")
    begun(clone, 60)
    with RefusingProxy(clone.source) as proxy:
        pass_account(clone, proxy)
        with running(clone, proxy, "--throttle", "--max-rate", "4MB") as told:
            wait_copying(told)
            proxy.delay = 0.3
            wait_for(lambda: any("slowed to" in event.get("text", "") for event in told), 20,
                     "it is told that the copy is slowed", explain=lambda: str(told[-5:]))

"""What may happen to a copy: sessions ended, servers away, a silent network, a full disk."""

import os
import random
import signal
import subprocess
import threading
import time

import pytest

from support import compare
from support.clone import Clone, clone_of, schema_of
from support.netns import Namespace
from support.phases import Phases
from support.users import give
from support.waiting import wait_for

MIB = 1 << 20
OURS = "application_name = 'bucardo-machine clone'"


@pytest.fixture(scope="module", name="pair")
def pair_of_servers(shared_workshop):
    return shared_workshop.server("source"), shared_workshop.server("dest"), shared_workshop


def fill(server, dbname, megabytes=16):
    rows = megabytes * 1000
    server.sql("CREATE TABLE big (id integer PRIMARY KEY, v text, n integer UNIQUE);"
               "INSERT INTO big SELECT i, repeat(md5(i::text), 31), -i"
               f" FROM generate_series(1, {rows}) i; CREATE INDEX ON big (v);"
               "CREATE TABLE child (id integer PRIMARY KEY, big_id integer REFERENCES big);"
               f"INSERT INTO child SELECT i, i % {rows} + 1 FROM generate_series(1, {rows * 3}) i",
               dbname=dbname)


def assert_equal(clone):
    assert compare.differences(clone.source, clone.dest, clone.dbname) == []


def assert_whole(clone):
    assert_equal(clone)
    assert schema_of(clone.source, clone.dbname) == schema_of(clone.dest, clone.dbname)


class Watched:
    """A clone that runs, and every state that the ledger was seen in."""

    def __init__(self, clone, *options, **more):
        self.clone, self.seen = clone, {}
        self.child = subprocess.Popen(clone.argv("--chunk", "1", *options, **more),
                                      env=clone.env(), stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, text=True)
        self.output = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.child.stdout:
            self.output += line

    def look(self):
        """The finished chunks; one that was seen before is as it was: never copied again."""
        now = self.clone.chunks()
        assert {key: now.get(key) for key in self.seen} == self.seen
        self.seen = now
        return now

    def wait_chunks(self, count=1):
        wait_for(lambda: len(self.look()) >= count, 60, f"{count} chunks are done", every=0.02,
                 explain=lambda: self.output)

    def end(self, seconds=120):
        """Until it ends by itself; its exit code."""
        try:
            code = self.child.wait(seconds)
        finally:
            self.child.kill()
        self._reader.join(10)
        self.look()
        return code


def end_sessions(server, dbname, condition="true"):
    """How many of the clone's sessions were ended, as an operator or a watchdog does it."""
    return server.value("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                        f"WHERE {OURS} AND datname = '{dbname}' AND {condition}")


@pytest.mark.parametrize("side", ["source", "dest"])
def test_a_chunk_whose_transaction_is_killed_on_the_server_is_copied_again(pair, side):
    clone = clone_of(pair, f"killed_{side}")
    fill(clone.source, clone.dbname)
    run = Watched(clone, "--max-rate", "6MB")
    run.wait_chunks()
    server = clone.source if side == "source" else clone.dest
    wait_for(lambda: end_sessions(server, clone.dbname, "state = 'active' AND query ~ '^COPY'"),
             20, "a COPY is ended", every=0.005)
    assert run.end() == 0, run.output
    assert "trying again" in run.output
    assert_whole(clone)


def test_whatever_sessions_are_ended_it_goes_on_to_a_whole_copy(pair, rounds):
    clone = clone_of(pair, "ended")
    fill(clone.source, "ended", rounds(16, 96))
    run = Watched(clone, "--max-rate", "4MB")  # so slow that it lasts for all rounds
    for _ in range(rounds(3, 30)):
        run.wait_chunks(1)
        time.sleep(random.uniform(0, 0.5))  # the instant is the input of this test
        server = random.choice((clone.source, clone.dest))
        wait_for(lambda at=server: end_sessions(at, "ended"), 20, "a session is ended", every=0.01)
    assert run.end(400) == 0, run.output
    assert_whole(clone)


@pytest.mark.full
@pytest.mark.parametrize("side", ["source", "dest"])
def test_a_server_that_is_away_for_longer_is_waited_for(workshop, side):
    source, dest = workshop.server("source"), workshop.server("dest")
    clone = clone_of((source, dest, workshop), "away")
    fill(source, "away")
    run = Watched(clone, "--max-rate", "8MB")
    run.wait_chunks(3)
    server = {"source": source, "dest": dest}[side]
    server.stop("immediate")
    time.sleep(90)  # the outage itself, longer than the inner attempts last
    server.start()
    if side == "dest":
        run.seen = {}  # a crash may take back the last commits, rows and ledger together
    assert run.end() == 0, run.output
    assert_whole(clone)


@pytest.mark.full
@pytest.mark.skipif(os.getuid() != 0, reason="network namespaces need root")
@pytest.mark.parametrize("side", ["source", "dest"])
def test_a_silent_network_is_waited_for(workshop, side):
    namespace = Namespace()
    try:
        inside = {"address": namespace.address, "listen": "0.0.0.0", "netns": namespace}
        source = workshop.server("source", **(inside if side == "source" else {}))
        dest = workshop.server("dest", **(inside if side == "dest" else {}))
        clone = clone_of((source, dest, workshop), "silent")
        fill(source, "silent")
        run = Watched(clone, "--max-rate", "8MB")
        run.wait_chunks(3)
        namespace.drop()
        time.sleep(60)  # the outage itself
        namespace.restore()
        assert run.end(240) == 0, run.output
        assert_whole(clone)
    finally:
        namespace.remove()


# ---- a full disk ----

class Disk:
    """A small file system for one database of a server."""

    def __init__(self, server, dbname, size):
        self.path = os.path.join(server.folder, dbname)
        os.makedirs(self.path)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "bm", self.path], check=True)
        folder = os.path.join(self.path, "space")
        os.mkdir(folder)
        give(folder)
        server.sql(f"CREATE TABLESPACE {dbname} LOCATION '{folder}'")
        server.sql(f'CREATE DATABASE "{dbname}" TABLESPACE {dbname}')

    def resize(self, size):
        subprocess.run(["mount", "-o", f"remount,size={size}", self.path], check=True)

    def leave(self, free):
        """Make it so small that only so many bytes are free."""
        now = os.statvfs(self.path)
        self.resize((now.f_blocks - now.f_bfree) * now.f_frsize + int(free))

    def remove(self):
        subprocess.run(["umount", "-l", self.path], check=True)


@pytest.fixture(name="small")
def small_destination(pair):
    """small(dbname, stage) -> (clone, phases, disk): the disk gets full in that stage."""
    source, dest, workshop = pair
    disks = []

    def make(dbname, stage):
        source.create_database(dbname)
        fill(source, dbname)
        disks.append(Disk(dest, dbname, "200m"))
        clone = Clone(workshop.binary, workshop.folder, source, dest, dbname)
        machine = workshop.machine(name=f"machine-{dbname}")
        machine.write_pgpass(source, dest)
        phases = Phases(machine, source, dest, dbname, "phase")
        for phase in ("schema", "copy") if stage == "index" else ():
            assert phases.run(phase, copy={"jobs": 2, "foreign_keys": "check"}).failed is None
        dest.sql("CHECKPOINT")  # pages of CREATE DATABASE are only in memory until then
        disks[-1].leave(15 * MIB if stage == "copy" else MIB)
        return clone, phases, disks[-1]

    yield make
    for disk in disks:
        dest.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
                 f"'{os.path.basename(disk.path)}'")
        dest.sql(f'DROP DATABASE "{os.path.basename(disk.path)}"')
        dest.sql(f"DROP TABLESPACE {os.path.basename(disk.path)}")
        disk.remove()


needs_mount = pytest.mark.skipif(os.getuid() != 0, reason="mounting needs root")


@needs_mount
@pytest.mark.parametrize("stage", ["copy", "index"])
def test_a_full_disk_ends_the_clone_with_the_hint_and_the_same_command_goes_on(small, stage):
    clone, _, disk = small(f"full_{stage}", stage)
    before = {}
    for _ in range(3):  # trying again while it is full makes nothing worse
        run = Watched(clone)
        run.seen = before
        assert run.end() == 1
        assert "make room on the full disk" in run.output, run.output
        before = run.seen
    assert before, run.output
    disk.resize("200m")
    run = Watched(clone)
    run.seen = before
    assert run.end() == 0, run.output
    assert_equal(clone)  # the phases have put their fence there


@needs_mount
@pytest.mark.parametrize("stage", ["copy", "index"])
def test_a_full_disk_is_an_operators_failure_of_a_phase_that_then_goes_on(small, stage):
    clone, phases, disk = small(f"phase_{stage}", stage)
    phases.run("schema")
    failed = phases.run(stage).failed
    assert failed["class"] == "operator", failed
    assert "make room on the full disk" in failed["hint"]
    disk.resize("200m")
    for phase in ("copy", "index"):
        run = phases.run(phase)
        assert run.failed is None, run.text()
    assert_equal(clone)  # the phases have put their fence there


# ---- memory ----

# AddressSanitizer keeps freed memory for a while: that is its memory, not the program's.
NO_QUARANTINE = {"ASAN_OPTIONS": "quarantine_size_mb=1:thread_local_quarantine_size_kb=64"}


def peak_memory(clone, *options):
    """Exit code and the highest resident memory of the clone, in kB."""
    child = clone.start(*options, env=NO_QUARANTINE)
    peak = 0
    while child.poll() is None:
        try:
            with open(f"/proc/{child.pid}/status", encoding="ascii") as status:
                peak = max([peak, *(int(line.split()[1]) for line in status if "VmHWM" in line)])
        except (OSError, ProcessLookupError):
            break
        time.sleep(0.02)
    return child.wait(300), peak


@pytest.mark.parametrize("megabytes", [20, pytest.param(500, marks=pytest.mark.full)])
def test_a_huge_value_needs_little_memory(pair, megabytes):
    clone = clone_of(pair, f"huge{megabytes}")
    clone.source.sql("CREATE TABLE huge (id integer PRIMARY KEY, b bytea);"
                     "ALTER TABLE huge ALTER b SET STORAGE EXTERNAL;"
                     f"INSERT INTO huge SELECT 1, repeat('x', {megabytes * MIB})::bytea",
                     dbname=clone.dbname)
    code, peak = peak_memory(clone)
    assert code == 0
    query = "SELECT id, octet_length(b), md5(b) FROM huge"
    assert clone.source.sql(query, dbname=clone.dbname) == \
        clone.dest.sql(query, dbname=clone.dbname)
    print(f"peak resident memory: {peak} kB")
    assert 0 < peak < 64 * 1024
    for server in (clone.source, clone.dest):
        server.sql("DROP TABLE huge", dbname=clone.dbname)


def test_the_widest_rows_need_little_memory(pair):
    clone = clone_of(pair, "widest")
    columns = ", ".join(f"c{i} text" for i in range(1599))
    values = ", ".join(f"repeat('{i % 10}', 4000)" for i in range(400))
    named = ", ".join(f"c{i}" for i in range(400))
    clone.source.sql(f"CREATE TABLE widest (id integer PRIMARY KEY, {columns});"
                     f"INSERT INTO widest (id, {named}) SELECT i, {values}"
                     " FROM generate_series(1, 30) i", dbname="widest")
    code, peak = peak_memory(clone)
    assert code == 0
    assert 0 < peak < 64 * 1024
    assert_whole(clone)


def test_a_destination_that_takes_nothing_stops_the_source_and_fills_no_memory(pair):
    clone = clone_of(pair, "pressed")
    fill(clone.source, clone.dbname, 40)
    child = clone.start("--max-rate", "100MB", env=NO_QUARANTINE)
    wait_for(lambda: clone.dest.value(
        f"SELECT count(*) FROM pg_stat_activity WHERE {OURS} AND query ~ 'COPY'"), 30,
        "rows arrive", every=0.01)
    clone.dest.sigstop()
    try:
        wait_for(lambda: clone.source.value(
            f"SELECT count(*) FROM pg_stat_activity WHERE {OURS} AND wait_event = 'ClientWrite'"),
            20, "the source waits for us")
        with open(f"/proc/{child.pid}/status", encoding="ascii") as status:
            assert next(int(line.split()[1]) for line in status if "VmRSS" in line) < 64 * 1024
    finally:
        clone.dest.sigcont()
    assert child.wait(60) == 0
    assert_whole(clone)


def test_a_worker_that_is_killed_leaves_the_rest_to_the_next(pair):
    clone = clone_of(pair, "worker")
    fill(clone.source, "worker")
    run = Watched(clone, "--max-rate", "8MB")
    run.wait_chunks(3)
    run.child.send_signal(signal.SIGKILL)
    run.child.wait(10)
    again = Watched(clone)
    again.seen = run.seen
    assert again.end() == 0
    assert_whole(clone)


def test_a_destination_that_loses_its_objects_again_and_again_ends_the_clone(pair):
    clone = clone_of(pair, "forgets")
    clone.source.sql("CREATE TABLE t (id integer PRIMARY KEY); INSERT INTO t VALUES (1)",
                     dbname="forgets")
    clone.must()
    # As after a crash: each time the ledger is settled, an object is not there any more.
    clone.dest.sql("CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE"
                   " bucardo_machine.work SET done = NULL WHERE name LIKE 'ANALYZE%%'; RETURN new;"
                   " END $$; CREATE TRIGGER lose AFTER UPDATE OF settled ON bucardo_machine.clone"
                   " FOR EACH ROW EXECUTE FUNCTION lose(); ALTER TABLE bucardo_machine.clone ENABLE ALWAYS"
                   " TRIGGER lose;"
                   "UPDATE bucardo_machine.clone SET finished = NULL", dbname="forgets")
    done = clone.run(timeout=60)
    assert done.returncode == 1
    assert "crashed again and again" in done.stderr


def test_the_ledger_of_an_earlier_program_is_taken_over_and_one_of_a_later_version_is_left_alone(pair):
    clone = clone_of(pair, "versions")
    fill(clone.source, "versions", 8)
    run = Watched(clone, "--max-rate", "4MB")
    run.wait_chunks(2)
    run.child.kill()
    run.child.wait(10)
    wait_for(lambda: not clone.dest.sql(f"SELECT 1 FROM pg_stat_activity WHERE {OURS} AND datname = 'versions'"), 20,
             "its sessions are gone")
    ledger = ("SELECT to_jsonb(c) FROM bucardo_machine.clone c", "SELECT to_jsonb(c) FROM bucardo_machine.chunk c ORDER BY id",
              "SELECT to_jsonb(w) FROM bucardo_machine.work w ORDER BY 1")

    def kept():
        return [clone.dest.sql(query, dbname="versions") for query in ledger], \
            clone.dest.value("SELECT count(*) FROM big", dbname="versions")
    clone.dest.sql("UPDATE bucardo_machine.clone SET version = 99; ALTER TABLE bucardo_machine.chunk DROP moment",
                   dbname="versions")
    before = kept()
    refused = clone.run("--chunk", "1")
    assert refused.returncode == 1 and "was written by another version of bucardo-machine" in refused.stderr, refused
    assert kept() == before
    # What the first program's ledger did not have.
    clone.dest.sql("UPDATE bucardo_machine.clone SET version = 1; ALTER TABLE bucardo_machine.clone DROP choice;"
                   "ALTER TABLE bucardo_machine.chunk DROP wave;"
                   "ALTER TABLE bucardo_machine.work DROP with_path, DROP wave, DROP trusted", dbname="versions")
    clone.must("--chunk", "1")
    assert_whole(clone)

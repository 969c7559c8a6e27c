"""`bucardo-machine verify` through what happens on long nights: kills, a network that is gone, huge values, full disks."""

import os
import random
import subprocess
import time

import pytest

from support.clone import Clone, clone_of
from support.netns import Namespace
from support.users import as_user, give
from support.verify import Compared, verify
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(900)
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="mounting and network namespaces need root")
ROWS = """
CREATE TABLE big (id bigint PRIMARY KEY, v text);
INSERT INTO big SELECT i, md5(i::text) FROM generate_series(1, 400000) i;
CREATE TABLE words (k text PRIMARY KEY, v text);
INSERT INTO words SELECT md5(i::text), 'v' FROM generate_series(1, 200000) i;
ANALYZE;
"""


def command(clone, *options):
    argv = [clone.binary, "verify", "--source", clone.conninfo(clone.source), "--destination",
            clone.conninfo(clone.dest), "--json", *options]
    return subprocess.Popen(as_user(argv), env=clone.env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def verdict_of(running, seconds=60):
    try:
        output, errors = running.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        running.kill()
        raise
    return Compared(running.returncode, output, errors)


def sessions(server, dbname):
    return server.value("SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'", (dbname,))


@pytest.fixture(scope="module", name="pair")
def two_servers(shared_workshop):
    return shared_workshop.server("source"), shared_workshop.server("dest"), shared_workshop


def test_kills_of_either_side_and_of_the_command_at_any_moment_prove_nothing_wrong(pair, rounds):
    clone = clone_of(pair, "killed")
    pair[0].psql("killed", text=ROWS)
    clone.must()
    begun = time.monotonic()
    assert verify(clone.binary, clone).code == 0
    took, struck = time.monotonic() - begun, 0
    for number in range(rounds(6, 60)):
        running = command(clone)
        time.sleep(random.uniform(0, took))
        if number % 3 == 2:
            running.kill()
            running.communicate()
        else:
            struck += pair[number % 3].value("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                                             " WHERE datname = 'killed'") > 0
            result = verdict_of(running)
            assert result.code in (0, 1, 4), result.output + result.errors
            if result.report is not None:
                assert not result.states("different"), result.output
                assert (result.code == 0) == (result.report["result"] == "equal"), result.output
        wait_for(lambda: not sessions(pair[0], "killed") and not sessions(pair[1], "killed"), 15, "no session is left")
    assert struck > 0
    assert verify(clone.binary, clone).code == 0


@needs_root
@pytest.mark.full
@pytest.mark.parametrize("side", ["source", "dest"])
def test_packets_that_are_dropped_for_a_minute_end_a_pass_and_prove_nothing(workshop, side):
    namespace = Namespace()
    try:
        servers = [workshop.server(name, **({"address": namespace.address, "netns": namespace} if name == side else {}))
                   for name in ("source", "dest")]
        clone = clone_of((*servers, workshop), "dropped")
        servers[0].psql("dropped", text=ROWS)
        clone.must()
        locker = clone.dest.connect("dropped", autocommit=False)
        locker.cursor().execute("LOCK TABLE big")
        running = command(clone)
        wait_for(lambda: clone.dest.value("SELECT count(*) FROM pg_stat_activity WHERE datname = 'dropped'"
                                          " AND wait_event_type = 'Lock'") > 0, 30, "it waits in the middle of a pass")
        namespace.drop()
        begun = time.monotonic()
        locker.rollback()
        result = verdict_of(running, 120)
        assert result.code in (1, 4) and not result.states("different"), result.output + result.errors
        time.sleep(max(0, 60 - (time.monotonic() - begun)))
        namespace.restore()
        for server in servers:
            wait_for(lambda server=server: sessions(server, "dropped") <= 1, 60, "no session is left")
        locker.close()
        assert verify(clone.binary, clone).code == 0
    finally:
        namespace.remove()


@pytest.mark.full
def test_a_value_of_300_mb_is_compared_to_its_last_byte(pair):
    clone = clone_of(pair, "huge")
    pair[0].sql("CREATE TABLE huge (id int PRIMARY KEY, b bytea, t text); INSERT INTO huge SELECT 1,"
                " convert_to(repeat('0123456789', 30000000), 'UTF8'), repeat('0123456789', 30000000)", dbname="huge")
    clone.must(timeout=600)
    for way in ((), ("--hash", "sha256")):
        result = verify(clone.binary, clone, *way, seconds=300)
        assert result.code == 0, result.output[:2000] + result.errors
    pair[1].sql("UPDATE huge SET b = set_byte(b, 299999999, 0), t = left(t, -1) || '8'", dbname="huge")
    result = verify(clone.binary, clone, "--show-values", seconds=300)
    assert result.rows("public.huge") == {("changed", ("1",), ("b", "t"))}, result.output[:2000]
    assert len(result.output) < 20000


class Disk:
    """A small file system for one database of a server."""

    def __init__(self, server, dbname, size):
        self.server, self.dbname, self.path = server, dbname, os.path.join(server.folder, dbname)
        os.makedirs(self.path)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "bm", self.path], check=True)
        folder = os.path.join(self.path, "space")
        os.mkdir(folder)
        give(folder)
        server.sql(f"CREATE TABLESPACE {dbname} LOCATION '{folder}'")
        server.sql(f'CREATE DATABASE "{dbname}" TABLESPACE {dbname}')
        server.sql(f"ALTER DATABASE {dbname} SET temp_tablespaces = {dbname}")

    def fill(self):
        """Less than a page is left."""
        now = os.statvfs(self.path)
        subprocess.run(["mount", "-o", f"remount,size={(now.f_blocks - now.f_bfree) * now.f_frsize}", self.path], check=True)

    def remove(self):
        self.server.sql(f'DROP DATABASE "{self.dbname}"')
        self.server.sql(f"DROP TABLESPACE {self.dbname}")
        subprocess.run(["umount", "-l", self.path], check=True)


@needs_root
@pytest.mark.full
@pytest.mark.parametrize("side", [0, 1])
def test_a_full_disk_on_either_side_makes_nothing_equal_or_different(pair, side):
    name = f"full_{side}"
    disk = Disk(pair[side], name, "300m")
    try:
        pair[1 - side].sql(f"CREATE DATABASE {name}")
        clone = Clone(pair[2].binary, pair[2].folder, pair[0], pair[1], name)
        pair[0].psql(name, text=ROWS)
        clone.must()
        pair[1].sql("DELETE FROM words WHERE k = (SELECT min(k) FROM words)", dbname=name)
        for server in pair[:2]:
            for statement in ("VACUUM ANALYZE", "CHECKPOINT"):
                server.sql(statement, dbname=name)
            server.sql(f"ALTER DATABASE {name} SET work_mem = '64kB'")
        disk.fill()
        result = verify(clone.binary, clone, seconds=300)
        assert result.report is None or result.objects["public.big"]["state"] in ("equal", "unproven"), result.output
        assert result.report is None or result.objects["public.words"]["state"] in ("different", "unproven"), result.output
        assert result.code in (1, 4, 5), result.output
    finally:
        disk.remove()

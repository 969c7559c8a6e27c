"""The background reads less while the source is busy, more when it is quiet, and status says how much.

Where a processor is short a small question is answered as soon as ever; what takes longer is each reading, and the rest after it.
"""

import contextlib
import statistics
import subprocess
import time

import pytest

from support import declared
from support.cgroup import Limit
from support.servers import bin_dir
from support.users import as_user
from support.waiting import wait_for

pytestmark = [pytest.mark.full, pytest.mark.timeout(600)]

TABLES = """
CREATE TABLE wide (id int PRIMARY KEY, v text);
INSERT INTO wide SELECT i, repeat(md5(i::text), 30) FROM generate_series(1, 150000) i;
CREATE TABLE heap (v text);
INSERT INTO heap SELECT repeat(md5(i::text), 30) FROM generate_series(1, 30000) i;
"""
GENTLE = "    verify: {interval: 1s, full_every: 10s, max_load: 10}\n"


@pytest.fixture(name="world")
def small_source(workshop):
    """A source that has the fifth part of a processor, as a small instance has."""
    source, dest = workshop.server("source"), workshop.server("dest")
    source.create_database("shop", "shop")
    dest.create_database("shop")
    source.sql(TABLES, dbname="shop")
    subprocess.run(as_user([f"{bin_dir()}/pgbench", "-h", source.folder, "-p", str(source.port), "-U", source.user, "-i", "-q",
                            "-I", "dtpG", "postgres"]), check=True, capture_output=True, timeout=120)
    machine = declared.replicating(workshop, source, dest, "shop", GENTLE)
    limit = Limit(f"bm-load-{time.time_ns()}", 0.3)
    try:
        limit.add(source.process.pid)
        yield machine, source
    finally:
        limit.close()


@contextlib.contextmanager
def crowded(source):
    argv = [f"{bin_dir()}/pgbench", "-h", source.folder, "-p", str(source.port), "-U", source.user, "-n", "-S", "-c", "40",
            "-T", "600", "postgres"]
    with subprocess.Popen(as_user(argv, pdeathsig="KILL"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as load:
        try:
            yield
            assert load.poll() is None, "pgbench has ended"
        finally:
            load.kill()


def rate(machine):
    return ((declared.view(machine) or {}).get("verify") or {}).get("rate")


def speed(machine, seconds=15):
    """The median of what status says for a while, bytes a second."""
    said, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        now = rate(machine)
        if now and now["bytes_per_second"] and (not said or said[-1] != now):
            said.append(now)
        time.sleep(0.5)
    print(said)
    return statistics.median(one["bytes_per_second"] for one in said)


def test_a_busy_source_slows_the_pass_down_and_a_quiet_one_speeds_it_up(world):
    machine, source = world
    declared.wait_view(machine, lambda v: v["verify"] and v["verify"].get("percent") == 100, "everything is proven")
    wait_for(lambda: rate(machine)["bytes_per_second"] > 0, 30, "it reads again")
    quiet = speed(machine)
    assert rate(machine)["limit"] is None, rate(machine)
    with crowded(source):
        wait_for(lambda: 0 < rate(machine)["bytes_per_second"] < quiet / 2, 90, "it reads less",
                 explain=lambda: str(rate(machine)))
        busy = speed(machine, 25)
        assert busy < quiet / 2, (quiet, busy)
        wait_for(lambda: "being read" in machine.cli("status").output, 30, "status shows it")
    wait_for(lambda: rate(machine)["bytes_per_second"] > quiet / 2, 120, "it is as fast as before",
             explain=lambda: str(rate(machine)))
    again = speed(machine)
    assert again > 1.5 * busy and rate(machine)["limit"] is None, (quiet, busy, again, rate(machine))
    print(f"bytes a second: quiet {quiet:.0f}, busy {busy:.0f}, quiet again {again:.0f}")

"""What a person sees of a migration at work: true progress, bars, lag and its trend."""

import os
import shutil
import threading

import pytest
from support import compare
from support.declared import replicating, view, wait_live, wait_view, yaml
from support.traffic import Traffic, marker
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(300)

ROWS = """
    CREATE TABLE orders (id bigint PRIMARY KEY, a text, b timestamptz);
    INSERT INTO orders SELECT g, repeat(md5(g::text), 6), now() FROM generate_series(1, %d) g;
    CREATE INDEX orders_a ON orders (a);
    CREATE INDEX orders_b ON orders (b);
    CREATE TABLE nokey AS SELECT g AS id, repeat('x', 200) AS t FROM generate_series(1, %d) g;
    ANALYZE;
"""


class Watcher(threading.Thread):
    """Looks again and again, as `status --watch` does, and remembers all it saw."""

    def __init__(self, machine):
        super().__init__(daemon=True)
        self.machine, self.seen, self.over = machine, [], threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(0.05):
            now = view(self.machine)
            if now:
                self.seen.append(now)

    def end(self):
        self.over.set()
        self.join(10)
        return self.seen

    def progress(self, phase, member):
        values = [v["progress"][member] for v in self.seen if v["phase"] == phase]
        return [value for value in values if value is not None]


def kill_in_mid_copy(machine, percent):
    wait_view(machine, lambda v: v["phase"] == "copy" and (v["progress"]["percent"] or 0) > percent,
              f"the copy is beyond {percent} %")
    machine.kill9()
    machine.fresh_runtime()
    machine.start()


def test_progress_is_true_across_kills_and_ends_at_100(workshop, rounds):
    source, dest = workshop.server("source"), workshop.server("dest")
    for server in (source, dest):
        server.create_database("shop")
    source.sql(ROWS % ((rounds(200000, 600000),) * 2), dbname="shop")
    machine = workshop.machine(mode="pod")
    machine.write_pgpass(source, dest)
    machine.write_config(yaml(source, dest, "shop", extra="    copy: {jobs: 2, max_rate: 25MB}\n"))
    machine.start()
    watcher = Watcher(machine)
    for percent in rounds((20,), (10, 20, 30, 40, 50)):
        kill_in_mid_copy(machine, percent)
    end = wait_live(machine)
    watcher.end()
    assert end["progress"]["percent"] == 100
    for phase in ("copy", "index", "replicate"):
        percents = watcher.progress(phase, "percent")
        assert percents == sorted(percents), f"{phase} ran backwards: {percents}"
        done = watcher.progress(phase, "done")
        assert done == sorted(done), f"{phase} ran backwards: {done}"
    parts = [part for v in watcher.seen for part in v["progress"]["in_flight"]]
    names = {part["name"] for part in parts}
    assert {"public.orders", "public.nokey"} <= names and "INDEX public.orders_a" in names, names
    assert all(part["done"] <= part["total"] and 0 <= part["percent"] <= 100 for part in parts)
    assert any(v["progress"]["rate"] and v["progress"]["eta_msec"] is not None
               for v in watcher.seen)


def live(workshop):
    """A machine that replicates one empty table, and both servers."""
    source, dest = workshop.server("source"), workshop.server("dest")
    for server in (source, dest):
        server.create_database("shop")
    source.sql("CREATE TABLE t (id int PRIMARY KEY)", dbname="shop")
    machine = replicating(workshop, source, dest, "shop")
    return machine, source, dest


def test_the_lag_says_where_it_goes(workshop):
    machine, source, dest = live(workshop)
    calm = wait_view(machine, lambda v: (v["replication"] or {}).get("backlog_rows") == 0,
                     "nothing waits")["replication"]
    assert calm["trend"] == "steady" and calm["catch_up_msec"] is None
    assert calm["syncs"] == 1 and calm["requeued_rows"] == 0 and calm["conflicts"] == 0
    assert "lag: none, nothing waits" in machine.cli("status").check()
    writer = dest.connect("shop", autocommit=False)
    writer.cursor().execute("LOCK TABLE t IN EXCLUSIVE MODE")
    try:
        source.sql("INSERT INTO t SELECT generate_series(1, 500)", dbname="shop")
        grows = wait_view(machine, lambda v: v["replication"]["trend"] == "grows",
                          "it does not get less", 90)["replication"]
        assert grows["backlog_rows"] == 500 and grows["lag_msec"] >= 10000
        assert "not at this rate" in machine.cli("status").check()
    finally:
        writer.rollback()
        writer.close()
    wait_for(lambda: dest.value("SELECT count(*) FROM t", dbname="shop") == 500, 60, "applied")
    wait_view(machine, lambda v: v["replication"]["trend"] == "steady", "it is calm again")


@pytest.mark.full
def test_a_lag_that_nobody_looks_at_is_not_known(workshop):
    machine, _, _ = live(workshop)
    wait_view(machine, lambda v: v["replication"]["backlog_rows"] == 0, "nothing waits")
    machine.cli("service", "stop", "postgres").check()
    wait_view(machine, lambda v: v["replication"]["backlog_rows"] is None, "nobody looks", 60)
    text = machine.cli("status").check()
    assert "what waits is not known" in text, text
    machine.cli("service", "start", "postgres").check()
    wait_view(machine, lambda v: v["replication"]["backlog_rows"] == 0, "somebody looks", 60)


@pytest.mark.full
def test_a_lost_control_database_is_rebuilt_and_what_is_gone_is_said(workshop):
    source, dest, dbname = workshop.pair()
    machine = workshop.machine()
    machine.write_pgpass(source, dest)
    machine.write_config(yaml(source, dest, dbname))
    with Traffic(source, dbname, rate=20) as traffic:
        machine.start()
        before = wait_live(machine)
        assert not [f for f in before["findings"] if f["object"] == "journal"]
        machine.stop()
        shutil.rmtree(os.path.join(machine.volume, "postgres"))
        machine.fresh_runtime()
        traffic.wait_total(10)
        machine.start()
        # A control database of another identity is another machine, which somebody vouches for.
        wait_view(machine, lambda v: v["status"] == "failed" and "take-over" in str(v["findings"]),
                  "it asks whether the other machine is gone", 60)
        wait_for(lambda: machine.cli("accept", "app", "take-over").check(), 120, "nothing was heard of it")
        after = wait_live(machine)
        traffic.wait_total(10)
    found = [f["why"] for f in after["findings"] if f["object"] == "journal"]
    assert found and "the ledger on the destination" in found[0], after["findings"]
    assert "captured for app_sync" in found[0] and "paused" in found[0]
    assert "knows nothing of this migration" in machine.cli("events").check()
    marker(source, dest, dbname, dbname, 60)
    compare.wait_equal(source, dest, dbname, sequences=False)

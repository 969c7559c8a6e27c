"""A migration whose databases restart, fall silent, or end a chunk's transaction (story 5)."""

import time

import pytest
from support import compare
from support.declared import wait_live, wait_view, yaml
from support.netns import Namespace
from support.traffic import Traffic, marker
from support.waiting import wait_for

# The index takes about five seconds, so that something can happen to it.
TABLES = """
    CREATE FUNCTION slowly(integer) RETURNS integer IMMUTABLE LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_sleep(0.001); RETURN $1; END $$;
    DO $$ BEGIN FOR i IN 1..8 LOOP
        EXECUTE format('CREATE TABLE big_%s (id serial PRIMARY KEY, a text)', i);
        EXECUTE format('INSERT INTO big_%s (a) SELECT repeat(md5(g::text), 20)
            FROM generate_series(1, 4000) g', i);
    END LOOP; END $$;
    CREATE INDEX ON big_1 (slowly(id));
"""
COPYING = ("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = 'app' "
           "AND application_name LIKE 'bucardo-machine%%' AND query ILIKE '%%COPY%%big%%' "
           "AND state = 'active'")
INDEXING = "SELECT count(*) FROM pg_stat_progress_create_index"


def restart(server, seconds):
    server.stop("immediate")
    time.sleep(seconds)  # the outage itself
    server.start()


def silence(server, seconds):
    server.sigstop()
    time.sleep(seconds)  # the outage itself
    server.sigcont()


def drop_packets(server, seconds):
    server.netns.drop()
    time.sleep(seconds)  # the outage itself
    server.netns.restore()


def end_chunks(server, _seconds):
    """End the transactions of chunks that are being copied."""
    wait_for(lambda: server.value(COPYING, dbname="app") > 0, 30, "a chunk is in flight")


class Scene:
    def __init__(self, workshop, source, dest):
        self.source, self.dest = source, dest
        source.create_database("app", "shop").sql(TABLES, dbname="app")
        dest.create_database("app")
        self.machine = workshop.machine(installed=True)
        self.machine.write_pgpass(source, dest)
        self.machine.write_config(yaml(source, dest, "app",
                                       extra="    copy: {jobs: 2, max_rate: 2MB}\n"))

    def wait_copying(self):
        """Some of it is done, and there is more to do."""
        mark = wait_view(self.machine, lambda v: v["phase"] == "copy", "it copies")["progress"]["done"]
        wait_view(self.machine, lambda v: v["phase"] != "copy" or v["progress"]["done"] > mark,
                  "more is copied")

    def tell(self, in_copy, in_index, in_replicate, seconds):
        """Each argument but the last: pairs of (what happens, to which server)."""
        with Traffic(self.source, "app", "shop", rate=40) as traffic:
            self.machine.start()
            for strike, server in in_copy:
                self.wait_copying()
                strike(server, seconds)
            for strike, server in in_index:
                wait_for(lambda: self.dest.value(INDEXING, dbname="app") > 0, 120,
                         "an index is being built", explain=self.machine.log_tail)
                strike(server, seconds)
            wait_live(self.machine, 180)
            for strike, server in in_replicate:
                traffic.wait_total(20, 60)
                strike(server, seconds)
                marker(self.source, self.dest, "app", "shop", 90)
            traffic.wait_total(20)
        marker(self.source, self.dest, "app", "shop", 60)
        compare.wait_equal(self.source, self.dest, "app", 60, sequences="ahead")
        self.machine.wait_ready(60)


@pytest.mark.timeout(1200)
def test_databases_that_restart_are_waited_for(workshop):
    source, dest = workshop.server("source"), workshop.server("dest")
    Scene(workshop, source, dest).tell(
        [(end_chunks, dest), (restart, source), (restart, dest)], [(restart, dest)], [], 1)


@pytest.mark.full
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seconds", [2, 60])
def test_databases_that_are_down_in_every_phase_are_waited_for(workshop, seconds):
    source, dest = workshop.server("source"), workshop.server("dest")
    Scene(workshop, source, dest).tell(
        [(end_chunks, source), (end_chunks, dest), (restart, dest), (restart, source)],
        [(restart, dest), (restart, source)],
        [(restart, dest), (restart, source)], seconds)


@pytest.mark.full
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seconds", [15, 60])
def test_servers_that_do_not_answer_are_waited_for(workshop, seconds):
    source, dest = workshop.server("source"), workshop.server("dest")
    strikes = [(silence, dest), (silence, source)]
    Scene(workshop, source, dest).tell(strikes, strikes, strikes, seconds)


@pytest.mark.full
@pytest.mark.timeout(1200)
def test_dropped_packets_are_waited_for(workshop):
    namespace = Namespace()
    try:
        source = workshop.server("source")
        dest = workshop.server("dest", address=namespace.address, netns=namespace)
        strikes = [(drop_packets, dest)]
        Scene(workshop, source, dest).tell(strikes, strikes, strikes, 60)
        workshop.close()
    finally:
        namespace.remove()

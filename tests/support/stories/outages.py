"""A database goes away and comes back; replication goes on without a person (story 5)."""

import os
import signal
import time

from support import compare
from support.traffic import Traffic, marker

LIMIT = 60  # seconds after the cause is gone

BY_HAND = [
    "bucardo-machine service restart postgres",
    "pg_ctl -D {volume}/postgres/[0-9]* stop -m fast",
    "pg_ctl -D {volume}/postgres/[0-9]* restart -m immediate",
]


def _goes_on(parts, traffic):
    machine, source, dest, dbname = parts
    marker(source, dest, dbname, dbname, LIMIT)
    traffic.stop()
    compare.wait_equal(source, dest, dbname, LIMIT)
    machine.wait_ready(LIMIT)


def a_database_that_was_down_is_caught_up_with(parts, which, seconds):
    machine, source, dest, _ = parts
    server = dest if which == "destination" else source
    with Traffic(source, parts[3]) as traffic:
        traffic.wait_total(5)
        server.stop("immediate")
        down_at = time.monotonic()
        if seconds > 10:
            sync = machine.wait_health("unreachable", 30)
            name = "MyDestDB" if which == "destination" else "MySourceDB"
            assert name in sync["why"], f"the message does not name the database: {sync['why']}"
            assert machine.cli("health", "live").code == 0
        time.sleep(max(0, seconds - (time.monotonic() - down_at)))  # the outage itself
        server.start()
        _goes_on(parts, traffic)


def bucardos_mark_of_an_outage_is_not_taken_for_a_stop_by_a_person(parts):
    """Bucardo writes 'stalled' into its tables when a connection is lost, and may leave it."""
    machine, source, dest, dbname = parts
    machine.control_sql("UPDATE bucardo.sync SET status = 'stalled'")
    machine.control_sql("UPDATE bucardo.db SET status = 'stalled'")
    os.kill(machine.one("mcp"), signal.SIGKILL)
    marker(source, dest, dbname, dbname, LIMIT)
    machine.wait_health("idle", LIMIT)


def a_control_postgres_restarted_by_hand_comes_back_with_bucardo(parts, command):
    machine, source, _, dbname = parts
    postmaster, master = machine.one("postmaster"), machine.one("mcp")
    with Traffic(source, dbname) as traffic:
        machine.shell(command.format(volume=machine.volume))
        _goes_on(parts, traffic)
    assert machine.find("postmaster") != [postmaster]
    assert machine.find("mcp") != [master], "a restarted PostgreSQL implies a restarted Bucardo"
    assert len(machine.find("postmaster")) == 1 and len(machine.find("mcp")) == 1


def dropped_packets_to_the_destination_end_in_unreachable_and_heal(parts, namespace, seconds):
    machine, source, _, dbname = parts
    with Traffic(source, dbname) as traffic:
        traffic.wait_total(5)
        namespace.drop()
        dropped_at = time.monotonic()
        sync = machine.wait_health("unreachable", 60)
        assert "MyDestDB" in sync["why"], f"the message does not name the database: {sync['why']}"
        assert machine.cli("health", "live").code == 0
        time.sleep(max(0, seconds - (time.monotonic() - dropped_at)))  # the outage itself
        namespace.restore()
        _goes_on(parts, traffic)

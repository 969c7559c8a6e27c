"""An ordered stop leaves nothing to recover (story 7); a crash is just another start."""

import os

import pytest
from support import compare
from support.stories import stopping
from support.traffic import Traffic, marker

pytestmark = pytest.mark.timeout(400)


def test_a_stop_under_load_is_ordered_and_needs_no_recovery(workshop, rounds):
    stopping.a_stop_under_load_is_ordered_and_needs_no_recovery(
        workshop.replicating(mode="plain"), rounds(2, 6))


@pytest.mark.skipif(os.getuid() != 0, reason="needs root for a pid namespace")
def test_a_lost_pod_resumes_every_time_and_loses_nothing(workshop, rounds):
    machine, source, dest, dbname = workshop.replicating(mode="pod")
    with Traffic(source, dbname) as traffic:
        for _ in range(rounds(3, 10)):
            traffic.wait_total(20)
            machine.kill9_everything()
            stopping.wait_gone(machine)
            machine.fresh_runtime()
            traffic.wait_total(20)
            machine.start()
            marker(source, dest, dbname, dbname, 60)
    compare.wait_equal(source, dest, dbname)
    machine.wait_ready(60)


def test_a_killed_daemon_is_succeeded_by_one_that_ends_what_it_left(workshop, rounds):
    machine, source, dest, dbname = workshop.replicating(mode="plain")
    with Traffic(source, dbname) as traffic:
        for _ in range(rounds(3, 10)):
            traffic.wait_total(20)
            machine.kill9()
            machine.start()
            marker(source, dest, dbname, dbname, 60)
            machine.wait_ready(60)
            stopping.wait_gone(machine)
            assert len(machine.find("postmaster")) == 1 and len(machine.find("mcp")) == 1
    compare.wait_equal(source, dest, dbname)


def test_a_row_written_on_the_destination_comes_back(workshop):
    machine, source, dest, dbname = workshop.replicating(mode="plain")
    marker(dest, source, dbname, dbname, 60)
    compare.wait_equal(source, dest, dbname)
    assert machine.stop()[0] == 0

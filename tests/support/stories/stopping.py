"""An ordered stop leaves nothing to recover (story 7)."""

from support import compare
from support.traffic import Traffic, marker
from support.waiting import wait_for


def wait_gone(machine):
    wait_for(lambda: machine.leftovers() == [], 10, "no process of the machine is left")


def a_stop_under_load_is_ordered_and_needs_no_recovery(parts, rounds):
    machine, source, dest, dbname = parts
    with Traffic(source, dbname, rate=200) as traffic:
        for _ in range(rounds):
            traffic.wait_total(50)
            code, seconds = machine.stop()
            assert code == 0
            assert seconds < 27, f"took {seconds:.1f} s, more than the deadline of 25 s"
            wait_gone(machine)
            assert machine.cluster_state() == "shut down"
            machine.fresh_runtime()
            mark = machine.log_size()
            machine.start()
            marker(source, dest, dbname, dbname, 60)
            assert "not properly shut down" not in machine.log()[mark:]
    compare.wait_equal(source, dest, dbname)

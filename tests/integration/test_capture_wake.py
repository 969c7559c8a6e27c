"""A kill between the copy and replication, when the triggers of the destination are made to fire always one by one."""

import pytest
from support import compare, declared
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(300)

TABLES = ("a", "b", "c")
QUIET = ("SELECT count(*) FROM pg_trigger WHERE tgname = 'bucardo_delta' AND tgenabled = 'O'"
         " AND tgrelid::regclass::text = ANY (%s)")
WAITS = ("SELECT pid FROM pg_stat_activity WHERE datname = 'shop' AND wait_event_type = 'Lock'"
         " AND query ~ 'machine_capture_wake'")


def quiet(dest):
    return dest.value(QUIET, (list(TABLES),), dbname="shop")


@pytest.mark.parametrize("kill", ["the machine", pytest.param("its session", marks=pytest.mark.full)])
def test_killed_while_it_wakes_a_trigger_it_wakes_the_others_and_loses_no_row(workshop, kill):
    source, dest = workshop.server("source"), workshop.server("dest")
    source.create_database("shop").sql("".join(
        f"CREATE TABLE {name} (id int PRIMARY KEY, v text);"
        f"INSERT INTO {name} SELECT i, 'x' FROM generate_series(1, 100) i;" for name in TABLES), dbname="shop")
    dest.create_database("shop")
    machine = workshop.machine(installed=True)
    machine.write_pgpass(source, dest)
    both = "    direction: both\n"
    machine.write_config(declared.yaml(source, dest, "shop", extra=both + "    run_until: capture\n"))
    machine.start()
    declared.wait_view(machine, lambda v: {p["phase"]: p["state"] for p in v["phases"]}.get("capture") == "done",
                       "it is captured")
    assert quiet(dest) == len(TABLES)
    # A manual VACUUM would hold this lock, and is not ended for anybody.
    holder = dest.connect("shop")
    holder.cursor().execute("BEGIN; LOCK TABLE b IN SHARE UPDATE EXCLUSIVE MODE")
    machine.write_config(declared.yaml(source, dest, "shop", extra=both))
    wait_for(lambda: dest.value(WAITS, dbname="shop"), 60, "it waits for the lock", explain=machine.log_tail)
    assert quiet(dest) == 2, "a is awake, b waits, c is to come"
    source.sql("UPDATE a SET v = 'meanwhile' WHERE id = 1; DELETE FROM b WHERE id = 2; INSERT INTO c VALUES (101, 'new')",
               dbname="shop")
    if kill == "the machine":
        machine.kill9_everything()
        machine.start()
    else:
        dest.sql(f"SELECT pg_terminate_backend(pid) FROM ({WAITS}) w", dbname="shop")
    wait_for(lambda: "holds a lock on the table" in machine.log(), 60, "who holds it is told", explain=machine.log_tail)
    assert quiet(dest) == 2
    holder.close()
    declared.wait_live(machine)
    assert quiet(dest) == 0
    compare.wait_equal(source, dest, "shop")
    # Each of them captures, in replica role too.
    dest.sql("SELECT bucardo_machine.lift_fence()", dbname="shop")
    declared.wait_view(machine, lambda v: v["reconcile"]["live"]["side"] == "destination", "it is live")
    dest.sql("SET session_replication_role = replica;" +
             "".join(f"INSERT INTO {name} VALUES (500, 'back');" for name in TABLES), dbname="shop")
    compare.wait_equal(dest, source, "shop")

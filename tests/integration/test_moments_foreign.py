"""A copy of several moments: a foreign key waits for the changes that make it hold."""

from support import compare
from support.declared import view, wait_live, wait_view, yaml
from support.waiting import wait_for

KEYS = ("SELECT string_agg(conname || ' ' || convalidated, ',' ORDER BY conname) FROM pg_constraint "
        "WHERE contype = 'f' AND connamespace = 'public'::regnamespace")


def test_a_copy_that_was_interrupted_while_parents_were_deleted_goes_live_with_its_foreign_keys(workshop):
    """The children are there as of the first moment, the parents as of the second."""
    source, dest = workshop.server("source"), workshop.server("dest")
    for server in (source, dest):
        server.create_database("app")
    source.sql("CREATE TABLE parent (id int PRIMARY KEY); INSERT INTO parent SELECT generate_series(1, 50);"
               "CREATE TABLE child (id int PRIMARY KEY, p int CONSTRAINT of_parent REFERENCES parent, v text);"
               "INSERT INTO child SELECT i, i % 50 + 1, repeat('c', 900) FROM generate_series(1, 8000) i;"
               "CREATE TABLE filler (id int PRIMARY KEY, p int CONSTRAINT in_order REFERENCES parent, v text);"
               "INSERT INTO filler SELECT i, 1, repeat('f', 900) FROM generate_series(1, 5000) i", dbname="app")
    machine = workshop.machine(installed=True)
    machine.write_pgpass(source, dest)
    machine.write_config(yaml(source, dest, "app", extra="    copy: {jobs: 1, max_rate: 2MB, foreign_keys: check}\n"))
    machine.start()
    wait_view(machine, lambda v: v["phase"] == "copy" and v["progress"]["pieces_done"] == 1, "child is copied")
    machine.cli("pause", "app").check()
    wait_view(machine, lambda v: v["status"] == "paused" and v["pid"] is None, "it is paused")
    assert dest.sql("SELECT table_name FROM bucardo_machine.chunk WHERE done IS NOT NULL",
                    dbname="app") == [('"public"."child"',)]
    source.sql("DELETE FROM child WHERE p = 7; DELETE FROM parent WHERE id = 7", dbname="app")
    machine.cli("resume", "app").check()
    wait_live(machine)
    wait_for(lambda: dest.value(KEYS, dbname="app") == "in_order true,of_parent true", 60,
             "the foreign keys hold, and are known to", explain=machine.log_tail)
    compare.wait_equal(source, dest, "app", sequences="ahead")
    assert "of_parent" in machine.log()
    wait_for(lambda: not view(machine)["reconcile"].get("unchecked"), 20, "nothing waits any more")

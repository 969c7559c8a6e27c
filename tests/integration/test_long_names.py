"""Names that are short in characters and long in bytes: such a table is left out, and stops nothing."""

import pytest
from support.declared import replicating, view, wait_view
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(200)

DB = "app"
LONG = "ж" * 30  # 60 bytes: with the schema's name more than Bucardo leaves for one


def test_a_table_whose_name_has_many_bytes_is_left_out_and_stops_no_other(workshop):
    source, dest = workshop.server("source"), workshop.server("dest")
    for server in (source, dest):
        server.create_database(DB)
    source.sql("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE renamed (id int PRIMARY KEY);"
               + "".join(f'CREATE TABLE "{LONG}{end}" (id int PRIMARY KEY);' for end in "ab"),
               dbname=DB)
    machine = replicating(workshop, source, dest, DB)
    for server in (source, dest):
        server.sql(f'ALTER TABLE renamed RENAME TO "{LONG}r"; ALTER TABLE t ADD COLUMN x int', dbname=DB)
    source.sql("INSERT INTO t VALUES (1)", dbname=DB)
    wait_view(machine, lambda v: any(LONG in one["table"] for one in (v["reconcile"] or {}).get("paused", [])),
              "pauses the table that got such a name", 60)
    wait_for(lambda: dest.value("SELECT count(*) FROM t", dbname=DB) == 1, 60, "the others go on")
    left = {one["name"]: one["kind"] for one in view(machine)["not_in_step"]}
    assert left[f'public."{LONG}a"'] == left[f'public."{LONG}b"'] == "left-out"

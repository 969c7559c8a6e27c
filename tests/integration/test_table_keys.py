"""`worker reconcile`: keys whose definition changes, and tables that get another name. The application
is never told an error, and no row is lost, whichever side is changed first.

KINDS is a table to extend: columns and key, rows, the change, and what is written after it."""

import os
import signal

import pytest
from support import compare
from support.declared import wait_live, wait_view, yaml
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(400)

# name: (columns and key, rows as a SELECT of 20, the change, writes after it)
KINDS = {
    "widened": ("id int PRIMARY KEY, v text", "g, 'v'",
                "ALTER TABLE {t} ALTER id TYPE bigint",
                "INSERT INTO {t} VALUES (5000000000, 'big'); UPDATE {t} SET v = 'w' WHERE id = 3;"
                "DELETE FROM {t} WHERE id = 4"),
    "longer": ("id varchar(6) PRIMARY KEY, v text", "'c' || g, 'v'",
               "ALTER TABLE {t} ALTER id TYPE text",
               "INSERT INTO {t} VALUES ('a-rather-long-code', 'x'); DELETE FROM {t} WHERE id = 'c4'"),
    "lengthened": ("id varchar(6), n int, v text, PRIMARY KEY (n, id)", "'c' || g, g, 'v'",
                   "ALTER TABLE {t} ALTER id TYPE varchar(60)",
                   "INSERT INTO {t} VALUES ('a-rather-long-code', 1, 'x');"
                   "UPDATE {t} SET id = 'another-long-code' WHERE n = 5"),
    "spelled": ("id int PRIMARY KEY, v text", "g, 'v'",
                "ALTER TABLE {t} ALTER id TYPE text USING id::text",
                "INSERT INTO {t} VALUES ('abc', 'x'); UPDATE {t} SET id = 'def' WHERE id = '3';"
                "DELETE FROM {t} WHERE id = '4'"),
    "counted": ("id text PRIMARY KEY, v text", "g::text, 'v'",
                "ALTER TABLE {t} ALTER id TYPE numeric USING id::numeric",
                "INSERT INTO {t} VALUES (0.5, 'x'); DELETE FROM {t} WHERE id = 4"),
    "zoned": ("id timestamp PRIMARY KEY, v text", "timestamp '2024-01-01' + g * interval '1 day', 'v'",
              "ALTER TABLE {t} ALTER id TYPE timestamptz USING id AT TIME ZONE 'Asia/Tokyo'",
              "INSERT INTO {t} VALUES ('2025-01-01 UTC', 'x');"
              "DELETE FROM {t} WHERE id = '2024-01-03 00:00 Asia/Tokyo'"),
    "scaled": ("id numeric(6,2) PRIMARY KEY, v text", "g + 0.25, 'v'",
               "ALTER TABLE {t} ALTER id TYPE numeric(12,4)",
               "INSERT INTO {t} VALUES (1234567.1234, 'x'); DELETE FROM {t} WHERE id = 3.25"),
    "identified": ("id text PRIMARY KEY, v text", "md5(g::text)::uuid::text, 'v'",
                   "ALTER TABLE {t} ALTER id TYPE uuid USING id::uuid",
                   "INSERT INTO {t} VALUES (md5('x')::uuid, 'x');"
                   "DELETE FROM {t} WHERE id = md5('4')::uuid"),
    "ranged": ("id small PRIMARY KEY, v text", "g, 'v'",
               "ALTER TABLE {t} ALTER id TYPE large",
               "INSERT INTO {t} VALUES (70000, 'x'); DELETE FROM {t} WHERE id = 4"),
    "labelled": ("id mood, n int, v text, PRIMARY KEY (id, n)", "'sad', g, 'v'",
                 "ALTER TABLE {t} ALTER id TYPE text USING id::text",
                 "INSERT INTO {t} VALUES ('gay', 1, 'x'); DELETE FROM {t} WHERE n = 4"),
    "relabelled": ("id {t}_e, n int, v text, PRIMARY KEY (id, n)", "'sad', g, 'v'",
                   "ALTER TYPE {t}_e RENAME TO {t}_old; CREATE TYPE {t}_e AS ENUM ('gay', 'happy', 'sad');"
                   "ALTER TABLE {t} ALTER id TYPE {t}_e USING id::text::{t}_e; DROP TYPE {t}_old",
                   "INSERT INTO {t} VALUES ('gay', 100, 'x'); UPDATE {t} SET id = 'happy' WHERE n = 5;"
                   "DELETE FROM {t} WHERE n = 4"),
    "renamed": ("id int PRIMARY KEY, v text", "g, 'v'",
                "ALTER TABLE {t} RENAME id TO \"the id\"",
                "INSERT INTO {t} VALUES (100, 'x'); DELETE FROM {t} WHERE \"the id\" = 4"),
    "two_renamed": ("a int, b text, v text, PRIMARY KEY (a, b)", "g, 'b' || g, 'v'",
                    "ALTER TABLE {t} RENAME a TO c; ALTER TABLE {t} RENAME b TO d",
                    "INSERT INTO {t} VALUES (100, 'x', 'x'); DELETE FROM {t} WHERE c = 4;"
                    "UPDATE {t} SET d = 'other' WHERE c = 5"),
    "swapped": ("a int, b int, v text, PRIMARY KEY (a, b)", "g, 100 + g, 'v'",
                "ALTER TABLE {t} RENAME a TO c; ALTER TABLE {t} RENAME b TO a;"
                "ALTER TABLE {t} RENAME c TO b",
                "INSERT INTO {t} VALUES (100, 7, 'x'); DELETE FROM {t} WHERE a = 104;"
                "UPDATE {t} SET a = 300 WHERE b = 5"),
    "over_others": ("id int PRIMARY KEY, n int NOT NULL, v text", "g, 100 + g, 'v'",
                    "ALTER TABLE {t} DROP CONSTRAINT {t}_pkey, ADD PRIMARY KEY (n), DROP id",
                    "INSERT INTO {t} VALUES (300, 'x'); DELETE FROM {t} WHERE n = 104;"
                    "UPDATE {t} SET n = 305 WHERE n = 105"),
    "anew": ("id int PRIMARY KEY, v text", "g, 'v'",
             "ALTER TABLE {t} DROP CONSTRAINT {t}_pkey; ALTER TABLE {t} ADD PRIMARY KEY (id)",
             "INSERT INTO {t} VALUES (100, 'x'); DELETE FROM {t} WHERE id = 4"),
    "replaced": ("id int PRIMARY KEY, v text", "g, 'v'",
                 "ALTER TABLE {t} ADD fresh bigint; UPDATE {t} SET fresh = id;"
                 "ALTER TABLE {t} DROP CONSTRAINT {t}_pkey; ALTER TABLE {t} ALTER fresh SET NOT NULL;"
                 "ALTER TABLE {t} DROP id; ALTER TABLE {t} RENAME fresh TO id;"
                 "ALTER TABLE {t} ADD PRIMARY KEY (id)",
                 "INSERT INTO {t} VALUES ('x', 5000000000); DELETE FROM {t} WHERE id = 4"),
}
ORDERS = ["source", "dest", "together", "whole"]  # whole: the change and the writes are one transaction
UNSEEN = "SET bucardo_machine.applying = on; SET session_replication_role = replica;"
GONE = ["over_others", "replaced", "spelled"]  # a row vanishes unseen: all is sent again anyway
NARROW = {"widened": "int", "longer": "varchar(6)", "labelled": "mood USING id::mood"}  # delta tables as an older machine made them
PARKED = {"renamed": "id", "two_renamed": "a, b", "swapped": "a, b"}
PRELUDE = """
    CREATE DOMAIN small AS int CHECK (VALUE < 100); CREATE DOMAIN large AS bigint;
    CREATE TYPE mood AS ENUM ('sad', 'happy');
    CREATE SCHEMA shelf;
    CREATE TABLE plain (id int PRIMARY KEY, v text); INSERT INTO plain SELECT g, 'v' FROM generate_series(1, 100) g;
""" + "".join(f"CREATE TYPE relabelled_{order}_e AS ENUM ('sad', 'happy');" for order in ORDERS)
NAMED = ["named", "moved", "both_ways", "emptied"]


def tables():
    return [(kind, f"{kind}_{order}") for kind in KINDS for order in ORDERS]


@pytest.fixture(scope="module", params=["both", pytest.param("forward", marks=pytest.mark.full)])
def world(request, shared_workshop):
    """(machine, source, dest, dbname, application): a session of the source that stays."""
    source, dest = (shared_workshop.server(f"{name}_{request.param}") for name in ("source", "dest"))
    for server in (source, dest):
        server.create_database("app")
    source.sql(PRELUDE, dbname="app")
    for kind, table in tables():
        columns, rows, _, _ = KINDS[kind]
        source.sql(f"CREATE TABLE {table} ({columns.format(t=table)});"
                   f"INSERT INTO {table} SELECT {rows} FROM generate_series(1, 20) g", dbname="app")
    for table in NAMED:
        source.sql(f"CREATE TABLE {table} (id int PRIMARY KEY, v text);"
                   f"INSERT INTO {table} SELECT g, 'v' FROM generate_series(1, 50) g", dbname="app")
    machine = shared_workshop.machine(name=f"machine_{request.param}", installed=True)
    machine.write_pgpass(source, dest)
    machine.write_config(yaml(source, dest, "app", extra=f"    direction: {request.param}\n"))
    machine.start()
    wait_live(machine)
    machine.wait_ready(60)
    application = Application(source)
    for table in [table for _, table in tables()] + NAMED:
        application.write(f"UPDATE {table} SET v = 'before'")
    compare.wait_equal(source, dest, "app", sequences=False)
    return machine, source, dest, "app", application


class Application:
    """One session, as of a pool: what it has learned of types and names stays with it."""

    def __init__(self, server):
        self.connection = server.connect("app")

    def write(self, statements):
        self.connection.cursor().execute(statements)


def wait_fixed(machine, seconds=60):
    wait_view(machine, lambda v: v["reconcile"] and v["reconcile"].get("paused") == []
              and v["reconcile"].get("drift") == [], "nothing is paused", seconds)


@pytest.mark.parametrize("order", ["whole", "dest", *(pytest.param(order, marks=pytest.mark.full)
                                                      for order in ("source", "together"))])
def test_a_key_is_followed_whatever_becomes_of_it(world, order):
    machine, source, dest, dbname, application = world
    changes = {f"{kind}_{order}": kind for kind in KINDS}

    def change(server):
        for table, kind in changes.items():
            server.sql(UNSEEN + KINDS[kind][2].format(t=table), dbname=dbname)

    for kind, columns in PARKED.items():
        # Changes that nothing but deferred keys tell of, as the limit leaves them.
        table = f"{kind}_{order}"
        source.sql(f"{UNSEEN} UPDATE {table} SET v = 'deferred' WHERE {columns[0:2].strip(',')} < 9;"
                   f"CREATE TABLE IF NOT EXISTS bucardo.mpark_public_{table}"
                   f" (LIKE bucardo.delta_public_{table});"
                   f"INSERT INTO bucardo.mpark_public_{table} ({columns}, txntime)"
                   f" SELECT {columns}, now() FROM {table} WHERE v = 'deferred'", dbname=dbname)

    for kind, narrow in NARROW.items():
        source.sql(f"ALTER TABLE bucardo.delta_public_{kind}_{order} ALTER id TYPE {narrow}",
                   dbname=dbname)
    for kind in GONE:
        source.sql(f"{UNSEEN} DELETE FROM {kind}_{order} WHERE id::text = '15'", dbname=dbname)
    if order in ("dest", "together"):
        change(dest)
    if order in ("source", "together"):
        change(source)
    if order == "whole":
        for table, kind in changes.items():
            application.write(";".join(KINDS[kind][2:]).format(t=table))
    elif order != "dest":
        for table, kind in changes.items():
            application.write(KINDS[kind][3].format(t=table))
    else:
        application.write("UPDATE plain SET v = 'while the other side differs'")
        change(source)
        for table, kind in changes.items():
            application.write(KINDS[kind][3].format(t=table))
    if order in ("source", "whole"):
        # Rows wait, while the tables are paused.
        paused = [f"public.{kind}_{order}" for kind in KINDS if kind not in ("anew",)]
        wait_view(machine, lambda v: set(paused) <= {p["table"] for p in v["reconcile"]["paused"]},
                  "the tables are paused", 30)
        change(dest)
    wait_fixed(machine)
    compare.wait_equal(source, dest, dbname, sequences=False)
    for table in changes:
        application.write(f"UPDATE {table} SET v = 'after'")
    compare.wait_equal(source, dest, dbname, sequences=False)


RENAMES = {  # table: (its change, its new name)
    "named": ('ALTER TABLE named RENAME TO "Named anew"', '"Named anew"'),
    "moved": ("ALTER TABLE moved SET SCHEMA shelf", "shelf.moved"),
    "emptied": ("ALTER TABLE emptied RENAME TO emptied_too;"
                "ALTER TABLE emptied_too SET SCHEMA shelf", "shelf.emptied_too"),
    "both_ways": ("ALTER TABLE both_ways RENAME TO other_way", "other_way"),
}


def hints(machine, count):
    """What is told of the tables that the ends call differently."""
    found = wait_view(machine, lambda v: len([d for d in v["reconcile"]["drift"]
                                              if "it is called" in d["difference"]]) == count
                      and len(v["reconcile"]["paused"]) == count, f"{count} names differ", 30)
    return [d["hint"] for d in found["reconcile"]["drift"]], found["reconcile"]["pid"]


def test_rows_written_while_a_table_is_renamed_arrive_under_the_new_name(world):
    machine, source, dest, dbname, application = world
    for table in ("named", "moved", "emptied"):
        source.sql(RENAMES[table][0], dbname=dbname)
    dest.sql(RENAMES["both_ways"][0], dbname=dbname)
    for table in ("named", "moved", "emptied"):
        name = RENAMES[table][1]
        application.write(f"UPDATE {name} SET v = 'renamed' WHERE id < 10;"
                          f"INSERT INTO {name} VALUES (500, 'x'); DELETE FROM {name} WHERE id = 20")
    application.write("UPDATE both_ways SET v = 'renamed there'")
    told, pid = hints(machine, 4)
    # Each has the statement that helps, for the side that follows.
    assert all(hint.startswith("on the destination: ALTER TABLE ") for hint in told)
    assert 'on the destination: ALTER TABLE public.named RENAME TO "Named anew"' in told
    assert "on the destination: ALTER TABLE public.other_way RENAME TO both_ways" in told
    application.write("TRUNCATE shelf.emptied_too; INSERT INTO shelf.emptied_too VALUES (7, 'y')")
    application.write("UPDATE plain SET v = 'the others go on'")
    wait_for(lambda: dest.value("SELECT count(*) FROM plain WHERE v = 'the others go on'",
                                dbname=dbname) == 100, 30, "the others go on")
    os.kill(pid, signal.SIGKILL)
    for hint in told:
        if "both_ways" not in hint:
            dest.sql(hint.removeprefix("on the destination: "), dbname=dbname)
    source.sql(RENAMES["both_ways"][0], dbname=dbname)
    application.write("UPDATE other_way SET v = 'by its new name' WHERE id > 25")
    wait_fixed(machine)
    for _, name in RENAMES.values():
        application.write(f"INSERT INTO {name} VALUES (600, 'later')")
    compare.wait_equal(source, dest, dbname, sequences=False)
    assert dest.value("SELECT count(*) FROM shelf.emptied_too", dbname=dbname) == 2
    # Nothing is captured under an old name, at either end.
    captured = [s for s in (source, dest) if s.value(
        "SELECT to_regclass('bucardo.bucardo_delta_names') IS NOT NULL", dbname=dbname)]
    for server in captured:
        assert server.sql("SELECT tablename FROM bucardo.bucardo_delta_names WHERE"
                          " to_regclass(tablename) IS NULL", dbname=dbname) == []


@pytest.mark.full
def test_a_schema_renamed_on_both_sides_at_once_goes_on(world):
    machine, source, dest, dbname, application = world
    for server in (source, dest):
        server.sql("ALTER SCHEMA shelf RENAME TO rack", dbname=dbname)
    application.write("UPDATE rack.moved SET v = 'on the rack'; TRUNCATE rack.emptied_too")
    wait_for(lambda: source.value("SELECT count(*) FROM bucardo.bucardo_delta_names WHERE sync ="
                                  " 'app_sync' AND tablename LIKE 'rack.%%'", (), dbname) == 2,
             40, "it goes on")
    application.write("INSERT INTO rack.moved VALUES (700, 'z')")
    compare.wait_equal(source, dest, dbname, sequences=False)

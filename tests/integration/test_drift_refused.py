"""A run that one table makes fail: that table is paused alone, whatever the server said."""

import os
import re
import signal

import pytest
from support import compare
from support.declared import replicating, reconciled, wait_view
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(400)

# No definition that is compared says that these refuse a row: what differs is the body of a
# function. Each: what makes the destination refuse, what it says, and what lets it go on.
KINDS = {
    "checked": ("CREATE OR REPLACE FUNCTION fits(int) RETURNS bool LANGUAGE sql IMMUTABLE"
                " AS 'SELECT $1 < 1000'", "SQLSTATE 23514", "violates check constraint",
                "CREATE OR REPLACE FUNCTION fits(int) RETURNS bool LANGUAGE sql IMMUTABLE"
                " AS 'SELECT true'"),
    "computed": ("CREATE OR REPLACE FUNCTION half(int) RETURNS int LANGUAGE sql IMMUTABLE"
                 " AS 'SELECT 1 / ($1 - 5000)'", "SQLSTATE 22012", "division by zero",
                 "CREATE OR REPLACE FUNCTION half(int) RETURNS int LANGUAGE sql IMMUTABLE"
                 " AS 'SELECT $1 / 2'"),
    '"Odd on app_source: t"': ("CREATE OR REPLACE FUNCTION raises() RETURNS trigger LANGUAGE plpgsql"
                          " AS $$ BEGIN RAISE 'no % today', NEW.v; END $$", "SQLSTATE P0001",
                          "no 5000 today",
                          "CREATE OR REPLACE FUNCTION raises() RETURNS trigger LANGUAGE plpgsql"
                          " AS $$ BEGIN RETURN NULL; END $$"),
}
TABLES = """
    CREATE FUNCTION fits(int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT true';
    CREATE DOMAIN fitting AS int CHECK (public.fits(VALUE));
    CREATE FUNCTION half(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 / 2';
    CREATE FUNCTION raises() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
    CREATE TABLE checked (id int PRIMARY KEY, v fitting);
    CREATE TABLE computed (id int PRIMARY KEY, v int);
    CREATE INDEX ON computed (public.half(v));
    CREATE TABLE "Odd on app_source: t" (id int PRIMARY KEY, v int);
    CREATE TRIGGER raises AFTER INSERT ON "Odd on app_source: t"
        FOR EACH ROW EXECUTE FUNCTION raises();
    ALTER TABLE "Odd on app_source: t" ENABLE ALWAYS TRIGGER raises;
    CREATE TABLE plain (id int PRIMARY KEY, v int);
    INSERT INTO checked SELECT i, i FROM generate_series(1, 50) i;
    INSERT INTO computed SELECT i, i FROM generate_series(1, 50) i;
    INSERT INTO "Odd on app_source: t" SELECT i, i FROM generate_series(1, 50) i;
    INSERT INTO plain SELECT i, i FROM generate_series(1, 50) i;
"""


@pytest.fixture(scope="module")
def world(shared_workshop):
    source, dest, dbname = shared_workshop.server("source"), shared_workshop.server("dest"), "app"
    source.create_database(dbname).sql(TABLES, dbname=dbname)
    dest.create_database(dbname)
    machine = replicating(shared_workshop, source, dest, dbname)
    machine.wait_ready(60)
    return machine, source, dest, dbname


def refused(reconcile_now):
    return {one["table"].removeprefix("public."): one for one in reconcile_now["drift"]
            if "refused" in one["difference"]}


def test_each_table_that_makes_a_run_fail_is_paused_alone_in_the_servers_words(world):
    machine, source, dest, dbname = world
    for refuse, *_ in KINDS.values():
        dest.sql(refuse, dbname=dbname)
    source.sql("".join(f"UPDATE {name} SET v = 5000 WHERE id < 10;" for name in KINDS),
               dbname=dbname)
    source.sql("UPDATE plain SET v = 7 WHERE id < 10", dbname=dbname)
    found = refused(reconciled(machine, lambda t: len(refused(t)) == len(KINDS), "pauses all three",
                               120))
    for name, (_, state, words, _) in KINDS.items():
        said = found[name]["difference"]
        assert state in said and words in said and "destination" in said, said
        assert found[name]["breaks"], said
        assert re.fullmatch(r"the destination refused its rows: SQLSTATE \w{5}: .*", said), said
        for frame in ("Bucardo.pm", "DBD::Pg", "ERROR:", " at -e line", "CONTEXT", "DETAIL", "Line:"):
            assert frame not in said, said
    # Every other table goes on.
    wait_for(lambda: dest.value("SELECT count(*) FROM plain WHERE v = 7", dbname=dbname) == 9, 30,
             "the others are applied", explain=machine.log_tail)
    wait_for(lambda: "is paused" in machine.status_json()["why"], 20, "the machine says so")
    wait_for(lambda: machine.status_json()["syncs"][0]["health"] in ("idle", "running"), 30,
             "the sync is sound")


def test_it_is_tried_again_and_goes_on_when_the_cause_is_gone(world):
    machine, source, dest, dbname = world
    for *_, repair in KINDS.values():
        dest.sql(repair, dbname=dbname)
    # No definition changed: the next try finds it, and a new worker tries at once.
    os.kill(machine.host_pid(wait_view(machine, lambda v: v["reconcile"]["pid"], "is reconciled")
                             ["reconcile"]["pid"]), signal.SIGKILL)
    reconciled(machine, lambda t: t["paused"] == [] and not refused(t), "goes on")
    compare.wait_equal(source, dest, dbname, 60, sequences=False)

"""Each kind of drift: told with its statement, that table paused alone, equal once it was run.

All tables drift in one go in one migration. To add a kind, add a row to CASES.
"""

import os
import re
import signal
from dataclasses import dataclass, replace

import pytest
from support import compare
from support.declared import replicating, reconciled, view
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(600)


@dataclass
class Case:
    """Table `public.NAME` of key id; `{t}` in a text stands for its name."""

    name: str
    schema: str                # made on the source before the migration
    live: str = ""             # what is altered there while it replicates
    follower: str = ""         # or on the other side
    rows: str = ""             # what is written on the live side then
    told: tuple = ()           # parts of what is told
    breaks: bool = True        # the table is paused
    both_ways: bool = True     # also once source and destination have changed places


FUNCTION = "CREATE OR REPLACE FUNCTION {f}(x int) RETURNS int IMMUTABLE LANGUAGE sql AS $$ SELECT {body} $$"
TABLE = "CREATE TABLE {t} (id int PRIMARY KEY, v text, n int)"

CASES = [
    # ---- the live side is looser ----
    Case("enum_value", "CREATE TYPE {t}_e AS ENUM ('open', 'closed');"
         "CREATE TABLE {t} (id int PRIMARY KEY, v text, n int, e {t}_e DEFAULT 'open')",
         live="ALTER TYPE {t}_e ADD VALUE 'wait''ing' BEFORE 'closed';"
              "ALTER TYPE {t}_e ADD VALUE 'gone'",
         rows="UPDATE {t} SET e = 'wait''ing' WHERE id = 1; UPDATE {t} SET e = 'gone' WHERE id = 2",
         told=("'wait''ing', 'gone'", "ADD VALUE 'wait''ing' BEFORE 'closed'", "ADD VALUE 'gone'")),
    Case("enum_renamed", "CREATE TYPE {t}_e AS ENUM ('open', 'closed');"
         "CREATE TABLE {t} (id int PRIMARY KEY, v text, n int, e {t}_e DEFAULT 'open')",
         live="ALTER TYPE {t}_e RENAME VALUE 'open' TO 'opened'",
         rows="UPDATE {t} SET e = 'opened' WHERE id < 5",
         told=("other names", "RENAME VALUE 'open' TO 'opened'")),
    Case("enum_deep", "CREATE TYPE {t}_e AS ENUM ('a', 'b'); CREATE DOMAIN {t}_d AS {t}_e;"
         "CREATE TYPE {t}_c AS (x int, y {t}_d);"
         "CREATE TABLE {t} (id int PRIMARY KEY, v text, n int, c {t}_c[])",
         live="ALTER TYPE {t}_e ADD VALUE 'c'",
         rows="UPDATE {t} SET c = ARRAY[ROW(1, 'c')::{t}_c] WHERE id < 5",
         told=("ADD VALUE 'c'",)),
    Case("check_dropped", TABLE + "; ALTER TABLE {t} ADD CONSTRAINT \"size ok\" CHECK (n > 0)",
         live="ALTER TABLE {t} DROP CONSTRAINT \"size ok\"", rows="UPDATE {t} SET n = -1 WHERE id < 5",
         told=("CHECK ((n > 0))", "may refuse rows", "DROP CONSTRAINT \"size ok\"")),
    Case("check_changed", TABLE + "; ALTER TABLE {t} ADD CONSTRAINT c CHECK (n > 0)",
         live="ALTER TABLE {t} DROP CONSTRAINT c, ADD CONSTRAINT c CHECK (n > -10)",
         rows="UPDATE {t} SET n = -1 WHERE id < 5",
         told=("CHECK ((n > 0))", "ADD CONSTRAINT c CHECK ((n > '-10'::integer))")),
    Case("unique_dropped", TABLE + "; ALTER TABLE {t} ADD UNIQUE (v)",
         live="ALTER TABLE {t} DROP CONSTRAINT {t}_v_key",
         rows="UPDATE {t} SET v = 'same' WHERE id < 5",
         told=("UNIQUE (v)", "DROP CONSTRAINT {t}_v_key")),
    Case("unique_index", TABLE + "; CREATE UNIQUE INDEX {t}_i ON {t} (lower(v)) WHERE n > 0",
         live="DROP INDEX {t}_i", rows="UPDATE {t} SET v = 'SAME' WHERE id < 5",
         told=("lower(v)", "DROP INDEX public.{t}_i")),
    Case("exclusion", "CREATE TABLE {t} (id int PRIMARY KEY, v text, n int, r int4range,"
         " EXCLUDE USING gist (r WITH &&))",
         live="ALTER TABLE {t} DROP CONSTRAINT {t}_r_excl",
         rows="UPDATE {t} SET r = '[1,9)' WHERE id < 5",
         told=("EXCLUDE USING gist", "DROP CONSTRAINT {t}_r_excl")),
    Case("not_null", TABLE + "; ALTER TABLE {t} ALTER v SET NOT NULL",
         live="ALTER TABLE {t} ALTER v DROP NOT NULL", rows="UPDATE {t} SET v = NULL WHERE id < 5",
         told=("NOT NULL on the {follower} only", "ALTER COLUMN v DROP NOT NULL")),
    Case("domain_check", "CREATE DOMAIN {t}_d AS int CONSTRAINT low CHECK (VALUE < 10);"
         "CREATE TABLE {t} (id int PRIMARY KEY, v text, n int, d {t}_d)",
         live="ALTER DOMAIN {t}_d DROP CONSTRAINT low", rows="UPDATE {t} SET d = 99 WHERE id < 5",
         told=("CHECK ((VALUE < 10))", "ALTER DOMAIN", "DROP CONSTRAINT low")),
    Case("domain_not_null", "CREATE DOMAIN {t}_d AS int NOT NULL;"
         "CREATE TABLE {t} (id int PRIMARY KEY, v text, n int, d {t}_d DEFAULT 1)",
         live="ALTER DOMAIN {t}_d DROP NOT NULL", rows="UPDATE {t} SET d = NULL WHERE id < 5",
         told=("NOT NULL on the {follower} only", "DROP NOT NULL")),
    Case("composite", "CREATE TYPE {t}_c AS (x int, y text);"
         "CREATE TABLE {t} (id int PRIMARY KEY, v text, n int, c {t}_c);"
         "INSERT INTO {t} VALUES (100, 'v', 100, ROW(1, 'y'))",
         live="ALTER TYPE {t}_c ADD ATTRIBUTE z int",
         rows="UPDATE {t} SET c = ROW(1, 'y', 7) WHERE id < 5",
         told=("z of type", "ADD ATTRIBUTE z integer")),
    Case("composite_less", "CREATE TYPE {t}_c AS (x int, y text);"
         "CREATE TABLE {t} (id int PRIMARY KEY, v text, n int, c {t}_c);"
         "INSERT INTO {t} VALUES (100, 'v', 100, ROW(1, 'y'))",
         live="ALTER TYPE {t}_c DROP ATTRIBUTE y", rows="UPDATE {t} SET c = ROW(2) WHERE id < 5",
         told=("y of type", "DROP ATTRIBUTE y")),
    Case("wider", "CREATE TABLE {t} (id int PRIMARY KEY, v varchar(5), n int)",
         live="ALTER TABLE {t} ALTER v TYPE varchar(20)",
         rows="UPDATE {t} SET v = 'longer than five' WHERE id < 5",
         told=("character varying(20)", "ALTER COLUMN v TYPE character varying(20)")),
    Case("rewritten", TABLE, live="ALTER TABLE {t} ALTER n TYPE text USING 'n' || n",
         rows="UPDATE {t} SET n = 'x' WHERE id < 5", told=("n is text on the {live}",)),
    Case("renamed", TABLE + "; ALTER TABLE {t} ADD CHECK (n > 0)",
         live="ALTER TABLE {t} RENAME n TO m; ALTER TABLE {t} RENAME CONSTRAINT {t}_n_check TO o",
         rows="UPDATE {t} SET m = 70 WHERE id < 5",
         told=("m is on the {live} only", "RENAME COLUMN n TO m")),
    # Rows have 5 there, and the column that is added has nothing that says so.
    Case("filled_once", TABLE,
         live="ALTER TABLE {t} ADD c int DEFAULT 5 NOT NULL; ALTER TABLE {t} ALTER c DROP DEFAULT",
         rows="UPDATE {t} SET c = 6 WHERE id < 5", told=("ADD COLUMN c integer",)),
    Case("default_later", TABLE,
         live="ALTER TABLE {t} ADD c int; ALTER TABLE {t} ALTER c SET DEFAULT 9",
         rows="UPDATE {t} SET c = 6 WHERE id < 5", told=("ADD COLUMN c integer DEFAULT 9",)),
    # Each side computes it by its own function.
    Case("function", FUNCTION.format(f="{t}_f", body="x + 1")
         + "; CREATE TABLE {t} (id int PRIMARY KEY, v text, n int, g int GENERATED ALWAYS AS ({t}_f(n)) STORED)",
         live=FUNCTION.format(f="{t}_f", body="x + 2"), rows="UPDATE {t} SET n = n + 1",
         told=("column g", "public.{t}_f(integer)", "another one on the {follower}", "x + 2")),
    Case("function_there", FUNCTION.format(f="{t}_f", body="x + 1")
         + "; CREATE TABLE {t} (id int PRIMARY KEY, v text, n int, g int GENERATED ALWAYS AS ({t}_f(n)) STORED)",
         follower=FUNCTION.format(f="{t}_f", body="x + 2"), rows="UPDATE {t} SET n = 7 WHERE id < 5",
         told=("public.{t}_f(integer)", "x + 1")),
    Case("function_inside", FUNCTION.format(f='"{t} g"', body="x + 1") + ";"
         + FUNCTION.format(f="{t}_f", body='public."{t} g"(x)') + "; CREATE OPERATOR ?+? (PROCEDURE = {t}_f,"
         " RIGHTARG = int); CREATE TABLE {t} (id int PRIMARY KEY, v text, n int, g int GENERATED ALWAYS AS"
         " (OPERATOR(public.?+?) n) STORED)", both_ways=False,
         live=FUNCTION.format(f='"{t} g"', body="x + 2"), rows="UPDATE {t} SET n = n + 1",
         told=('public."{t} g"(integer)', "x + 2")),
    Case("detached", "CREATE TABLE {t}_p (id int, v text, n int, PRIMARY KEY (id, n)) PARTITION BY"
         " RANGE (n); CREATE TABLE {t} PARTITION OF {t}_p FOR VALUES FROM (0) TO (100)",
         live="ALTER TABLE {t}_p DETACH PARTITION {t}", rows="UPDATE {t} SET n = 500 WHERE id < 5",
         told=("is a partition of public.{t}_p FOR VALUES FROM (0) TO (100) on the {follower} only",
               "DETACH PARTITION public.{t}")),
    # ---- the follower has more ----
    Case("check_there", TABLE, follower="ALTER TABLE {t} ADD CONSTRAINT c CHECK (n < 1000)",
         rows="UPDATE {t} SET n = 5000 WHERE id < 5", told=("DROP CONSTRAINT c",)),
    Case("swallowed", TABLE,
         follower="CREATE FUNCTION {t}_f() RETURNS trigger LANGUAGE plpgsql AS"
                  " $$ BEGIN RETURN NULL; END $$; CREATE TRIGGER s BEFORE INSERT ON {t}"
                  " FOR EACH ROW EXECUTE FUNCTION {t}_f(); ALTER TABLE {t} ENABLE ALWAYS TRIGGER s",
         rows="UPDATE {t} SET n = 7 WHERE id < 5",
         told=("may change or drop rows", "ENABLE TRIGGER s")),
    Case("rule", TABLE, follower="CREATE RULE r AS ON DELETE TO {t} DO INSTEAD NOTHING;"
         "ALTER TABLE {t} ENABLE ALWAYS RULE r", rows="DELETE FROM {t} WHERE id < 5",
         told=("rule r", "rows that are gone would stay", "ENABLE RULE r"), both_ways=False),
    # ---- told, and nothing is paused ----
    Case("tighter", TABLE, live="ALTER TABLE {t} ADD CONSTRAINT c CHECK (n > 0), ADD UNIQUE (v)",
         rows="UPDATE {t} SET n = 7 WHERE id < 5", breaks=False,
         told=("ADD CONSTRAINT c CHECK ((n > 0))", "ADD CONSTRAINT {t}_v_key UNIQUE (v)")),
    Case("value_there", "CREATE TYPE {t}_e AS ENUM ('open', 'closed');"
         "CREATE TABLE {t} (id int PRIMARY KEY, v text, n int, e {t}_e DEFAULT 'open')",
         follower="ALTER TYPE {t}_e ADD VALUE 'more'", rows="UPDATE {t} SET n = 7 WHERE id < 5",
         breaks=False, told=("'more' on the {follower} only", "on the {live}: ALTER TYPE")),
    Case("collated", TABLE, follower="ALTER TABLE {t} ALTER v TYPE text COLLATE \"POSIX\"",
         rows="UPDATE {t} SET n = 7 WHERE id < 5", breaks=False,
         told=("COLLATE pg_catalog.\"POSIX\" on the {follower}",)),
    Case("inherits", TABLE + "; CREATE TABLE {t}_p (id int, v text, n int)",
         live="ALTER TABLE {t} INHERIT {t}_p", rows="UPDATE {t} SET n = 7 WHERE id < 5",
         breaks=False, told=("inherits from", "INHERIT public.{t}_p")),
    Case("attached", "CREATE TABLE {t}_p (id int, v text, n int, PRIMARY KEY (id, n)) PARTITION BY"
         " RANGE (n); CREATE TABLE {t} (id int, v text, n int NOT NULL, PRIMARY KEY (id, n))",
         live="ALTER TABLE {t}_p ATTACH PARTITION {t} FOR VALUES FROM (0) TO (100)",
         rows="UPDATE {t} SET n = 77 WHERE id < 5", breaks=False,
         told=("ATTACH PARTITION public.{t} FOR VALUES FROM (0) TO (100)",)),
    # What was applied so is sent again when it is fixed.
    Case("twice", TABLE + "; CREATE FUNCTION {t}_f() RETURNS trigger LANGUAGE plpgsql AS"
         " $$ BEGIN NEW.n := NEW.n + 1; RETURN NEW; END $$; CREATE TRIGGER s BEFORE INSERT ON {t}"
         " FOR EACH ROW EXECUTE FUNCTION {t}_f(); ALTER TABLE {t} ENABLE ALWAYS TRIGGER s",
         rows="UPDATE {t} SET n = 7 WHERE id < 5", breaks=False,
         told=("a second time: it may change rows once more", "ENABLE TRIGGER s"), both_ways=False),
    # ---- no drift at all ----
    Case("other_names", TABLE + "; ALTER TABLE {t} ADD CONSTRAINT c CHECK (n > 0), ADD UNIQUE (v);"
         "CREATE UNIQUE INDEX {t}_i ON {t} (n, id)",
         live="ALTER TABLE {t} RENAME CONSTRAINT c TO d; ALTER INDEX {t}_i RENAME TO {t}_j;"
              "ALTER INDEX {t}_v_key RENAME TO {t}_other; ALTER INDEX {t}_j SET (fillfactor = 70)",
         rows="UPDATE {t} SET n = 700 + id WHERE id < 5", breaks=False),
    # What these say does not read the same once it was dumped and restored.
    Case("restored", "CREATE DOMAIN {t}_d AS varchar(9) CHECK (VALUE IN ('a', 'b'));"
         "CREATE TABLE {t} (id int PRIMARY KEY, v varchar(9) CHECK (v IN ('a', 'b') OR v LIKE '%'),"
         " n int, d {t}_d DEFAULT 'a', g int GENERATED ALWAYS AS (CASE WHEN v NOT IN ('x', 'y')"
         " THEN 1 ELSE 2 END) STORED); CREATE UNIQUE INDEX ON {t} (n) WHERE v IN ('a', 'b')",
         rows="UPDATE {t} SET n = 700 + id WHERE id < 5", breaks=False),
]
# The same once the destination is the live side, with tables of their own.
BACK = [replace(case, name=f"{case.name}_back") for case in CASES if case.both_ways]
FILL = "INSERT INTO {t} (id, v, n) SELECT i, 'v' || i, i FROM generate_series(1, 50) i"
PLAIN = "CREATE TABLE plain (id int PRIMARY KEY, v text); INSERT INTO plain VALUES (1, 'v');" \
        "CREATE TABLE lost (id int PRIMARY KEY, v text); INSERT INTO lost VALUES (1, 'v')"


def filled(text, name, live="source", follower="destination"):
    return text.replace("{t}", name).replace("{live}", live).replace("{follower}", follower)


def run(server, dbname, text, name):
    if text:
        server.sql(filled(text, name), dbname=dbname)


@pytest.fixture(scope="module")
def world(shared_workshop):
    source, dest, dbname = shared_workshop.server("source"), shared_workshop.server("dest"), "app"
    source.create_database(dbname).sql(PLAIN, dbname=dbname)
    dest.create_database(dbname)
    for case in [*CASES, *BACK]:
        run(source, dbname, f"{case.schema};{FILL}", case.name)
    machine = replicating(shared_workshop, source, dest, dbname)
    machine.wait_ready(60)
    return machine, source, dest, dbname


def of(reconcile_now, name):
    return [one for one in reconcile_now["drift"] if one["table"] == f"public.{name}"]


def is_told(reconcile_now, case, live, follower):
    said = " ".join(one["difference"] + " " + one["hint"] for one in of(reconcile_now, case.name))
    paused = f"public.{case.name}" in {one["table"] for one in reconcile_now["paused"]}
    return paused == case.breaks and all(filled(part, case.name, live, follower) in said
                                         for part in case.told) and bool(case.told) == bool(said)


def hints(reconcile_now):
    """What the machine does by itself (rows are sent again) has none that is a statement."""
    return [one["hint"] for one in reconcile_now["drift"] if "refused" not in one["difference"]
            and not one["hint"].startswith("nothing is to be done")]


def execute(servers, dbname, told):
    """Each hint on the side that it names; one that more than one table has, once."""
    for hint in dict.fromkeys(told):
        found = re.fullmatch(r"on the (source|destination): (.*)", hint, re.S)
        assert found, hint
        side, statements = found.groups()
        servers[side].sql(statements, dbname=dbname)


def drift_and_repair(machine, servers, dbname, live, follower, cases):
    for case in cases:
        run(servers[follower], dbname, case.follower, case.name)
        run(servers[live], dbname, case.live, case.name)
    for case in cases:
        run(servers[live], dbname, case.rows, case.name)
    servers[live].sql("UPDATE plain SET v = %s", (live,), dbname=dbname)
    found = reconciled(machine, lambda t: all(is_told(t, case, live, follower) for case in cases),
                       "tells all of it", 90)
    # Every other table goes on.
    wait_for(lambda: servers[follower].value("SELECT v FROM plain", dbname=dbname) == live, 40,
             "the others are applied", explain=machine.log_tail)
    execute(servers, dbname, hints(found))
    reconciled(machine, lambda t: t["paused"] == [], "goes on", 90)
    compare.wait_equal(servers["source"], servers["destination"], dbname, 60, sequences=False)
    # A column that rows had to fill first can be NOT NULL only now.
    reconciled(machine, lambda t: len(t["drift"]) <= 1, "looks again")
    execute(servers, dbname, hints(reconciled(machine, lambda t: True, "looks again")))
    reconciled(machine, lambda t: t["drift"] == [], "sees no drift any more")


def test_a_trigger_that_acts_twice_is_told_before_anything_is_moved_and_in_the_status(world):
    machine, _, _, _ = world
    finding = [one for one in view(machine)["findings"] if one["object"] in ("twice", "public.twice")]
    assert [one["severity"] for one in finding] == ["degrades"]
    assert "changes rows a second time" in finding[0]["why"] and "ENABLE TRIGGER s" in finding[0]["hint"]
    reconciled(machine, lambda t: any(one["kind"] == "twice" and one["name"] == "public.twice"
                                      for one in view(machine)["not_in_step"] or []), "tells it")
    assert "NOT in step" in machine.cli("status").check()


def test_each_kind_of_drift_is_told_with_the_statement_that_ends_it(world):
    machine, source, dest, dbname = world
    drift_and_repair(machine, {"source": source, "destination": dest}, dbname, "source",
                     "destination", CASES)


def test_rows_that_a_trigger_dropped_until_it_was_seen_are_sent_again(world):
    machine, source, dest, dbname = world
    pid = reconciled(machine, lambda t: t["pid"], "has a worker")["pid"]
    os.kill(pid, signal.SIGSTOP)
    dest.sql("CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;"
             "CREATE TRIGGER s BEFORE INSERT OR DELETE ON lost FOR EACH ROW EXECUTE FUNCTION swallow();"
             "ALTER TABLE lost ENABLE ALWAYS TRIGGER s", dbname=dbname)
    source.sql("INSERT INTO lost VALUES (2, 'new'); DELETE FROM lost WHERE id = 1", dbname=dbname)
    wait_for(lambda: all(one["backlog_rows"] == 0 for one in machine.status_json()["syncs"]), 30, "it is applied")
    assert dest.sql("SELECT id FROM lost", dbname=dbname) == [(1,)]
    os.kill(pid, signal.SIGCONT)
    found = reconciled(machine, lambda t: of(t, "lost"), "tells it")
    execute({"destination": dest}, dbname, [one["hint"] for one in of(found, "lost")])
    wait_for(lambda: dest.sql("SELECT id FROM lost", dbname=dbname) == [(2,)], 60, "they are sent",
             explain=machine.log_tail)
    reconciled(machine, lambda t: t["drift"] == [], "sees no drift any more")


def test_after_the_fence_is_lifted_the_statements_are_for_the_source(world):
    machine, source, dest, dbname = world
    dest.sql("SELECT bucardo_machine.lift_fence()", dbname=dbname)
    drift_and_repair(machine, {"source": source, "destination": dest}, dbname, "destination",
                     "source", BACK)

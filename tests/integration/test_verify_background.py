"""What is compared in the background while a migration replicates, kept in the source, and shown."""

import contextlib
import json
import os
import random
import signal
import time

import pytest

from support import declared
from support.verify import verify_migration
from support.waiting import wait_for

TABLES = """
CREATE TABLE goods (id int PRIMARY KEY, name text NOT NULL, price numeric);
INSERT INTO goods SELECT i, 'good ' || i, i * 1.5 FROM generate_series(1, 30000) i;
CREATE TABLE words (word text PRIMARY KEY, number int);
INSERT INTO words SELECT 'word ' || i, i FROM generate_series(1, 500) i;
CREATE TABLE notes (text text);
CREATE SEQUENCE numbers;
SELECT setval('numbers', 500);
CREATE INDEX goods_name ON goods (name);
CREATE VIEW cheap AS SELECT id FROM goods WHERE price < 10;
SELECT lo_from_bytea(4711, 'first');
"""

QUICK = "    verify: {interval: 1s, full_every: 10s, max_load: 50}\n"
UNSEEN = "SET session_replication_role = replica; SET bucardo_machine.applying = on;"


@pytest.fixture(scope="module", name="world")
def replicating(shared_workshop):
    source, dest = shared_workshop.server("one"), shared_workshop.server("other")
    source.create_database("shop")
    dest.create_database("shop")
    source.sql(TABLES, dbname="shop")
    machine = declared.replicating(shared_workshop, source, dest, "shop", QUICK)
    return machine, source, dest


def states(source):
    return dict(source.sql("SELECT name, state FROM bucardo.machine_proof_states WHERE kind IN ('table', 'materialized view')",
                           dbname="shop"))


def kept(source):
    return source.sql("SELECT tablename, key, kind, columns, found::text FROM bucardo.machine_differences",
                      dbname="shop")


def known(machine, condition, what, seconds=60):
    """The member `verify` of the migration, once `condition` holds for it."""
    return declared.wait_view(machine, lambda v: v["verify"] and "percent" in v["verify"] and condition(v["verify"]),
                              what, seconds)["verify"]


def proven(machine, tables=3):
    return known(machine, lambda v: v["percent"] == 100 and v["equal"] == tables, "everything is proven")


def events(machine):
    return [(event["level"], event["text"]) for event in map(json.loads, machine.cli(
        "events", "--json").check().splitlines())]


def wait_event(machine, level, text):
    wait_for(lambda: [e for e in events(machine) if e[0] == level and text in e[1]], 20, f"the event '{text}'",
             explain=lambda: str(events(machine)))


def is_ready(machine):
    return machine.cli("health", "ready").code == 0


def test_all_is_proven_by_itself_and_status_says_so(world):
    machine, _, _ = world
    now = proven(machine)
    assert now["tables"] == 3 and now["oldest_proof"] and now["pid"] and not now["differences"], now
    assert not now["not_proven"] and not now["in_flight_since"] and now["waiting"] == 0, now
    assert "100 %, all 3 tables; oldest proof " in machine.cli("status").output
    wait_event(machine, "info", "every row of all 3 tables is proven equal")
    wait_for(lambda: is_ready(machine), 30, "ready")


def worker_of(machine):
    return declared.view(machine)["verify"]["pid"]


def kill_worker(machine):
    before = worker_of(machine)
    os.kill(machine.host_pid(before), signal.SIGKILL)
    wait_for(lambda: worker_of(machine) not in (None, before), 30, "another worker")


def test_a_difference_makes_the_machine_not_ready_until_it_is_repaired(world):
    machine, source, dest = world
    proven(machine)
    dest.sql(UNSEEN + "UPDATE goods SET name = 'x', price = 0 WHERE id = 20007", dbname="shop")
    now = known(machine, lambda v: v["different"] == 1, "the difference is found")
    assert [(d["table"], d["missing"], d["extra"], d["changed"]) for d in now["differences"]] == [
        ("public.goods", 0, 0, 1)], now
    row = now["differences"][0]["rows"][0]
    assert (row["key"], row["kind"], row["columns"]) == ('{"id":"20007"}', "changed", "name, price"), row
    assert now["percent"] < 100 and now["equal"] == 2, now
    wait_for(lambda: not is_ready(machine), 10, "not ready")
    status = machine.status_json()
    assert status["state"] == "degraded" and "1 row of table public.goods differs" in status["why"], status["why"]
    assert "verify app --table 'public.goods'" in status["advice"], status["advice"]
    assert "20007" in machine.cli("status").output
    wait_event(machine, "warn", "verify: 1 row of table public.goods differs")
    # It is known at once by whoever comes after a kill, and told as news once.
    kill_worker(machine)
    assert known(machine, lambda v: v["different"] == 1, "it is still known")["differences"][0]["rows"][0] == row
    machine.kill9()
    machine.start()
    assert known(machine, lambda v: v["different"] == 1, "it is still known")["differences"][0]["rows"][0] == row
    wait_for(lambda: not is_ready(machine), 60, "not ready")
    declared.wait_live(machine)
    assert verify_migration(machine, "--table", "public.goods", "--repair").code == 0
    proven(machine)
    wait_for(lambda: is_ready(machine), 60, "ready again")
    wait_event(machine, "info", "table public.goods is equal again")
    assert len([e for e in events(machine) if e[1].startswith("verify: 1 row of table")]) == 1, events(machine)


def test_rows_that_change_are_read_again_and_a_table_that_is_made_is_compared_in_the_next_pass(world):
    machine, source, _ = world
    proven(machine)
    source.sql("UPDATE goods SET price = price + 1 WHERE id < 9; CREATE TABLE late (id int PRIMARY KEY);"
               "INSERT INTO late SELECT generate_series(1, 50)", dbname="shop")
    wait_for(lambda: "public.late" in states(source), 30, "it is compared")
    source.sql("DROP TABLE late", dbname="shop")
    wait_for(lambda: "public.late" not in states(source), 30, "it is forgotten")
    proven(machine)


def test_a_person_comes_first_and_keeps_the_proofs(world):
    machine, _, _ = world
    proven(machine)
    for _ in range(3):
        # Whoever does not keep them knows of none.
        result = verify_migration(machine, "--incremental")
        assert result.code == 0 and result.objects["public.words"]["oldest_proof"], result.output
    assert declared.view(machine)["verify"]["why"] == ""


@pytest.mark.parametrize("sync,state", [("other_sync", "equal"), ("app_sync", "unproven")])
def test_a_table_that_is_paused_is_unproven_and_one_that_another_migration_paused_is_not(world, sync, state):
    machine, source, _ = world
    proven(machine)
    names = "FROM bucardo.bucardo_delta_names WHERE tablename = 'public.words'"

    def found():
        source.sql("INSERT INTO bucardo.bucardo_delta_names (sync, tablename, deltaname, trackname)"
                   f" SELECT '{sync} (paused)', tablename, deltaname, trackname {names} LIMIT 1", dbname="shop")
        try:
            return verify_migration(machine, "--table", "public.words").objects["public.words"]
        finally:
            source.sql(f"DELETE {names} AND sync ~ 'paused'", dbname="shop")

    # The table check ends a pause for which it sees no reason.
    one = wait_for(lambda: next((o for o in [found()] if o["state"] == state), None), 30, f"it is {state}")
    assert state == "equal" or "paused" in one["why"], one
    assert found()["state"] in ("equal", state)


def test_what_verify_finds_is_kept_in_the_source_until_it_is_proven_gone(world):
    machine, source, dest = world
    proven(machine)
    assert states(source) == {"public.goods": "equal", "public.words": "equal", "public.notes": "equal"}
    dest.sql(UNSEEN + "UPDATE goods SET name = 'x', price = 0 WHERE id = 25007; DELETE FROM words WHERE number = 8",
             dbname="shop")
    assert verify_migration(machine).code == 5
    assert states(source) == {"public.goods": "different", "public.words": "different", "public.notes": "equal"}
    found = kept(source)
    assert {row[:4] for row in map(tuple, found)} == {
        ("public.goods", '{"id":"25007"}', "changed", "name, price"),
        ("public.words", '{"word":"word 8"}', "missing", "")}
    assert verify_migration(machine, "--table", "public.goods").code == 5
    assert sorted(kept(source)) == sorted(found), "a difference that is found again is no new one"
    assert verify_migration(machine, "--repair").code == 0
    assert not kept(source) and set(states(source).values()) == {"equal"}
    assert json.loads(found[0][1])


def objects(machine, condition, what):
    """Definitions, sequences and large objects: {kind: {"state", "why", ...}}."""
    def by_kind(verify):
        return {one["kind"]: one for one in verify.get("objects", [])}
    return by_kind(known(machine, lambda v: condition(by_kind(v)), what))


def all_equal(kinds):
    return {kind: one["state"] for kind, one in kinds.items()} == {
        "definitions": "equal", "sequences": "equal", "large objects": "equal"}


@pytest.mark.parametrize("kind,name,plant,cure", [
    ("definitions", "index public.goods_name", "DROP INDEX goods_name", "CREATE INDEX goods_name ON goods (name)"),
    ("definitions", "view public.cheap", "CREATE OR REPLACE VIEW cheap AS SELECT id FROM goods WHERE price < 11",
     "CREATE OR REPLACE VIEW cheap AS SELECT id FROM goods WHERE price < 10"),
    ("large objects", "large object 4711", "SELECT lo_put(4711, 0, 'F')", "SELECT lo_put(4711, 0, 'f')")])
def test_what_is_no_row_is_compared_too(world, kind, name, plant, cure):
    machine, _, dest = world
    objects(machine, all_equal, "all is equal at first")
    dest.sql(plant, dbname="shop")
    one = objects(machine, lambda kinds: kinds[kind]["state"] == "different", f"{name} is found")[kind]
    assert name in one["why"] and one["differ"] == 1 and one["since"], one
    assert name in machine.cli("status").output
    # An index of one side may be meant, and nothing replicates large objects: replication is as well as before.
    assert is_ready(machine), machine.status_json()["why"]
    if kind == "definitions":
        wait_event(machine, "warn", f"verify: {kind} differ: {name}")
    dest.sql(cure, dbname="shop")
    objects(machine, all_equal, "all is equal again")
    if kind == "definitions":
        wait_event(machine, "info", f"verify: {kind} are equal again")


def test_a_sequence_that_stays_behind_is_found(world):
    machine, source, dest = world
    objects(machine, all_equal, "all is equal at first")
    # With this bound the machine cannot set it again.
    dest.sql("ALTER SEQUENCE numbers MAXVALUE 100 RESTART 3", dbname="shop")
    one = objects(machine, lambda kinds: kinds["sequences"]["state"] == "different", "it is found")["sequences"]
    assert "sequence public.numbers (it stands at 5" in one["why"] and "on the destination" in one["why"], one
    wait_for(lambda: not is_ready(machine), 10, "not ready")
    wait_event(machine, "warn", "verify: sequences differ: sequence public.numbers")
    dest.sql("ALTER SEQUENCE numbers NO MAXVALUE", dbname="shop")
    objects(machine, all_equal, "the machine has set it again")
    wait_for(lambda: is_ready(machine), 30, "ready again")


def ddl(i):
    """What is deployed on the source first, and on the destination after that; each undoes nothing of another one."""
    yield f"CREATE OR REPLACE VIEW cheap AS SELECT id FROM goods WHERE price < {100 + i}"
    yield f"CREATE INDEX goods_{i} ON goods (price, name)"
    yield f"CREATE TABLE made_{i} (id serial PRIMARY KEY, v text); CREATE INDEX ON made_{i} (v)"
    yield f"ALTER TABLE goods ALTER price SET DEFAULT {i}; COMMENT ON TABLE goods IS 'number {i}'"
    yield f"CREATE OR REPLACE FUNCTION number() RETURNS int LANGUAGE sql AS 'SELECT {i}'"
    yield f"ALTER TABLE words ADD CONSTRAINT many CHECK (number > -{i}) NOT VALID"
    yield "ALTER TABLE words VALIDATE CONSTRAINT many"
    yield f"ALTER TABLE goods ADD note_{i} text DEFAULT 'n'; GRANT SELECT ON goods TO PUBLIC"
    yield f"ALTER TABLE goods DROP note_{i}; REVOKE SELECT ON goods FROM PUBLIC"
    yield (f"DROP INDEX goods_{i}; ALTER TABLE words DROP CONSTRAINT many; CREATE TYPE mood_{i} AS ENUM ('a');"
           f" DROP TABLE made_{i}")
    yield f"CREATE OR REPLACE VIEW cheap AS SELECT id FROM goods WHERE price < {200 + i}"


def alarms(machine):
    view = declared.view(machine) or {}
    verify = view.get("verify") or {}
    return [one for one in verify.get("objects", []) if one["state"] == "different"] + verify.get("differences", [])


def told(machine):
    """What the background said; the table check says of its own when it pauses one."""
    return [text for _, text in events(machine) if "verify:" in text and " differ" in text]


@pytest.mark.timeout(900)
def test_ddl_that_is_carried_through_both_sides_is_no_false_alarm(world, rounds):
    machine, source, dest = world
    objects(machine, all_equal, "all is equal at first")
    before = told(machine)
    random_gap, slow = random.Random(11), False
    with contextlib.closing(source.connect("shop")) as one, contextlib.closing(dest.connect("shop")) as other:
        for i in range(rounds(1, 12)):
            for statement in list(ddl(i))[:rounds(2, 11)]:
                begun = time.monotonic()
                one.cursor().execute(statement)
                one.cursor().execute("UPDATE goods SET price = price + 1 WHERE id %% 1000 = %s;"
                                     "SELECT nextval('numbers') FROM generate_series(1, 50)", (i,))
                # Most of the time something differs, each time something else.
                end = time.monotonic() + random_gap.uniform(0.2, 1.6)
                while time.monotonic() < end:
                    assert slow or not alarms(machine), statement
                    time.sleep(0.1)
                other.cursor().execute(statement)
                # On a host that is slow enough it is no false alarm.
                slow = slow or time.monotonic() - begun > 2.5
    objects(machine, all_equal, "all is equal again")
    proven(machine)
    assert slow or not [text for text in told(machine) if text not in before]
    # It has looked meanwhile: what stays is told.
    dest.sql("CREATE OR REPLACE VIEW cheap AS SELECT id FROM goods WHERE price < 0", dbname="shop")
    objects(machine, lambda kinds: kinds["definitions"]["state"] == "different", "what stays is told")
    source.sql("CREATE OR REPLACE VIEW cheap AS SELECT id FROM goods WHERE price < 0", dbname="shop")
    objects(machine, all_equal, "all is equal again")


def test_pause_and_teardown_end_it(world):
    machine, source, _ = world
    proven(machine)
    pid = machine.host_pid(worker_of(machine))
    machine.cli("pause", "app").check()
    wait_for(lambda: worker_of(machine) is None and not os.path.exists(f"/proc/{pid}"), 20, "it is ended")
    machine.cli("resume", "app").check()
    wait_for(lambda: worker_of(machine), 30, "it goes on")
    machine.write_config(declared.yaml(*world[1:], "shop", extra="    verify: {continuous: false}\n"))
    machine.cli("config", "reload").check()
    wait_for(lambda: declared.view(machine)["verify"] is None, 20, "it is switched off")
    machine.write_config(declared.yaml(*world[1:], "shop", extra=QUICK))
    machine.cli("config", "reload").check()
    wait_for(lambda: declared.view(machine)["verify"] is not None and worker_of(machine), 20, "it is switched on")
    machine.cli("teardown", "app", "--yes", seconds=60).check()
    assert declared.view(machine) is None or declared.view(machine)["verify"] is None
    assert not source.sql("SELECT 1 FROM pg_namespace WHERE nspname = 'bucardo'", dbname="shop")

"""Capture is watched: what changed unseen is found, and everything is sent again."""

import pytest
from support import compare
from support.declared import replicating, view, wait_view
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(400)

# Each loses changes in its own way; a key of several columns and types is among them.
TABLES = "dropped swapped disabled leftoff blind gutted retyped nodelta".split()
SCHEMA = "CREATE SCHEMA addons; CREATE EXTENSION citext SCHEMA addons;" + "".join(
    f"CREATE TABLE {t} (id int, k addons.citext DEFAULT 'Key \\ \"x\" {{,}}', n numeric DEFAULT 1.50, v text,"
    " PRIMARY KEY (k, id, n));"
    f"INSERT INTO {t} (id, v) SELECT i, 'old' FROM generate_series(1, 40) i;" for t in TABLES)
UNSEEN = """
    BEGIN; DROP TABLE dropped; CREATE TABLE dropped (LIKE leftoff INCLUDING ALL);
    INSERT INTO dropped (id, v) SELECT i, 'new' FROM generate_series(5, 50) i; COMMIT;
    CREATE TABLE swapped_new (LIKE swapped INCLUDING ALL);
    INSERT INTO swapped_new (id, v) SELECT i, 'new' FROM generate_series(1, 30) i;
    BEGIN; ALTER TABLE swapped RENAME TO swapped_old; ALTER TABLE swapped_new RENAME TO swapped; COMMIT;
    DROP TABLE swapped_old;
    ALTER TABLE disabled DISABLE TRIGGER ALL; UPDATE disabled SET v = 'new', id = id + 1000;
    DELETE FROM disabled WHERE id < 1020; ALTER TABLE disabled ENABLE TRIGGER ALL;
    ALTER TABLE leftoff DISABLE TRIGGER USER; UPDATE leftoff SET v = 'new'; DELETE FROM leftoff WHERE id > 30;
    DROP TRIGGER bucardo_delta ON blind; UPDATE blind SET v = 'new'; DELETE FROM blind WHERE id = 3;
    CREATE OR REPLACE FUNCTION bucardo.delta_public_gutted() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RETURN NULL; END $$; UPDATE gutted SET v = 'new'; DELETE FROM gutted WHERE id = 1;
    ALTER TABLE retyped ALTER v TYPE text USING upper(v);
    ALTER TABLE nodelta DISABLE TRIGGER bucardo_note_trunc_app_sync; TRUNCATE nodelta;
    ALTER TABLE nodelta ENABLE ALWAYS TRIGGER bucardo_note_trunc_app_sync;
"""


@pytest.fixture(scope="module")
def world(shared_workshop):
    source, dest, dbname = shared_workshop.pair("shop")
    source.sql(SCHEMA, dbname=dbname)
    machine = replicating(shared_workshop, source, dest, dbname)
    return machine, source, dest, dbname


def run(server, dbname, script):
    """A person's script, in one session: statements by themselves."""
    connection = server.connect(dbname)
    cursor = connection.cursor()
    for statement in (s.strip() for s in script.replace("$$ BEGIN RETURN NULL; END $$", "$$ BEGIN "
                                                        "RETURN NULL/**/END $$").split(";")):
        if statement:
            cursor.execute(statement.replace("NULL/**/END", "NULL; END"))
    connection.close()


def test_changes_that_no_trigger_saw_arrive_and_are_told(world):
    machine, source, dest, dbname = world
    machine.wait_ready(60)
    # What is locked meanwhile is told, and captured once it is free.
    run(source, dbname, UNSEEN)
    told = wait_view(machine, lambda v: v["reconcile"] and any(
        d.get("unseen") for d in v["reconcile"].get("drift", [])), "it is told", 40)
    finding = next(d for d in told["reconcile"]["drift"] if d.get("unseen"))
    assert finding["table"].startswith("public.") and finding["hint"]
    compare.wait_equal(source, dest, dbname, 90, sequences="ahead")
    machine.wait_ready(60)
    assert not [d for d in view(machine)["reconcile"]["drift"] if d.get("unseen")]
    text = machine.cli("events").output
    for table, why in (("dropped", "another table has its name"), ("disabled", "switched off, or altered"),
                       ("leftoff", "is switched off"), ("blind", "was dropped"),
                       ("gutted", "function of its trigger was replaced"),
                       ("retyped", "rewritten by ALTER TABLE"),
                       ("nodelta", "bucardo_note_trunc_app_sync was switched off")):
        assert any(f"public.{table}: changes of it may have gone unseen" in line and why in line
                   for line in text.splitlines()), f"{table}: {text}"
    # Captured as ever: the next changes arrive by themselves.
    for table in TABLES:
        source.sql(f"INSERT INTO {table} (id, v) VALUES (900, 'later'); UPDATE {table} SET v = 'last'"
                   " WHERE id = 7", dbname=dbname)
    compare.wait_equal(source, dest, dbname, 60, sequences="ahead")


def test_a_table_that_is_locked_is_captured_again_once_it_is_free(world):
    machine, source, dest, dbname = world
    machine.wait_ready(60)
    source.sql("ALTER TABLE leftoff DISABLE TRIGGER ALL", dbname=dbname)
    writer = source.connect(dbname, autocommit=False)
    writer.cursor().execute("UPDATE leftoff SET v = 'in a long transaction'")
    wait_view(machine, lambda v: any("not captured" in d["difference"] and "end the transaction" in d["hint"]
                                     for d in v["reconcile"].get("drift", [])), "it is told", 40)
    # Everything else goes on.
    source.sql("INSERT INTO blind (id, v) VALUES (901, 'meanwhile')", dbname=dbname)
    wait_for(lambda: dest.value("SELECT count(*) FROM blind WHERE id = 901", dbname=dbname) == 1, 20,
             "others arrive")
    writer.commit()
    writer.close()
    compare.wait_equal(source, dest, dbname, 60, sequences="ahead")
    machine.wait_ready(60)


def test_writes_that_the_destination_hid_are_overwritten(world):
    machine, source, dest, dbname = world
    machine.wait_ready(60)
    dest.sql("ALTER TABLE gutted DISABLE TRIGGER ALL; DELETE FROM gutted WHERE id < 10;"
             "INSERT INTO gutted (id, v) VALUES (-1, 'stray'); UPDATE gutted SET v = 'stray' WHERE id = 20",
             dbname=dbname)
    dest.sql("ALTER TABLE blind ALTER v TYPE text USING upper(v)", dbname=dbname)
    compare.wait_equal(source, dest, dbname, 60, sequences="ahead")
    # Once: what was found is written down.
    wait_view(machine, lambda v: v["reconcile"]["drift"] == [], "nothing is found any more", 40)


def test_once_the_fence_is_lifted_the_live_side_is_sent_again(world):
    machine, source, dest, dbname = world
    machine.wait_ready(60)
    dest.sql("SELECT bucardo_machine.lift_fence()", dbname=dbname)
    dest.sql("ALTER TABLE disabled DISABLE TRIGGER ALL; UPDATE disabled SET v = 'live'; DELETE FROM "
             "disabled WHERE id = 1030; INSERT INTO disabled (id, v) VALUES (2000, 'live'); ALTER TABLE disabled ENABLE "
             "TRIGGER ALL", dbname=dbname)
    compare.wait_equal(dest, source, dbname, 60, sequences=False)
    assert dest.value("SELECT count(*) FROM disabled WHERE v = 'live'", dbname=dbname) > 10

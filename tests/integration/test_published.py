"""Publications that cover all tables, names that Bucardo uses itself, keys that are computed, and
vacuums to prevent wraparound: capture of what others have plans with."""

import pytest
from psycopg2 import errors
from support import compare
from support.declared import wait_live, yaml
from support.phases import Phases
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(300)

TABLES = """
    CREATE TABLE parcel (parcel_no int PRIMARY KEY, state text);
    INSERT INTO parcel SELECT g, 'new' FROM generate_series(1, 300) g;
    CREATE TABLE emptied (id int PRIMARY KEY);
    INSERT INTO emptied SELECT generate_series(1, 100);
    CREATE TABLE ledger_line (account int, txntime timestamptz, cents bigint,
                              PRIMARY KEY (account, txntime));
    INSERT INTO ledger_line SELECT g % 5, timestamptz '2024-01-01 UTC' + g * interval '1 min', g
        FROM generate_series(1, 300) g;
    CREATE TABLE "ofDBGROUP" (id int PRIMARY KEY);
    CREATE TABLE beside_key (id int PRIMARY KEY, txntime timestamptz, target text, rowid int);
    INSERT INTO beside_key SELECT g, now(), 't', g FROM generate_series(1, 10) g;
    CREATE TABLE wordy (target text, d int, t int, v text, PRIMARY KEY (target, d, t));
    INSERT INTO wordy SELECT 'x' || g, g, g, 'v' FROM generate_series(1, 20) g;
    CREATE TABLE asset (serial_no text NOT NULL, site int NOT NULL, v text,
        ref text GENERATED ALWAYS AS (site::text || '/' || serial_no) STORED PRIMARY KEY);
    INSERT INTO asset (serial_no, site, v)
        SELECT 's' || g, g % 4, 'v' FROM generate_series(1, 300) g;
"""
CHANGES = """
    UPDATE parcel SET state = 'sent' WHERE parcel_no < 50;
    DELETE FROM parcel WHERE parcel_no = 60;
    TRUNCATE emptied; INSERT INTO emptied VALUES (1);
    UPDATE beside_key SET txntime = '2001-01-01', target = 'u' WHERE id < 5;
    UPDATE wordy SET v = 'w' WHERE d < 5; UPDATE wordy SET target = 'y' WHERE d = 6;
    DELETE FROM wordy WHERE t = 7;
    UPDATE asset SET v = 'w' WHERE serial_no = 's7'; UPDATE asset SET site = 9 WHERE serial_no = 's8';
    INSERT INTO asset (serial_no, site) VALUES ('new', 1); DELETE FROM asset WHERE serial_no = 's9';
"""

# Tables of ours and of Bucardo's without anything that tells a subscriber which row is meant.
WITHOUT_IDENTITY = """
    SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname IN ('bucardo', 'bucardo_machine') AND c.relkind = 'r' AND c.relpersistence = 'p'
    AND c.relreplident = 'd' AND NOT EXISTS (SELECT 1 FROM pg_index i
        WHERE i.indrelid = c.oid AND i.indisprimary)
"""


@pytest.fixture(scope="module")
def world(shared_workshop):
    """(machine, source, dest): not started; a publication FOR ALL TABLES on either side."""
    servers = [shared_workshop.server(name, settings={"wal_level": "logical"})
               for name in ("source", "dest")]
    for server in servers:
        server.create_database("app")
        server.sql("CREATE PUBLICATION change_feed FOR ALL TABLES", dbname="app")
    servers[0].sql(TABLES, dbname="app")
    machine = shared_workshop.machine()
    machine.write_pgpass(*servers)
    return machine, *servers


def test_what_others_have_plans_with_is_named_before_anything_is_touched(world):
    machine, source, dest = world
    run = Phases(machine, source, dest, "app", "app").run("preflight")
    assert run.failed is None, run.text()
    for end in ("source", "destination"):
        found = run.finding("change_feed", f"FOR ALL TABLES of the {end}")
        assert found["severity"] == "degrades" and "subscriber" in found["why"]
    assert "called txntime" in run.finding("ledger_line")["why"]
    assert "place to fill in" in run.finding("ofDBGROUP")["why"]
    assert run.evidence["left_out"] == 2


def test_a_publication_of_all_tables_stops_nothing_and_odd_keys_are_replicated(world):
    machine, source, dest = world
    machine.write_config(yaml(source, dest, "app"))
    machine.start()
    wait_live(machine)
    source.sql(CHANGES, dbname="app")
    compare.wait_equal(source, dest, "app", sequences=False)
    for server in (source, dest):
        assert server.sql(WITHOUT_IDENTITY, dbname="app") == []
    # What is made later has one too, and purging is not refused.
    for server in (dest, source):
        server.sql("CREATE TABLE later (id int PRIMARY KEY)", dbname="app")
    wait_for(lambda: source.value("SELECT count(*) FROM bucardo.bucardo_delta_names"
                                  " WHERE tablename = 'public.later'", dbname="app"), 40,
             "the new table is captured")
    wait_for(lambda: source.sql(WITHOUT_IDENTITY, dbname="app") == [], 20, "all have an identity")
    source.sql("BEGIN ISOLATION LEVEL REPEATABLE READ;"
               "SELECT bucardo.machine_purge('app_sync', 100000); COMMIT", dbname="app")
    assert source.value("SELECT count(*) FROM bucardo.delta_public_parcel", dbname="app") == 0


SLOWLY = "fillfactor = 10, autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1"
AGED = f"""
    CREATE TABLE aged (id int PRIMARY KEY, v text) WITH ({SLOWLY}, autovacuum_enabled = off);
    INSERT INTO aged SELECT g, repeat('x', 700) FROM generate_series(1, 3000) g;
    CREATE PROCEDURE age_it() LANGUAGE plpgsql AS $$ BEGIN FOR i IN 1..101000 LOOP
        PERFORM txid_current(); COMMIT; END LOOP; END $$;
"""
VACUUM = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'autovacuum: VACUUM %%public.{}%%'"


def vacuumed(server, table):
    return wait_for(lambda: server.sql(VACUUM.format(table).replace("%%", "%"), dbname="aged"), 60,
                    f"{table} is vacuumed", explain=server.log_tail)


def test_a_vacuum_to_prevent_wraparound_is_waited_for_and_named_others_yield(shared_workshop, world):
    machine, _, dest = world
    source = shared_workshop.server("old", settings={
        "autovacuum_freeze_max_age": "100000", "autovacuum_naptime": "1s",
        "autovacuum_vacuum_cost_delay": "0"})
    for server in (source, dest):
        server.create_database("aged")
    source.sql(AGED, dbname="aged")
    machine.write_pgpass(source, *world[1:])
    if not machine.running():
        machine.start()
    machine.wait_ready(60)
    source.sql("CALL age_it()", dbname="aged")
    holder = vacuumed(source, "aged")
    source.sql(f"CREATE TABLE young (id int PRIMARY KEY, v text) WITH ({SLOWLY});"
               "INSERT INTO young SELECT g, repeat('x', 700) FROM generate_series(1, 3000) g",
               dbname="aged")
    source.copy_schema(dest, "aged")
    vacuumed(source, "young")
    # As a server whose launcher is not so quick to begin again; ALTER TABLE would end it.
    source.sql("UPDATE pg_class SET reloptions = reloptions || '{autovacuum_enabled=off}'::text[]"
               " WHERE relname = 'young'", dbname="aged")
    phases = Phases(machine, source, dest, "aged", "aged", direction="forward")
    found = phases.run("preflight").finding("public.aged'", "vacuums it to prevent wraparound")
    assert found["severity"] == "degrades"
    run = phases.start("capture")
    run.wait_line("note", "waiting for process", "to prevent wraparound", "public.aged")
    # Outside of the lock queue: a reader and a writer go on.
    for table in ("aged", "young") * 10:
        source.sql(f"SET lock_timeout = '2s'; UPDATE {table} SET v = 'y' WHERE id = 5",
                   dbname="aged")
    wait_for(lambda: source.sql("SELECT 1 FROM pg_trigger WHERE tgname = 'bucardo_delta'"
                                " AND tgrelid = 'young'::regclass", dbname="aged"), 20,
             "an ordinary vacuum yields", explain=run.text)
    assert vacuumed(source, "aged") == holder, "that one is not ended by us"
    # It ends when it likes: here because the next one is quick.
    source.sql("UPDATE pg_class SET reloptions = NULL WHERE relname = 'aged'", dbname="aged")
    source.sql(f"SELECT pg_terminate_backend({holder[0][0]})")
    assert run.wait(120).evidence["tables"] == 2, run.text()

"""What a run writes to a database is a change for all others who take from there, and is sent back to nobody."""

import pytest
from support import compare, declared
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(300)

SCHEMA = """
    CREATE TABLE t (id int PRIMARY KEY, v text);
    INSERT INTO t SELECT i, 'x' FROM generate_series(1, 50) i;
    CREATE TABLE emptied (id int PRIMARY KEY, v text);
    INSERT INTO emptied SELECT i, 'x' FROM generate_series(1, 50) i"""
ALONE = "; CREATE TABLE alone (id int PRIMARY KEY, v text)"
CHANGES = """
    INSERT INTO t SELECT i, 'new' FROM generate_series({0}, {0} + 9) i;
    UPDATE t SET v = 'changed {0}' WHERE id = 1; DELETE FROM t WHERE id = {1};
    UPDATE t SET id = -{0} WHERE id = {1} + 1;
    TRUNCATE emptied; INSERT INTO emptied VALUES ({0}, 'after');
    INSERT INTO alone VALUES ({0}, 'alone')"""
MIGRATION = ("  - name: {}\n    source: {}\n    destination: {}\n    direction: {}\n"
             "    tables: {{exclude: [{}]}}\n")
WAITS = """
    SELECT count(*) FROM bucardo.delta_public_{0} d WHERE NOT EXISTS (SELECT 1 FROM
    bucardo.track_public_{0} t WHERE t.txntime = d.txntime AND t.target = 'dbgroup {1}')"""


def add_by_hand(machine, source, dest):
    for name, server, dbname in (("mans", source, "app"), ("mand", dest, "man")):
        machine.shell(f"bucardo add db {name} dbname={dbname} host={server.address} "
                      f"port={server.port} user={server.user} conn=sslmode=require").check()
    machine.shell("bucardo add table public.t public.emptied db=mans relgroup=manrg && "
                  "bucardo add dbgroup mandbg mans:source mand:target && "
                  "bucardo add sync man relgroup=manrg dbs=mandbg && bucardo reload").check()


@pytest.fixture(scope="module")
def world(shared_workshop):
    """app goes both ways; a migration and a sync by hand take from its source, one from its destination."""
    source, dest = shared_workshop.server("source"), shared_workshop.server("dest")
    for server, names in ((source, ("app", "beyond")), (dest, ("app", "two", "man"))):
        for name in names:
            server.create_database(name)
    source.sql(SCHEMA + ALONE, dbname="app")
    dest.sql(SCHEMA, dbname="man")
    machine = shared_workshop.machine(installed=True)
    machine.write_pgpass(source, dest)
    machine.start()
    machine.wait_ready(60)
    add_by_hand(machine, source, dest)
    here, there = declared.endpoint(source, "app"), declared.endpoint(dest, "app")
    text = "version: 1\nmigrations:\n" + MIGRATION.format("app", here, there, "both", "public.none")
    machine.write_config(text)
    declared.wait_live(machine)
    machine.write_config(
        text + MIGRATION.format("two", here, declared.endpoint(dest, "two"), "both", "public.alone")
        + MIGRATION.format("beyond", there, declared.endpoint(source, "beyond"), "forward",
                           "public.alone"))
    for name in ("two", "beyond"):
        declared.wait_live(machine, name=name)
    return machine, source, dest


def tables(server, dbname):
    return [server.sql(f"SELECT * FROM {t} ORDER BY id", dbname=dbname) for t in ("t", "emptied")]


def wait_everywhere(world):
    machine, source, dest = world
    compare.wait_equal(source, dest, "app", 60, sequences=False)
    for server, dbname in ((dest, "two"), (dest, "man"), (source, "beyond")):
        wait_for(lambda s=server, d=dbname: tables(s, d) == tables(source, "app"), 30,
                 f"{dbname} has it as well", every=0.3, explain=machine.log_tail)


def test_what_comes_from_the_source_goes_on_beyond_the_destination(world):
    _, source, _ = world
    source.sql(CHANGES.format(1000, 10), dbname="app")
    wait_everywhere(world)


def test_what_comes_back_from_the_live_destination_goes_to_all_who_take_from_the_source(world):
    _, source, dest = world
    dest.sql("SELECT bucardo_machine.lift_fence()", dbname="app")
    dest.sql(CHANGES.format(2000, 20), dbname="app")
    wait_everywhere(world)
    dest.sql("UPDATE t SET v = v || '!' WHERE id < 30; DELETE FROM emptied", dbname="app")
    wait_everywhere(world)
    # It came from the destination, and waits for it nowhere; nor is the table captured of which nobody else takes.
    for table in ("t", "emptied"):
        assert source.value(WAITS.format(table, "app_dbs"), dbname="app") == 0
    assert source.value("SELECT count(*) FROM bucardo.delta_public_alone WHERE id = 2000", dbname="app") == 0


def test_what_comes_from_another_follower_reaches_the_live_side(world):
    _, source, dest = world
    dest.sql("SELECT bucardo_machine.lift_fence()", dbname="two")
    dest.sql("INSERT INTO t VALUES (3000, 'from two'); UPDATE t SET v = 'from two' WHERE id = 40",
             dbname="two")
    wait_everywhere(world)


def test_nothing_is_kept_once_all_have_it(world):
    machine, source, dest = world
    left = " UNION ALL ".join(f"SELECT count(*) FROM bucardo.{kind}_public_{table}"
                              for kind in ("delta", "track") for table in ("t", "emptied"))
    for server in (source, dest):
        wait_for(lambda s=server: sum(n for (n,) in s.sql(left, dbname="app")) == 0, 60,
                 "all changes and marks are purged", every=1, explain=machine.log_tail)

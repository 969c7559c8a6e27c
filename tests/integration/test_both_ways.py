"""A run that applies rows both ways commits its databases one by one: what dies in between loses nothing."""

import signal

import pytest
from support import compare, processes
from support.declared import replicating, wait_view
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(400)

DB = "app"
HELD = 77

# Where it is said, a COMMIT sleeps as long as somebody has the lock.
SLEEPS = """
    CREATE FUNCTION public.sleep_at_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        WHILE NOT pg_catalog.pg_try_advisory_xact_lock_shared(77) LOOP PERFORM pg_catalog.pg_sleep(0.2); END LOOP;
        RETURN NULL; END $$;
"""
SLEEPER = """
    CREATE CONSTRAINT TRIGGER sleeps AFTER INSERT OR UPDATE OR DELETE ON {0}
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.sleep_at_commit();
    ALTER TABLE {0} ENABLE ALWAYS TRIGGER sleeps;
"""
TABLES = """
    CREATE TABLE down (id int PRIMARY KEY, v text);
    CREATE TABLE up (id int PRIMARY KEY, v text);
    CREATE TABLE empty_up (id int PRIMARY KEY, v text);
    CREATE TABLE empty_down (id int PRIMARY KEY, v text);
    CREATE TABLE empty_both (id int PRIMARY KEY, v text);
"""
FILL = "; ".join(f"INSERT INTO {name} SELECT i, 'old' FROM generate_series(1, 20) i"
                 for name in ("down", "up", "empty_up", "empty_down", "empty_both"))
ON_SOURCE = """
    UPDATE down SET v = '{0} s' WHERE id <= 5; TRUNCATE empty_down, empty_both;
    INSERT INTO empty_down VALUES (1, '{0} s'); INSERT INTO empty_both VALUES (2, '{0} s');
"""
ON_DEST = """
    UPDATE up SET v = '{0} d' WHERE id <= 5;
    TRUNCATE empty_up, empty_both;
    INSERT INTO empty_up VALUES (1, '{0} d'); INSERT INTO empty_both VALUES (1, '{0} d');
"""


@pytest.fixture(scope="module")
def world(shared_workshop):
    """A migration both ways whose destination is live; a COMMIT with rows for `up` of the source may sleep."""
    source, dest = shared_workshop.server("source"), shared_workshop.server("dest")
    for server in (source, dest):
        server.create_database(DB)
    source.sql(SLEEPS + TABLES + FILL + ";" + SLEEPER.format("up"), dbname=DB)
    machine = replicating(shared_workshop, source, dest, DB, "    direction: both\n")
    wait_view(machine, lambda v: v["reconcile"] and "sequences" in v["reconcile"], "it is reconciled")
    machine.wait_ready(60)
    dest.sql("SELECT bucardo_machine.lift_fence()", dbname=DB)
    wait_view(machine, lambda v: v["reconcile"] and v["reconcile"]["live"]["side"] == "destination",
              "the destination is live")
    return machine, source, dest


def asleep(server):
    return server.value("SELECT min(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
                        " AND datname = 'app'", dbname=DB)


def kill_kid(machine, server, backend):
    for pid in processes.descendants(machine.pid()):
        if processes.KINDS["kid"](pid):
            processes.send(pid, signal.SIGKILL)
    server.sql(f"SELECT pg_terminate_backend({backend})", dbname=DB)
    wait_for(lambda: not server.sql(f"SELECT 1 FROM pg_stat_activity WHERE pid = {backend}"), 20,
             "the commit has failed")


class Sleeping:
    """Both sides have changed before a run begins; within, this server sleeps in a COMMIT of that run."""

    def __init__(self, world, server, on_source, on_dest):
        self.machine, source, dest = world
        self.server = server
        self.machine.cli("pause", "app").check()
        wait_view(self.machine, lambda v: v["reconcile"]["pid"] is None, "it is not reconciled")
        source.sql(on_source, dbname=DB)
        dest.sql(on_dest, dbname=DB)

    def __enter__(self):
        self.holder = self.server.connect(DB)
        self.holder.cursor().execute(f"SELECT pg_advisory_lock({HELD})")
        self.machine.cli("resume", "app").check()
        self.pid = wait_for(lambda: asleep(self.server), 60, "a commit sleeps",
                            explain=self.machine.log_tail)
        return self

    def die(self):
        kill_kid(self.machine, self.server, self.pid)

    def __exit__(self, *_):
        self.holder.close()


def die_at_commit(*where):
    with Sleeping(*where) as run:
        run.die()


def wait_equal(world):
    machine, source, dest = world
    try:
        compare.wait_equal(source, dest, DB, 60, sequences=False)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{machine.log_tail()}") from None
    wait_for(lambda: all(s["backlog_rows"] == 0 for s in machine.status_json()["syncs"]), 60,
             "nothing waits", explain=machine.log_tail)


def check(world, word):
    wait_equal(world)
    for server in world[1:]:
        for name, where in (("down", "s"), ("up", "d")):
            assert server.value(f"SELECT count(*) FROM {name} WHERE v = '{word} {where}'", dbname=DB) == 5
        for name, rows in (("empty_down", [(1, f"{word} s")]), ("empty_up", [(1, f"{word} d")])):
            assert server.sql(f"SELECT * FROM {name}", dbname=DB) == rows
        assert (1, f"{word} d") in server.sql("SELECT * FROM empty_both", dbname=DB)


def test_rows_and_truncates_arrive_after_a_run_died_when_one_side_was_committed(world):
    die_at_commit(world, world[1], ON_SOURCE.format("first"), ON_DEST.format("first"))
    check(world, "first")


def test_a_newer_truncate_is_not_taken_for_done_and_one_of_a_paused_table_is(world):
    machine, source, dest = world
    rename = "SELECT bucardo.machine_rename('app_sync{}', 'app_sync{}', '[\"public.empty_both\"]')"
    with Sleeping(world, source, ON_SOURCE.format("newer"), ON_DEST.format("newer")):
        dest.sql("TRUNCATE empty_up; INSERT INTO empty_up VALUES (2, 'newest');"
                 + rename.format("", " (paused)"), dbname=DB)
    wait_for(lambda: dest.value("SELECT count(*) FROM bucardo.bucardo_truncate_trigger WHERE replicated IS NULL",
                                dbname=DB) == 0, 60, "the truncates are done", explain=machine.log_tail)
    dest.sql(rename.format(" (paused)", ""), dbname=DB)
    wait_equal(world)
    assert source.sql("SELECT * FROM empty_up", dbname=DB) == [(2, "newest")]


def test_a_run_that_died_when_both_were_committed_and_one_knows_it_is_repeated(world):
    _, source, dest = world
    source.sql("DROP TRIGGER sleeps ON up", dbname=DB)
    source.sql(SLEEPER.format("bucardo.track_public_down"), dbname=DB)
    die_at_commit(world, source, ON_SOURCE.format("second"), ON_DEST.format("second"))
    source.sql("DROP TRIGGER sleeps ON bucardo.track_public_down", dbname=DB)
    # Neither a mark nor a truncate that is newer is taken for the run's own.
    dest.sql("INSERT INTO empty_both VALUES (3, 'later')", dbname=DB)
    check(world, "second")
    assert dest.value("SELECT count(*) FROM empty_both WHERE v = 'later'", dbname=DB) == 1


def test_the_destination_commits_first_also_where_only_the_source_gets_rows(world):
    machine, _, dest = world
    dest.sql(SLEEPER.format("bucardo.machine_runs"), dbname=DB)
    die_at_commit(world, dest, "SELECT 1", "UPDATE up SET v = 'third d' WHERE id <= 5")
    wait_equal(world)
    assert "nothing is applied until" not in machine.log()


def test_of_two_truncates_in_a_sync_made_by_hand_the_older_is_done_with_before_the_later(workshop):
    """The side with the later one commits first, and knows it is done when the other dies."""
    machine, later, older = workshop.machine(installed=True), workshop.server("later"), workshop.server("older")
    for server in (later, older):
        server.create_database(DB)
        server.sql(SLEEPS + "CREATE TABLE t (id int PRIMARY KEY, v text);"
                   "CREATE TABLE o (id int PRIMARY KEY, v text); INSERT INTO t VALUES (7, 'old')", dbname=DB)
    machine.write_pgpass(later, older)
    machine.start()
    machine.wait_ready(60)
    for name, server in (("a_later", later), ("b_older", older)):
        machine.shell(f"bucardo add db {name} dbname={DB} host={server.address} "
                      f"port={server.port} user={server.user} conn=sslmode=require").check()
    machine.shell("bucardo add all tables db=a_later relgroup=rg && bucardo add dbgroup dbg a_later:source"
                  " b_older:source && bucardo add sync hand relgroup=rg dbs=dbg autokick=0 && bucardo reload").check()
    wait_for(lambda: machine.shell("bucardo kick hand 10").code == 0, 60, "it is served")
    older.sql(SLEEPER.format("bucardo.track_public_o") + "TRUNCATE t; INSERT INTO o VALUES (1, 'older')", dbname=DB)
    later.sql("TRUNCATE t; INSERT INTO t VALUES (1, 'kept')", dbname=DB)
    holder = older.connect(DB)
    holder.cursor().execute(f"SELECT pg_advisory_lock({HELD})")
    machine.shell("bucardo kick hand").check()
    pid = wait_for(lambda: asleep(older), 60, "the marks sleep", explain=machine.log_tail)
    kill_kid(machine, older, pid)
    holder.close()
    wait_for(lambda: machine.shell("bucardo kick hand 20").code == 0 and later.value(
        "SELECT count(*) FROM bucardo.track_public_t", dbname=DB) >= 1 and older.value(
        "SELECT count(*) FROM bucardo.track_public_o", dbname=DB) == 1, 60, "all is marked",
        explain=machine.log_tail)
    for server in (later, older):
        assert server.sql("SELECT * FROM t", dbname=DB) == [(1, "kept")]
        assert server.sql("SELECT * FROM o", dbname=DB) == [(1, "older")]

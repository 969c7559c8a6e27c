"""Source and destination change places at the cut-over: everything that goes on follows the live side."""

import functools
import threading

import psycopg2
import pytest
from support import compare, declared
from support.declared import replicating, wait_live, wait_view, yaml
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(400)

TABLES = """
    CREATE TABLE t (id serial PRIMARY KEY, n int, v text);
    INSERT INTO t (n, v) SELECT i, 'old' FROM generate_series(1, 50) i;
    CREATE TABLE p (id int, d int, v text, PRIMARY KEY (id, d)) PARTITION BY RANGE (d);
    CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100);
    INSERT INTO p SELECT i, i, 'old' FROM generate_series(1, 50) i;
    CREATE TABLE emptied (id int PRIMARY KEY, v text);
    INSERT INTO emptied SELECT i, 'old' FROM generate_series(1, 10) i;
    CREATE TABLE cleared (id int, "K 2" text, v text, PRIMARY KEY (id, "K 2"));
    INSERT INTO cleared SELECT i, 'k', 'old' FROM generate_series(1, 10) i;
    CREATE TABLE fed (id int PRIMARY KEY, v text);
    CREATE TABLE keyless (v text);
    CREATE SEQUENCE down INCREMENT BY -3;
    CREATE SEQUENCE used;
    SELECT lo_from_bytea(0, 'x');
"""
DB = "app"
LIFT = "SELECT bucardo_machine.lift_fence()"
RAISE = "SELECT bucardo_machine.raise_fence(true)"


@pytest.fixture(scope="module")
def world(shared_workshop):
    """A migration both ways that replicates; the tests of this file tell one story in their order."""
    source = shared_workshop.server("source", settings={"wal_level": "logical"})
    dest = shared_workshop.server("dest")
    for server in (source, dest):
        server.create_database(DB)
    source.sql(TABLES, dbname=DB)
    machine = replicating(shared_workshop, source, dest, DB)
    reconciled(machine, lambda t: "paused" in t, "looks at the tables")
    machine.wait_ready(60)
    return machine, source, dest


reconciled = functools.partial(declared.reconciled, member="sequences", seconds=40)


def wait_side(machine, side):
    return reconciled(machine, lambda t: t["live"]["side"] == side and t["sequences"]["to"] != side,
                      f"sees that the {side} is live")


def last(server, name):
    return server.value(f"SELECT last_value FROM {name}", dbname=DB)


def value(server, query):
    return server.value(query, dbname=DB)


def quiet(machine):
    wait_for(lambda: all(s["backlog_rows"] == 0 for s in machine.status_json()["syncs"]), 60,
             "nothing waits", explain=machine.log_tail)


def wait_equal(machine, source, dest):
    try:
        compare.wait_equal(source, dest, DB, 60, sequences=False)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{machine.log_tail()}") from None


class Storm:
    """An application that draws values, and nothing else; each value once."""

    def __init__(self, server, name):
        self.connection, self.name = server.connect(DB), name
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._draw, daemon=True)
        self.drawn = []

    def __enter__(self):
        self._thread.start()
        return self

    def _draw(self):
        cursor = self.connection.cursor()
        while not self._stop.is_set():
            cursor.execute(f"SELECT nextval('{self.name}') FROM generate_series(1, 50)")
            self.drawn += [row[0] for row in cursor.fetchall()]

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(20)
        self.connection.close()
        assert len(set(self.drawn)) == len(self.drawn) > 0, "a value was handed out twice"


class Writer:
    """A worker that writes by what the live side is: nobody lifts the fence meanwhile."""

    def __init__(self, server):
        self.server, self.connection = server, server.connect(DB)
        self.connection.cursor().execute("SELECT pg_advisory_lock_shared(1651860321, 1)")
        self._thread = threading.Thread(target=self._write, daemon=True)
        self.lifted = None

    def __enter__(self):
        self._thread.start()

    def _write(self):
        wait_for(lambda: value(self.server, "SELECT count(*) FROM pg_locks WHERE NOT granted"
                               " AND locktype = 'advisory' AND objid = 1") == 1, 9, "it waits")
        self.lifted = value(self.server, "SELECT count(lifted) FROM bucardo_machine.fence")
        self.connection.close()

    def __exit__(self, *_):
        self._thread.join(20)
        assert self.lifted == 0


# ---- before the cut-over ----

def test_the_fence_refuses_writers_in_replica_role_also_when_an_older_machine_made_it(world):
    machine, _, dest = world
    enabled = "SELECT tgenabled::text FROM pg_trigger WHERE tgname = 'bucardo_machine_fence'" \
              " AND tgrelid = 't'::regclass"
    assert value(dest, enabled) == "A"
    dest.sql("ALTER TABLE t ENABLE TRIGGER bucardo_machine_fence", dbname=DB)
    wait_for(lambda: value(dest, enabled) == "A", 30, "it fires always", explain=machine.log_tail)
    for loader in ("SET session_replication_role = replica", "SET bucardo_machine.applying = 'on'"):
        with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction, match="not cut over yet"):
            dest.sql(f"{loader}; INSERT INTO t (id, v) VALUES (1000, 'stray')", dbname=DB)


def test_the_fence_refuses_a_logical_subscription(world):
    machine, source, dest = world
    source.create_database("feeder")
    source.sql("CREATE TABLE fed (id int PRIMARY KEY, v text); CREATE PUBLICATION feed FOR TABLE fed",
               dbname="feeder")
    source.sql("SELECT pg_create_logical_replication_slot('feed', 'pgoutput')", dbname="feeder")
    dest.sql(f"CREATE SUBSCRIPTION feed CONNECTION 'dbname=feeder host={source.address} "
             f"port={source.port} user={source.user} password={source.password}' PUBLICATION feed"
             " WITH (copy_data = false, create_slot = false, enabled = false)", dbname=DB)
    wait_for(lambda: value(dest, "SELECT count(*) FROM pg_trigger WHERE tgname ="
                           " 'bucardo_machine_fence_rows' AND tgenabled = 'A'") == 1, 30,
             "its table has a trigger of rows", explain=machine.log_tail)
    dest.sql("ALTER SUBSCRIPTION feed ENABLE", dbname=DB)
    source.sql("INSERT INTO fed VALUES (1, 'stray')", dbname="feeder")
    wait_for(lambda: "refuses INSERT on public.fed" in dest.log_tail(200), 30, "it is refused")
    assert value(dest, "SELECT count(*) FROM fed") == 0
    dest.sql("ALTER SUBSCRIPTION feed DISABLE", dbname=DB)
    dest.sql("ALTER SUBSCRIPTION feed SET (slot_name = NONE)", dbname=DB)
    dest.sql("DROP SUBSCRIPTION feed", dbname=DB)
    source.sql("UPDATE t SET v = 'fed' WHERE id = 50; INSERT INTO fed VALUES (7, 'ours')", dbname=DB)
    wait_equal(machine, source, dest)  # what the machine applies passes


def test_a_sequence_that_somebody_uses_at_the_destination_does_not_fall_behind(world):
    machine, source, dest = world
    value(dest, "SELECT nextval('used') FROM generate_series(1, 300) ORDER BY 1 DESC LIMIT 1")
    reconciled(machine, lambda t: t["sequences"]["left"] == ["public.used"], "tells it")
    source.sql("SELECT nextval('used') FROM generate_series(1, 5000)", dbname=DB)
    wait_for(lambda: last(dest, "used") >= 5000, 20, "it is ahead", explain=machine.log_tail)


# ---- the cut-over ----

def test_what_waits_on_the_old_side_does_not_go_over_what_the_live_side_has_written(world):
    machine, source, dest = world
    quiet(machine)
    machine.cli("pause", "app").check()
    wait_view(machine, lambda v: v["reconcile"]["pid"] is None, "it is not reconciled")
    source.sql("UPDATE t SET v = 'pending' WHERE id <= 10", dbname=DB)
    source.sql("DELETE FROM t WHERE id = 11", dbname=DB)
    source.sql("INSERT INTO emptied VALUES (100, 'pending');"
               "SELECT nextval('used') FROM generate_series(1, 50000);"
               "TRUNCATE cleared, emptied;"
               "INSERT INTO cleared VALUES (20, 'k', 'pending'), (21, 'k', 'pending')", dbname=DB)
    # One is deferred, for a later run; and runs take one key at a time.
    source.sql("UPDATE t SET v = 'deferred' WHERE id = 13;"
               "CREATE TABLE bucardo.mpark_public_t (LIKE bucardo.delta_public_t);"
               "WITH gone AS (DELETE FROM bucardo.delta_public_t WHERE id = 13 RETURNING *)"
               " INSERT INTO bucardo.mpark_public_t SELECT * FROM gone", dbname=DB)
    for server in (source, dest):
        server.sql("UPDATE bucardo.machine_syncs SET stage_rows = 1", dbname=DB)
    said = value(dest, LIFT)
    assert said.startswith("the fence is lifted; no machine is at work"), said
    dest.sql("UPDATE t SET v = 'live' WHERE id IN (1, 2, 11, 13); DELETE FROM t WHERE id = 3;"
             "INSERT INTO emptied VALUES (100, 'live'); UPDATE cleared SET v = 'live' WHERE id = 1;"
             "INSERT INTO cleared VALUES (20, 'k', 'live')", dbname=DB)
    # The latest change of both tables is the old side's.
    source.sql("UPDATE t SET v = 'late' WHERE id IN (1, 3, 12); TRUNCATE emptied;"
               "INSERT INTO emptied VALUES (1, 'late'); UPDATE cleared SET v = 'late'", dbname=DB)
    handed = last(source, "used")
    with Storm(dest, "used"):
        machine.cli("resume", "app").check()
        wait_for(lambda: last(dest, "used") > handed, 30, "what the source has handed out is not"
                 " handed out again", explain=machine.log_tail)
    wait_side(machine, "destination")
    wait_equal(machine, source, dest)
    for server in (source, dest):
        server.sql("UPDATE bucardo.machine_syncs SET stage_rows = 200000", dbname=DB)
    assert dest.sql("SELECT id, v FROM t WHERE id IN (1, 2, 3, 4, 11, 12, 13) ORDER BY 1",
                    dbname=DB) == [(1, "live"), (2, "live"), (4, "pending"), (11, "live"),
                                   (12, "late"), (13, "live")]
    assert dest.sql("SELECT id, v FROM emptied ORDER BY 1", dbname=DB) == [(1, "late"), (100, "live")]
    # Truncated there, but for what the live side has written since.
    assert dest.sql("SELECT id, v FROM cleared ORDER BY 1", dbname=DB) == [
        (1, "live"), (20, "live"), (21, "late")]
    assert "the destination is the live side" in machine.cli("events").check()


def test_what_the_live_side_has_and_is_not_applied_back_is_told(world):
    machine, _, _ = world
    found = reconciled(machine, lambda t: t["live"]["not_applied"], "tells what is not applied back")
    told = {one["what"]: one for one in found["live"]["not_applied"]}
    assert "public.keyless" in told and "no primary key" in told["public.keyless"]["why"]
    assert any("large object" in what for what in told)
    shown = machine.cli("status").check()
    assert "live side" in shown and "public.keyless" in shown


def test_a_change_of_type_on_both_sides_sends_no_old_row_over_a_live_one(world):
    machine, source, dest = world
    dest.sql("ALTER TABLE t ALTER COLUMN n TYPE bigint", dbname=DB)
    reconciled(machine, lambda t: [one["table"] for one in t["paused"]] == ["public.t"], "pauses it")
    dest.sql("UPDATE t SET v = 'live after', n = 10000000000 WHERE id BETWEEN 20 AND 39;"
             "DELETE FROM t WHERE id = 49; INSERT INTO t VALUES (51, 5, 'live new')", dbname=DB)
    source.sql("ALTER TABLE t ALTER COLUMN n TYPE bigint", dbname=DB)
    reconciled(machine, lambda t: t["paused"] == [] and t["drift"] == [], "is fixed")
    wait_equal(machine, source, dest)
    assert value(dest, "SELECT count(*) FROM t WHERE v = 'live after'") == 20
    assert dest.sql("SELECT id FROM t WHERE id IN (49, 51)", dbname=DB) == [(51,)]


def test_what_is_made_on_the_live_side_comes_to_the_old_one(world):
    machine, source, dest = world
    dest.sql("CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (100) TO (200);"
             "INSERT INTO p SELECT i, 150, 'live' FROM generate_series(1, 30) i;"
             "CREATE TABLE fresh (id int PRIMARY KEY, v text);"
             "INSERT INTO fresh SELECT i, 'live' FROM generate_series(1, 30) i", dbname=DB)
    found = reconciled(machine, lambda t: [one["table"] for one in t["new"]] == ["public.fresh"],
                       "tells the new table")
    assert found["new"][0]["why"] == "it is on the destination only"
    assert "make it on the source" in found["new"][0]["hint"]
    assert "partition public.p2 was made on the source" in machine.cli("events").check()
    source.sql("CREATE TABLE fresh (id int PRIMARY KEY, v text); INSERT INTO fresh VALUES (1, 'old')",
               dbname=DB)
    reconciled(machine, lambda t: t["new"] == [], "has taken it in")
    dest.sql("INSERT INTO fresh VALUES (100, 'later')", dbname=DB)
    wait_equal(machine, source, dest)
    assert value(dest, "SELECT count(*) FROM fresh WHERE v = 'live'") == 30


# ---- sequences ----

def test_sequences_of_the_old_side_follow_and_are_handed_back_when_the_fence_is_raised(world):
    machine, source, dest = world
    dest.sql("INSERT INTO t (v) SELECT 'live' FROM generate_series(1, 3000);"
             "SELECT nextval('down') FROM generate_series(1, 3000)", dbname=DB)
    wait_for(lambda: not compare.sequences_behind(dest, source, DB), 20, "the old side is ahead",
             explain=lambda: str(compare.sequences_behind(dest, source, DB)) + machine.log_tail())
    with Storm(dest, "used"):
        dest.sql("INSERT INTO t (v) SELECT 'burst' FROM generate_series(1, 20000)", dbname=DB)
        handed = last(dest, "t_id_seq"), last(dest, "used")
        assert "the fence stands" in value(dest, RAISE)
        assert last(source, "t_id_seq") >= handed[0] and last(source, "used") >= handed[1]
    assert value(source, "INSERT INTO t (v) VALUES ('back') RETURNING id") > handed[0]
    with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
        dest.sql("INSERT INTO t (v) VALUES ('stray')", dbname=DB)
    wait_side(machine, "source")
    wait_equal(machine, source, dest)
    assert value(dest, "SELECT count(*) FROM t WHERE v = 'burst'") == 20000


def test_at_the_moment_of_lifting_no_sequence_is_behind(world):
    machine, source, dest = world
    wait_for(lambda: not compare.sequences_behind(source, dest, DB), 20, "all are ahead")
    with Storm(source, "used"):
        source.sql("INSERT INTO t (v) SELECT 'burst 2' FROM generate_series(1, 20000)", dbname=DB)
        handed = last(source, "t_id_seq"), last(source, "used")
        with Writer(dest):
            assert value(dest, LIFT) == "the fence is lifted"
        assert last(dest, "t_id_seq") >= handed[0] and last(dest, "used") >= handed[1]
        first = value(dest, "INSERT INTO t (v) VALUES ('first') RETURNING id")
        assert first > handed[0]
    wait_side(machine, "destination")
    # Somebody who still draws on the old side moves nothing on the live one.
    stood = last(dest, "down")
    source.sql("SELECT nextval('down') FROM generate_series(1, 20000)", dbname=DB)
    reconciled(machine, lambda t: "public.down" in t["sequences"]["left"], "tells it")
    assert last(dest, "down") == stood
    wait_equal(machine, source, dest)
    assert value(source, f"SELECT v FROM t WHERE id = {first}") == "first"


@pytest.mark.full
def test_the_live_side_is_remembered_when_the_schema_of_the_machine_is_dropped(world):
    machine, source, dest = world
    dest.sql("DROP SCHEMA bucardo_machine CASCADE", dbname=DB)
    reconciled(machine, lambda t: t["live"] == {**t["live"], "side": "destination", "fence": False}
               and t["problems"] == [], "knows which side is live", seconds=60)
    dest.sql("CREATE TABLE fresh_2 (id int PRIMARY KEY, v text);"
             "INSERT INTO fresh_2 VALUES (1, 'no fence'); INSERT INTO fresh VALUES (200, 'no fence');"
             "CREATE TABLE p3 PARTITION OF p FOR VALUES FROM (200) TO (300)", dbname=DB)
    source.sql("CREATE TABLE fresh_2 (id int PRIMARY KEY, v text)", dbname=DB)
    wait_equal(machine, source, dest)
    # A fence that a person asks for makes the source the live side, when nothing waits there.
    machine.cli("service", "stop", "bucardo").check()
    source.sql("UPDATE fresh SET v = 'old' WHERE id = 5", dbname=DB)
    dest.sql("UPDATE fresh SET v = 'live' WHERE id = 5", dbname=DB)
    source.sql("UPDATE fresh SET v = 'old' WHERE id = 6", dbname=DB)  # the latest of all
    dest.sql("CREATE TABLE bucardo_machine.fence (lifted timestamptz, lifted_by text)", dbname=DB)
    wait_for(lambda: "fence is raised once no changes wait" in machine.cli("events").check(), 30, "it is told")
    assert reconciled(machine, lambda t: True, "waits")["live"]["side"] == "destination"
    machine.cli("service", "start", "bucardo").check()
    wait_side(machine, "source")
    wait_equal(machine, source, dest)
    assert value(source, "SELECT v FROM fresh WHERE id = 5") == "live"
    wait_for(lambda: value(dest, "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'fresh'::regclass"
                           " AND tgname = 'bucardo_machine_fence'") == 1, 20, "it is raised")
    with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
        dest.sql("INSERT INTO fresh VALUES (201, 'stray')", dbname=DB)


# ---- direction forward ----

def test_with_direction_forward_nothing_goes_over_a_live_destination_and_that_is_said(workshop):
    source, dest, machine = workshop.server("source"), workshop.server("dest"), workshop.machine(installed=True)
    for server in (source, dest):
        server.create_database(DB)
    source.sql("CREATE TABLE t (id serial PRIMARY KEY, v text);"
               "INSERT INTO t (v) SELECT 'old' FROM generate_series(1, 5);"
               "CREATE TABLE emptied AS SELECT id FROM t; ALTER TABLE emptied ADD PRIMARY KEY (id)",
               dbname=DB)
    machine.write_pgpass(source, dest)
    machine.write_config(yaml(source, dest, DB, extra="    direction: forward\n"))
    machine.start()
    wait_live(machine)
    reconciled(machine, lambda t: t["sequences"]["transferred"] == 1, "transfers the sequences")
    machine.cli("service", "stop", "bucardo").check()
    source.sql("INSERT INTO t (v) SELECT 'burst' FROM generate_series(1, 5000)", dbname=DB)
    # What waits on the source would never come.
    with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState, match="are not here yet .public.t."):
        value(dest, "SET bucardo_machine.turn_timeout = '1s';" + LIFT)
    machine.cli("service", "start", "bucardo").check()
    assert value(dest, LIFT) == "the fence is lifted"
    assert value(dest, "SELECT count(*) FROM t WHERE v = 'burst'") == 5000
    assert value(dest, "INSERT INTO t (v) VALUES ('live') RETURNING id") > last(source, "t_id_seq")
    dest.sql("UPDATE t SET v = 'live' WHERE id = 1", dbname=DB)
    source.sql("UPDATE t SET v = 'old again' WHERE id <= 2; TRUNCATE emptied", dbname=DB)
    found = reconciled(machine, lambda t: t["live"]["side"] == "destination" and t.get("paused"),
                       "pauses all of it")
    assert found["live"]["not_applied"][0]["what"] == "everything"
    assert "direction is forward" in machine.cli("status").check()
    assert dest.sql("SELECT id, v FROM t WHERE id <= 2 ORDER BY 1", dbname=DB) == [
        (1, "live"), (2, "old")]
    assert value(dest, "SELECT count(*) FROM emptied") == 5
    machine.wait_ready(30)
    # Nothing of the destination was captured: the source's old rows would go over it.
    with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState, match="direction of migration app is forward"):
        value(dest, RAISE)
    assert "by force" in value(dest, "SELECT bucardo_machine.raise_fence(true, force => true)")
    wait_for(lambda: value(dest, "SELECT count(*) FROM t WHERE v = 'old again'") == 2
             and value(dest, "SELECT count(*) FROM emptied") == 0, 60, "the source is applied again",
             explain=machine.log_tail)

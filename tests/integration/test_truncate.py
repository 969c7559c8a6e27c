"""TRUNCATE on one side of a migration: the other has no other rows afterwards, and is told of none that are gone.

Each case has tables of its own, in a schema of its name. Add one with a row of CASES.
"""

import threading

import psycopg2
import pytest
from support import compare
from support.declared import endpoint, replicating, wait_live, wait_view
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(400)

SHOP = """
    CREATE TABLE client (id int PRIMARY KEY, v text);
    CREATE TABLE invoice (id int PRIMARY KEY, client int NOT NULL REFERENCES client, v text);
    INSERT INTO client SELECT i, 'old' FROM generate_series(1, 200) i;
    INSERT INTO invoice SELECT i, 1 + i % 200, 'old' FROM generate_series(1, 400) i;
"""
REFILL = """
    INSERT INTO client SELECT i, 'new' FROM generate_series(100, 150) i;
    INSERT INTO invoice SELECT i, 100 + i % 50, 'new' FROM generate_series(50, 120) i;
"""
FAMILY = """
    CREATE TABLE parent (id int PRIMARY KEY, v text);
    CREATE TABLE child (PRIMARY KEY (id)) INHERITS (parent);
    CREATE TABLE grandchild (extra int, PRIMARY KEY (id)) INHERITS (child);
    INSERT INTO parent SELECT i, 'p' FROM generate_series(1, 50) i;
    INSERT INTO child SELECT i, 'c' FROM generate_series(1, 60) i;
    INSERT INTO grandchild SELECT i, 'g', i FROM generate_series(1, 70) i;
"""
PARTS = """
    CREATE TABLE day (at date, n int, v text, PRIMARY KEY (at, n)) PARTITION BY RANGE (at);
    CREATE TABLE day_a PARTITION OF day FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
    CREATE TABLE day_b PARTITION OF day FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')
        PARTITION BY LIST (n);
    CREATE TABLE day_b1 PARTITION OF day_b FOR VALUES IN (1);
    CREATE TABLE day_b2 PARTITION OF day_b DEFAULT;
    INSERT INTO day SELECT date '2024-06-01' + i, i % 3, 'v' FROM generate_series(1, 500) i;
"""
PLAIN = """
    CREATE TABLE plain (id serial PRIMARY KEY, v text);
    INSERT INTO plain (v) SELECT 'old' FROM generate_series(1, 300) i;
"""

# name: (its tables, what is done on the source; a list: one transaction each)
CASES = {
    "joined": (SHOP, "TRUNCATE invoice, client"),
    "cascade": (SHOP, "TRUNCATE client CASCADE"),
    "refilled": (SHOP, "TRUNCATE client CASCADE;" + REFILL),
    "refilled_later": (SHOP, ["TRUNCATE client CASCADE", REFILL]),
    "one_of_two": (SHOP, "UPDATE client SET v = 'kept'; TRUNCATE invoice; "
                         "INSERT INTO invoice VALUES (3, 7, 'new')"),
    "written_before": (SHOP, "UPDATE client SET v = 'x'; INSERT INTO client VALUES (999, 'gone');"
                             "DELETE FROM invoice WHERE id < 50; TRUNCATE client CASCADE;"
                             "INSERT INTO client VALUES (5, 'new')"),
    "circle": ("""CREATE TABLE hen (id int PRIMARY KEY, egg int);
                  CREATE TABLE egg (id int PRIMARY KEY, hen int REFERENCES hen);
                  ALTER TABLE hen ADD FOREIGN KEY (egg) REFERENCES egg;
                  INSERT INTO hen SELECT i FROM generate_series(1, 50) i;
                  INSERT INTO egg SELECT i, i FROM generate_series(1, 50) i; UPDATE hen SET egg = id;""",
               "TRUNCATE hen, egg; INSERT INTO hen VALUES (1); INSERT INTO egg VALUES (1, 1)"),
    "itself": ("""CREATE TABLE node (id int PRIMARY KEY, up int REFERENCES node, v text);
                  INSERT INTO node SELECT i, nullif(i - 1, 0), 'v' FROM generate_series(1, 50) i;""",
               "TRUNCATE node; INSERT INTO node VALUES (7, 7, 'new')"),
    "only_the_parent": (FAMILY, "TRUNCATE ONLY parent; INSERT INTO parent VALUES (3, 'new')"),
    "only_the_child": (FAMILY, "TRUNCATE ONLY child"),
    "through_the_parent": (FAMILY, "TRUNCATE parent; INSERT INTO grandchild VALUES (1, 'new', 1)"),
    "restarted": (PLAIN, "TRUNCATE plain RESTART IDENTITY; INSERT INTO plain (v) VALUES ('a'), ('b')"),
    "all_partitions": (PARTS, "TRUNCATE day; INSERT INTO day VALUES ('2024-07-01', 1, 'new'), "
                              "('2025-07-01', 1, 'new')"),
    "one_partition": (PARTS, "TRUNCATE day_b1; UPDATE day SET v = 'kept' WHERE n = 2"),
    "a_branch": (PARTS, "TRUNCATE day_b; INSERT INTO day VALUES ('2025-07-01', 2, 'new')"),
    "empty": ("CREATE TABLE none (id int PRIMARY KEY, v text)", "TRUNCATE none"),
    "many_times": (PLAIN, ["TRUNCATE plain", "INSERT INTO plain (v) VALUES ('one')", "TRUNCATE plain",
                           "INSERT INTO plain (id, v) VALUES (1, 'two')", "TRUNCATE plain",
                           "INSERT INTO plain (id, v) VALUES (1, 'three'), (2, 'three')"]),
    "rolled_back": (PLAIN, "SAVEPOINT s; TRUNCATE plain; INSERT INTO plain VALUES (1, 'never'); "
                           "ROLLBACK TO s; INSERT INTO plain VALUES (1000, 'new')"),
    "released": (PLAIN, "SAVEPOINT s; TRUNCATE plain; RELEASE s; INSERT INTO plain VALUES (1, 'new')"),
    "quoted": (r"""CREATE TABLE "Its a; -- x" (";" text PRIMARY KEY, "?" text);
                   CREATE TABLE "Käse x" (id int PRIMARY KEY, ref text REFERENCES "Its a; -- x");
                   INSERT INTO "Its a; -- x" SELECT i || '\', 'v' FROM generate_series(1, 50) i;
                   INSERT INTO "Käse x" SELECT i, i || '\' FROM generate_series(1, 50) i;""",
               r"""TRUNCATE "Its a; -- x" CASCADE; INSERT INTO "Its a; -- x" VALUES ('1\', 'new');
                   INSERT INTO "Käse x" VALUES (1, '1\')"""),
    "generated": ("""CREATE TABLE gross (id int PRIMARY KEY, n int, g int GENERATED ALWAYS AS (n * 2) STORED);
                     INSERT INTO gross SELECT i, i FROM generate_series(1, 50) i;""",
                  "TRUNCATE gross; INSERT INTO gross VALUES (1, 5), (2, 6)"),
}


def schema_of(name):
    tables, _ = CASES[name]
    return f"CREATE SCHEMA c_{name}; SET search_path = c_{name}; {tables}; RESET search_path;"


def do(server, dbname, name, statements):
    connection = server.connect(dbname, autocommit=False)
    try:
        with connection.cursor() as cursor:
            for statement in statements if isinstance(statements, list) else [statements]:
                cursor.execute(f"SET LOCAL search_path = c_{name}; " + statement)
                connection.commit()
    finally:
        connection.close()


def wait_same(machine, source, dest, dbname, seconds=30):
    try:
        compare.wait_equal(source, dest, dbname, seconds, sequences="ahead")
    except AssertionError as error:
        raise AssertionError(f"{error}\n{machine.log_tail()}") from None


def hold(machine):
    """No run from here on."""
    machine.cli("service", "stop", "bucardo").check()
    wait_for(lambda: machine.unit("bucardo")["state"] == "down", 30, "Bucardo is down")


def release(machine):
    machine.cli("service", "start", "bucardo").check()


@pytest.fixture(scope="module")
def world(shared_workshop):
    source, dest, dbname = shared_workshop.pair("shop")
    source.sql("".join(schema_of(name) for name in CASES), dbname=dbname)
    machine = replicating(shared_workshop, source, dest, dbname)
    return machine, source, dest, dbname


@pytest.fixture(scope="module")
def one_run(world):
    """All cases wait together, and one run has them all."""
    machine, source, dest, dbname = world
    hold(machine)
    for name, (_, live) in CASES.items():
        do(source, dbname, name, live)
    release(machine)
    wait_for(lambda: source.value("SELECT count(*) = 0 FROM bucardo.bucardo_truncate_trigger WHERE "
                                  "replicated IS NULL", dbname=dbname), 30, "they are applied",
             explain=machine.log_tail)
    machine.wait_ready(60)
    return [line.split(":")[0] for line in compare.differences(source, dest, dbname, sequences=False)]


@pytest.mark.parametrize("name", CASES)
def test_after_a_truncate_both_sides_have_the_same_rows(one_run, name):
    assert not [table for table in one_run if table.startswith(f"c_{name}.")]


def test_nothing_else_differs_and_the_sequences_are_ahead(world, one_run):
    machine, source, dest, dbname = world
    assert not one_run
    wait_same(machine, source, dest, dbname)


@pytest.mark.full
@pytest.mark.parametrize("name", CASES)
def test_a_truncate_alone_in_its_run_arrives_too(world, name):
    machine, source, dest, dbname = world
    do(source, dbname, name, "TRUNCATE " + ", ".join(table for (table,) in source.sql(
        "SELECT oid::regclass::text FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = "
        "%s::regnamespace", (f"c_{name}",), dbname=dbname)))
    wait_same(machine, source, dest, dbname)
    if "DELETE" not in str(CASES[name][1]) and name != "one_of_two":
        do(source, dbname, name, CASES[name][1])
        wait_same(machine, source, dest, dbname)


def test_a_table_to_which_another_than_its_sync_refers_is_emptied_nevertheless(world):
    machine, source, dest, dbname = world
    source.sql("INSERT INTO c_cascade.client VALUES (1, 'v') ON CONFLICT DO NOTHING", dbname=dbname)
    wait_same(machine, source, dest, dbname)
    dest.sql("SET session_replication_role = replica; CREATE SCHEMA elsewhere; CREATE TABLE "
             "elsewhere.note (client int REFERENCES c_cascade.client)", dbname=dbname)
    try:
        do(source, dbname, "cascade", "TRUNCATE client CASCADE; INSERT INTO client VALUES (2, 'new')")
        wait_for(lambda: dest.sql("SELECT * FROM c_cascade.client", dbname=dbname) == [(2, "new")], 30,
                 "the rows are deleted", explain=machine.log_tail)
    finally:
        dest.sql("DROP SCHEMA elsewhere CASCADE", dbname=dbname)
    wait_same(machine, source, dest, dbname)


def test_a_truncate_that_fails_is_told_and_tried_again(world):
    machine, source, dest, dbname = world
    dest.sql("""SET session_replication_role = replica;
        CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'no truncate today'; END $$;
        CREATE TRIGGER refuse BEFORE TRUNCATE ON c_itself.node EXECUTE FUNCTION public.refuse();
        ALTER TABLE c_itself.node ENABLE ALWAYS TRIGGER refuse""", dbname=dbname)
    try:
        before = dest.sql("SELECT * FROM c_itself.node", dbname=dbname)
        do(source, dbname, "itself", "TRUNCATE node; INSERT INTO node VALUES (8, 8, 'newer')")
        wait_for(lambda: "no truncate today" in str(machine.status_json()["syncs"]), 40,
                 "the failure is told", explain=machine.log_tail)
        assert dest.sql("SELECT * FROM c_itself.node", dbname=dbname) == before
    finally:
        dest.sql("DROP FUNCTION public.refuse() CASCADE", dbname=dbname)
    wait_same(machine, source, dest, dbname, 60)


def test_an_application_that_truncates_and_a_run_do_not_wait_for_each_other(world):
    """A run reads the delta table, and keeps that lock until its end; nor does a run wait for it."""
    machine, source, dest, dbname = world
    run = source.connect(dbname, autocommit=False)
    try:
        run.cursor().execute("SELECT count(*) FROM bucardo.delta_c_joined_client, "
                             "bucardo.track_c_joined_client, bucardo.delta_c_joined_invoice")
        do(source, dbname, "joined", ["INSERT INTO client VALUES (1, 'v')", "SET LOCAL lock_timeout = "
                                      "'2s'; TRUNCATE client CASCADE; INSERT INTO client VALUES (9, 'v')"])
    finally:
        run.close()
    wait_same(machine, source, dest, dbname)
    assert dest.sql("SELECT id FROM c_joined.client", dbname=dbname) == [(9,)]
    long_load = source.connect(dbname, autocommit=False)
    try:
        long_load.cursor().execute("TRUNCATE c_joined.invoice; INSERT INTO c_joined.invoice VALUES (1, 9)")
        do(source, dbname, "itself", "INSERT INTO node VALUES (77, 77, 'beside it')")
        wait_for(lambda: dest.value("SELECT count(*) FROM c_itself.node WHERE id = 77", dbname=dbname) == 1,
                 20, "another table's row arrives meanwhile", explain=machine.log_tail)
        long_load.commit()
    finally:
        long_load.close()
    wait_same(machine, source, dest, dbname)


def truncated(source, dbname):
    try:
        do(source, dbname, "refilled", "TRUNCATE client CASCADE")
    except psycopg2.errors.DeadlockDetected:
        return False  # with the writers: they lock the two tables in the other order
    return True


def test_truncates_go_on_under_writers_and_nothing_is_left_behind(world, rounds):
    machine, source, dest, dbname = world
    ended, errors = threading.Event(), []

    def write(number):
        connection = source.connect(dbname)
        cursor = connection.cursor()
        while not ended.is_set():
            try:
                cursor.execute("INSERT INTO c_refilled.client SELECT i, %s FROM generate_series(%s, %s) i"
                               " ON CONFLICT (id) DO UPDATE SET v = excluded.v",
                               (f"w{number}", number, number + 40))
                cursor.execute("INSERT INTO c_refilled.invoice SELECT id + %s, id, 'v' FROM "
                               "c_refilled.client LIMIT 20 ON CONFLICT DO NOTHING", (number * 1000,))
            except (psycopg2.errors.ForeignKeyViolation, psycopg2.errors.DeadlockDetected):
                pass
            except psycopg2.Error as error:
                errors.append(str(error))
        connection.close()

    writers = [threading.Thread(target=write, args=(n,)) for n in (10, 30, 60)]
    for writer in writers:
        writer.start()
    try:
        for _ in range(rounds(5, 40)):
            wait_for(lambda: truncated(source, dbname), 20, "it is truncated")
            seen = source.value("SELECT count(*) FROM bucardo.bucardo_truncate_trigger "
                                "WHERE replicated IS NOT NULL", dbname=dbname)
            wait_for(lambda s=seen: source.value(
                "SELECT count(*) FROM bucardo.bucardo_truncate_trigger WHERE replicated IS NOT NULL",
                dbname=dbname) > s, 30, "a run has emptied them", explain=machine.log_tail)
    finally:
        ended.set()
        for writer in writers:
            writer.join(20)
    assert not errors, errors[0]
    wait_same(machine, source, dest, dbname, 60)


def test_both_ways_in_three_syncs_and_before_the_release(workshop):
    source, dest, dbname = workshop.pair("shop")
    names = ["joined", "refilled", "only_the_parent", "restarted", "many_times"]
    source.sql("".join(schema_of(name) for name in names), dbname=dbname)
    machine = workshop.machine(installed=True)
    machine.write_pgpass(source, dest)
    machine.write_config(
        f"version: 1\nmigrations:\n  - name: app\n    source: {endpoint(source, dbname)}\n"
        f"    destination: {endpoint(dest, dbname)}\n    direction: both\n    syncs: 3\n"
        f"    run_until: index\n")
    machine.start()
    wait_view(machine, lambda v: v["status"] == "done", "the indexes are built")
    for name in names[:3]:
        do(source, dbname, name, CASES[name][1])
    machine.cli("migrate", "app", "--until", "replicate").check()
    wait_live(machine)
    wait_same(machine, source, dest, dbname, 60)
    # The other way, over the head of a change that has not gone. After the change of places the
    # live side's truncate is the last word, whatever the clocks say; its own rows outlive one of
    # the old side.
    hold(machine)
    dest.sql("SELECT bucardo_machine.lift_fence()", dbname=dbname)
    do(source, dbname, "many_times", "UPDATE plain SET v = 'older'")
    do(dest, dbname, "many_times", "TRUNCATE plain; INSERT INTO plain VALUES (1, 'dest'), (2, 'dest')")
    do(source, dbname, "many_times", "INSERT INTO plain VALUES (1003, 'stray')")
    do(source, dbname, "restarted", "INSERT INTO plain VALUES (1007, 'older'); TRUNCATE plain; INSERT INTO plain VALUES (5, 'source')")
    do(dest, dbname, "restarted", "INSERT INTO plain VALUES (1006, 'newer'), (1007, 'newer'); UPDATE plain SET v = 'newer' "
                                  "WHERE id = 1")
    release(machine)
    expected = {"many_times": [(1, "dest"), (2, "dest")],
                "restarted": [(1, "newer"), (5, "source"), (1006, "newer"), (1007, "newer")]}
    for name, rows in expected.items():
        for server in (source, dest):
            wait_for(lambda n=name, s=server, r=rows: s.sql(
                f"SELECT * FROM c_{n}.plain ORDER BY id", dbname=dbname) == r, 40,
                f"{name} is right on the {server.name}", explain=lambda n=name: str(
                    [s.sql(f"SELECT * FROM c_{n}.plain", dbname=dbname) for s in (source, dest)])
                + machine.log_tail())

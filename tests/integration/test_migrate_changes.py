"""What applications may do to the source in the middle of the copy (story 6)."""

import pytest
from support import compare
from support.declared import wait_live, wait_view, yaml
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(600)

TABLES = """
    CREATE TABLE many (id integer PRIMARY KEY, v text, n integer NOT NULL);
    INSERT INTO many SELECT i, repeat(md5(i::text), 3), 0 FROM generate_series(1, {rows}) i;
    CREATE TABLE emptied (id integer PRIMARY KEY, v text);
    INSERT INTO emptied SELECT i, repeat('x', 500) FROM generate_series(1, 10000) i;
    CREATE TABLE refilled (id integer PRIMARY KEY, v text);
    INSERT INTO refilled SELECT i, repeat('x', 500) FROM generate_series(1, 10000) i;
    CREATE TABLE moved (id integer PRIMARY KEY, pos integer UNIQUE DEFERRABLE, v text);
    INSERT INTO moved SELECT i, i, repeat('x', 500) FROM generate_series(1, 10000) i;
    CREATE TABLE reborn (id integer PRIMARY KEY, v text);
    INSERT INTO reborn SELECT i, repeat('x', 500) FROM generate_series(1, 10000) i;
    CREATE TABLE nested (id serial PRIMARY KEY, v text);
    INSERT INTO nested (v) SELECT repeat('x', 500) FROM generate_series(1, 10000) i;
    CREATE TABLE prepared (id integer PRIMARY KEY, v text);
    INSERT INTO prepared SELECT i, repeat('x', 500) FROM generate_series(1, 10000) i;
"""

# Each a transaction of its own.
CHANGES = (
    "TRUNCATE emptied",
    "TRUNCATE refilled; INSERT INTO refilled SELECT i, 'new' FROM generate_series(500, 1500) i",
    "UPDATE moved SET id = id + 100000 WHERE id % 7 = 0",
    "UPDATE moved SET pos = 10001 - pos WHERE pos BETWEEN 1 AND 10000",
    "UPDATE moved SET id = id - 100000 WHERE id % 3 = 0 AND id > 100000",
    "DELETE FROM reborn WHERE id % 2 = 0",
    "INSERT INTO reborn SELECT i, 'reborn' FROM generate_series(1, 10000) i WHERE i % 4 = 0",
    "DELETE FROM reborn WHERE id = 4; INSERT INTO reborn VALUES (4, 'again'); "
    "DELETE FROM reborn WHERE id = 8; INSERT INTO reborn VALUES (8, 'x'); DELETE FROM reborn WHERE id = 8",
    "UPDATE nested SET v = 'outer' WHERE id % 5 = 0; SAVEPOINT a; "
    "UPDATE nested SET v = 'undone' WHERE id % 5 = 1; ROLLBACK TO a; SAVEPOINT b; "
    "DELETE FROM nested WHERE id % 5 = 2; RELEASE b; INSERT INTO nested (v) VALUES ('last')",
    "UPDATE many SET n = n + 1",
    "UPDATE many SET id = -id WHERE id % 1000 = 0",
)


def in_one_transaction(server, dbname, script):
    connection = server.connect(dbname, autocommit=False)
    try:
        connection.cursor().execute(script)
        connection.commit()
    finally:
        connection.close()


def test_whatever_is_written_during_the_copy_arrives(workshop, rounds):
    rows = rounds(100_000, 1_000_000)
    source = workshop.server("source", settings={"max_prepared_transactions": "10"})
    dest = workshop.server("dest")
    source.create_database("app").sql(TABLES.format(rows=rows), dbname="app")
    dest.create_database("app")
    # Prepared before there are triggers: they have to wait for its end.
    in_one_transaction(source, "app", "UPDATE prepared SET v = 'early' WHERE id < 100; "
                                      "PREPARE TRANSACTION 'early'")
    machine = workshop.machine(installed=True)
    machine.write_pgpass(source, dest)
    machine.write_config(yaml(source, dest, "app", extra="    copy: {jobs: 1, max_rate: 400kB}\n"))
    machine.start()
    wait_view(machine, lambda v: v["phase"] == "capture" and "prepared" in machine.log(),
              "the capture waits for the prepared transaction")
    source.sql("COMMIT PREPARED 'early'", dbname="app")
    wait_view(machine, lambda v: v["phase"] == "copy" and v["progress"]["done"] > 0, "it copies")
    in_one_transaction(source, "app", "DELETE FROM prepared WHERE id BETWEEN 200 AND 300; "
                                      "PREPARE TRANSACTION 'late'")
    for change in CHANGES:
        in_one_transaction(source, "app", change)
    copying = wait_view(machine, lambda v: True, "it answers")
    assert copying["phase"] == "copy", "the copy was over before the changes were"
    # One that ends only when everything else is there.
    machine.write_config(yaml(source, dest, "app", extra="    copy: {jobs: 2}\n"))
    wait_live(machine, 300)
    assert dest.value("SELECT count(*) FROM prepared", dbname="app") == 10000
    source.sql("COMMIT PREPARED 'late'", dbname="app")
    wait_for(lambda: dest.value("SELECT count(*) FROM prepared", dbname="app") == 9899, 60,
             "the prepared transaction arrives", explain=machine.log_tail)
    compare.wait_equal(source, dest, "app", 120, sequences="ahead")
    assert dest.value("SELECT count(*) FROM emptied", dbname="app") == 0

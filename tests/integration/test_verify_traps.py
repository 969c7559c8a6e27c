"""`bucardo-machine verify` where others were caught: what looks equal and is not, and the other way round."""

import subprocess

import pytest

from support.clone import clone_of
from support.users import as_user
from support.verify import Compared, verify
from support.waiting import wait_for

SCHEMA = """
CREATE EXTENSION citext;
CREATE TABLE null_key (k text PRIMARY KEY, v text);
INSERT INTO null_key VALUES ('', 'a'), ('b', 'b');
CREATE TABLE null_both (a int, k text, PRIMARY KEY (a, k));
INSERT INTO null_both VALUES (1, ''), (2, 'b');
CREATE TABLE null_hashed (k text PRIMARY KEY, v int);
INSERT INTO null_hashed SELECT CASE WHEN i > 1 THEN 'k' || i ELSE '' END, i FROM generate_series(1, 30000) i;
CREATE TABLE reordered (id int PRIMARY KEY, v text);
INSERT INTO reordered SELECT i, 'v' || i % 7 FROM generate_series(1, 20000) i;
CREATE TABLE heap (v text);
INSERT INTO heap SELECT 'v' || i % 7 FROM generate_series(1, 3000) i;
CREATE TABLE names (id int PRIMARY KEY, c regclass, y regtype, r regprocedure, x xid, t tid, n name);
INSERT INTO names VALUES (1, 'reordered', 'citext', 'lower(text)', '77', '(1,2)', 'n'), (2, 'pg_class', 'int', NULL, '0', NULL, '');
CREATE TABLE settings (id int PRIMARY KEY, v text);
INSERT INTO settings SELECT i, 'set' FROM generate_series(1, 20) i;
CREATE TABLE slow (id int PRIMARY KEY, v text DEFAULT repeat('x', 1000));
INSERT INTO slow SELECT generate_series(1, 3000);
CREATE SEQUENCE restarted; CREATE SEQUENCE set_back; CREATE SEQUENCE ahead; CREATE SEQUENCE down INCREMENT -3;
CREATE MATERIALIZED VIEW seen AS SELECT v, count(*) AS n FROM reordered GROUP BY v;
ANALYZE;
"""


@pytest.fixture(scope="module", name="clone")
def trapped_clone(shared_workshop):
    pair = shared_workshop.server("source"), shared_workshop.server("dest"), shared_workshop
    clone = clone_of(pair, "traps")
    pair[0].psql("traps", text=SCHEMA)
    clone.must()
    return clone


def look(clone, *names):
    options = [word for name in names for word in ("--table", f"public.{name}")]
    return verify(clone.binary, clone, *options)


def test_what_is_the_same_in_another_order_and_by_another_oid_is_equal(clone):
    clone.dest.sql("CREATE INDEX again ON reordered (v); CLUSTER reordered USING again; DROP INDEX again;"
                   "CREATE TABLE heaped AS SELECT * FROM heap ORDER BY v; TRUNCATE heap; INSERT INTO heap SELECT * FROM heaped;"
                   "DROP TABLE heaped", dbname="traps")
    clone.dest.sql("VACUUM FULL reordered", dbname="traps")
    result = verify(clone.binary, clone)
    assert result.code == 0, {name: one for name, one in result.objects.items() if one["state"] != "equal"}
    clone.dest.sql("UPDATE names SET c = 'pg_type', y = 'bigint', x = '78', t = '(1,3)' WHERE id = 1", dbname="traps")
    found = look(clone, "names")
    assert found.rows("public.names") == {("changed", ("1",), ("c", "t", "x", "y"))}, found.output
    clone.dest.sql("UPDATE names SET c = 'reordered', y = 'citext', x = '77', t = '(1,2)' WHERE id = 1", dbname="traps")


@pytest.mark.parametrize("table,rows", [("null_key", "(NULL, 'c')"), ("null_both", "(NULL, 'c'), (2, NULL)"),
                                        ("null_hashed", "(NULL, 1), (NULL, 2)")])
def test_a_row_of_the_destination_whose_key_is_null_is_never_equal(clone, table, rows):
    key = "k" if table != "null_both" else "a"
    clone.dest.sql(f"ALTER TABLE {table} DROP CONSTRAINT {table}_pkey; ALTER TABLE {table} ALTER k DROP NOT NULL,"
                   f" ALTER {key} DROP NOT NULL; INSERT INTO {table} VALUES {rows}", dbname="traps")
    found = look(clone, table).objects[f"public.{table}"]
    assert found["state"] in ("unproven", "different"), found
    assert found["state"] == "different" or "NULL" in found["why"], found


def test_a_materialised_view_that_was_refreshed_at_another_moment_is_unproven(clone):
    clone.dest.sql("CREATE TABLE kept AS SELECT * FROM reordered; UPDATE reordered SET v = 'w'; REFRESH MATERIALIZED VIEW seen;"
                   "UPDATE reordered r SET v = k.v FROM kept k WHERE k.id = r.id; DROP TABLE kept", dbname="traps")
    found = look(clone, "seen", "reordered")
    assert found.code == 4 and found.states("unproven") == {"public.seen"}, found.output
    assert "REFRESH MATERIALIZED VIEW" in found.objects["public.seen"]["why"]
    clone.dest.sql("REFRESH MATERIALIZED VIEW seen", dbname="traps")
    assert look(clone, "seen").code == 0


def test_tables_of_an_extension_are_compared_and_never_called_different(clone):
    for server in (clone.source, clone.dest):
        server.sql("ALTER EXTENSION citext ADD TABLE settings", dbname="traps")
    try:
        result = verify(clone.binary, clone)
        assert result.objects["public.settings"]["state"] == "equal", result.output
        clone.dest.sql("UPDATE settings SET v = 'other' WHERE id = 7", dbname="traps")
        result = verify(clone.binary, clone)
        found = result.objects["public.settings"]
        assert found["state"] == "unproven" and "extension citext" in found["why"], found
        assert "public.settings" not in look(clone, "names").objects
    finally:
        for server in (clone.source, clone.dest):
            server.sql("ALTER EXTENSION citext DROP TABLE settings; UPDATE settings SET v = 'set'", dbname="traps")


def test_a_table_that_is_made_in_the_middle_of_a_pass_is_unproven(clone):
    locker = clone.dest.connect("traps", autocommit=False)
    locker.cursor().execute("LOCK TABLE slow")
    argv = [clone.binary, "verify", "--source", clone.conninfo(clone.source), "--destination",
            clone.conninfo(clone.dest), "--json"]
    with subprocess.Popen(as_user(argv), env=clone.env(), stdout=subprocess.PIPE, text=True) as running:
        wait_for(lambda: clone.dest.value("SELECT count(*) FROM pg_stat_activity WHERE datname = 'traps'"
                                          " AND wait_event_type = 'Lock'") > 0, 30, "it waits in the middle of a pass")
        for server, value in ((clone.source, 1), (clone.dest, 2)):
            server.sql(f"CREATE TABLE late (id int PRIMARY KEY, v int); INSERT INTO late VALUES (1, {value})", dbname="traps")
        locker.close()
        output, _ = running.communicate(timeout=60)
    result = Compared(running.returncode, output, "")
    found = result.objects["public.late"]
    assert found["state"] == "unproven" and "was made" in found["why"], result.output
    assert look(clone, "late").code == 5


def test_a_sequence_that_gave_no_value_since_it_was_set_stands_where_its_next_value_is(clone):
    clone.source.sql("ALTER SEQUENCE restarted RESTART 1000; SELECT setval('set_back', 500); SELECT setval('ahead', 500);"
                     "SELECT setval('down', -9, false)", dbname="traps")
    clone.dest.sql("SELECT setval('set_back', 500, false); SELECT setval('ahead', 501, false); SELECT setval('down', -6)",
                   dbname="traps")
    result = verify(clone.binary, clone)
    found = {one["name"] for one in result.report["objects"] if one["kind"] == "sequence" and one["state"] == "different"}
    assert found == {"public.restarted", "public.set_back"}, result.output
    assert "before 1000 on the source" in result.objects["public.restarted"]["why"], result.output
    clone.dest.sql("SELECT setval('down', -3)", dbname="traps")
    assert "public.down" in verify(clone.binary, clone).states("different")


def test_a_database_is_not_compared_with_itself(clone):
    argv = [clone.binary, "verify", "--source", clone.conninfo(clone.source), "--destination",
            clone.conninfo(clone.source).replace("127.0.0.1", "localhost"), "--json"]
    with open(clone.pgpass, "a", encoding="utf-8") as out:
        out.write(clone.source.pgpass_line().replace("127.0.0.1", "localhost"))
    done = subprocess.run(as_user(argv), env=clone.env(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "the same database" in done.stderr, done.stdout + done.stderr

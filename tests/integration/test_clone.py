"""`bucardo-machine clone`: the copy equals its source, and any run goes on where one was killed."""

import fcntl
import os
import pty
import random
import re
import signal
import struct
import subprocess
import termios

import pytest

from support import compare, samples
from support.clone import Clone, clone_of, schema_of
from support.waiting import wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
NASTY = os.path.join(os.path.dirname(HERE), "support", "nasty.sql")
MIB = 1 << 20


@pytest.fixture(scope="module", name="pair")
def pair_of_servers(shared_workshop):
    settings = {"max_locks_per_transaction": "256"}
    return (shared_workshop.server("source", settings=settings),
            shared_workshop.server("dest", settings=settings), shared_workshop)


def assert_equal(clone):
    assert compare.differences(clone.source, clone.dest, clone.dbname) == []


def fill(server, dbname, rows=40000, table="big"):
    server.sql(f"CREATE TABLE {table} (id bigserial PRIMARY KEY, a text, b numeric, c timestamptz);"
               f"INSERT INTO {table} (a, b, c) SELECT repeat(md5(i::text), 10), i / 7.0,"
               f" now() + i * interval '1 s' FROM generate_series(1, {rows}) i;"
               f"CREATE INDEX ON {table} (b); CREATE INDEX ON {table} (c)", dbname=dbname)


@pytest.mark.parametrize("sample", ["shop", "pagila", "chinook"])
def test_a_sample_database_is_cloned_whole(pair, sample):
    if samples.path_of(sample) is None:
        pytest.skip(f"{sample} is not on this computer")
    clone = clone_of(pair, sample, sample)
    assert clone.must().stderr == ""
    assert_equal(clone)
    assert schema_of(clone.source, sample) == schema_of(clone.dest, sample)
    assert compare.row_count(clone.dest, sample) > 1000


def test_a_nasty_schema_is_cloned_whole(pair):
    clone = clone_of(pair, "nasty")
    clone.source.psql("nasty", NASTY)
    clone.must("--chunk", "1")
    assert_equal(clone)
    assert schema_of(clone.source, "nasty") == schema_of(clone.dest, "nasty")
    for view in ('mat_first', '"a mat"', 'mat_late'):
        query = f"SELECT * FROM {view} ORDER BY 1"
        assert clone.source.sql(query, dbname="nasty") == clone.dest.sql(query, dbname="nasty")
    large = ("SELECT m.oid, md5(lo_get(m.oid)), obj_description(m.oid, 'pg_largeobject') "
             "FROM pg_largeobject_metadata m ORDER BY 1")
    assert clone.source.sql(large, dbname="nasty") == clone.dest.sql(large, dbname="nasty")
    assert clone.dest.value("SELECT count(*) FROM pg_largeobject_metadata", dbname="nasty") == 3
    assert clone.dest.value("SELECT count(*) FROM pg_stats WHERE tablename = 'composite_key'",
                            dbname="nasty") > 0


def test_big_tables_are_cut_into_ranges_that_cover_every_row(pair):
    clone = clone_of(pair, "ranges")
    clone.source.psql("ranges", NASTY)
    fill(clone.source, "ranges")
    clone.must("--chunk", "1", jobs=3)
    assert_equal(clone)
    parts = dict(clone.dest.sql("SELECT table_name, count(*) FROM bucardo_machine.chunk GROUP BY 1",
                                dbname="ranges"))
    assert parts['"public"."big"'] > 8
    assert parts['"public"."uuid_key"'] > 2
    total = clone.dest.value("SELECT sum(rows) FROM bucardo_machine.chunk WHERE table_name = "
                             "'\"public\".\"big\"'", dbname="ranges")
    assert total == 40000


@pytest.mark.full
def test_the_widest_table_and_many_small_ones(pair):
    clone = clone_of(pair, "wide")
    columns = ", ".join(f"c{i} integer" for i in range(1600))
    values = ", ".join("NULL" if i % 3 == 0 else str(i) for i in range(1600))
    clone.source.sql(f"CREATE TABLE wide ({columns}); INSERT INTO wide VALUES ({values})",
                     dbname="wide")
    clone.source.sql("DO $$ BEGIN FOR i IN 1..500 LOOP EXECUTE format('CREATE TABLE small_%s "
                     "(id integer PRIMARY KEY, v text); INSERT INTO small_%s SELECT g, md5(g::text)"
                     " FROM generate_series(1, %s) g', i, i, i % 20); END LOOP; END $$",
                     dbname="wide")
    clone.must()
    assert_equal(clone)


@pytest.mark.full
def test_other_encodings_arrive_as_the_same_characters(pair):
    source, dest, workshop = pair
    text = "Käse"
    for encoding in ("LATIN1", "SQL_ASCII"):
        name = f"enc_{encoding.lower()}"
        source.sql(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'")
        dest.create_database(name)
        source.sql("CREATE TABLE t (id integer PRIMARY KEY, v text, j jsonb, \"char\" \"char\");"
                   "INSERT INTO t VALUES (1, convert_from(decode(%s, 'hex'), %s), '{\"a\": 1}', 'x')",
                   (text.encode().hex() if encoding == "SQL_ASCII" else text.encode("latin1").hex(),
                    encoding), dbname=name)
        clone = Clone(workshop.binary, workshop.folder, source, dest, name)
        clone.must()
        assert dest.sql("SELECT v, j->>'a' FROM t", dbname=name) == [(text, "1")]


def test_a_finished_clone_is_left_alone(pair):
    clone = clone_of(pair, "twice", "shop")
    clone.must()
    before = clone.chunks()
    done = clone.must("--json")
    assert clone.events(done)[-1] == {"event": "done", "was_finished": True}
    assert clone.chunks() == before


def test_progress_never_falls_and_ends_at_a_hundred(pair):
    clone = clone_of(pair, "progress")
    fill(clone.source, "progress", 60000)
    events = clone.events(clone.must("--json", "--chunk", "1"))
    percents = [event["percent"] for event in events if event["event"] == "progress"]
    assert percents == sorted(percents) and percents[-1] == 100
    assert len(percents) > 2 and max(percents[:-1]) < 100
    assert events[-1]["event"] == "done"


def test_the_bar_stays_within_one_line_of_the_terminal(pair):
    clone = clone_of(pair, "bar", "shop")
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 50, 0, 0))
    with subprocess.Popen(clone.argv(), env=clone.env(), stdout=slave) as child:
        os.close(slave)
        text = ""
        try:
            while piece := os.read(master, 65536):
                text += piece.decode()
        except OSError:
            pass  # its end: the other side is closed
    os.close(master)
    assert child.returncode == 0 and "The destination is complete" in text
    bars = [part for part in re.split(r"\r\x1b\[K|\r?\n", text) if part.startswith("[")]
    assert bars and max(len(bar) for bar in bars) == 49, bars


def test_a_run_killed_anywhere_is_resumed_and_copies_no_chunk_twice(pair, rounds):
    clone = clone_of(pair, "killed")
    clone.source.psql("killed", NASTY)
    fill(clone.source, "killed", 60000)
    kills, seen = 0, {}  # a kill may also hit pg_dump, the schema's commit, an index
    for _ in range(rounds(12, 100)):
        child = clone.start("--chunk", "1", "--max-rate", "20MB", jobs=1)
        try:
            child.wait(random.uniform(0.05, 0.7))
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
            child.wait(10)
            kills += 1
        now = clone.chunks()
        assert {key: now.get(key) for key in seen} == seen
        seen = now
        if child.returncode == 0:
            break
    clone.must("--chunk", "1")
    final = clone.chunks()
    assert {key: final.get(key) for key in seen} == seen
    assert kills >= 3
    assert_equal(clone)
    assert schema_of(clone.source, "killed") == schema_of(clone.dest, "killed")


def test_ctrl_c_ends_it_at_once_and_the_next_run_goes_on(pair):
    clone = clone_of(pair, "interrupted")
    fill(clone.source, "interrupted", 60000)
    child = clone.start("--chunk", "1", jobs=1)
    wait_for(lambda: clone.chunks(), 30, "a chunk is done", every=0.02)
    child.send_signal(signal.SIGINT)
    assert child.wait(5) != 0
    before = clone.chunks()
    assert "continuing" in clone.must("--chunk", "1").stdout
    assert {key: clone.chunks()[key] for key in before} == before
    assert_equal(clone)


@pytest.mark.full
def test_an_unlogged_table_that_a_crash_emptied_is_copied_again(workshop):
    source, dest = workshop.server("source"), workshop.server("dest")
    clone = clone_of((source, dest, workshop), "unlogged")
    fill(source, "unlogged", 60000)
    source.sql("CREATE UNLOGGED TABLE fleeting AS SELECT g AS id, md5(g::text) AS v FROM "
               "generate_series(1, 9000) g; ALTER TABLE fleeting ADD PRIMARY KEY (id)",
               dbname="unlogged")
    child = clone.start("--chunk", "1", jobs=1)
    wait_for(lambda: dest.sql("SELECT 1 FROM bucardo_machine.work WHERE done IS NOT NULL",
                              dbname="unlogged")
             if clone.chunks() else None, 60, "an index is done", every=0.02)
    child.kill()
    child.wait(10)
    dest.kill()
    dest.start()
    clone.must("--chunk", "1")
    assert_equal(clone)


@pytest.mark.full
@pytest.mark.parametrize("side", ["source", "dest"])
def test_a_server_that_restarts_in_mid_copy_is_waited_for(workshop, side):
    source, dest = workshop.server("source"), workshop.server("dest")
    clone = clone_of((source, dest, workshop), "restart")
    fill(source, "restart", 60000)
    child = clone.start("--chunk", "1")
    wait_for(lambda: clone.chunks(), 30, "a chunk is done", every=0.02)
    {"source": source, "dest": dest}[side].restart("immediate")
    code = child.wait(120)
    if code != 0:
        clone.must("--chunk", "1")
    assert code == 0
    assert_equal(clone)


def test_a_role_without_superuser_rights_gets_the_rows_and_is_told_what_it_lacks(pair):
    source, dest, _ = pair
    clone = clone_of(pair, "plain", "shop", dest_user="plain")
    dest.sql("CREATE ROLE plain LOGIN PASSWORD 'secret-of-dest' CREATEDB")
    dest.sql("ALTER DATABASE plain OWNER TO plain")
    source.sql("CREATE ROLE clerk; GRANT SELECT ON customer TO clerk", dbname="plain")
    done = clone.must()
    assert "clerk" in done.stdout
    assert_equal(clone)
    assert dest.sql("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'",
                    dbname="plain") == [("plain",)]


def test_a_long_list_of_what_is_left_out_is_told_whole(pair):
    source, _, _ = pair
    clone = clone_of(pair, "many_roles")
    roles = [f"clerk_of_a_department_with_a_long_name_{number}" for number in range(40)]
    source.sql("CREATE TABLE t (id integer PRIMARY KEY);" +
               "".join(f"CREATE ROLE {role}; GRANT SELECT ON t TO {role};" for role in roles),
               dbname="many_roles")
    told = clone.must().stdout
    assert [role for role in roles if role not in told] == []


def test_without_tls_it_works_as_well(pair):
    clone = clone_of(pair, "clear", "shop", sslmode="disable")
    clone.must()
    assert_equal(clone)


def test_foreign_data_on_the_destination_is_refused_and_left_alone(pair):
    clone = clone_of(pair, "foreign", "shop")
    clone.dest.sql("CREATE TABLE precious (id integer); INSERT INTO precious VALUES (1)",
                   dbname="foreign")
    done = clone.run()
    assert done.returncode == 1
    assert "precious" in done.stderr and "empty" in done.stderr
    assert clone.dest.sql("SELECT * FROM precious", dbname="foreign") == [(1,)]
    assert clone.dest.value("SELECT to_regnamespace('bucardo_machine') IS NULL", dbname="foreign")


def test_a_clone_of_another_source_is_refused(pair):
    clone = clone_of(pair, "other", "shop")
    clone.must()
    clone.source.sql("DROP DATABASE other")
    clone.source.create_database("other", "shop")
    done = clone.run()
    assert done.returncode == 1 and "another source" in done.stderr


def test_the_same_database_twice_is_refused(pair):
    clone = clone_of(pair, "same", "shop")
    done = clone.run(dest=clone.conninfo(clone.source))
    assert done.returncode == 1 and "same database" in done.stderr


def test_a_password_on_the_command_line_is_refused(pair):
    clone = clone_of(pair, "secret")
    for conninfo in (clone.conninfo(clone.source, password="hunter2"),
                     f"postgresql://catalyze:hunter2@127.0.0.1:{clone.source.port}/secret"):
        done = clone.run(source=conninfo)
        assert done.returncode == 1
        assert "PGPASSFILE" in done.stderr
        assert "hunter2" not in done.stderr + done.stdout


def test_wrong_password_and_dead_server_say_so_and_change_nothing(pair):
    clone = clone_of(pair, "unreachable", "shop")
    done = clone.run(env={"PGPASSFILE": "/nowhere", "PGPASSWORD": "wrong"})
    assert done.returncode == 1 and "source" in done.stderr and "password" in done.stderr
    done = clone.run(dest="host=127.0.0.1 port=1 dbname=x user=x")
    assert done.returncode == 1 and "destination" in done.stderr
    assert clone.dest.value("SELECT to_regnamespace('bucardo_machine') IS NULL",
                            dbname="unreachable")


def test_an_object_that_cannot_be_made_is_named_and_made_after_the_hint(pair):
    clone = clone_of(pair, "hint")
    clone.source.sql("CREATE TABLE a (id integer PRIMARY KEY); CREATE TABLE b (id integer PRIMARY"
                     " KEY, a_id integer); INSERT INTO a VALUES (1);"
                     "INSERT INTO b VALUES (1, 1), (2, 99);"
                     "ALTER TABLE b ADD CONSTRAINT b_a FOREIGN KEY (a_id) REFERENCES a NOT VALID;"
                     "UPDATE pg_constraint SET convalidated = true WHERE conname = 'b_a'",
                     dbname="hint")
    done = clone.run()
    assert done.returncode == 1
    assert "b_a" in done.stderr and "same command" in done.stderr
    clone.dest.sql("UPDATE b SET a_id = 1 WHERE id = 2", dbname="hint")
    clone.must()
    assert clone.dest.value("SELECT count(*) FROM pg_constraint WHERE conname = 'b_a'",
                            dbname="hint") == 1

"""`clone --verify`: foreign keys are made on empty tables, and the rows are proven in the same command."""

import random
import subprocess
import time

import pytest

from support import compare, foreign_keys
from support.clone import clone_of, schema_of
from support.verify import Compared


@pytest.fixture(scope="module", name="pair")
def pair_of_servers(shared_workshop):
    return shared_workshop.server("source"), shared_workshop.server("dest"), shared_workshop


@pytest.fixture(scope="module", name="keys")
def source_with_keys(pair):
    clone = clone_of(pair, "keys")
    clone.source.psql("keys", text=foreign_keys.SCHEMA + foreign_keys.ROWS)
    return clone


def emptied(clone):
    clone.dest.sql(f"DROP DATABASE IF EXISTS {clone.dbname} WITH (FORCE)")
    clone.dest.create_database(clone.dbname)
    return clone


def verified(done):
    return Compared(done.returncode, done.stdout, done.stderr)


def assert_trusted(clone):
    assert foreign_keys.trusted(clone.dest, "keys") == foreign_keys.TRUSTED
    assert foreign_keys.definitions(clone.dest, "keys") == foreign_keys.definitions(clone.source, "keys")
    assert schema_of(clone.dest, "keys") == schema_of(clone.source, "keys")
    assert compare.differences(clone.source, clone.dest, "keys") == []


def test_no_row_is_checked_and_every_row_is_proven(keys):
    done = emptied(keys).run("--verify", "--json")
    result = verified(done)
    assert result.code == 0, done.stdout[-3000:] + done.stderr
    assert result.report["result"] == "equal" and "public.customer" in result.of_rows("equal")
    assert_trusted(keys)
    again = keys.run("--verify", "--json")  # finished: it is compared once more
    assert again.returncode == 0 and verified(again).report["result"] == "equal", again.stdout + again.stderr
    refused = keys.run()
    assert refused.returncode == 1 and "--verify" in refused.stderr, refused.stderr


def test_without_it_each_foreign_key_is_checked(keys):
    done = emptied(keys).run()
    assert done.returncode == 1 and "violates foreign key constraint" in done.stderr, done.stderr
    assert foreign_keys.trusted(keys.dest, "keys") == set()
    assert keys.dest.value("SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated", dbname="keys") == 0


def test_killed_anywhere_it_goes_on_and_checks_no_row(keys, tmp_path):
    emptied(keys)
    dice, kills = random.Random(7), 0
    for _ in range(12):
        child = keys.start("--verify", "--chunk", "1")
        try:
            child.wait(dice.uniform(0.1, 0.6))
            break
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait(10)
            kills += 1
            time.sleep(dice.uniform(0, 0.05))
    done = keys.run("--verify", "--json", "--chunk", "1")
    assert done.returncode == 0 and kills >= 3, done.stdout[-3000:] + done.stderr
    assert_trusted(keys)


def test_what_differs_is_told_by_the_exit_code(pair):
    clone = clone_of(pair, "differs")
    clone.source.sql("CREATE TABLE t (id int PRIMARY KEY, v text);"
                     "INSERT INTO t VALUES (1, 'a'), (2, 'b');"
                     "CREATE TABLE u (id int PRIMARY KEY REFERENCES t); INSERT INTO u VALUES (1)", dbname="differs")
    assert clone.run("--verify").returncode == 0
    clone.dest.sql("UPDATE t SET v = 'c' WHERE id = 2", dbname="differs")
    done = clone.run("--verify", "--json")
    assert verified(done).code == 5 and verified(done).rows("public.t") == {("changed", ("2",), ("v",))}


def test_what_cannot_be_proven_is_told_by_the_exit_code(pair):
    clone = clone_of(pair, "unproven")
    clone.source.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1);"
                     "CREATE MATERIALIZED VIEW dice AS SELECT random() AS number", dbname="unproven")
    result = verified(clone.run("--verify", "--json"))
    assert result.code == 4 and result.states("unproven") == {"public.dice"}, result.output + result.errors
    assert "public.t" in result.states("equal"), result.output


def test_a_table_that_is_left_out_is_no_hindrance(pair):
    clone = clone_of(pair, "left_out")
    clone.source.psql("left_out", text=foreign_keys.SCHEMA)
    done = clone.run("--verify", "--json", "--exclude", "public.customer", "--exclude", "public.hen")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert foreign_keys.trusted(clone.dest, "left_out") == {
        name for name in foreign_keys.TRUSTED if not any(word in name for word in (
            "customer", "lines_late", "hen"))}


def test_a_role_that_cannot_keep_triggers_quiet_checks_each_key(pair):
    source, dest, _ = pair
    dest.sql("CREATE ROLE weak LOGIN PASSWORD 'secret-of-dest'")
    clone = clone_of(pair, "weak", dest_user="weak")
    dest.sql("ALTER DATABASE weak OWNER TO weak")
    dest.sql("ALTER SCHEMA public OWNER TO weak", dbname="weak")
    source.sql("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int REFERENCES a);"
               "INSERT INTO a VALUES (1); INSERT INTO b VALUES (1)", dbname="weak")
    done = clone.run("--verify")
    assert "foreign keys are checked" in done.stdout, done.stdout + done.stderr
    assert foreign_keys.trusted(dest, "weak") == set()
    assert dest.value("SELECT convalidated FROM pg_constraint WHERE contype = 'f'", dbname="weak")

"""Values that are others although no row was written, and columns in another order."""

import pytest
from support import compare
from support.declared import replicating
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def world(shared_workshop):
    source, dest, dbname = shared_workshop.pair("shop")
    machine = replicating(shared_workshop, source, dest, dbname)
    return machine, source, dest, dbname


def test_values_that_alter_table_changes_without_writing_a_row_arrive(world):
    machine, source, dest, dbname = world
    for table in ("added", "again", "names", "later"):
        source.sql(f"CREATE TABLE {table} (id int PRIMARY KEY, a text, b text)", dbname=dbname)
        dest.sql(f"CREATE TABLE {table} (id int PRIMARY KEY, a text, b text)", dbname=dbname)
        source.sql(f"INSERT INTO {table} SELECT i, 'a', 'b' FROM generate_series(1, 20) i", dbname=dbname)
    compare.wait_equal(source, dest, dbname, 60, sequences="ahead")
    machine.wait_ready(60)
    source.sql("ALTER TABLE added ADD c int DEFAULT 5; ALTER TABLE later ADD c timestamptz DEFAULT now();"
        "ALTER TABLE again DROP b, ADD b text;"
        "BEGIN; ALTER TABLE names RENAME a TO t; ALTER TABLE names RENAME b TO a;"
        "ALTER TABLE names RENAME t TO b; COMMIT", dbname=dbname)
    dest.sql("ALTER TABLE added ADD c int; ALTER TABLE added ALTER c SET DEFAULT 5;"
             "ALTER TABLE later ADD c timestamptz DEFAULT now()", dbname=dbname)
    compare.wait_equal(source, dest, dbname, 90, sequences="ahead")


def test_labels_of_an_enum_that_are_exchanged_on_the_source_arrive_in_all_rows(world):
    machine, source, dest, dbname = world
    holders = {"plain": "mood", "listed": "mood[]", "checked": "mood_domain", "built": "mood_pair",
               "ranged": "mood_range"}
    values = {"plain": "'good'", "listed": "'{good,bad}'", "checked": "'good'", "built": "'(1,good)'",
              "ranged": "'[good,bad]'"}
    types = ("CREATE TYPE mood AS ENUM ('good', 'bad'); CREATE DOMAIN mood_domain AS mood;"
             "CREATE TYPE mood_pair AS (n int, m mood); CREATE TYPE mood_range AS RANGE (subtype = mood);")
    tables = "".join(f"CREATE TABLE mood_{name} (id int PRIMARY KEY, m {holder});"
                     for name, holder in holders.items())
    for server in (source, dest):
        server.sql(types + tables, dbname=dbname)
    for name, value in values.items():
        source.sql(f"INSERT INTO mood_{name} VALUES (1, {value}), (2, {value})", dbname=dbname)
    compare.wait_equal(source, dest, dbname, 60, sequences="ahead")
    machine.wait_ready(60)
    # A range whose bounds changed places is read by no server: empty it first.
    source.sql("UPDATE mood_ranged SET m = '[good,good]'", dbname=dbname)
    compare.wait_equal(source, dest, dbname, 60, sequences="ahead")
    source.sql("ALTER TYPE mood RENAME VALUE 'good' TO 'x'; ALTER TYPE mood RENAME VALUE 'bad' TO 'good';"
               "ALTER TYPE mood RENAME VALUE 'x' TO 'bad'", dbname=dbname)
    assert source.value("SELECT m FROM mood_plain WHERE id = 1", dbname=dbname) == "bad"
    compare.wait_equal(source, dest, dbname, 90, sequences="ahead")


def test_a_part_of_a_type_that_was_dropped_and_made_again_is_empty_on_both_sides(world):
    machine, source, dest, dbname = world
    holders = {"plain": "pair", "listed": "pair[]", "rows": "template"}
    types = ("CREATE TYPE pair AS (n int, m int); CREATE TABLE template (n int, m int);"
             + "".join(f"CREATE TABLE pair_{name} (id int PRIMARY KEY, m {holder});"
                       for name, holder in holders.items()))
    for server in (source, dest):
        server.sql(types, dbname=dbname)
    source.sql("INSERT INTO pair_plain VALUES (1, '(1,2)'); INSERT INTO pair_listed VALUES (1, '{\"(1,2)\"}');"
               "INSERT INTO pair_rows VALUES (1, '(1,2)')", dbname=dbname)
    compare.wait_equal(source, dest, dbname, 60, sequences="ahead")
    machine.wait_ready(60)
    source.sql("BEGIN; ALTER TYPE pair DROP ATTRIBUTE m; ALTER TYPE pair ADD ATTRIBUTE m int; COMMIT;"
               "ALTER TABLE template DROP m, ADD m int", dbname=dbname)
    assert source.value("SELECT m::text FROM pair_plain", dbname=dbname) == "(1,)"
    compare.wait_equal(source, dest, dbname, 90, sequences="ahead")


def test_an_unlogged_table_that_a_crash_of_the_destination_emptied_is_filled_again(world):
    machine, source, dest, dbname = world
    for server in (source, dest):
        server.sql("CREATE UNLOGGED TABLE light (id int PRIMARY KEY, v text)", dbname=dbname)
    source.sql("INSERT INTO light SELECT i, 'v' FROM generate_series(1, 30) i", dbname=dbname)
    compare.wait_equal(source, dest, dbname, 60, sequences="ahead")
    machine.wait_ready(60)
    dest.restart("immediate")
    assert dest.value("SELECT count(*) FROM light", dbname=dbname) < 30
    compare.wait_equal(source, dest, dbname, 90, sequences="ahead")
    assert source.value("SELECT count(*) FROM light", dbname=dbname) == 30


def test_with_one_direction_as_well_what_a_crash_of_the_destination_emptied_is_filled_again(
        workshop):
    source, dest, dbname = workshop.pair("shop")
    source.sql("CREATE UNLOGGED TABLE light (id int PRIMARY KEY, v text);"
               "INSERT INTO light SELECT i, 'v' FROM generate_series(1, 30) i", dbname=dbname)
    machine = replicating(workshop, source, dest, dbname, extra="    direction: forward\n")
    compare.wait_equal(source, dest, dbname, 60, sequences="ahead")
    machine.wait_ready(60)
    seen = "SELECT count(*) FROM bucardo.machine_unlogged_seen"
    wait_for(lambda: dest.value(seen, dbname=dbname) == 1, 60, "a look", explain=machine.log_tail)
    dest.restart("immediate")
    compare.wait_equal(source, dest, dbname, 90, sequences="ahead")
    assert source.value("SELECT count(*) FROM light", dbname=dbname) == 30


def test_columns_that_were_added_in_another_order_on_each_side_are_not_exchanged(world):
    machine, source, dest, dbname = world
    for server, order in ((source, "a text, b text"), (dest, "b text, a text")):
        server.sql(f"CREATE TABLE ordered (id int PRIMARY KEY, {order})", dbname=dbname)
    source.sql("INSERT INTO ordered (id, a, b) SELECT i, 'a', 'b' FROM generate_series(1, 20) i", dbname=dbname)
    compare.wait_equal(source, dest, dbname, 60, sequences="ahead")
    source.sql("UPDATE ordered SET b = 'bb' WHERE id < 5", dbname=dbname)
    compare.wait_equal(source, dest, dbname, 60, sequences="ahead")

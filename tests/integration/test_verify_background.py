"""What is compared in the background while a migration replicates, kept in the source, and shown."""

import json

import pytest

from support import declared
from support.verify import verify_migration
from support.waiting import wait_for

TABLES = """
CREATE TABLE goods (id int PRIMARY KEY, name text NOT NULL, price numeric);
INSERT INTO goods SELECT i, 'good ' || i, i * 1.5 FROM generate_series(1, 30000) i;
CREATE TABLE words (word text PRIMARY KEY, number int);
INSERT INTO words SELECT 'word ' || i, i FROM generate_series(1, 500) i;
CREATE TABLE notes (text text);
"""

UNSEEN = "SET session_replication_role = replica; SET bucardo_machine.applying = on;"


@pytest.fixture(scope="module", name="world")
def replicating(shared_workshop):
    source, dest = shared_workshop.server("one"), shared_workshop.server("other")
    source.create_database("shop")
    dest.create_database("shop")
    source.sql(TABLES, dbname="shop")
    machine = declared.replicating(shared_workshop, source, dest, "shop")
    return machine, source, dest


def states(source):
    return dict(source.sql("SELECT name, state FROM bucardo.machine_proof_states WHERE kind <> 'migration'",
                           dbname="shop"))


def kept(source):
    return source.sql("SELECT tablename, key, kind, columns, found::text FROM bucardo.machine_differences",
                      dbname="shop")


def test_what_verify_finds_is_kept_in_the_source_until_it_is_proven_gone(world):
    machine, source, dest = world
    assert verify_migration(machine).code == 0
    assert states(source) == {"public.goods": "equal", "public.words": "equal", "public.notes": "equal"}
    dest.sql(UNSEEN + "UPDATE goods SET name = 'x', price = 0 WHERE id = 7; DELETE FROM words WHERE number = 8",
             dbname="shop")
    assert verify_migration(machine).code == 5
    assert states(source) == {"public.goods": "different", "public.words": "different", "public.notes": "equal"}
    found = kept(source)
    assert {row[:4] for row in map(tuple, found)} == {
        ("public.goods", '{"id":"7"}', "changed", "name, price"),
        ("public.words", '{"word":"word 8"}', "missing", "")}
    assert verify_migration(machine, "--table", "public.goods").code == 5
    assert sorted(kept(source)) == sorted(found), "a difference that is found again is no new one"
    assert verify_migration(machine, "--repair").code == 0
    assert not kept(source) and set(states(source).values()) == {"equal"}
    assert json.loads(found[0][1])

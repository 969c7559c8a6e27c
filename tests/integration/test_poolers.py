"""A pooler between us and a server: one that keeps sessions works, any other is refused, and gets none of our settings."""

import contextlib

import pytest

from support import declared
from support.clone import Clone, clone_of
from support.pooler import Pooler
from support.verify import verify

SCHEMA = """
CREATE TABLE items (id int PRIMARY KEY, at timestamptz, v text);
INSERT INTO items SELECT i, timestamptz '2026-01-31Z' + i * interval '1 hour', 'v' FROM generate_series(1, 500) i;
"""
OURS = "SELECT current_setting('bucardo_machine.applying', true), current_setting('search_path')"


@pytest.fixture(scope="module", name="world")
def cloned(shared_workshop):
    source, dest = shared_workshop.server("source"), shared_workshop.server("dest")
    clone = clone_of((source, dest, shared_workshop), "pooled")
    source.psql("pooled", text=SCHEMA)
    clone.must()
    return shared_workshop, source, dest


@contextlib.contextmanager
def pooled(world, **settings):
    """The same databases through poolers: (a Clone of them, pooler of the source, of the destination)."""
    workshop, source, dest = world
    with Pooler(source, workshop.folder, **settings) as one, Pooler(dest, workshop.folder, **settings) as other:
        yield Clone(workshop.binary, workshop.folder, one, other, "pooled"), one, other


def left(pooler):
    """What sessions of applications find in the pooler's connections."""
    connections = [pooler.connect("pooled", autocommit=False) for _ in range(8)]
    try:
        found = []
        for connection in connections:
            cursor = connection.cursor()
            cursor.execute(OURS)
            found.append(cursor.fetchone())
        return {row for row in found if row[0] or "pg_temp" in row[1]}
    finally:
        for connection in connections:
            connection.close()


def test_a_pooler_that_keeps_sessions_makes_no_difference(world):
    with pooled(world, pool_mode="session", ignore_startup_parameters="options") as (clone, _, other):
        assert verify(clone.binary, clone).code == 0
        world[2].sql("UPDATE items SET v = 'w' WHERE id = 7", dbname="pooled")
        result = verify(clone.binary, clone)
        world[2].sql("UPDATE items SET v = 'v' WHERE id = 7", dbname="pooled")
        assert result.rows("public.items") == {("changed", ("7",), ("v",))}, result.output
        assert not left(other)


def test_a_pooler_that_takes_no_settings_is_refused_with_what_to_do(world):
    with pooled(world) as (clone, _, _):
        result = verify(clone.binary, clone)
        assert result.code == 1 and not result.output, result.output
        assert "unsupported startup parameter" in result.errors and "the server itself" in result.errors, result.errors


@pytest.mark.parametrize("order", ["last first", "one after the other", "a small pool"])
def test_a_pooler_that_keeps_no_sessions_is_refused_before_it_gets_our_settings(world, order):
    more = {"one after the other": {"server_round_robin": 1}, "a small pool": {"default_pool_size": 1}}.get(order, {})
    with pooled(world, ignore_startup_parameters="options", **more) as (clone, one, other):
        if order == "one after the other":
            assert not left(one) and not left(other)  # now there are several connections
        done = verify(clone.binary, clone)
        assert done.code == 1 and "pooler in session mode" in done.errors, (done.output, done.errors)
        copied = clone.run()
        assert copied.returncode != 0 and "pooler in session mode" in copied.stdout + copied.stderr, copied.stderr
        if order != "a small pool":
            assert not left(one) and not left(other)


def test_a_migration_through_a_pooler_that_keeps_no_sessions_stops_before_anything_is_done(world):
    workshop, source, dest = world
    source.sql("CREATE DATABASE shared TEMPLATE pooled")
    dest.sql("CREATE DATABASE shared")
    with Pooler(source, workshop.folder, ignore_startup_parameters="options") as pooler:
        machine = workshop.machine(installed=True)
        machine.write_pgpass(pooler, dest)
        machine.write_config(declared.yaml(pooler, dest, "shared"))
        machine.start()
        found = declared.wait_view(machine, lambda v: "pooler" in str(v), "is refused", 60)
        assert "pool_mode = session" in str(found), found
        assert not left(pooler)
        assert source.value("SELECT count(*) FROM pg_namespace WHERE nspname ~ '^bucardo'", dbname="shared") == 0

"""`bucardo-machine verify NAME` while applications write: no false alarm, and what was lost is found."""

import contextlib

import pytest

from support import churn, compare, declared
from support.traffic import Traffic, marker
from support.verify import verify_migration
from support.waiting import wait_for


@pytest.fixture(scope="module", name="world")
def replicating(shared_workshop):
    source, dest, dbname = shared_workshop.pair()
    machine = declared.replicating(shared_workshop, source, dest, dbname, declared.BY_HAND)
    return machine, source, dest, dbname


def test_no_pass_under_traffic_calls_a_row_different(world):
    machine, source, _, dbname = world
    with Traffic(source, dbname) as traffic:
        for _ in range(5):
            result = verify_migration(machine, "--wait", "2")
            assert not result.states("different"), result.output
            assert result.code in (0, 4), result.output
            traffic.wait_total(10)


def test_capture_and_fence_are_no_difference_of_the_definitions(world):
    machine, source, dest, dbname = world
    triggers = "SELECT count(*) FROM pg_trigger WHERE tgname ~ '^bucardo'"
    assert source.value(triggers, dbname=dbname) > 10 and dest.value(triggers, dbname=dbname) > 10
    result = verify_migration(machine)
    assert not result.states("different"), result.output
    assert result.objects["definitions"]["state"] == "equal" and result.objects["definitions"]["equal"] > 50


def test_a_row_that_was_lost_is_named_while_applications_write(world):
    machine, source, dest, dbname = world
    marker(source, dest, dbname, dbname, 60)
    source.sql("ANALYZE", dbname=dbname)
    table, key = source.sql(
        "SELECT c.oid::regclass::text, a.attname FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid"
        " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0] WHERE i.indisprimary"
        " AND i.indnatts = 1 AND c.relnamespace = 'public'::regnamespace AND c.reltuples > 100"
        " ORDER BY c.relname DESC LIMIT 1", dbname=dbname)[0]
    # An old row: what was written lately is under way until it is purged.
    lost = source.sql(f"SELECT {key} FROM {table} ORDER BY 1 OFFSET 50 LIMIT 1", dbname=dbname)[0][0]
    # Neither seen by a trigger: as a lost delta leaves it.
    dest.sql("SET session_replication_role = replica; SET bucardo_machine.applying = on;"
             f"DELETE FROM {table} WHERE {key} = {lost}", dbname=dbname)
    with Traffic(source, dbname):
        result = verify_migration(machine)
    assert result.code == 5, result.output
    name = f"public.{table}"
    assert result.states("different") == {name}, result.output
    assert result.rows(name) == {("missing", (str(lost),), ())}


def test_rows_that_are_not_applied_yet_are_in_flight_and_no_difference(world):
    machine, source, _, dbname = world
    table, column, key = ("customer", "name", "customer_id") if dbname == "shop" else ("actor", "last_name", "actor_id")
    marker(source, world[2], dbname, dbname, 60)
    machine.cli("pause", "app").check()
    wait_for(lambda: not machine.find("kid"), 30, "the sync is off")
    source.sql(f"UPDATE {table} SET {column} = {column} || '!' WHERE {key} < 10", dbname=dbname)
    result = verify_migration(machine, "--table", f"public.{table}", "--wait", "1")
    machine.cli("resume", "app").check()
    assert result.code == 4, result.output
    assert result.objects[f"public.{table}"]["in_flight"] == 9, result.output
    wait_for(lambda: verify_migration(machine, "--table", f"public.{table}").code == 0, 60, "it was applied")


ALL_TABLES = ("--table", "public.*", "--table", '"Odd Names".*', "--wait", "1")


@pytest.fixture(scope="module", name="both")
def replicating_both_ways(shared_workshop):
    source, dest = shared_workshop.server("one"), shared_workshop.server("other")
    source.create_database("shop", "shop")
    dest.create_database("shop")
    churn.prepare_bench(source, "shop")
    source.sql(churn.TABLES, dbname="shop")
    machine = declared.replicating(shared_workshop, source, dest, "shop", "    direction: both\n",
                                   shared_workshop.machine(name="both", installed=True))
    declared.reconciled(machine, member="sequences")
    return machine, source, dest


@contextlib.contextmanager
def busy(server):
    with churn.bench(server, "shop"), Traffic(server, "shop"), Traffic(server, "shop", steps=churn.STEPS, rate=60):
        yield


def passes(machine, count):
    """Never a row that differs; and not everything is under way all the time."""
    proven = set()
    for _ in range(count):
        result = verify_migration(machine, *ALL_TABLES)
        assert result.code in (0, 4) and not result.states("different"), result.output
        assert not result.states("unproven"), result.output
        proven |= result.states("equal")
    assert len(proven) > 5, proven


@pytest.mark.timeout(1800)
def test_keys_that_change_truncates_and_rows_that_come_again_are_no_differences_in_either_direction(both, rounds):
    machine, source, dest = both
    count = rounds(4, 50)
    with busy(source):
        passes(machine, count)
    compare.wait_equal(source, dest, "shop", 60, sequences="ahead")
    wait_for(lambda: dest.sql("SELECT bucardo_machine.lift_fence()", dbname="shop"), 40, "the destination is live")
    with busy(dest):
        passes(machine, count)
    compare.wait_equal(dest, source, "shop", 60, sequences=False)
    wait_for(lambda: verify_migration(machine, *ALL_TABLES).code == 0, 60, "everything is equal")
    # Sequences go the other way now, with head-room.
    declared.reconciled(machine, member="sequences")
    result = verify_migration(machine)
    assert not result.of_rows("different") and len([o for o in result.report["objects"] if o["kind"] == "sequence"]) > 2, \
        result.output


def test_a_side_that_has_lost_its_plan_is_planned_anew(both):
    machine, source, dest = both
    table = ("--table", "public.churn_pair")
    wait_for(lambda: verify_migration(machine, *table).code == 0, 60, "everything is equal")
    assert verify_migration(machine, *table, "--incremental").objects["public.churn_pair"]["ranges_read"] == 0
    for server in (dest, source):
        server.sql("DELETE FROM bucardo.machine_proof_plans WHERE tablename = 'public.churn_pair'", dbname="shop")
        found = verify_migration(machine, *table, "--incremental").objects["public.churn_pair"]
        assert found["state"] == "equal" and found["ranges_read"] > 0, found
        plans = [side.sql("SELECT definition, bucket FROM bucardo.machine_proof_plans"
                          " WHERE tablename = 'public.churn_pair'", dbname="shop") for side in (source, dest)]
        assert len(plans[0]) == 1 and plans[0] == plans[1], plans

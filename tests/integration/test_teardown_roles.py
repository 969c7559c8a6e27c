"""`teardown NAME` where something is missing: rights, a side, the ledgers of today, or the machine's own right to it."""

import os
import subprocess

import pytest
from support import declared
from support.leaving import SHOP, assert_control_is_clean, catalog
from support.servers import bin_dir
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(400)

# A role that owns the application's tables and nothing else: no superuser on either side.
ROLE = """
    CREATE ROLE owner LOGIN PASSWORD 'of-the-owner' NOSUPERUSER;
    GRANT SET ON PARAMETER session_replication_role TO owner"""
OLDER = ("DROP TABLE bucardo.machine_runs, bucardo.machine_beats, bucardo.machine_owners;"
         " ALTER TABLE bucardo.bucardo_delta_targets DISABLE TRIGGER USER")


def endpoint(server, dbname):
    return f"{{host: {server.address}, port: {server.port}, dbname: {dbname}, user: owner}}"


def as_owner(server, dbname, sql):
    subprocess.run([f"{bin_dir()}/psql", "-qX", "-v", "ON_ERROR_STOP=1", "-h", server.address, "-p", str(server.port),
                    "-U", "owner", "-d", dbname, "-c", sql], check=True, capture_output=True, timeout=60,
                   env={**os.environ, "PGPASSWORD": "of-the-owner"})


def one_line(text):
    return " ".join(text.split())


@pytest.fixture(scope="module")
def plain(shared_workshop):
    """A migration by plain roles."""
    source, dest = shared_workshop.server("source"), shared_workshop.server("dest")
    for server in (source, dest):
        server.create_database("shop").sql(ROLE)
        server.sql("ALTER DATABASE shop OWNER TO owner")
        server.sql("ALTER SCHEMA public OWNER TO owner", dbname="shop")
    as_owner(source, "shop", SHOP)
    before = catalog(source, "shop")
    machine = shared_workshop.machine(installed=True)
    machine.write_pgpass(text="".join(f"{s.address}:{s.port}:*:owner:of-the-owner\n" for s in (source, dest)))
    machine.write_config("version: 1\nmigrations:\n  - name: app\n    direction: both\n"
                         f"    source: {endpoint(source, 'shop')}\n    destination: {endpoint(dest, 'shop')}\n")
    machine.start()
    declared.wait_live(machine)
    return machine, source, dest, before


def test_what_belongs_to_another_machine_is_left_alone(plain):
    machine, source, dest, _ = plain
    machine.cli("pause", "app").check()
    for server in (source, dest):
        server.sql("UPDATE bucardo.machine_owners SET owner = 'another', host = 'elsewhere'", dbname="shop")
    there = catalog(source, "shop"), catalog(dest, "shop")
    result = machine.cli("teardown", "app", "--yes", seconds=60)
    assert result.code == 1 and "elsewhere" in result.output and "take-over" in result.output, result.output
    assert (catalog(source, "shop"), catalog(dest, "shop")) == there
    owner = machine.control_sql("SELECT system_identifier FROM pg_control_system()")[0]
    for server in (source, dest):
        server.sql(f"UPDATE bucardo.machine_owners SET owner = '{owner}'", dbname="shop")


def test_one_side_is_away_and_an_older_machine_had_made_it(plain):
    machine, source, dest, before = plain
    for server in (source, dest):
        server.sql(OLDER, dbname="shop")
    source.stop("immediate")
    result = machine.cli("teardown", "app", "--yes", seconds=60)
    assert result.code == 1, result.output
    assert "teardown app --without source" in one_line(result.output), result.output
    assert not dest.sql("SELECT 1 FROM pg_namespace WHERE nspname ~ 'bucardo'", dbname="shop")
    result = machine.cli("teardown", "app", "--yes", "--without", "source", seconds=60)
    assert result.code == 0, result.output
    assert "nothing of ours is left on the destination" in result.output, result.output
    assert_control_is_clean(machine, "app")
    command = next(line for line in result.output.splitlines() if "--source" in line)
    source.start()
    assert source.sql("SELECT 1 FROM pg_namespace WHERE nspname ~ 'bucardo'", dbname="shop")
    machine.stop()
    result = machine.shell(command.strip() + " --yes", env={"PGPASSFILE": machine.pgpass})
    assert result.code == 0 and "nothing of ours is left on the source" in result.output, result.output
    assert catalog(source, "shop") == before


def test_what_the_role_may_not_remove_is_told_with_its_statement(plain, shared_workshop):
    machine, source, dest, before = plain
    machine.start()
    machine.write_config("version: 1\n")
    wait_for(lambda: declared.view(machine) is None and machine.status_json(), 30, "forgotten")
    dest.sql("DROP DATABASE shop")
    dest.create_database("shop")
    dest.sql("ALTER DATABASE shop OWNER TO owner")
    dest.sql("ALTER SCHEMA public OWNER TO owner", dbname="shop")
    machine.write_config("version: 1\nmigrations:\n  - name: app\n    run_until: capture\n"
                         f"    source: {endpoint(source, 'shop')}\n    destination: {endpoint(dest, 'shop')}\n")
    declared.wait_view(machine, lambda v: v["phases"][2]["state"] == "done", "captured")
    source.sql('ALTER TABLE "Odd Name" OWNER TO catalyze', dbname="shop")
    result = machine.cli("teardown", "app", "--yes", seconds=60)
    assert result.code == 1 and 'DROP TRIGGER IF EXISTS bucardo_delta ON public."Odd Name"' in one_line(result.output), \
        result.output
    assert source.value("SELECT count(*) FROM bucardo.bucardo_delta_names", dbname="shop") > 0, "it would be lost"
    source.sql('ALTER TABLE "Odd Name" OWNER TO owner', dbname="shop")
    result = machine.cli("teardown", "app", "--yes", seconds=60)
    assert result.code == 0, result.output
    assert catalog(source, "shop") == before

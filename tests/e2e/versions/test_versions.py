"""From each version of PostgreSQL to later ones, over TLS (story 4)."""

import pytest
from support import compare, samples, statements
from support.declared import replicating, view, wait_live, yaml
from support.server_images import VERSIONS, ContainerServer
from support.traffic import Traffic, marker

pytestmark = [pytest.mark.podman, pytest.mark.full, pytest.mark.timeout(900)]


def send_again(source, dest, dbname):
    """Rows that the destination lost without a word come back: by ranges of blocks from
    version 14 on, before by naming each place."""
    table = source.value("SELECT tablename FROM bucardo.bucardo_delta_names"
                         " ORDER BY pg_relation_size(tablename::regclass) DESC LIMIT 1", dbname=dbname)
    rows = source.value(f"SELECT count(*) FROM ONLY {table}", dbname=dbname)
    dest.sql(f"SET session_replication_role = replica; DELETE FROM ONLY {table}", dbname=dbname)
    assert rows > 500 and dest.value(f"SELECT count(*) FROM ONLY {table}", dbname=dbname) == 0
    source.sql("INSERT INTO bucardo.machine_touches (tablename) VALUES (%s)", (table,), dbname)
    compare.wait_equal(source, dest, dbname, 120, sequences="ahead")


def migrate(stage, suites):
    sample = samples.best()
    source, dest = (ContainerServer(name, suite) for name, suite in zip(("source", "dest"), suites))
    stage.workshop.things += [source, dest]
    source.create_database("app", sample)
    dest.create_database("app")
    machine = stage.machine(source, dest).wait_ready()
    machine.write_config(yaml(source, dest, "app"))
    with Traffic(source, "app", sample, rate=40) as traffic:
        try:
            wait_live(machine, 180)
        except AssertionError:
            raise AssertionError(f"not live: {view(machine)}\n{machine.log_tail(30)}") from None
        traffic.wait_total(50)
    marker(source, dest, "app", sample, 60)
    compare.wait_equal(source, dest, "app", 60, sequences="ahead")
    send_again(source, dest, "app")


@pytest.mark.parametrize("suites", [("bullseye", "trixie"), ("bookworm", "trixie"),
                                    ("trixie", "trixie"), ("trixie", "sid")],
                         ids=lambda suites: "to".join(str(VERSIONS[suite]) for suite in suites))
def test_a_database_moves_from_version_to_version(podman_stage, suites):
    migrate(podman_stage, suites)


@pytest.fixture(scope="module")
def sample(shared_workshop):
    source, dest, dbname = shared_workshop.pair("shop")
    return statements.capture(replicating(shared_workshop, source, dest, dbname), source, dest, dbname)


@pytest.mark.parametrize("suite", VERSIONS, ids=lambda suite: str(VERSIONS[suite]))
def test_each_version_takes_every_statement_and_every_function(podman_stage, sample, suite):
    server = ContainerServer("other", suite)
    podman_stage.workshop.things.append(server)
    statements.load(server, sample)
    assert not statements.refused(server)

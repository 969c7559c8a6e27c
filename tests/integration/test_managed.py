"""To a managed server: the destination's role is no superuser, and TLS is verified."""

import pytest
from support import compare
from support.declared import wait_live, wait_view
from support.traffic import Traffic, marker

pytestmark = pytest.mark.timeout(300)

# What such a provider gives to its customer, and nothing else.
ROLE = """
    CREATE ROLE customer LOGIN PASSWORD 'of-the-customer' NOSUPERUSER CREATEROLE CREATEDB;
    GRANT SET ON PARAMETER session_replication_role TO customer;
"""


def _yaml(source, dest, dbname, ca_file):
    return f"""version: 1
migrations:
  - name: app
    source: {{host: {source.address}, port: {source.port}, dbname: {dbname}, user: {source.user}, sslmode: require}}
    destination:
      host: {dest.address}
      port: {dest.port}
      dbname: {dbname}
      user: customer
      sslmode: verify-full
      sslrootcert: {ca_file}
"""


@pytest.fixture
def managed(workshop):
    """(machine, source, dest, dbname): nobody gets into dest but as the customer, over TLS."""
    source, dest, dbname = workshop.pair()
    dest.sql(ROLE)
    dest.sql(f'ALTER DATABASE "{dbname}" OWNER TO customer')
    machine = workshop.machine(installed=True)
    machine.write_pgpass(text=source.pgpass_line()
                         + f"{dest.address}:{dest.port}:*:customer:of-the-customer\n")
    return machine, source, dest, dbname


def test_a_whole_migration_to_a_server_without_superuser_over_verified_tls(managed):
    machine, source, dest, dbname = managed
    machine.write_config(_yaml(source, dest, dbname, dest.ca_file()))
    with Traffic(source, dbname, rate=40) as traffic:
        traffic.wait_total(20)
        machine.start()
        done = wait_live(machine)
        assert all(phase["state"] == "done" for phase in done["phases"])
        sessions = dest.sql("SELECT a.usename, bool_and(s.ssl) FROM pg_stat_activity a"
                            " JOIN pg_stat_ssl s USING (pid) WHERE a.client_addr IS NOT NULL"
                            " GROUP BY 1", dbname=dbname)
        assert sessions == [("customer", True)], "somebody else, or without TLS"
        traffic.wait_total(50)
    marker(source, dest, dbname, dbname, 60)
    compare.wait_equal(source, dest, dbname, sequences="ahead")
    # The way back works for the same role.
    dest.sql("SELECT bucardo_machine.lift_fence()", dbname=dbname)
    marker(dest, source, dbname, dbname, 60)
    machine.wait_ready(30)


def test_a_certificate_of_somebody_else_is_refused_before_anything_is_touched(managed):
    machine, source, dest, dbname = managed
    machine.write_config(_yaml(source, dest, dbname, source.ca_file()))
    machine.start()
    failed = wait_view(machine, lambda v: v["status"] == "failed", "it has looked")
    assert failed["class"] == "operator" and "sslrootcert" in failed["hint"]
    shown = machine.cli("plan", "app")
    assert shown.code == 1 and "certificate verify failed" in shown.output, shown.output
    assert dest.sql("SELECT 1 FROM pg_class WHERE relnamespace = 'public'::regnamespace",
                    dbname=dbname) == []

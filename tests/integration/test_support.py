"""The tools that evaluate the others: they must be able to say no."""

import os
import time

import psycopg2
import pytest
from support import compare, samples
from support.netns import Namespace
from support.traffic import Traffic, marker
from support.waiting import TooLate


@pytest.fixture(scope="module")
def twins(shared_workshop):
    """Two servers with the same shop."""
    made = []
    for name in ("source", "dest"):
        made.append(shared_workshop.server(name).create_database("shop", "shop"))
    # `since` and `placed` have now() as default: make them equal.
    for server in made:
        server.sql("UPDATE customer SET since = 'epoch'; UPDATE orders SET placed = 'epoch'",
                   dbname="shop")
    return made


def test_equal_databases_have_no_differences(twins):
    source, dest = twins
    assert compare.differences(source, dest, "shop") == []
    assert compare.row_count(source, "shop") > 4000


@pytest.mark.parametrize("change, named", [
    ("UPDATE product SET weight = weight + 1e-12 WHERE product_id = 7", "public.product"),
    ("DELETE FROM visit WHERE customer_id = 9", "public.visit_2026_01"),
    ('UPDATE "Odd Names"."Käse & Co" SET tags = NULL WHERE "Key" = -3', '"Odd Names"."Käse & Co"'),
    ("UPDATE orders SET note = '' WHERE order_id = 1", "public.orders"),
    ("SELECT nextval('invoice_number')", "sequence public.invoice_number"),
    ("ALTER TABLE marker ADD COLUMN extra int", "columns differ"),
    ("CREATE TABLE more (a int)", "table public.more is only in dest"),
])
def test_each_kind_of_difference_is_found_and_named(twins, change, named):
    source, dest = twins
    # A copy by template is quick, and every case starts from equality.
    dest.sql("DROP DATABASE IF EXISTS changed")
    dest.sql("CREATE DATABASE changed TEMPLATE shop")
    assert compare.differences(source, dest, "shop", dbname_b="changed") == []
    dest.sql(change, dbname="changed")
    found = compare.differences(source, dest, "shop", dbname_b="changed")
    assert named in "\n".join(found)


def test_an_empty_database_is_not_called_equal(twins):
    source, _ = twins
    source.sql("DROP DATABASE IF EXISTS empty")
    source.create_database("empty")
    assert "nothing was compared" in "\n".join(compare.differences(source, source, "empty"))


def test_a_marker_that_never_arrives_is_reported(twins):
    source, dest = twins
    with pytest.raises(TooLate, match="the row 'mark .*' is at dest"):
        marker(source, dest, "shop", "shop", seconds=0.3)


@pytest.mark.parametrize("sample", sorted(samples.STEPS))
def test_traffic_writes_every_kind_and_survives_a_restart(workshop, sample):
    if samples.path_of(sample) is None:
        pytest.xfail(f"sample {sample} is not on this computer")
    server = workshop.server("source").create_database(sample, sample)
    with Traffic(server, sample, rate=200) as traffic:
        traffic.wait_total(30)
        assert traffic.counts["error"] == 0, traffic.last_error
        server.restart("immediate")
        traffic.wait_total(10)
        errors = traffic.counts["error"]  # of the time without a server
        traffic.wait_total(30)
        assert traffic.counts["error"] == errors, traffic.last_error
    assert {"insert", "update", "delete"} <= set(traffic.counts)


def test_a_server_comes_back_after_its_postmaster_was_killed(workshop):
    server = workshop.server("source").create_database("shop")
    server.sql("CREATE TABLE kept (a int)", dbname="shop")
    server.kill()
    with pytest.raises(psycopg2.OperationalError):
        server.sql("SELECT 1")
    server.start()
    assert server.value("SELECT count(*) FROM kept", dbname="shop") == 0


@pytest.mark.skipif(os.getuid() != 0, reason="needs root for a network namespace")
def test_a_namespace_drops_packets_without_a_word(workshop):
    namespace = Namespace()
    try:
        server = workshop.server("dest", address=namespace.address, netns=namespace)
        connection = server.connect("postgres", over="tcp", options="-c statement_timeout=0")
        namespace.drop()
        started = time.monotonic()
        with pytest.raises(psycopg2.OperationalError):
            server.connect("postgres", over="tcp", timeout=2).close()
        assert time.monotonic() - started > 1.5, "refused at once: that is not silence"
        assert server.value("SELECT 1") == 1  # the unix socket is not the network
        namespace.restore()
        with connection.cursor() as cursor:  # the old connection lives on
            cursor.execute("SELECT 1")
        connection.close()
        server.remove()
    finally:
        namespace.remove()

"""Two machines with a migration of one name on one source: one owns it, the other is refused."""

import pytest
from support import declared
from support.waiting import wait_for

SCHEMA = """
    CREATE TABLE t (id int PRIMARY KEY, v text);
    INSERT INTO t SELECT i, 'x' FROM generate_series(1, 100) i"""
OWNER = "SELECT owner FROM bucardo.machine_owners"
SILENT = "UPDATE bucardo.machine_beats SET seen = now() - interval '2 minutes'"
PENDING = ("SELECT count(*) FROM bucardo.delta_public_t d WHERE NOT EXISTS (SELECT 1 FROM"
           " bucardo.track_public_t t WHERE t.txntime = d.txntime AND t.target = 'dbgroup app_dbs')")


@pytest.fixture(scope="module")
def world(shared_workshop):
    shop = shared_workshop
    servers = [shop.server(name) for name in ("source", "dest", "second")]
    for server in servers:
        server.create_database("app")
    servers[0].sql(SCHEMA, dbname="app")
    first = declared.replicating(shop, servers[0], servers[1], "app")
    second = shop.machine(name="other", installed=True)
    second.write_pgpass(*servers)
    return (first, second, *servers)


def rows(server):
    return server.sql("SELECT * FROM t ORDER BY id", dbname="app")


def insert(source, first):
    source.sql(f"INSERT INTO t SELECT i, 'new' FROM generate_series({first}, {first + 9}) i",
               dbname="app")


def test_a_second_machine_is_refused_while_the_first_one_lives(world):
    first, second, source, dest, other = world
    owner = source.value(OWNER, dbname="app")
    second.write_config(declared.yaml(source, other, "app"))
    second.start()
    view = declared.wait_view(second, lambda v: v["class"] == "operator", "it is refused")
    assert view["phase"] == "preflight"
    found = [f for f in view["findings"] if f["object"] == "owner"]
    assert len(found) == 1 and owner in found[0]["why"]
    assert "another name" in found[0]["hint"]
    refused = second.cli("accept", "app", "take-over")
    assert refused.code != 0 and "lives" in refused.output, refused.output
    insert(source, 1000)
    wait_for(lambda: rows(dest) == rows(source), 30, "the first one goes on",
             explain=first.log_tail)
    assert source.value(OWNER, dbname="app") == owner


def test_a_dead_owner_is_replaced_on_command_only(world):
    first, second, source, dest, other = world
    first.kill9_everything()
    first.fresh_runtime()
    source.sql(SILENT, dbname="app")
    second.cli("resume", "app").check()
    view = declared.wait_view(
        second, lambda v: any("take-over" in f["hint"] and "gone for good" in f["hint"]
                              for f in v["findings"]), "it says what can be done", 60)
    assert view["phase"] == "preflight"
    second.cli("accept", "app", "take-over").check()
    insert(source, 2000)
    declared.wait_live(second)
    insert(source, 3000)
    wait_for(lambda: rows(other) == rows(source), 30, "the second one replicates everything",
             explain=second.log_tail)
    assert rows(dest) != rows(source)


def test_an_owner_that_comes_back_applies_nothing(world):
    first, second, source, dest, other = world
    before = rows(dest)
    with other.connect("app", autocommit=False) as held:
        held.cursor().execute("LOCK TABLE t")
        insert(source, 4000)
        first.start()
        declared.wait_view(first, lambda v: v["reconcile"] and v["reconcile"].get("stopped"),
                           "it finds out", 90)
        wait_for(lambda: "another machine owns" in first.status_json()["why"], 60, "it says so")
        assert not first.status_json()["ready"]
        assert source.value(PENDING, dbname="app") == 10  # it marked nothing as done
    held.close()
    wait_for(lambda: rows(other) == rows(source), 30, "the second one goes on",
             explain=second.log_tail)
    assert rows(dest) == before
    refused = first.cli("accept", "app", "take-over")
    assert refused.code != 0 and "lives" in refused.output, refused.output


def test_what_went_past_the_triggers_before_a_take_over_is_sent_again(workshop):
    """The volume is lost, not the destination: nothing is copied again but what the watch finds."""
    source, dest = (workshop.server(name) for name in ("source", "dest"))
    for server in (source, dest):
        server.create_database("app")
    source.sql(SCHEMA, dbname="app")
    first = declared.replicating(workshop, source, dest, "app")
    first.kill9_everything()
    source.sql("ALTER TABLE t DISABLE TRIGGER ALL; UPDATE t SET v = 'unseen' WHERE id < 10; DELETE FROM t WHERE id = 20;"
               "ALTER TABLE t ENABLE TRIGGER ALL", dbname="app")
    for server in (source, dest):
        server.sql(SILENT, dbname="app")
    second = workshop.machine(name="other", installed=True)
    second.write_pgpass(source, dest)
    second.write_config(declared.yaml(source, dest, "app"))
    second.start()
    declared.wait_view(second, lambda v: any("take-over" in f["hint"] for f in v["findings"]), "it says what can be done", 60)
    second.cli("accept", "app", "take-over").check()
    declared.wait_live(second)
    wait_for(lambda: rows(dest) == rows(source), 60, "all is sent again", explain=second.log_tail)

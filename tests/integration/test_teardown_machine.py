"""`teardown NAME`: the machine removes a migration, at any point of it, and goes on after a kill."""

import random
import time

import pytest
from support import declared
from support.leaving import SHOP, ask, assert_control_is_clean, catalog, dump
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(400)

def bucardo_sessions(server, dbname):
    return server.value("SELECT count(*) FROM pg_stat_activity WHERE datname = %s"
                        " AND application_name ~* '^bucardo'", (dbname,))


def several(source, dest, names, dbname="shop", extra=""):
    return "version: 1\nmigrations:\n" + "".join(
        f"  - name: {name}\n    source: {declared.endpoint(source, dbname)}\n"
        f"    destination: {declared.endpoint(dest, name)}\n{extra}" for name in names)


def torn(machine, name="app", seconds=90):
    return declared.wait_view(machine, lambda v: (v["teardown"] or {}).get("state") == "done",
                              f"{name} is torn down", seconds, name)


@pytest.fixture(scope="module")
def pair(shared_workshop):
    """Two migrations of one source, and one that is kept from beginning."""
    source, dest = shared_workshop.server("source"), shared_workshop.server("dest")
    source.create_database("shop").sql(SHOP, dbname="shop")
    before = dump(source, "shop"), catalog(source, "shop")
    for dbname in ("app", "two"):
        dest.create_database(dbname)
    machine = shared_workshop.machine(installed=True)
    machine.write_pgpass(source, dest)
    machine.write_config(several(source, dest, ("app", "two"), extra="    direction: both\n"))
    machine.start()
    for name in ("app", "two"):
        declared.wait_live(machine, name=name)
    return machine, source, dest, before


def test_it_says_what_it_means_and_asks(pair):
    machine, source, _, _ = pair
    there = catalog(source, "shop")
    result = machine.cli("teardown", "app")
    assert result.code == 1 and "nothing was removed: say --yes" in result.output, result.output
    assert "has not been cut over" in result.output and "triggers" in result.output
    assert "two uses it too, and goes on" in " ".join(result.output.split()), result.output
    assert catalog(source, "shop") == there
    assert machine.cli("teardown", "ap", "--yes").code == 1


BLOCKED = ("SELECT count(*) FROM pg_stat_activity WHERE datname = 'app' AND application_name ~ '^bucardo KID'"
           " AND wait_event_type = 'Lock'")


def holder_is_named(machine, pid):
    """Who is in the way of the teardown is told by its process."""
    return f"the lock is held by pid {pid}, application" in machine.log()


def test_one_of_two_migrations_of_a_source_goes_and_the_other_goes_on(pair):
    machine, source, dest, before = pair
    master = machine.unit("bucardo")["pid"]
    # A run of it waits for the lock of somebody on the destination, who stays for long.
    blocker = dest.connect("app")
    blocker.cursor().execute('BEGIN; LOCK TABLE "Odd Name" IN SHARE MODE')
    source.sql("INSERT INTO \"Odd Name\" VALUES (900, 'waits')", dbname="shop")
    wait_for(lambda: dest.value(BLOCKED), 30, "a run waits for the lock", explain=machine.log_tail)
    ask(machine, "app")
    wait_for(lambda: not dest.value(BLOCKED), 60, "the run is ended", explain=machine.log_tail)
    wait_for(lambda: holder_is_named(machine, blocker.info.backend_pid), 60, "the holder of the lock is named",
             explain=machine.log_tail)
    assert "lock" in str(declared.view(machine)["progress"]), declared.view(machine)
    source.sql("UPDATE \"Odd Name\" SET v = 'goes on' WHERE id = 2", dbname="shop")
    blocker.close()
    result = machine.cli("teardown", "app", "--yes", seconds=90)
    assert result.code == 0, result.output
    assert "nothing of ours is left on the source" in result.output
    assert "but what is used by two" in result.output
    assert "nothing of ours is left on the destination, 'app'" in result.output
    assert "delete 'app' from machine.yaml" in result.output
    assert dump(dest, "app") == before[0]
    assert "app" not in {row[0] for row in source.sql("SELECT migration FROM bucardo.machine_owners", dbname="shop")}
    assert source.sql("SELECT DISTINCT sync FROM bucardo.bucardo_delta_names", dbname="shop") == [("two_sync",)]
    assert_control_is_clean(machine, "app")
    wait_for(lambda: not bucardo_sessions(dest, "app"), 20, "nobody talks to it any more")
    source.sql("INSERT INTO \"Odd Name\" VALUES (1000, 'after'); DELETE FROM parts", dbname="shop")
    wait_for(lambda: dest.value("SELECT count(*) FROM \"Odd Name\" WHERE id = 1000", dbname="two")
             and not dest.value("SELECT count(*) FROM parts", dbname="two"), 30, "the other one goes on",
             explain=machine.log_tail)
    assert dest.value("SELECT count(*) FROM \"Odd Name\" WHERE id = 1000", dbname="app") == 0
    assert machine.unit("bucardo")["pid"] == master, "Bucardo was not restarted for it"
    assert "torn down" in machine.cli("status").check()
    wait_for(lambda: machine.status_json()["ready"], 20, "the machine is ready", explain=machine.log_tail)


def test_what_is_torn_down_does_not_begin_anew_until_it_was_forgotten(pair):
    machine, source, dest, _ = pair
    machine.kill9_everything()
    machine.start()
    declared.wait_live(machine, name="two")
    view = declared.view(machine)
    assert view["phase"] == "teardown" and view["status"] == "done", view
    for words in (("migrate", "app"), ("pause", "app"), ("plan", "app")):
        result = machine.cli(*words)
        assert result.code == 1 and "delete 'app' from machine.yaml" in result.output, result.output
    assert not source.sql("SELECT 1 FROM bucardo.machine_owners WHERE migration = 'app'", dbname="shop")
    machine.write_config(several(source, dest, ("two",), extra="    direction: both\n"))
    wait_for(lambda: declared.view(machine) is None and declared.view(machine, "two"), 20, "it is forgotten")
    assert machine.control_sql("SELECT count(*) FROM machine.phase WHERE migration = 'app'") == ["0"]
    dest.sql("DROP DATABASE app")
    dest.create_database("app")
    machine.write_config(several(source, dest, ("app", "two"), extra="    direction: both\n"))
    declared.wait_live(machine)
    assert dest.value("SELECT count(*) FROM \"Odd Name\" WHERE id = 1000", dbname="app") == 1


def test_killed_anywhere_it_goes_on_also_after_the_sides_changed_places(pair, rng=random.Random(3)):
    machine, source, dest, before = pair
    for dbname in ("app", "two"):
        dest.sql("SELECT bucardo_machine.lift_fence()", dbname=dbname)
        declared.wait_view(machine, lambda v: v["reconcile"]["live"]["side"] == "destination", "it is live", name=dbname)
    # One of them stays so, the other changed its places back.
    dest.sql("SELECT bucardo_machine.raise_fence(true)", dbname="two")
    declared.wait_view(machine, lambda v: v["reconcile"]["live"]["side"] == "source", "it was given back", name="two")
    dest.sql("INSERT INTO \"Odd Name\" VALUES (2000, 'back')", dbname="app")
    wait_for(lambda: source.value("SELECT count(*) FROM \"Odd Name\" WHERE id = 2000", dbname="shop"), 30, "carried back")
    look = machine.cli("teardown", "two", "app")
    assert look.code == 2, look.output
    look = machine.cli("teardown", "app")
    assert "It was cut over" in look.output, look.output
    for name in ("app", "two"):
        ask(machine, name)
        declared.wait_view(machine, lambda v: v["recorded"], "written down", name=name)
    for _ in range(4):
        time.sleep(rng.uniform(0.0, 1.2))
        machine.kill9_everything()
        source.sql("INSERT INTO keyless VALUES ('goes on')", dbname="shop")
        machine.start()
    for name in ("app", "two"):
        torn(machine, name)
        assert_control_is_clean(machine, name)
    assert (dump(source, "shop"), catalog(source, "shop")) == before
    for dbname in ("app", "two"):
        assert dump(dest, dbname) == before[0]
    wait_for(lambda: not bucardo_sessions(source, "shop"), 20, "nobody talks to it any more")


PHASES = ("preflight", "schema", "capture")


def test_it_works_in_every_phase_and_in_the_midst_of_a_copy(workshop):
    source, dest = workshop.server("source"), workshop.server("dest")
    source.create_database("shop").sql(SHOP, dbname="shop")
    source.sql("CREATE TABLE big (id int PRIMARY KEY, v text);"
               " INSERT INTO big SELECT i, repeat('x', 1000) FROM generate_series(1, 12000) i", dbname="shop")
    before = dump(source, "shop"), catalog(source, "shop")
    text = "version: 1\nmigrations:\n"
    for number, name in enumerate((*PHASES, "slow")):
        dest.create_database(f"d{number}")
        text += (f"  - name: m_{name}\n    source: {declared.endpoint(source, 'shop')}\n"
                 f"    destination: {declared.endpoint(dest, f'd{number}')}\n")
        text += f"    run_until: {name}\n" if name != "slow" else "    copy: {max_rate: 100kB}\n"
    machine = workshop.machine(installed=True)
    machine.write_pgpass(source, dest)
    machine.write_config(text)
    machine.start()
    for number, name in enumerate(PHASES):
        declared.wait_view(machine, lambda v, n=number: v["phases"][n]["state"] == "done", name, name=f"m_{name}")
    declared.wait_view(machine, lambda v: v["phase"] == "copy" and v["progress"]["done"] > 0, "it copies", name="m_slow")
    for name in (*PHASES, "slow"):
        ask(machine, f"m_{name}")
    for name in (*PHASES, "slow"):
        sides = torn(machine, f"m_{name}")["teardown"]["result"]["sides"]
        assert [side["state"] for side in sides] == ["clean", "clean"], (name, sides)
        assert_control_is_clean(machine, f"m_{name}")
    assert (dump(source, "shop"), catalog(source, "shop")) == before
    for number in range(len(PHASES) + 1):
        assert not dest.sql("SELECT 1 FROM pg_namespace WHERE nspname ~ 'bucardo'", dbname=f"d{number}")

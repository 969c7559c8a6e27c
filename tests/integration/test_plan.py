"""`plan`: what a migration would do, measured and told before anything is touched."""

import json

import pytest
from support.declared import view, wait_view, yaml
from support.phases import Phases
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(120)

FILL = """
    CREATE TYPE colour AS ENUM ('red', 'green');
    CREATE TABLE orders (id bigint PRIMARY KEY, t text, c colour, n numeric(12, 2), b bytea);
    INSERT INTO orders SELECT g, repeat(md5(g::text), 4), 'red', g, '\\x00ff'
        FROM generate_series(1, 120000) g;
    CREATE INDEX ON orders (t);
    CREATE TABLE nokey (a int);
    CREATE MATERIALIZED VIEW seen AS SELECT 1 AS one;
    ANALYZE;
"""


@pytest.fixture(scope="module")
def world(shared_workshop):
    """(machine, source, dest): the machine is started by nobody yet."""
    source, dest = shared_workshop.server("source"), shared_workshop.server("dest")
    for server in (source, dest):
        server.create_database("app")
    source.sql(FILL, dbname="app")
    source.sql("ALTER DATABASE app SET work_mem = '8MB'")
    machine = shared_workshop.machine()
    machine.write_pgpass(source, dest)
    return machine, source, dest


def _everything(server):
    return server.sql("SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n"
                      " ON n.oid = c.relnamespace WHERE n.nspname !~ '^pg_|^information_schema$'"
                      " ORDER BY 1, 2", dbname="app")


def test_sizes_chunks_locks_time_and_what_stays_are_told(world):
    machine, source, dest = world
    before = _everything(source), _everything(dest)
    run = Phases(machine, source, dest, "app", "app").run("preflight", plan=True)
    assert run.failed is None, run.text()
    plan = run.events("plan")[0]["plan"]
    size = source.value("SELECT pg_table_size('orders')", dbname="app")
    biggest = plan["tables"]["biggest"][0]
    assert biggest["name"] == "public.orders" and biggest["bytes"] == size
    assert biggest["rows"] == 120000 and plan["tables"]["count"] == 2
    assert plan["tables"]["bytes"] >= size and plan["tables"]["indexes"] == 2
    assert plan["chunks"] == 2 and plan["jobs"] == 2
    assert plan["kill_bytes"] == size, "each of the two tables is one piece, and one is empty"
    capture = [lock for lock in plan["locks"] if lock["phase"] == "capture"]
    assert capture[0]["mode"] == "SHARE ROW EXCLUSIVE" and "0.5 s" in capture[0]["longest"]
    estimate = plan["estimate"]
    assert estimate["why"] == "" and 1 << 20 < estimate["sample_bytes"] <= size
    assert min(estimate[rate] for rate in ("read_rate", "write_rate", "index_rate")) > 100000
    for phase in ("copy_msec", "index_msec"):
        low, high = estimate[phase]
        assert 0 <= low <= high < 600000
    left = {item["what"]: item for item in plan["left"]}
    assert left["materialised views"]["names"] == "public.seen"
    assert left["tables that Bucardo cannot replicate"]["names"] == "public.nokey"
    assert "work_mem=8MB" in left["settings of the database and of roles in it"]["names"]
    assert (_everything(source), _everything(dest)) == before, "the look has left something"


def test_an_index_of_a_slow_kind_costs_more_time_than_one_of_a_quick_kind(world):
    machine, source, dest = world

    def index_time():
        run = Phases(machine, source, dest, "app", "app").run("preflight", plan=True)
        estimate = run.events("plan")[0]["plan"]["estimate"]
        # Both follow the speed of the moment; their product does not.
        return estimate["index_msec"][1] * estimate["index_rate"]
    first = index_time()
    source.sql("CREATE INDEX quick ON orders (n)", dbname="app")
    quick = index_time()
    source.sql("DROP INDEX quick; CREATE INDEX slow ON orders USING gin ("
               "regexp_split_to_array(t, ''))", dbname="app")
    slow = index_time()
    source.sql("DROP INDEX slow", dbname="app")
    assert slow - first > 3 * (quick - first) > 0


def test_a_preflight_of_the_machine_itself_measures_nothing(world):
    machine, source, dest = world
    run = Phases(machine, source, dest, "app", "app").run("preflight")
    assert run.failed is None and not run.events("plan")


def test_what_cannot_be_measured_is_said_and_the_rest_is_told(world):
    machine, source, dest = world
    dest.sql("CREATE ROLE poor LOGIN PASSWORD 'poor'")
    text = source.pgpass_line() + f"{dest.address}:{dest.port}:*:poor:poor\n"
    machine.write_pgpass(text=text)
    phases = Phases(machine, source, dest, "app", "app")
    phases.migration["destination"] = {**phases.migration["destination"], "user": "poor"}
    try:
        run = phases.run("preflight", plan=True)
    finally:
        machine.write_pgpass(source, dest)
    assert run.failed["class"] == "operator"
    plan = run.events("plan")[0]["plan"]
    assert "permission denied" in plan["estimate"]["why"]
    assert plan["estimate"]["write_rate"] is None and plan["estimate"]["copy_msec"] is None
    assert plan["tables"]["count"] == 2


def test_a_person_reads_it_in_order(world):
    machine, source, dest = world
    machine.write_config(yaml(source, dest, "app", extra="    run_until: preflight\n"))
    machine.start().wait_ready(60)
    shown = machine.cli("plan", "app").check()
    parts = ["taken back:", "What was found:", "What would be moved: 2 tables", "public.orders",
             "How long, from best to worst", "Locks that are taken:", "SHARE ROW EXCLUSIVE",
             "What is not migrated", "Nothing is in the way."]
    places = [shown.find(part) for part in parts]
    assert -1 not in places and places == sorted(places), shown
    assert max(len(line) for line in shown.splitlines()) <= 100


def test_a_changed_definition_that_is_refused_is_in_the_way(world):
    machine, source, dest = world
    machine.write_config(yaml(source, dest, "app", extra="    run_until: schema\n"))
    if not machine.running():  # the test before it left it
        machine.start()
    wait_view(machine, lambda v: v["phases"][1]["state"] == "done", "the schema is made", 60)
    dest.create_database("other")
    machine.write_config(yaml(source, dest, "app", extra="    run_until: schema\n").replace(
        f"port: {dest.port}, dbname: app", f"port: {dest.port}, dbname: other"))
    wait_view(machine, lambda v: v["status"] == "failed", "the change is refused", 60)
    shown = machine.cli("plan", "app")
    assert shown.code == 1 and "Nothing is in the way" not in shown.output
    text = " ".join(shown.output.split())
    assert 'its changed definition is refused: destination.dbname was "app" and is "other" now' in text
    assert "hint: put back what it was" in text
    told = [json.loads(line) for line in machine.cli("plan", "app", "--json").output.splitlines()]
    assert told[-1]["event"] == "failed"
    assert [line["object"] for line in told if line.get("severity") == "stops"] == ["machine.yaml"]


def test_a_table_that_was_never_analyzed_is_measured_and_fixed_by_fix(world):
    machine, source, dest = world
    for server in (source, dest):
        server.create_database("fresh")
    source.sql("CREATE TABLE fresh (id int PRIMARY KEY, v text) WITH (autovacuum_enabled = off);"
               "INSERT INTO fresh SELECT i, repeat(md5(i::text), 3) FROM generate_series(1, 120000) i",
               dbname="fresh")
    machine.write_config(yaml(source, dest, "fresh", "fresh", extra="    run_until: preflight\n"))
    if not machine.running():
        machine.start()
    wait_for(lambda: (view(machine, "fresh") or {}).get("status") == "done", 60, "looked at")
    shown = machine.cli("plan", "fresh").check()
    line = next(line for line in shown.splitlines() if line.startswith("  public.fresh "))
    assert line.split()[-2] == "-", line
    assert "not known" not in shown and "measured on one connection" in shown
    assert "`bucardo-machine plan fresh --fix` applies 1 of the fixes" in shown
    assert source.value("SELECT reltuples FROM pg_class WHERE relname = 'fresh'", dbname="fresh") <= 0
    shown = machine.cli("plan", "fresh", "--fix").check()
    assert "fixed on the source: ANALYZE public.fresh" in shown and "120,000" in shown
    assert "never analyzed" not in machine.cli("plan", "fresh").check()
    assert source.value("SELECT reltuples FROM pg_class WHERE relname = 'fresh'",
                        dbname="fresh") == 120000

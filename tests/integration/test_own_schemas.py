"""Nobody else has a say in the schemas of the machine and of Bucardo: what is there runs with our rights."""

import psycopg2
import pytest
from support import compare, declared
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(300)

SCHEMAS = ("bucardo", "bucardo_machine")
GIVEN = """
    SELECT c.oid::regclass || ' ' || a.privilege_type FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    CROSS JOIN LATERAL aclexplode(c.relacl) a WHERE n.nspname IN ('bucardo', 'bucardo_machine')
      AND a.grantee = 'app'::regrole AND a.privilege_type <> 'SELECT' AND c.relkind <> 'S'
    UNION ALL SELECT n.nspname || ' ' || a.privilege_type FROM pg_namespace n CROSS JOIN LATERAL aclexplode(n.nspacl) a
    WHERE n.nspname IN ('bucardo', 'bucardo_machine') AND a.grantee = 'app'::regrole AND a.privilege_type = 'CREATE'"""


@pytest.fixture(name="sides")
def _sides(workshop):
    source, dest = workshop.server("source"), workshop.server("dest")
    for server in (source, dest):
        server.create_database("shop").sql("CREATE ROLE mal LOGIN; CREATE ROLE app LOGIN", dbname="shop")
        server.sql("GRANT CREATE ON DATABASE shop TO mal", dbname="shop")
    source.sql("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'x' FROM generate_series(1, 100) i;"
               "GRANT ALL ON t TO app", dbname="shop")
    machine = workshop.machine(installed=True)
    machine.write_pgpass(source, dest)
    return machine, source, dest


@pytest.mark.parametrize("side, schema", [("source", "bucardo"), ("destination", "bucardo")])
def test_a_schema_that_somebody_planted_after_the_preflight_is_not_used(sides, side, schema):
    machine, source, dest = sides
    machine.write_config(declared.yaml(source, dest, "shop", extra="    direction: both\n    run_until: preflight\n"))
    machine.start()
    declared.wait_view(machine, lambda v: v["phases"][0]["state"] == "done", "the preflight is done")
    server = source if side == "source" else dest
    server.sql(f"SET ROLE mal; CREATE SCHEMA {schema}", dbname="shop")
    machine.write_config(declared.yaml(source, dest, "shop", extra="    direction: both\n"))
    found = declared.wait_view(machine, lambda v: "belongs to role mal" in v["why"], "it is refused")
    assert found["status"] != "live" and schema in found["why"] and "DROP SCHEMA" in found["why"] + found["hint"], found
    assert server.sql("SELECT proname FROM pg_proc WHERE pronamespace::regnamespace::text = %s", (schema,), "shop") == []
    server.sql(f"DROP SCHEMA {schema}", dbname="shop")
    machine.cli("migrate", "app").check()
    declared.wait_live(machine)
    # And one whose owner changes later: nothing is called there any more, and it is told.
    server.sql("ALTER SCHEMA bucardo OWNER TO mal", dbname="shop")
    wait_for(lambda: "belongs to role mal" in str(declared.view(machine)["reconcile"]["problems"]), 40, "it is told",
             explain=machine.log_tail)


def test_default_privileges_give_away_nothing_that_runs_with_our_rights(sides):
    machine, source, dest = sides
    for server in (source, dest):
        server.sql("ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO app; ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO app;"
                   "ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO app", dbname="shop")
    machine.write_config(declared.yaml(source, dest, "shop", extra="    direction: both\n"))
    machine.start()
    declared.wait_live(machine)
    for server in (source, dest):
        wait_for(lambda s=server: s.sql(GIVEN, dbname="shop") == [], 30, "all of it is taken back",
                 explain=lambda s=server: str(s.sql(GIVEN, dbname="shop")))
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        dest.sql("SET ROLE app; UPDATE bucardo_machine.fence SET lifted = now()", dbname="shop")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        source.sql("SET ROLE app; CREATE TRIGGER g BEFORE INSERT ON bucardo.delta_public_t FOR EACH ROW"
                   " EXECUTE FUNCTION suppress_redundant_updates_trigger()", dbname="shop")
    # The application goes on, and what it writes arrives; so does a table that comes later.
    source.sql("SET ROLE app; UPDATE t SET v = 'app' WHERE id < 10", dbname="shop")
    for server in (source, dest):
        server.sql("CREATE TABLE later (id int PRIMARY KEY)", dbname="shop")
    source.sql("INSERT INTO later VALUES (1)", dbname="shop")
    compare.wait_equal(source, dest, "shop", seconds=90)
    for server in (source, dest):
        wait_for(lambda s=server: s.sql(GIVEN, dbname="shop") == [], 30, "what came later too",
                 explain=lambda s=server: str(s.sql(GIVEN, dbname="shop")))


def test_a_table_that_a_stranger_made_before_it_came_is_not_taken_in(sides):
    machine, source, dest = sides
    dest.sql("GRANT CREATE ON SCHEMA public TO mal", dbname="shop")
    machine.write_config(declared.yaml(source, dest, "shop"))
    machine.start()
    declared.wait_live(machine)
    for server, role in ((dest, "mal"), (source, "app")):
        server.sql(f"CREATE TABLE later (id int PRIMARY KEY); ALTER TABLE later OWNER TO {role}", dbname="shop")
    source.sql("INSERT INTO later VALUES (1)", dbname="shop")
    told = declared.wait_view(machine, lambda v: "belongs to role mal" in str(v["reconcile"] and v["reconcile"].get("new")),
                              "it is told", 60)["reconcile"]["new"]
    assert told[0]["hint"].endswith("ALTER TABLE public.later OWNER TO app"), told
    assert dest.value("SELECT count(*) FROM later", dbname="shop") == 0
    dest.sql("ALTER TABLE later OWNER TO app", dbname="shop")
    compare.wait_equal(source, dest, "shop", seconds=90)


LOCKS = {  # side, the lock, what is told of it
    "of the sides": ("dest", "1651860321, 1", "advisory lock (1651860321, 1)"),
    "of purges": ("source", "7092455166261683833", "nothing that was applied is purged"),
}


@pytest.mark.parametrize("lock", ["of the sides", pytest.param("of purges", marks=pytest.mark.full)])
def test_who_holds_a_lock_of_ours_for_long_is_told_and_nothing_is_lost(sides, lock):
    machine, source, dest = sides
    side, keys, words = LOCKS[lock]
    machine.write_config(declared.yaml(source, dest, "shop", extra=declared.BY_HAND))
    machine.start()
    declared.wait_live(machine)
    machine.wait_ready(30)
    holder = {"source": source, "dest": dest}[side].connect("shop")
    holder.cursor().execute(f"SET ROLE app; SELECT pg_advisory_lock({keys})")
    source.sql("SET session_replication_role = replica; ALTER TABLE t DISABLE TRIGGER ALL; DELETE FROM t WHERE id = 7", dbname="shop")
    told = wait_for(lambda: words in machine.status_json()["why"] and machine.status_json(), 90,
                    "it is told", explain=machine.log_tail)
    assert f"process {holder.info.backend_pid} (role " in told["why"] and not told["ready"], told["why"]
    holder.close()
    compare.wait_equal(source, dest, "shop", seconds=90)
    machine.wait_ready(60)

"""What pg_restore, the copy and Bucardo would fail at with an empty search_path: found, told, made.

The rows of the matrix stand in tests/support/path_kinds.py.
"""

import psycopg2
import pytest
from support import compare, path_kinds
from support.clone import Clone, schema_of
from support.declared import replicating, view
from support.phases import Phases
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module", name="pair")
def two_servers(shared_workshop):
    """(source, dest, workshop): database `app` of the source has all rows of the matrix."""
    source, dest = shared_workshop.server("source"), shared_workshop.server("dest")
    source.create_database("app")
    path_kinds.fill(source, "app")
    return source, dest, shared_workshop


def answer(server, query):
    try:
        return server.sql(query, dbname="app")
    except psycopg2.Error as error:
        return error.pgcode


def without(lines, names):
    return [line for line in lines if line and not line.startswith("--")
            and not any(name in line for name in names)]


def test_plan_names_each_with_the_statement_that_fixes_it(pair):
    source, dest, workshop = pair
    dest.create_database("app")
    machine = workshop.machine(installed=True)
    machine.write_pgpass(source, dest)
    run = Phases(machine, source, dest, "app", "app").run("preflight")
    assert run.failed is None, run.text()
    missing = [row.name for row in path_kinds.rows(source) if row.plan and not [
        f for f in run.findings() if all(word in str(f) for word in row.plan)]]
    assert missing == [], [f for f in run.findings() if "search_path" in f["why"]]
    assert not [f for f in run.findings() if "could not be asked" in f["why"]], run.text()


def test_a_clone_makes_each_with_the_path_of_the_source_and_tells_what_it_cannot(pair):
    source, dest, workshop = pair
    dest.sql('DROP DATABASE IF EXISTS app')
    dest.create_database("app")
    clone = Clone(workshop.binary, workshop.folder, source, dest, "app")
    done = clone.must()
    assert compare.differences(source, dest, "app", path="public, more") == []
    # A view that reads itself, and what stands on it.
    lost = ["view_of_itself_v", "view_of_itself_w"]
    assert without(schema_of(source, "app"), lost) == without(schema_of(dest, "app"), lost)
    for row in path_kinds.rows(source):
        for word in row.fails or ():
            assert word in done.stdout, f"{row.name}\n{done.stdout}"
        if row.check:
            dest.sql("ALTER DATABASE app SET search_path = public, more")
            assert answer(dest, row.check) == answer(source, row.check), row.name
    assert "path of the source" in done.stdout


def test_a_migration_goes_live_with_all_of_them_and_their_changes_arrive(pair):
    source, dest, workshop = pair
    dest.sql("DROP DATABASE IF EXISTS app")
    dest.create_database("app")
    machine = replicating(workshop, source, dest, "app")
    for row in path_kinds.rows(source):
        if row.live:
            source.sql(row.live, dbname="app")
    wait_for(lambda: not compare.differences(source, dest, "app", sequences=False, path="public, more"), 60,
             "the changes arrive", every=0.5, explain=lambda: "\n".join(
                 compare.differences(source, dest, "app", sequences=False, path="public, more")
                 + [machine.cli("status").output]))
    assert view(machine)["reconcile"]["paused"] == []
    found = {f["object"]: f["severity"] for f in view(machine)["findings"]}
    assert found['REFRESH "public"."matview_broken"'] == "degrades"
    assert found["VIEW public.view_of_itself_v"] == "degrades"
    machine.stop()


SMALL = """
    CREATE FUNCTION inner_f(t text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT replace(t, '.', '') $$;
    CREATE FUNCTION outer_f(t text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT upper(inner_f(t)) $$;
    CREATE TABLE t (id integer PRIMARY KEY, v text); CREATE INDEX t_i ON t (outer_f(v));
    INSERT INTO t SELECT g, repeat(md5(g::text), 20) FROM generate_series(1, 9000) g;
"""


@pytest.mark.parametrize("gift, why", [
    ("GRANT CREATE ON SCHEMA public TO mallory", "role mallory may create in schema public"),
    ("GRANT CREATE ON SCHEMA public TO PUBLIC", "anybody may create in schema public"),
    ("GRANT CREATE ON SCHEMA public TO mallory; SET ROLE mallory; CREATE FUNCTION public.inner_f(varchar)"
     " RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'mine' $$; RESET ROLE;"
     " REVOKE CREATE ON SCHEMA public FROM mallory", "role mallory owns objects in schema public"),
], ids=["a role", "all", "a function that is there"])
def test_a_path_in_which_others_may_put_functions_is_not_used(pair, gift, why):
    source, dest, workshop = pair
    dest.sql("DO $$ BEGIN CREATE ROLE mallory; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    for server in (source, dest):
        server.sql("DROP DATABASE IF EXISTS small")
        server.create_database("small")
    source.sql(SMALL, dbname="small")
    dest.sql(gift, dbname="small")
    clone = Clone(workshop.binary, workshop.folder, source, dest, "small")
    done = clone.run("--chunk", "1")
    assert done.returncode == 1 and why in done.stderr, done.stdout + done.stderr
    dest.sql("REVOKE CREATE ON SCHEMA public FROM mallory, PUBLIC;"
             " DROP FUNCTION IF EXISTS public.inner_f(varchar)", dbname="small")
    assert "with the path of the source" in clone.must("--chunk", "1").stdout
    assert compare.differences(source, dest, "small", path="public") == []


def test_a_role_that_is_no_superuser_uses_the_path_of_its_own_schemas(pair):
    source, dest, workshop = pair
    source.create_database("own")
    source.sql(SMALL, dbname="own")
    dest.sql("CREATE ROLE plain LOGIN PASSWORD 'secret-of-dest'")
    dest.create_database("own")
    dest.sql("ALTER DATABASE own OWNER TO plain")
    clone = Clone(workshop.binary, workshop.folder, source, dest, "own", dest_user="plain")
    done = clone.must()
    assert "INDEX public.t_i (public, pg_temp)" in done.stdout, done.stdout


POLICIES = """
    CREATE TABLE accounts (id integer PRIMARY KEY, v text); ALTER TABLE accounts ENABLE ROW LEVEL SECURITY;
    CREATE POLICY open ON accounts USING (true);
    CREATE POLICY mine ON accounts AS RESTRICTIVE TO auditor USING (v <> 'secret');
    CREATE POLICY two ON accounts AS RESTRICTIVE TO auditor, clerk USING (v <> 'some');
"""


def test_a_restrictive_policy_whose_roles_are_missing_degrades_by_name(pair):
    source, dest, workshop = pair
    source.sql("CREATE ROLE auditor; CREATE ROLE clerk")
    dest.sql("CREATE ROLE clerk")
    for server in (source, dest):
        server.create_database("policies")
    source.sql(POLICIES, dbname="policies")
    machine = workshop.machine(installed=True)
    machine.write_pgpass(source, dest)
    phases = Phases(machine, source, dest, "policies", "policies")
    for phase, words in (("preflight", ("policy {} on public.accounts", "CREATE ROLE auditor")),
                         ("schema", ("POLICY public.accounts {}", "CREATE POLICY"))):
        run = phases.run(phase)
        assert run.failed is None, run.text()
        for policy in ("mine", "two"):
            found = run.finding(words[0].format(policy), "RESTRICTIVE", "auditor", words[1])
            assert found["severity"] == "degrades"
    names = dest.sql("SELECT polname FROM pg_policy ORDER BY 1", dbname="policies")
    assert names == []  # they come with the indexes


def test_an_extension_that_is_there_in_another_schema_stops_before_anything_is_made(pair):
    source, dest, workshop = pair
    for server, schema in ((source, "types"), (dest, "public")):
        server.create_database("elsewhere")
        server.sql(f"CREATE SCHEMA IF NOT EXISTS {schema}; CREATE EXTENSION citext SCHEMA {schema}",
                   dbname="elsewhere")
    source.sql("CREATE TABLE t (c types.citext PRIMARY KEY)", dbname="elsewhere")
    machine = workshop.machine(installed=True)
    machine.write_pgpass(source, dest)
    run = Phases(machine, source, dest, "elsewhere", "elsewhere").run("preflight")
    assert run.failed["class"] == "operator"
    found = run.finding("citext", "ALTER EXTENSION citext SET SCHEMA types")
    assert found["severity"] == "stops"

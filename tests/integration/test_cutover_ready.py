"""`cutover NAME --check`: each condition says why it is not ready, and nothing unknown is ready."""

import contextlib
import json

import pytest
from support import declared
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(400)

SHOP = """
    CREATE TABLE customer (id serial PRIMARY KEY, name text NOT NULL);
    CREATE TABLE purchase (id serial PRIMARY KEY, customer int REFERENCES customer, amount int);
    CREATE INDEX purchase_amount ON purchase (amount);
    CREATE TABLE extra (id int PRIMARY KEY, note text);
    INSERT INTO customer (name) SELECT 'c' || i FROM generate_series(1, 500) i;
    INSERT INTO purchase (customer, amount) SELECT 1 + i % 500, i FROM generate_series(1, 500) i"""


@pytest.fixture(scope="module")
def pair(shared_workshop):
    source = shared_workshop.server("source", settings={"max_prepared_transactions": 5})
    dest = shared_workshop.server("dest", settings={"max_prepared_transactions": 5})
    source.create_database("shop").sql(SHOP, dbname="shop")
    dest.create_database("shop")
    machine = declared.replicating(shared_workshop, source, dest, "shop")
    source.sql("UPDATE customer SET name = 'a run' WHERE id = 1", dbname="shop")  # without it one comes after 30 s
    return machine, source, dest


def check(machine, *words, command="cutover"):
    """The exit code, and the conditions by name."""
    result = machine.cli(command, "app", "--check", "--json", *words, seconds=60)
    assert result.code in (0, 4), result.output
    line = json.loads(result.output.strip().splitlines()[-1])["result"]
    assert line["result"] == ("ready" if result.code == 0 else "not_ready"), line
    return result.code, {c["name"]: c for c in line["conditions"]}


def bad(conditions):
    return {name for name, c in conditions.items() if c["state"] not in ("ready", "accepted")}


def test_what_was_never_compared_is_not_ready_and_is_accepted_by_name(pair):
    machine, _, _ = pair
    # Its first run may not have ended yet.
    code, conditions = wait_for(lambda: (got := check(machine)) and bad(got[1]) == {"proven"} and got, 60, "a good run")
    assert code == 4
    assert "public.customer: it was not compared yet" in conditions["proven"]["why"]
    assert "bucardo-machine verify app" in conditions["proven"]["hint"]
    names = ("public.customer", "public.purchase", "public.extra")
    code, conditions = check(machine, *(word for name in names for word in ("--accept", name)))
    assert code == 0 and conditions["proven"]["state"] == "accepted", conditions


def test_a_name_that_nothing_has_is_not_accepted_and_the_names_are_told(pair):
    machine, source, dest = pair
    for name, meant, word in (("purchase", "public.purchase", "--check"), ("public.purchsae", "public.purchase", "--yes"),
                              ("proven", None, "--check"), ("Connections", "connections", "--rehearse")):
        result = machine.cli("cutover", "app", word, "--accept", "public.extra", "--accept", name, seconds=60)
        said = " ".join(result.output.split())
        assert result.code in (1, 4) and f"nothing that can be accepted is called '{name}'" in said, said
        assert ("did you mean" in said) == (meant is not None) and (meant is None or f"mean '{meant}'?" in said), said
        for known in ("connections", "'large objects'", "public.customer", "public.purchase", "public.extra"):
            assert known in said, said
    assert not source.value("SELECT EXISTS (SELECT 1 FROM pg_trigger WHERE tgname = 'bucardo_machine_fence')", dbname="shop")
    source.sql("UPDATE extra SET note = 'taken still'; UPDATE customer SET name = 'taken' WHERE id = 2", dbname="shop")
    wait_for(lambda: dest.value("SELECT name FROM customer WHERE id = 2", dbname="shop") == "taken", 60, "it replicates")


def test_it_is_ready_once_all_is_compared_and_a_screen_of_80_columns_says_so(pair):
    machine, source, _ = pair
    assert machine.cli("verify", "app", seconds=60).code == 0
    source.sql("UPDATE customer SET name = 'later' WHERE id < 20", dbname="shop")  # since it was proven
    code, conditions = check(machine)
    assert code == 0 and bad(conditions) == set(), conditions
    shown = machine.shell("COLUMNS=80 bucardo-machine cutover app --check")
    assert shown.code == 0 and "all is ready" in shown.output, shown.output
    code, conditions = check(machine, command="failback")
    assert code == 4 and conditions["fence"]["state"] == "not_ready", conditions
    assert "the source is the live side" in conditions["fence"]["why"]


def test_a_definition_that_differs_is_a_note(pair):
    machine, _, dest = pair
    dest.sql("CREATE INDEX only_here ON customer (name)", dbname="shop")
    assert machine.cli("verify", "app", seconds=60).code == 5
    told = check(machine)[1]["definitions"]
    assert told["state"] == "ready" and told["value"].startswith("different") and told["why"], told
    shown = " ".join(machine.cli("cutover", "app", "--check", seconds=60).output.split())
    assert told["why"] in shown and "verify app names them" in shown, shown
    dest.sql("DROP INDEX only_here", dbname="shop")
    assert machine.cli("verify", "app", seconds=60).code == 0
    assert check(machine)[1]["definitions"]["value"] == "equal"


@contextlib.contextmanager
def in_the_way(source, dest):
    """Sessions and objects that keep it from being ready, and what names each of them."""
    with contextlib.ExitStack() as stack:
        def opened(server, *statements):
            session = stack.enter_context(contextlib.closing(
                server.connect("shop", autocommit=False, options="-c lock_timeout=20s")))
            for statement in statements:
                session.cursor().execute(statement)
            return session
        opened(source, "SET application_name = 'billing'", "UPDATE customer SET name = 'held' WHERE id = 30")
        ddl = opened(source, "LOCK TABLE extra IN SHARE UPDATE EXCLUSIVE MODE")
        foreign = opened(dest, "SET session_replication_role = replica", "SET bucardo_machine.applying = 'on'",
                         "UPDATE customer SET name = name WHERE id = 3")
        for server in (source, dest):
            prepared = opened(server, f"PREPARE TRANSACTION 'left at {server.name}'")
            stack.callback(server.sql, f"ROLLBACK PREPARED 'left at {server.name}'", dbname="shop")
            prepared.close()
        dest.sql("ALTER TABLE purchase ADD CONSTRAINT unchecked CHECK (amount > 0) NOT VALID", dbname="shop")
        stack.callback(dest.sql, "ALTER TABLE purchase DROP CONSTRAINT IF EXISTS unchecked", dbname="shop")
        dest.sql("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'purchase_amount'::regclass", dbname="shop")
        stack.callback(dest.sql, "UPDATE pg_index SET indisvalid = true"
                       " WHERE indexrelid = 'purchase_amount'::regclass", dbname="shop")
        source.sql("CREATE TABLE bucardo.bare (a int); CREATE PUBLICATION everything FOR ALL TABLES", dbname="shop")
        stack.callback(source.sql, "DROP PUBLICATION everything; DROP TABLE bucardo.bare", dbname="shop")
        dest.sql("ALTER DATABASE shop CONNECTION LIMIT 1")
        stack.callback(dest.sql, "ALTER DATABASE shop CONNECTION LIMIT -1")
        yield ddl, foreign


def test_everything_that_is_in_the_way_is_named(pair):
    machine, source, dest = pair
    with in_the_way(source, dest):
        code, conditions = check(machine)
    assert code == 4
    said = {name: conditions[name]["why"] + " / " + conditions[name]["hint"] for name in bad(conditions)}
    for name, words in {
            "writers": ("billing", "public.customer", "has not committed", "idle in transaction"),
            "maintenance": ("public.extra", "ShareUpdateExclusiveLock"),
            "foreign writers": ("public.customer", "pg_terminate_backend"),
            "prepared": ("left at source", "ROLLBACK PREPARED"),
            "prepared there": ("left at dest",),
            "constraints": ("public.purchase unchecked", "VALIDATE CONSTRAINT"),
            "indexes": ("purchase_amount", "REINDEX INDEX CONCURRENTLY"),
            "publications": ("everything", "bucardo.bare", "REPLICA IDENTITY FULL"),
            "connections": ("max_connections",)}.items():
        assert name in said and all(word in said[name] for word in words), (name, said)
    wait_for(lambda: check(machine)[0] == 0, 60, "ready once it is all gone")


def test_a_range_that_differs_a_paused_table_and_a_lost_analyze_are_not_ready(pair):
    machine, source, dest = pair
    # Nobody captures it: the proof is lost with the next comparison.
    dest.sql("SET session_replication_role = replica; SET bucardo_machine.applying = 'on';"
             "UPDATE customer SET name = 'wrong' WHERE id = 400", dbname="shop")
    assert machine.cli("verify", "app", "--wait", "1", seconds=60).code == 5
    dest.sql("ALTER TABLE extra DROP COLUMN note", dbname="shop")
    source.sql("INSERT INTO extra (id, note) VALUES (9001, 'waits')", dbname="shop")
    wait_for(lambda: source.value("SELECT count(*) FROM bucardo.bucardo_delta_names"
                                  " WHERE sync LIKE '% (paused)'", dbname="shop") == 1, 60, "extra is paused")
    dest.sql("UPDATE pg_class SET reltuples = -1, relpages = 0 WHERE oid = 'purchase'::regclass", dbname="shop")
    code, conditions = check(machine)
    assert code == 4
    assert "public.customer: 1 of " in conditions["proven"]["why"], conditions
    assert "public.extra: it is paused" in conditions["paused"]["why"], conditions
    assert "ANALYZE public.purchase" in conditions["analyzed"]["hint"], conditions
    dest.sql("ALTER TABLE extra ADD COLUMN note text; ANALYZE purchase;", dbname="shop")
    dest.sql("SET session_replication_role = replica; SET bucardo_machine.applying = 'on';"
             "UPDATE customer SET name = 'c400' WHERE id = 400", dbname="shop")
    declared.reconciled(machine, lambda r: not r["paused"], "takes extra back")
    wait_for(lambda: machine.cli("verify", "app", seconds=60).code == 0, 60, "equal again")
    wait_for(lambda: check(machine)[0] == 0, 60, "ready again")


def test_a_table_that_is_gone_from_both_sides_is_in_nobodys_way(pair):
    machine, source, dest = pair
    for server in (source, dest):
        server.sql("CREATE TABLE gone (id int PRIMARY KEY)", dbname="shop")
    source.sql("INSERT INTO gone VALUES (1); ANALYZE gone", dbname="shop")
    dest.sql("ANALYZE gone", dbname="shop")
    wait_for(lambda: dest.value("SELECT count(*) FROM gone", dbname="shop") == 1, 60, "it is captured")
    source.sql("DROP TABLE gone", dbname="shop")
    wait_for(lambda: "public.gone" in check(machine)[1]["paused"]["why"], 60, "it is paused")
    dest.sql("DROP TABLE gone", dbname="shop")
    found = {}

    def is_ready():
        found["code"], found["conditions"] = check(machine)
        return found["code"] == 0
    wait_for(is_ready, 90, "it is ready", explain=lambda: str(bad(found["conditions"])))
    rehearsed = machine.cli("cutover", "app", "--rehearse", "--budget", "10s", seconds=90)
    assert rehearsed.code == 0, rehearsed.output


def test_a_trigger_that_fires_twice_does_not_say_that_rows_are_sent_again(pair):
    machine, source, dest = pair
    make = ("CREATE FUNCTION own() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
            "CREATE TRIGGER own AFTER INSERT ON extra FOR EACH ROW EXECUTE FUNCTION own();"
            "ALTER TABLE extra ENABLE ALWAYS TRIGGER own")
    for server in (source, dest):
        server.sql(make, dbname="shop")
    declared.wait_view(machine, lambda v: any("own fires" in d["difference"] for d in v["reconcile"].get("drift", [])), "it is seen")
    wait_for(lambda: source.value("SELECT count(*) FROM bucardo.machine_touches WHERE held", dbname="shop") == 1, 30, "it is held")
    assert check(machine)[1]["resent"]["state"] == "ready"
    said = machine.cli("verify", "app", seconds=60)
    assert "being sent again" not in said.output, said.output
    for server in (source, dest):
        server.sql("DROP TRIGGER own ON extra; DROP FUNCTION own()", dbname="shop")
    wait_for(lambda: check(machine)[0] == 0, 90, "ready again", explain=lambda: str(bad(check(machine)[1])))


def test_a_range_that_a_pass_was_about_to_read_again_is_no_reason_to_refuse(pair):
    machine, source, _ = pair
    wait_for(lambda: machine.cli("verify", "app", seconds=60).code == 0, 60, "equal")
    # As a pass leaves it that was ended between taking the mark of a change and reading the range.
    source.sql("DELETE FROM bucardo.machine_proofs WHERE tablename = 'public.customer'", dbname="shop")
    code, conditions = check(machine)
    assert code == 0, conditions

    def is_refused():
        """The background may prove it again before it is asked."""
        source.sql("DELETE FROM bucardo.machine_proofs WHERE tablename = 'public.customer';"
                   "UPDATE bucardo.machine_proof_states SET state = 'different' WHERE name = 'public.customer'",
                   dbname="shop")
        return "public.customer: " in check(machine)[1]["proven"]["why"]
    wait_for(is_refused, 60, "a difference is a reason to refuse")
    wait_for(lambda: machine.cli("verify", "app", seconds=60).code == 0, 60, "equal again")


def test_a_sequence_that_is_missing_and_a_table_that_is_not_captured_back(pair):
    machine, source, dest = pair
    source.sql("SELECT setval('customer_id_seq', 100000)", dbname="shop")
    dest.sql("ALTER SEQUENCE purchase_id_seq OWNED BY NONE; ALTER SEQUENCE purchase_id_seq RENAME TO hidden",
             dbname="shop")
    dest.sql("ALTER TABLE purchase DISABLE TRIGGER bucardo_delta", dbname="shop")
    _, conditions = check(machine)
    assert "purchase_id_seq: it is not there" in conditions["sequences"]["why"], conditions
    assert "public.purchase" in conditions["reverse"]["why"], conditions
    dest.sql("ALTER SEQUENCE hidden RENAME TO purchase_id_seq; ALTER SEQUENCE purchase_id_seq OWNED BY purchase.id",
             dbname="shop")
    dest.sql("ALTER TABLE purchase ENABLE ALWAYS TRIGGER bucardo_delta", dbname="shop")


def test_a_side_that_cannot_be_asked_is_unknown_and_nothing_of_it_is_ready(pair):
    machine, _, dest = pair
    dest.stop()
    code, conditions = check(machine)
    assert code == 4 and conditions["indexes"]["state"] == "unknown", conditions
    assert "cannot connect to the destination" in conditions["indexes"]["why"]
    dest.start()
    declared.wait_live(machine)


def test_a_destination_without_its_fence_and_a_paused_migration(pair):
    machine, _, dest = pair
    def is_found():
        """The machine raises it again within some seconds: perhaps before it is asked."""
        dest.sql("UPDATE bucardo_machine.fence SET lifted = NULL; ALTER TABLE extra DISABLE TRIGGER bucardo_machine_fence",
                 dbname="shop")
        return "public.extra" in check(machine)[1]["fence"]["why"]
    wait_for(is_found, 60, "it is found")
    assert machine.cli("pause", "app").code == 0
    result = machine.cli("cutover", "app", "--check")
    assert result.code == 1 and "is paused; `resume` ends that" in result.output, result.output

"""`verify NAME --repair`: rows that differ are sent again through the replication while applications write."""

import signal
import subprocess
import time

import pytest
from support import compare, declared
from support.traffic import Traffic
from support.users import as_user
from support.verify import verify_migration
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(400)

DB = "app"
UNSEEN = "SET session_replication_role = replica; SET bucardo_machine.applying = on; "

# What the key of row i is, by table; no two servers need to put them in one order.
KEYS = {
    "bigs": ("bigint", "9007199254740993 + i"),
    "uuids": ("uuid", "md5(i::text)::uuid"),
    "texts": ("text", r"""E'q''u"o\\te {a,b} NULL, é名\t' || i"""),
    "enums": ("\"Mo'od\"", "('m\" {' || i)::\"Mo'od\""),
    "cis": ("citext", "'MiXed ' || i"),
    "numbers": ("numeric", "i + 0.10"),
    "times": ("timestamptz", "timestamptz '2024-03-31 00:59:59.999999+00' + i * interval '7 h'"),
    "chars": ("char(9)", "'c ' || i"),
}
FEW = 20
TABLES = ("CREATE EXTENSION citext; CREATE TYPE \"Mo'od\" AS ENUM ("
          + ", ".join(f"'m\" {{{i}'" for i in range(1, FEW + 9)) + ");"
          + "".join(f"CREATE TABLE {table} (id {kind} PRIMARY KEY, n int, v text);"
                    f"INSERT INTO {table} SELECT {key}, i, 'v' || i FROM generate_series(1, {FEW}) i;"
                    for table, (kind, key) in KEYS.items())
          + """
    CREATE TABLE pairs (a int, n int, id text, v text, PRIMARY KEY (id, a));
    INSERT INTO pairs SELECT i % 3, i, E'\\\\p"' || i, 'v' FROM generate_series(1, 20) i;
    CREATE TABLE uniques (id int PRIMARY KEY, n int UNIQUE, v text);
    INSERT INTO uniques SELECT i, i, 'v' FROM generate_series(1, 20) i;
    CREATE TABLE keyless (n int, v text);
    INSERT INTO keyless VALUES (1, 'v');
""")
ALL = [*KEYS, "pairs"]
SENT = "SELECT count(*) FROM bucardo.delta_public_uniques WHERE id IN (2, 5)"
REPAIRED = {f"public.{table}" for table in ALL}


@pytest.fixture(scope="module")
def world(shared_workshop):
    source, dest = shared_workshop.server("source"), shared_workshop.server("dest")
    for server in (source, dest):
        server.create_database(DB)
    source.sql(TABLES, dbname=DB)
    machine = declared.replicating(shared_workshop, source, dest, DB, "    direction: both\n" + declared.BY_HAND)
    return machine, source, dest


def plant(server, number, missing=True, changed=True, extra=True, tables=tuple(ALL)):
    """Rows that no trigger sees: this one goes, the next one changes, and one more comes. A row that was sent
    counts as under way for half a minute, so each test has others; traffic has those from 12 on."""
    more = FEW + number
    for table in tables:
        key = f"0, {more}, 'x{more}'" if table == "pairs" else \
            f"{KEYS[table][1]}, {more}" if table in KEYS else f"{more}, {number}"
        server.sql(UNSEEN + (f"DELETE FROM {table} WHERE n = {number};" if missing else "")
                   + (f"UPDATE {table} SET v = 'other' WHERE n = {number} + 1;" if changed else "")
                   + (f"INSERT INTO {table} SELECT {key}, 'extra' FROM (VALUES ({more})) x(i);" if extra else ""),
                   dbname=DB)


def kinds(result, name):
    found = result.objects[name]
    return {kind: found[kind] for kind in ("missing", "extra", "changed") if found.get(kind)}


def equal(world):
    _, source, dest = world
    compare.wait_equal(source, dest, DB, 30, sequences=False)


def change(cursor, rng, serial):
    cursor.execute(f"UPDATE {rng.choice(ALL)} SET v = 'v{serial}' WHERE n = {rng.randint(12, FEW)}")
    return "update"


def move(cursor, rng, serial):
    cursor.execute(f"UPDATE bigs SET id = {serial} WHERE n = {rng.randint(12, FEW)}")
    return "update"


def replace(cursor, rng, _):
    table, number = rng.choice(ALL), rng.randint(12, FEW)
    cursor.execute(f"WITH gone AS (DELETE FROM {table} WHERE n = {number} RETURNING *)"
                   f" SELECT * FROM gone")
    row = cursor.fetchone()
    if row and rng.random() < 0.5:
        cursor.connection.commit()
    if row:
        cursor.execute(f"INSERT INTO {table} VALUES ({', '.join(['%s'] * len(row))}) ON CONFLICT DO NOTHING", row)
    return "insert"


def writing(source):
    return Traffic(source, DB, steps=(change, change, move, replace))


def test_rows_that_differ_are_sent_again_and_extra_rows_only_on_request(world):
    machine, source, dest = world
    plant(dest, 1)
    with writing(source):
        plain = verify_migration(machine, "--wait", "1")
        assert plain.states("different") == REPAIRED, plain.output
        result = verify_migration(machine, "--repair")
        assert result.code == 5, result.output
        assert result.states("different") == REPAIRED, result.output
        for name in REPAIRED:
            found = result.objects[name]
            assert kinds(result, name) == {"extra": 1}, found
            assert (found["sent"], found["repaired"]) == (2, 2), found
            assert "--delete-extra" in found["unrepaired"], found
            assert sorted(row["kind"] for row in found["found"]) == ["changed", "missing"], found
            assert [row["kind"] for row in found["differences"]] == ["extra"], found
        assert all(dest.value(f"SELECT count(*) FROM {table} WHERE n > {FEW} AND v = 'extra'", dbname=DB) == 1
                   for table in ALL)
        asked = verify_migration(machine, "--repair", "--delete-extra")
        assert asked.code == 1 and "--yes" in asked.output, asked.output
        result = verify_migration(machine, "--repair", "--delete-extra", "--yes")
        assert result.code in (0, 4) and not result.states("different"), result.output
        assert all(result.objects[name]["repaired"] == 1 for name in REPAIRED), result.output
    equal(world)


def test_a_repair_that_was_killed_is_begun_again(world):
    machine, _, dest = world
    plant(dest, 3)
    command = as_user([machine.binary, "verify", "app", "--repair", "--delete-extra", "--yes"])
    for seconds in (0.15, 0.4, 0.9):
        with subprocess.Popen(command, env=machine.env(), stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as running:
            time.sleep(seconds)
            running.send_signal(signal.SIGKILL)
    result = verify_migration(machine, "--repair", "--delete-extra", "--yes")
    assert result.code in (0, 4) and not result.states("different"), result.output
    equal(world)


def test_nothing_is_sent_where_an_extra_row_may_hold_what_a_missing_one_has_to_have(world):
    machine, source, dest = world
    plant(dest, 1, tables=("uniques",))  # the extra row has the missing one's n
    table = ("--table", "public.uniques")
    result = verify_migration(machine, "--repair", *table)
    assert result.code == 5, result.output
    assert "--delete-extra" in result.objects["public.uniques"]["unrepaired"], result.output
    assert source.value(SENT, dbname=DB) == 0
    result = verify_migration(machine, "--repair", "--delete-extra", "--yes", *table)
    assert result.code in (0, 4), result.output
    assert result.objects["public.uniques"]["repaired"] == 3, result.output
    equal(world)


def test_what_does_not_replicate_is_refused_and_stays_as_it_is(world):
    machine, source, dest = world
    dest.sql(UNSEEN + "INSERT INTO keyless VALUES (2, 'x')", dbname=DB)
    result = verify_migration(machine, "--repair", "--table", "public.keyless")
    assert result.code in (1, 5) and "copy it again" in result.output + result.errors, result.output
    dest.sql(UNSEEN + "DELETE FROM keyless WHERE n = 2", dbname=DB)
    plant(dest, 4, missing=False, extra=False, tables=("uniques",))
    before = source.value(SENT, dbname=DB)
    machine.cli("pause", "app").check()
    refused = verify_migration(machine, "--repair")
    machine.cli("resume", "app").check()
    assert refused.code == 1 and "paused" in refused.output, refused.output
    assert source.value(SENT, dbname=DB) <= before
    declared.wait_live(machine)
    result = verify_migration(machine, "--repair", "--table", "public.uniques")
    assert result.code in (0, 4) and result.objects["public.uniques"]["repaired"] == 1, result.output
    equal(world)


def test_once_the_destination_is_live_its_rows_are_sent_to_the_source(world):
    machine, source, dest = world
    declared.wait_view(machine, lambda v: v["reconcile"] and "sequences" in v["reconcile"], "it is reconciled")
    wait_for(lambda: dest.sql("SELECT bucardo_machine.lift_fence()", dbname=DB), 30, "the destination is live")
    plant(source, 5)
    with writing(dest):
        result = verify_migration(machine, "--repair")
        assert result.code == 5, result.output
        assert all(kinds(result, name) == {"missing": 1} for name in REPAIRED), result.output
        result = verify_migration(machine, "--repair", "--delete-extra", "--yes")
        assert result.code in (0, 4), result.output
    equal(world)
    assert dest.value("SELECT count(*) FROM pairs WHERE n = 5 OR v = 'extra'", dbname=DB) == 1

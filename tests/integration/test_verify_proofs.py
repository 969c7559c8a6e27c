"""What is proven stays proven: durable, marked before a purge, and read again when somebody went past the triggers."""

import subprocess

import pytest

from support import declared
from support.traffic import marker
from support.users import as_user
from support.verify import verify_migration
from support.waiting import wait_for

ROWS = 200000


@pytest.fixture(scope="module", name="world")
def replicating(shared_workshop):
    source, dest, dbname = shared_workshop.pair("shop")
    source.sql(f"CREATE TABLE big (id bigint PRIMARY KEY, v text); INSERT INTO big SELECT i, md5(i::text) FROM"
               f" generate_series(1, {ROWS}) i; CREATE TABLE words (word text PRIMARY KEY, n int);"
               f"INSERT INTO words SELECT md5(i::text), i FROM generate_series(1, 50000) i; ANALYZE", dbname=dbname)
    machine = declared.replicating(shared_workshop, source, dest, dbname, declared.BY_HAND)
    return machine, source, dest, dbname


def look(world, table="public.big", *options):
    result = verify_migration(world[0], "--table", table, "--wait", "30", *options)
    assert table in result.objects, result.output
    return result.code, result.objects[table]


def applied(world):
    """All that was captured is on the other side, and purged."""
    marker(world[1], world[2], world[3], world[3], 60)
    wait_for(lambda: world[1].sql("SELECT count(*) FROM bucardo.delta_public_big", dbname=world[3])[0][0] == 0,
             30, "it was purged")


@pytest.mark.parametrize("table", ["public.big", "public.words"])
def test_a_second_pass_over_what_nobody_wrote_to_reads_nothing(world, table):
    code, first = look(world, table)
    assert code == 0 and first["ranges_read"] > 0, first
    code, second = look(world, table)
    assert code == 0 and second["ranges_read"] == 0, second
    assert second["rows"] == first["rows"] and second["oldest_proof"], second


def test_after_a_change_only_its_range_is_read_and_a_purge_hides_nothing(world):
    _, source, _, dbname = world
    assert look(world)[0] == 0
    source.sql("UPDATE big SET v = 'changed' WHERE id IN (3, 100000)", dbname=dbname)
    applied(world)
    code, found = look(world, "public.big", "--incremental")
    assert code == 0 and 1 <= found["ranges_read"] <= 2, found
    assert look(world, "public.big", "--incremental")[1]["ranges_read"] == 0


def test_a_row_that_is_lost_when_its_change_is_purged_is_found(world):
    """As a lost delta leaves it: the destination has the old row, the source's change is purged."""
    _, source, dest, dbname = world
    assert look(world)[0] == 0
    source.sql("UPDATE big SET v = 'lost' WHERE id = 150000", dbname=dbname)
    applied(world)
    dest.sql("SET session_replication_role = replica; SET bucardo_machine.applying = on;"
             "UPDATE big SET v = 'old' WHERE id = 150000", dbname=dbname)
    code, found = look(world, "public.big", "--incremental")
    assert code == 5 and found["changed"] == 1 and found["ranges_read"] == 1, found
    dest.sql("SET session_replication_role = replica; SET bucardo_machine.applying = on;"
             "UPDATE big SET v = 'lost' WHERE id = 150000", dbname=dbname)
    assert look(world, "public.big", "--incremental")[0] == 0


def test_who_went_past_the_triggers_is_found_by_a_pass_that_a_person_asks_for(world):
    _, _, dest, dbname = world
    assert look(world)[0] == 0
    past = "SET session_replication_role = replica; SET bucardo_machine.applying = on;"
    dest.sql(past + "DELETE FROM big WHERE id = 77777", dbname=dbname)
    code, found = look(world)
    assert code == 5 and found["missing"] == 1, found
    dest.sql(past + "INSERT INTO big SELECT 77777, md5('77777')", dbname=dbname)
    assert look(world)[0] == 0


def is_found_though_nothing_counts_it(world, before, after):
    """A row goes, unseen by any trigger, and its change by no counter that lasts."""
    dest, dbname = world[2:]
    past = "SET session_replication_role = replica; SET bucardo_machine.applying = on;"
    before()
    wait_for(lambda: look(world)[0] == 0, 60, "all is equal")
    dest.sql(past + "DELETE FROM big WHERE id = 77777", dbname=dbname)
    after()
    code, found = look(world)
    dest.sql(past + "INSERT INTO big SELECT 77777, md5('77777')", dbname=dbname)
    assert code == 5 and found["missing"] == 1, found


def test_where_rows_are_not_counted_no_proof_is_trusted(world):
    dest, dbname = world[2:]
    try:
        is_found_though_nothing_counts_it(
            world, lambda: dest.sql(f"ALTER DATABASE {dbname} SET track_counts = off"), lambda: None)
    finally:
        dest.sql(f"ALTER DATABASE {dbname} RESET track_counts")
    assert look(world)[0] == 0


def test_a_crash_that_loses_the_counters_makes_proofs_old(world):
    """Twice: what was counted since the first one is lost by the second."""
    def crash():
        world[2].stop("immediate")
        world[2].start()
    is_found_though_nothing_counts_it(world, crash, crash)
    wait_for(lambda: look(world)[0] == 0, 60, "all is equal")


def test_a_difference_that_was_found_once_is_found_again(world):
    """A pass that reads all for one mark may find what no mark told of."""
    _, source, dest, dbname = world
    assert look(world, "public.words")[0] == 0
    lost, other = (row[0] for row in source.sql("SELECT word FROM words ORDER BY word LIMIT 2", dbname=dbname))
    past = "SET session_replication_role = replica; SET bucardo_machine.applying = on;"
    dest.sql(f"{past} DELETE FROM words WHERE word = '{lost}'", dbname=dbname)
    source.sql(f"UPDATE words SET n = n + 1 WHERE word = '{other}'", dbname=dbname)
    marker(source, dest, dbname, dbname, 60)
    wait_for(lambda: source.sql("SELECT count(*) FROM bucardo.delta_public_words", dbname=dbname)[0][0] == 0,
             30, "it was purged")
    for _ in range(2):
        code, found = look(world, "public.words", "--incremental")
        assert code == 5 and found["missing"] == 1, found
    number = source.sql(f"SELECT n FROM words WHERE word = '{lost}'", dbname=dbname)[0][0]
    dest.sql(f"{past} INSERT INTO words VALUES ('{lost}', {number})", dbname=dbname)
    assert look(world, "public.words")[0] == 0


def test_a_pass_that_was_killed_goes_on_where_it_was(world):
    machine, source, _, dbname = world
    source.sql("DELETE FROM bucardo.machine_proof_plans; DELETE FROM bucardo.machine_proofs", dbname=dbname)
    command = subprocess.Popen(as_user([machine.binary, "verify", "app", "--json"]), env=machine.env(),
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    done = "SELECT count(*) FROM bucardo.machine_proofs WHERE tablename = 'public.big'"
    wait_for(lambda: source.sql(done, dbname=dbname)[0][0] > 0, 30, "a range is proven", every=0.005)
    command.kill()
    command.wait()
    proven = source.sql(done, dbname=dbname)[0][0]
    code, found = look(world)
    assert code == 0 and found["ranges_read"] <= found["ranges"] - proven, (proven, found)


def test_a_truncate_and_a_new_column_make_all_proofs_old(world):
    _, source, dest, dbname = world
    assert look(world, "public.words")[0] == 0
    source.sql("TRUNCATE words; INSERT INTO words SELECT md5(i::text), i FROM generate_series(1, 20000) i", dbname=dbname)
    wait_for(lambda: dest.sql("SELECT count(*) FROM words", dbname=dbname)[0][0] == 20000, 60, "it is applied")
    code, found = look(world, "public.words")
    assert code == 0 and found["ranges_read"] > 0 and found["rows"] == 20000, found


def held(world):
    """What is proven of the big table, and when."""
    return world[1].sql("SELECT bucket, proven FROM bucardo.machine_proofs WHERE tablename = 'public.big' ORDER BY 1",
                        dbname=world[3])


def test_of_two_at_once_the_second_compares_and_keeps_nothing(world):
    _, source, dest, dbname = world
    assert look(world)[0] == 0
    before, other = held(world), source.connect(dbname)
    with other.cursor() as cursor:
        # As another `verify app` holds it.
        cursor.execute("SELECT pg_advisory_lock(%s, hashtext('app'))", (int.from_bytes(b"bmpr", "big"),))
        dest.sql("SET session_replication_role = replica; SET bucardo_machine.applying = on;"
                 "DELETE FROM big WHERE id = 5", dbname=dbname)
        code, found = look(world, "public.big", "--incremental")
        assert code == 5 and found["ranges_read"] == found["ranges"], found
        assert held(world) == before
    other.close()
    dest.sql("SET session_replication_role = replica; SET bucardo_machine.applying = on;"
             "INSERT INTO big SELECT 5, v FROM (SELECT md5('5') AS v) x", dbname=dbname)
    assert look(world)[0] == 0


def test_keys_that_are_deferred_and_rows_that_are_owed_are_no_difference_and_no_proof(world):
    machine, source, dest, dbname = world
    applied(world)
    assert look(world)[0] == 0
    machine.cli("pause", "app").check()
    wait_for(lambda: not machine.find("kid"), 30, "the sync is off")
    source.sql("UPDATE big SET v = 'deferred' WHERE id = 9", dbname=dbname)
    # As machine_stage() does before a run that has no room for it.
    source.sql("CREATE TABLE bucardo.mpark_public_big (LIKE bucardo.delta_public_big);"
               "WITH gone AS (DELETE FROM bucardo.delta_public_big RETURNING *) INSERT INTO bucardo.mpark_public_big"
               " SELECT * FROM gone", dbname=dbname)
    code, found = look(world, "public.big", "--incremental", "--wait", "1")
    assert code == 4 and found["state"] == "in_flight" and found["in_flight"] == 1, found
    source.sql("INSERT INTO bucardo.machine_touches (tablename, why) VALUES ('public.big', 'a test')", dbname=dbname)
    code, found = look(world, "public.big", "--wait", "1")
    assert code == 4 and found["state"] == "unproven" and "sent again" in found["why"], found
    source.sql("DELETE FROM bucardo.machine_touches", dbname=dbname)
    machine.cli("resume", "app").check()
    wait_for(lambda: dest.sql("SELECT v FROM big WHERE id = 9", dbname=dbname) == [("deferred",)], 60, "it was applied")
    wait_for(lambda: look(world)[0] == 0, 60, "all is equal")


def test_what_is_not_copied_yet_is_not_compared(shared_workshop):
    source, dest = shared_workshop.server("early"), shared_workshop.server("late")
    source.create_database("shop", "shop")
    dest.create_database("shop")
    machine = shared_workshop.machine(name="early", installed=True)
    machine.write_pgpass(source, dest)
    machine.write_config(declared.yaml(source, dest, "shop", extra="    run_until: capture\n"))
    machine.start()
    declared.wait_view(machine, lambda v: v["phase"] == "copy" and v["status"] == "done", "is captured", 60)
    done = machine.cli("verify", "app")
    assert done.code == 1 and "app is not copied yet" in done.output and "copy is next" in done.output, done.output

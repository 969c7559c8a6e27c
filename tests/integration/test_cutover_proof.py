"""What changed since it was proven is compared again before the freeze: a difference aborts while nobody waits."""

import contextlib

import pytest

from support import compare, declared
from support.cutover import Gate, Slow, Writers, proven
from support.verify import verify_migration

pytestmark = pytest.mark.timeout(600)
DB = "app"


TYPED = """CREATE TYPE mood AS ENUM ('sad', 'happy');
    CREATE TABLE typed (id int PRIMARY KEY, m mood); INSERT INTO typed VALUES (1, 'sad')"""


@pytest.fixture(scope="module", name="sides")
def both_sides(shared_workshop):
    return proven(shared_workshop, DB, extra=declared.BY_HAND, more=TYPED)


def equal(sides):
    compare.wait_equal(sides.source, sides.dest, DB, 60, sequences=False)


def replicate(sides, statement):
    sides.source.sql(statement, dbname=DB)
    equal(sides)


PURGE = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT bucardo.machine_purge('app_sync', 1000000); COMMIT"


def purge(sides):
    sides.source.sql(PURGE, dbname=DB)
    assert sides.source.value("SELECT count(*) FROM bucardo.machine_proof_marks WHERE tablename = 'public.account'",
                              dbname=DB) > 0


def plant(sides, statement):
    """Past the fence and the triggers, as a broken disk does it."""
    sides.dest.sql("SET session_replication_role = replica; SET bucardo_machine.applying = on; " + statement, dbname=DB)


@pytest.mark.parametrize("is_purged", [False, True], ids=["captured", "purged"])
def test_a_row_that_differs_since_it_was_applied_aborts_before_the_freeze(sides, is_purged):
    sides.ready("cutover")
    replicate(sides, "INSERT INTO account VALUES (1000, 0) ON CONFLICT (id) DO UPDATE SET changed = -1")
    if is_purged:
        purge(sides)
    plant(sides, "UPDATE account SET changed = -2 WHERE id = 1000")
    with Writers(sides) as writers:
        writers.wait_more()
        run = sides.ask("cutover")
        writers.wait_more()
    assert run.failed and run.failed["evidence"]["result"] == "aborted", run.text()
    for word in ("'verify'", "public.account", "changed", "(1000)"):
        assert word in run.failed["message"], run.text()
    assert "--repair" in run.failed["hint"]
    assert run.failed["evidence"]["freeze_msec"] == 0 and run.failed["evidence"]["held_msec"] == 0
    assert not writers.errors and not writers.refused and sides.writable() == [sides.source]
    replicate(sides, "UPDATE account SET changed = -3 WHERE id = 1000")
    assert verify_migration(sides.machine, "--wait", "10").code == 0


@pytest.mark.full
def test_more_keys_than_are_looked_at_one_by_one_are_compared_by_their_ranges(sides):
    sides.ready("cutover")
    replicate(sides, "INSERT INTO entry (writer, n) SELECT -1, i FROM generate_series(1, 60000) i")
    evidence = sides.cutover()
    step = next(s for s in evidence["steps"] if s["name"] == "verify")
    assert step["detail"].split()[0] != "0", evidence
    equal(sides)
    sides.failback()


def test_a_truncate_that_waits_is_done_by_bucardo_first(sides):
    sides.ready("cutover")
    sides.source.sql("TRUNCATE \"Odd name\"", dbname=DB)
    run = sides.ask("cutover")
    assert not run.failed and run.evidence["result"] == "done", run.text()
    assert sides.dest.value("SELECT count(*) FROM \"Odd name\"", dbname=DB) == 0
    equal(sides)
    sides.failback()


@pytest.mark.parametrize("is_frozen", [pytest.param(False, id="before the freeze", marks=pytest.mark.full),
                                       pytest.param(True, id="before the lock")])
def test_a_truncate_that_comes_after_bucardo_rests_is_done_and_the_attempt_goes_on(sides, is_frozen):
    sides.ready("cutover")
    replicate(sides, "INSERT INTO \"Odd name\" VALUES (500, 'goes') ON CONFLICT DO NOTHING")
    with contextlib.closing(sides.dest.connect(DB)) as holder, Writers(sides) as writers:
        writers.wait_more()
        if not is_frozen:
            holder.cursor().execute("SELECT pg_advisory_lock_shared(1651860321, 1)")  # bucardo_machine/fence.h
        run = sides.start("cutover", budget_msec=3000)
        if is_frozen:
            with Gate(sides, run) as gate:
                gate.execute("TRUNCATE \"Odd name\"")
        else:
            run.wait_line("progress", "keeping everybody else")
            sides.source.sql("TRUNCATE \"Odd name\"", dbname=DB)
            holder.close()
        run.wait(120)
        writers.wait_more()
    assert not run.failed and run.evidence["result"] == "done", run.text()
    assert any("TRUNCATE" in str(note) and "goes on" in str(note) for note in run.events("note")), run.text()
    assert [s["name"] for s in run.evidence["steps"]].count("quiet") == 2
    assert (run.evidence["held_msec"] > 0) == is_frozen, run.evidence
    assert sides.dest.value("SELECT count(*) FROM \"Odd name\" WHERE id = 500", dbname=DB) == 0
    equal(sides)
    writers.check()
    sides.dest.sql("ANALYZE \"Odd name\"", dbname=DB)
    sides.source.sql("ANALYZE \"Odd name\"", dbname=DB)
    sides.failback()


def test_a_table_that_came_later_is_carried_or_nothing_changes_places(sides):
    """Nobody waits for the next look at the tables: neither `--check`, nor who asks at once."""
    sides.ready("cutover")
    sides.source.sql("CREATE TABLE later (id int PRIMARY KEY, v text); INSERT INTO later VALUES (1, 'x')", dbname=DB)
    run = sides.ask("cutover")
    assert run.failed and "not ready: new tables: public.later: it came later, and is on one" in run.failed["message"], run.text()
    for server in (sides.dest, sides.source):
        server.sql("CREATE TABLE IF NOT EXISTS later (id int PRIMARY KEY, v text)", dbname=DB)
    run = sides.ask("cutover")
    assert run.failed and "public.later: it came later, and is not captured" in run.failed["message"], run.text()
    equal(sides)
    assert verify_migration(sides.machine, "--wait", "10").code == 0
    sides.cutover()
    assert sides.dest.value("SELECT count(*) FROM later", dbname=DB) == 1
    sides.failback()
    sides.source.sql("CREATE TABLE keyless (v text); INSERT INTO keyless VALUES ('x')", dbname=DB)
    run = sides.ask("cutover")
    assert run.failed and "public.keyless: it came later, and is on one side only" in run.failed["message"], run.text()
    evidence = sides.start("cutover", "check", number=0, accept=["public.keyless"]).wait(60).evidence
    assert next(c for c in evidence["conditions"] if c["name"] == "new tables")["state"] == "ready", evidence
    # One that a stranger made there would have its functions called by the copy in the freeze.
    sides.dest.sql("CREATE ROLE mal; CREATE TABLE keyless (v text); ALTER TABLE keyless OWNER TO mal", dbname=DB)
    run = sides.ask("cutover")
    assert run.failed and "on the destination it belongs to role mal" in run.failed["message"], run.text()
    assert "OWNER TO catalyze" in run.failed["hint"], run.text()
    # As the machine makes a partition: it belongs there to who owns the table that it is one of.
    for server, owner in ((sides.source, "catalyze"), (sides.dest, "parent_owner")):
        server.sql("CREATE ROLE parent_owner; CREATE TABLE parts (v int) PARTITION BY LIST (v); ALTER TABLE parts OWNER TO"
                   f" parent_owner; CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1); ALTER TABLE parts_1 OWNER TO {owner}",
                   dbname=DB)
    evidence = sides.start("cutover", "check", number=0, accept=["public.keyless"]).wait(60).evidence
    assert next(c for c in evidence["conditions"] if c["name"] == "new tables")["state"] == "ready", evidence
    for server in (sides.source, sides.dest):
        server.sql("DROP TABLE keyless, parts", dbname=DB)


def test_a_table_that_comes_in_the_freeze_aborts_it(sides):
    sides.ready("cutover")
    run = sides.start("cutover", budget_msec=3000)
    with Gate(sides, run):
        sides.source.sql("CREATE TABLE in_the_freeze (id int PRIMARY KEY); INSERT INTO in_the_freeze VALUES (1)", dbname=DB)
    run.wait(60)
    assert run.failed and run.failed["evidence"]["result"] == "aborted", run.text()
    assert "public.in_the_freeze came while the sides were about to change places" in run.failed["message"], run.text()
    sides.source.sql("DROP TABLE in_the_freeze", dbname=DB)


UNSEEN = {
    "triggers switched off": ("""ALTER TABLE "Odd name" DISABLE TRIGGER ALL; INSERT INTO "Odd name" VALUES ({id}, 'x');
                              ALTER TABLE "Odd name" ENABLE TRIGGER ALL""", "its trigger bucardo_delta was"),
    "other values": ("""INSERT INTO "Odd name" VALUES ({id}, 'x'); ALTER TABLE "Odd name" ALTER v TYPE text
                     USING v || 'x'""", "its rows were rewritten"),
    # Nothing of it waits: only a note tells (machine_capture_guard).
    "a key of another name": ("""ALTER TABLE "Odd name" RENAME id TO number; INSERT INTO "Odd name" VALUES ({id}, 'x');
                              ALTER TABLE "Odd name" RENAME number TO id""", "it was written to after ALTER TABLE"),
}


@pytest.mark.parametrize("is_frozen", [False, True], ids=["before", "in the freeze"])
@pytest.mark.parametrize("kind", UNSEEN)
def test_what_changed_behind_the_triggers_keeps_the_sides_where_they_are(sides, kind, is_frozen):
    statements, why = UNSEEN[kind]
    statements = statements.format(id=8000 + 2 * list(UNSEEN).index(kind) + is_frozen)
    sides.ready("cutover")
    if is_frozen:
        run = sides.start("cutover", budget_msec=3000)
        with Gate(sides, run) as gate:
            gate.execute(statements)
        run.wait(60)
        why = "ALTER TABLE, or a switched trigger"
    else:
        sides.source.sql("BEGIN;" + statements + "; COMMIT", dbname=DB)
        run = sides.ask("cutover")
    assert run.failed and '"Odd name"' in run.failed["message"] and why in run.failed["message"], run.text()
    equal(sides)


def test_a_label_that_is_another_on_the_side_that_is_left_keeps_the_sides_where_they_are(sides):
    there, back = ("ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'", "ALTER TYPE mood RENAME VALUE 'blue' TO 'sad'")
    sides.ready("cutover")
    sides.source.sql(there, dbname=DB)
    run = sides.ask("cutover")
    assert run.failed and "not ready: drift: public.typed: " in run.failed["message"], run.text()
    sides.source.sql(back, dbname=DB)
    sides.ready("cutover")
    run = sides.start("cutover", budget_msec=3000)
    with Gate(sides, run) as gate:
        gate.execute(there)
    run.wait(60)
    assert run.failed and "a type may have gone unseen" in run.failed["message"], run.text()
    sides.source.sql(back, dbname=DB)
    equal(sides)


def applied_keys(sides, count):
    """Keys that were applied and not purged, each of a transaction of its own; the statistics of both tables are of a
    moment in which one transaction had written all: a plan made of them reads all marks for each key."""
    sides.source.sql(PURGE, dbname=DB)
    sides.source.sql(f"""
        ALTER TABLE bucardo.delta_public_entry SET (autovacuum_enabled = off);
        ALTER TABLE bucardo.track_public_entry SET (autovacuum_enabled = off);
        INSERT INTO bucardo.delta_public_entry (id, txntime) SELECT -i, now() FROM generate_series(1, {count}) i;
        INSERT INTO bucardo.track_public_entry SELECT now(), target FROM bucardo.machine_syncs;
        ANALYZE bucardo.delta_public_entry, bucardo.track_public_entry;
        DELETE FROM bucardo.delta_public_entry WHERE txntime = now();
        DELETE FROM bucardo.track_public_entry WHERE txntime = now();
        INSERT INTO bucardo.delta_public_entry (id, txntime)
            SELECT -i, '2026-01-01'::timestamptz + i * interval '1 microsecond' FROM generate_series(1, {count}) i;
        INSERT INTO bucardo.track_public_entry SELECT d.txntime, m.target FROM bucardo.delta_public_entry d,
            bucardo.machine_syncs m WHERE d.id < 0""", dbname=DB)


def unpurged(sides):
    return sides.source.value("SELECT count(*) FROM bucardo.delta_public_entry", dbname=DB)


def test_applied_keys_that_nobody_can_purge_do_not_use_up_the_budget(sides):
    sides.ready("cutover")
    applied_keys(sides, 25000)
    # A purge that cannot have each of them leaves all.
    with Slow(sides.source, DB, "SELECT FROM bucardo.delta_public_entry LIMIT 1 FOR UPDATE"):
        evidence = sides.cutover()
        assert evidence["freeze_msec"] < 1000 and unpurged(sides) >= 25000, evidence
    sides.failback()


def test_many_applied_keys_are_purged_before_the_freeze(sides):
    sides.ready("cutover")
    applied_keys(sides, 60000)
    evidence = sides.ask("cutover", mode="rehearse").evidence
    carry = next(s for s in evidence["steps"] if s["name"] == "carry")
    assert carry["detail"].endswith("and what was applied is purged"), evidence
    assert unpurged(sides) < 1000 and evidence["result"] == "rehearsed", evidence

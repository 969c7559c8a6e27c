"""Our own applier does what a KID does (worker/apply), on a live migration whose sync is paused."""

import time

import pytest
from support import compare, key_kinds
from support.applier import Applier
from support.declared import replicating, wait_live
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(300)

SCHEMA = r"""
    CREATE TABLE gen (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int, b int GENERATED ALWAYS AS (a * 2) STORED, v text);
    INSERT INTO gen (a, v) SELECT i, 'v' FROM generate_series(1, 20) i;
    CREATE TABLE swap (id int PRIMARY KEY, u int UNIQUE, d int UNIQUE DEFERRABLE);
    INSERT INTO swap SELECT i, i, i FROM generate_series(1, 10) i;
    CREATE TABLE parent (id int PRIMARY KEY, v text);
    CREATE TABLE child (id int PRIMARY KEY, parent int NOT NULL REFERENCES parent, v text);
    CREATE TABLE noted (id bigserial PRIMARY KEY, v text);
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO public.noted (v) VALUES (TG_OP); RETURN NULL; END $$;
    INSERT INTO parent SELECT i, 'v' FROM generate_series(1, 10) i;
    INSERT INTO child SELECT i, i, 'v' FROM generate_series(1, 10) i;
    CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON child FOR EACH ROW EXECUTE FUNCTION note();
    CREATE TABLE parts (id int, day int, v text, PRIMARY KEY (id, day)) PARTITION BY LIST (day);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1); CREATE TABLE parts_2 PARTITION OF parts FOR VALUES IN (2);
    INSERT INTO parts SELECT i, 1 + i % 2, 'v' FROM generate_series(1, 10) i;
    CREATE TABLE "Odd; Name's" ("Key ?':b" text PRIMARY KEY, "other column" text);
    INSERT INTO "Odd; Name's" VALUES ('{a,"b"}', 'x'), (E'tab\t, NULL \\', NULL), ('NULL', 'n'), ('', 'empty');
    CREATE TABLE ordered (id int PRIMARY KEY, a text, b text); INSERT INTO ordered SELECT i, 'a', 'b' FROM generate_series(1, 9) i;
    CREATE TABLE plain (id bigint PRIMARY KEY, v text); INSERT INTO plain SELECT i, 'v' FROM generate_series(1, 15000) i;
"""

CHANGES = r"""
    INSERT INTO gen (a, v) VALUES (100, 'new'); UPDATE gen SET a = a + 1 WHERE id < 5; DELETE FROM gen WHERE id = 9;
    UPDATE swap SET u = u + 1000, d = d + 1000 WHERE id IN (1, 2);
    UPDATE swap SET u = 3 - id, d = 3 - id WHERE id IN (1, 2);
    DELETE FROM swap WHERE id = 3; INSERT INTO swap VALUES (11, 3, 3);
    INSERT INTO parent VALUES (11, 'new'); UPDATE child SET parent = 11 WHERE id = 1; DELETE FROM child WHERE id = 2;
    DELETE FROM parent WHERE id = 2; INSERT INTO child VALUES (12, 11, 'new');
    UPDATE parts SET day = 3 - day WHERE id < 4; DELETE FROM parts WHERE id = 5; INSERT INTO parts VALUES (11, 1, 'new');
    UPDATE "Odd; Name's" SET "other column" = 'it''s ' || coalesce("other column", E'\\N'); DELETE FROM "Odd; Name's" WHERE "Key ?':b" = '';
    UPDATE ordered SET a = 'A' || id WHERE id < 4; DELETE FROM ordered WHERE id = 5;
"""


class World:
    def __init__(self, workshop):
        self.source, self.dest, self.dbname = workshop.pair("shop")
        self.source.sql(key_kinds.schema() + SCHEMA, dbname=self.dbname)
        self.machine = replicating(workshop, self.source, self.dest, self.dbname)
        self.applier = Applier(self.machine, self.source, self.dest, self.dbname)

    def on(self, side, sql):
        return getattr(self, side).sql(sql, dbname=self.dbname)

    def value(self, side, sql):
        return getattr(self, side).value(sql, dbname=self.dbname)

    def waiting(self, side="source"):
        return [row[0] for row in self.on("dest" if side == "destination" else side, "SELECT bucardo.machine_waiting('app')")]

    def differences(self):
        return compare.differences(self.source, self.dest, self.dbname, sequences=False)

    def pause(self):
        self.machine.cli("pause", "app").check()
        wait_for(lambda: not self.sessions(), 30, "no KID is at work", explain=self.machine.log_tail)

    def sessions(self):
        return self.value("dest", "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'bucardo KID%'")

    def run(self, **apply):
        """A pass that leaves nothing and after which both sides are equal."""
        evidence = self.applier.run(compare=True, **apply)
        assert evidence["difference"] is None
        assert not self.differences() and not self.waiting(apply.get("from", "source"))
        return evidence["passes"][-1]

    def applied(self):
        """What KIDs wrote so far: deletes and inserts."""
        return self.machine.control_sql(
            "SELECT coalesce(sum(deletes), 0), coalesce(sum(inserts), 0) FROM bucardo.syncrun")


@pytest.fixture(scope="module")
def world(shared_workshop):
    world = World(shared_workshop)
    world.pause()
    world.on("dest", "SET session_replication_role = replica; SET bucardo_machine.applying = on;"
                     "ALTER TABLE ordered DROP COLUMN a; ALTER TABLE ordered ADD COLUMN a text; UPDATE ordered SET a = 'a'")
    return world


def test_kinds_of_keys_and_of_changes_are_carried(world):
    world.on("source", key_kinds.changes())
    world.on("source", CHANGES)
    assert world.waiting() and world.differences()
    noted = world.value("dest", "SELECT count(*) FROM noted")
    result = world.run()
    assert result["tables"] >= len(key_kinds.KEYS) + 9 and result["rows"] < result["keys"]
    assert world.value("dest", "SELECT count(*) FROM noted") == world.value("source", "SELECT count(*) FROM noted") > noted
    assert world.applier.run()["passes"] == [
        {"keys": 0, "rows": 0, "deleted": 0, "tables": 0, "msec": pytest.approx(50, abs=5000)}]


def test_more_keys_than_one_statement_names_are_carried(world):
    world.on("source", "UPDATE plain SET id = -id, v = 'w' WHERE id % 2 = 0; SET search_path = public, addons;"
                       "UPDATE many SET v = 'w'; UPDATE pairs SET v = 'w' WHERE a < 400")
    result = world.run()
    assert result["keys"] > 60000
    assert result["rows"] == result["keys"] - 7500  # the old keys


def test_the_marks_are_of_the_callers_transaction(world):
    """Rolled back, the keys wait as before; the rows are there, and carrying them again changes nothing."""
    world.on("source", "UPDATE plain SET v = 'x' WHERE id < 0 AND id > -100; DELETE FROM plain WHERE id = 1")
    before = world.waiting()
    evidence = world.applier.run(callers=True, rollback=True)
    assert evidence["passes"][0]["keys"] == 50 and not world.differences()
    assert world.waiting() == before == ["public.plain"]
    again = world.run(callers=True)
    assert (again["keys"], again["rows"], again["deleted"]) == (50, 49, 49)


def test_a_difference_in_what_was_carried_is_named(world):
    """Planted by a trigger on the destination that fires in replica role."""
    world.on("dest", "CREATE FUNCTION bend() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.v := 'bent'; RETURN NEW; END $$;"
                     "CREATE TRIGGER bend BEFORE INSERT ON plain FOR EACH ROW WHEN (NEW.id = 5) EXECUTE FUNCTION bend();"
                     "ALTER TABLE plain ENABLE ALWAYS TRIGGER bend")
    world.on("source", "UPDATE plain SET v = 'y' WHERE id BETWEEN 3 AND 9")
    for callers in (True, False):
        difference = world.applier.run(compare=True, callers=callers, rollback=callers)["difference"]
        assert "public.plain" in difference and "1 of the rows" in difference and "(5)" in difference
    world.on("dest", "DROP TRIGGER bend ON plain; DROP FUNCTION bend()")
    world.on("source", "UPDATE plain SET v = 'z' WHERE id = 5")
    world.run()


def test_deferred_keys_are_carried(world):
    world.on("source", "UPDATE plain SET v = 'deferred' WHERE id BETWEEN 101 AND 199")
    world.on("source", "UPDATE bucardo.machine_syncs SET stage_rows = 10; SELECT bucardo.machine_stage('app_sync')")
    assert world.value("source", "SELECT count(*) FROM bucardo.mpark_public_plain") == 40
    assert world.run()["keys"] == 50
    world.on("source", "UPDATE bucardo.machine_syncs SET stage_rows = 200000")


def test_a_mark_that_two_transactions_share_hides_no_change(world):
    """bucardo#216: the second one commits after the first was marked as done, with the same txntime."""
    when = "'2026-01-01 00:00:00.123456+00'"
    for key in (301, 303):
        world.on("source", f"BEGIN; ALTER TABLE bucardo.delta_public_plain ALTER txntime SET DEFAULT {when};"
                           f"UPDATE plain SET v = 'twin' WHERE id = {key}; ALTER TABLE bucardo.delta_public_plain ALTER txntime "
                           "SET DEFAULT (pg_catalog.date_trunc('milliseconds', pg_catalog.now()) + "
                           "(pg_catalog.txid_current() % 1000) * interval '1 microsecond'); COMMIT")
        world.run()
    assert world.value("dest", "SELECT count(*) FROM plain WHERE v = 'twin'") == 2


def test_what_cannot_be_carried_is_refused_by_name(world):
    """And nothing else is carried with it."""
    world.on("source", "UPDATE plain SET v = 'refused' WHERE id = 401; TRUNCATE noted")
    world.applier.refused("TRUNCATE", "public.noted")
    assert world.value("dest", "SELECT v FROM plain WHERE id = 401") == "v"
    world.on("source", "UPDATE bucardo.bucardo_truncate_trigger SET replicated = now() WHERE replicated IS NULL")
    world.on("dest", "SET session_replication_role = replica; SET bucardo_machine.applying = on; TRUNCATE noted")
    pause = "UPDATE bucardo.bucardo_delta_names SET sync = 'app_sync{}' WHERE tablename = 'public.plain'"
    world.on("source", pause.format(" (paused)"))
    world.applier.refused("public.plain", "paused")
    world.on("source", pause.format(""))
    world.on("dest", "ALTER TABLE plain ADD COLUMN more int")
    world.applier.refused("public.plain", "the source has no column more")
    world.on("dest", "ALTER TABLE plain DROP COLUMN more")
    world.run()


def test_a_lock_that_is_not_to_be_had_costs_the_limit_and_no_more(world):
    world.on("source", "UPDATE plain SET v = 'locked' WHERE id = 501")
    other = world.dest.connect(world.dbname, autocommit=False)
    try:
        for mode, callers in (("EXCLUSIVE", False), ("EXCLUSIVE", True), ("ACCESS EXCLUSIVE", False)):
            other.cursor().execute(f"LOCK TABLE plain IN {mode} MODE")
            begun = time.monotonic()
            word = "destination" if "ACC" in mode else "public.plain"
            world.applier.refused("lock timeout", word, limit_msec=600, callers=callers)
            assert time.monotonic() - begun < 10
    finally:
        other.close()
    assert world.waiting() == ["public.plain"]
    world.run()


def test_killed_anywhere_it_leaves_nothing_lost_and_a_kid_goes_on(world):
    """The machine's own sync takes over what a killed pass left, and has nothing to do where one ended."""
    took = 1.0
    for number in range(6):
        world.on("source", f"UPDATE plain SET v = 'k{number}' WHERE id > {number * 100}; DELETE FROM plain WHERE id = "
                           f"(SELECT max(id) FROM plain); UPDATE swap SET u = u + 500; UPDATE swap SET u = 12 - id")
        if number == 0:
            begun = time.monotonic()
            world.run()
            took = time.monotonic() - begun
            continue
        worker = world.applier.start()
        time.sleep(took * number / 6)  # somewhere in it, that is all
        worker.process.kill()
        worker.process.wait(10)
    world.machine.cli("resume", "app").check()
    wait_live(world.machine)
    wait_for(lambda: not world.waiting(), 60, "a KID carries the rest", explain=world.machine.log_tail)
    assert not world.differences()


def test_the_other_way_round_after_the_sides_changed_places(world):
    world.on("dest", "SELECT bucardo_machine.lift_fence()")
    world.pause()
    world.on("dest", key_kinds.changes().replace("new", "newer").replace("generate_series(41, 45)", "generate_series(51, 55)"))
    world.on("dest", "SET search_path = public, addons; UPDATE many SET v = 'back'; UPDATE ordered SET b = 'back';"
                     "INSERT INTO gen (a, v) VALUES (7, 'back'); UPDATE parts SET day = 3 - day; DELETE FROM child WHERE id = 4")
    world.run(**{"from": "destination"})
    before = world.applied()
    world.machine.cli("resume", "app").check()
    wait_live(world.machine)
    world.on("dest", "UPDATE parent SET v = 'at last'")
    wait_for(lambda: world.value("source", "SELECT count(*) FROM parent WHERE v = 'at last'") > 1, 60, "a KID goes on",
             explain=world.machine.log_tail)
    assert not world.differences()
    assert world.applied() != before

"""What `clone` says of itself is true: what the same command will do, what a kill costs, what is left."""

import subprocess

import pytest
from support.clone import clone_of


@pytest.fixture(scope="module", name="pair")
def pair_of_servers(shared_workshop):
    return shared_workshop.server("source"), shared_workshop.server("dest"), shared_workshop


def test_a_schema_that_cannot_be_made_leaves_nothing_and_says_what_to_leave_out(pair):
    clone = clone_of(pair, "unmade")
    clone.source.sql('CREATE SCHEMA "Odd"; CREATE TABLE "Odd"."a Film" (id integer PRIMARY KEY);'
                     "CREATE TABLE film (id integer PRIMARY KEY); INSERT INTO film VALUES (1);"
                     "CREATE TABLE kept (id integer PRIMARY KEY); INSERT INTO kept VALUES (1)",
                     dbname="unmade")
    # A type has the name that the table's row type wants.
    clone.dest.sql('CREATE TYPE film AS (x integer)', dbname="unmade")
    done = clone.run("--json")
    assert done.returncode == 1 and "making TABLE film" in done.stderr
    assert "Nothing was made on the destination" in done.stderr
    assert "ends the same way until that is fixed" in done.stderr
    assert "--exclude public.film" in done.stderr and "where it stopped" not in done.stderr
    failed = clone.events(done)[-1]
    assert failed["exclude"] == "public.film" and failed["same_command"] == "fails-until-fixed"
    assert clone.dest.value("SELECT to_regnamespace('bucardo_machine') IS NULL", dbname="unmade")
    clone.must("--exclude", "public.film")
    assert clone.dest.value("SELECT count(*) FROM kept", dbname="unmade") == 1


def test_what_is_offered_to_be_left_out_can_be_pasted_into_a_shell(pair):
    clone = clone_of(pair, "odd")
    clone.source.sql("CREATE TABLE \"Few's\" (id integer PRIMARY KEY, v text CHECK (v <> "
                     "current_setting('shop.forbidden', true))); INSERT INTO \"Few's\" VALUES (1, 'a')",
                     dbname="odd")
    clone.dest.sql("ALTER DATABASE odd SET shop.forbidden = 'a'")
    done = clone.run()
    assert done.returncode == 1 and "Few's" in done.stderr
    word = done.stderr.split("--exclude ")[1].splitlines()[0].rstrip(".")
    told = subprocess.run(["bash", "-c", f"printf %s {word}"], capture_output=True, text=True, check=True)
    assert told.stdout == 'public."Few\'s"'
    clone.dest.sql("DROP DATABASE odd")
    clone.dest.create_database("odd")
    clone.must("--exclude", told.stdout)


def test_rows_that_are_refused_fail_again_until_that_is_fixed_and_then_it_goes_on(pair):
    clone = clone_of(pair, "refused")
    clone.source.sql("CREATE TABLE many (id integer PRIMARY KEY, v text); INSERT INTO many "
                     "SELECT i, repeat('x', 500) FROM generate_series(1, 20000) i;"
                     "CREATE TABLE few (id integer PRIMARY KEY, v text CHECK (v <> "
                     "coalesce(current_setting('shop.forbidden', true), ''))); INSERT INTO few VALUES (1, 'a')",
                     dbname="refused")
    clone.dest.sql("ALTER DATABASE refused SET shop.forbidden = 'a'")
    for _ in range(2):
        done = clone.run(jobs=1)
        assert done.returncode == 1 and "few_v_check" in done.stderr
        assert "ends the same way until that is fixed; then it goes on where it stopped" in done.stderr
        assert "begin again with an empty database and --exclude public.few" in done.stderr
    before = clone.chunks()
    assert before, "the other table is there"
    clone.dest.sql("ALTER DATABASE refused RESET shop.forbidden")
    clone.must(jobs=1)
    after = clone.chunks()
    assert all(after[key] == value for key, value in before.items())


def test_tables_under_way_show_their_bytes_and_the_time_left(pair):
    clone = clone_of(pair, "shown")
    clone.source.sql("CREATE TABLE wide (id integer, v text); INSERT INTO wide SELECT i, repeat(md5(i::text), 20)"
                     " FROM generate_series(1, 30000) i; ANALYZE wide; CREATE INDEX ON wide (v)", dbname="shown")
    events = clone.events(clone.must("--json", "--max-rate", "5MB"))
    copying = [event for event in events if event["event"] == "progress" and event["phase"] == "copy"]
    parts = [part for event in copying for part in event["in_flight"]]
    assert {part["name"] for part in parts} == {"public.wide"}
    size = clone.source.value("SELECT pg_table_size('wide')", dbname="shown")
    assert {part["total"] for part in parts} == {size}
    done = [part["done"] for part in parts]
    assert done == sorted(done) and any(0 < value < size for value in done)
    assert copying[0]["left_ms"] is None, "nothing was measured yet"
    told = [event for event in copying if event["left_ms"] is not None]
    end = copying[-1]["elapsed_ms"]
    for event in told:
        left = end - event["elapsed_ms"]
        assert event["left_ms"] / 1.6 - 700 < left < event["left_ms"] * 1.6 + 700, copying
    assert len(told) >= 2


def test_what_a_kill_costs_is_told_when_it_is_much(pair):
    clone = clone_of(pair, "cost")
    clone.source.sql("CREATE TABLE nokey AS SELECT i, repeat('x', 900) AS v FROM generate_series(1, 40000) i;"
                     "CREATE TABLE small (id integer PRIMARY KEY); INSERT INTO small VALUES (1)", dbname="cost")
    size = clone.source.value("SELECT pg_table_size('nokey')", dbname="cost")
    done = clone.must("--json")
    notes = [event["text"] for event in clone.events(done) if event["event"] == "note"]
    assert notes == [f"a kill costs what is under way then: at most {size / (1 << 20):.1f} MB are copied again; "
                     f"the largest piece is public.nokey, whole"]
    done = clone_of(pair, "cheap", "shop").must()
    assert "a kill costs" not in done.stdout

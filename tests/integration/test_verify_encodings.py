"""`bucardo-machine verify NAME` between encodings and collations: no pass under churn names a row, and what is lost is found."""

import pytest

from support import churn, compare, declared
from support.traffic import Traffic
from support.verify import verify_migration
from support.waiting import wait_for

# encoding and locale of the source, of the destination; the collation of keys
WORLDS = {"LATIN1 to UTF8": ("LATIN1", "C", "UTF8", "C.UTF-8", "und-x-icu"),
          "SQL_ASCII to itself": ("SQL_ASCII", "C", "SQL_ASCII", "C", "C"),
          "glibc to ICU": ("UTF8", "C.UTF-8", "UTF8", "icu", "C.utf8"),
          "C to glibc": ("UTF8", "C", "UTF8", "C.UTF-8", "POSIX")}
WORDS = """
    CREATE TABLE words (k text COLLATE "{collation}" PRIMARY KEY, v text);
    INSERT INTO words SELECT chr(228) || i % 50 || chr(223) || i, chr(233) FROM generate_series(1, 300) i;
"""
PLAIN = WORDS.replace("chr(228)", "'a'").replace("chr(223)", "'b'").replace("chr(233)", "'c'")


def _renamed(cursor, rng, serial):
    number = rng.randint(1, 300)
    cursor.execute("UPDATE words SET k = upper(k), v = %s WHERE k LIKE %s", (serial, f"%{number}"))
    return "update"


def _again(cursor, rng, serial):
    cursor.execute("DELETE FROM words WHERE k LIKE %s RETURNING k", (f"%{rng.randint(1, 300)}",))
    for row in cursor.fetchall():
        cursor.execute("INSERT INTO words VALUES (%s, %s) ON CONFLICT DO NOTHING", (row[0], serial))
    return "delete"


def database(server, encoding, locale):
    provider = "LOCALE_PROVIDER icu ICU_LOCALE 'und' LC_COLLATE 'C' LC_CTYPE 'C'" if locale == "icu" \
        else f"LC_COLLATE '{locale}' LC_CTYPE '{locale}'"
    server.sql(f"CREATE DATABASE app TEMPLATE template0 ENCODING '{encoding}' {provider}")


# One of them always, the others with --full.
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", [pytest.param(name, marks=[] if number == 0 else pytest.mark.full)
                                  for number, name in enumerate(WORLDS)])
def test_no_pass_between_encodings_and_collations_names_a_row_that_is_under_way(workshop, rounds, name):
    encoding, locale, other, their_locale, collation = WORLDS[name]
    source, dest = workshop.server("source"), workshop.server("dest")
    database(source, encoding, locale)
    database(dest, other, their_locale)
    source.sql(churn.TABLES + (PLAIN if encoding == "SQL_ASCII" else WORDS).format(collation=collation), dbname="app")
    machine = declared.replicating(workshop, source, dest, "app", "    direction: both\n")
    proven = set()

    def passes(writer, count):
        with Traffic(writer, "app", steps=(*churn.STEPS, _renamed, _again), rate=60):
            for _ in range(count):
                result = verify_migration(machine, "--table", "public.*", "--wait", "1")
                assert result.code in (0, 4) and not result.states("different"), result.output
                assert not result.states("unproven"), result.output
                proven.update(result.states("equal"))

    passes(source, rounds(3, 50))
    wait_for(lambda: verify_migration(machine).code == 0, 60, "all is equal")
    wait_for(lambda: source.value("SELECT count(*) FROM bucardo.delta_public_words", dbname="app") == 0, 60, "it was purged")
    dest.sql("SET session_replication_role = replica; SET bucardo_machine.applying = on;"
             "DELETE FROM words WHERE k = (SELECT max(k) FROM words)", dbname="app")
    found = verify_migration(machine, "--table", "public.words").objects["public.words"]
    assert found["state"] == "different" and found["missing"] == 1, found
    assert verify_migration(machine, "--repair", "--yes").code in (0, 4)
    wait_for(lambda: verify_migration(machine).code == 0, 60, "it was sent again")
    wait_for(lambda: dest.sql("SELECT bucardo_machine.lift_fence()", dbname="app"), 60, "the destination is live")
    passes(dest, rounds(0, 50))
    wait_for(lambda: verify_migration(machine).code == 0, 60, "all is equal")
    assert len(proven) > 2, proven
    if encoding == other:
        compare.wait_equal(dest, source, "app", 60, sequences=False)

"""What a plain role made (casts, domains, schemas) never runs with the rights of the migration on the source.

On the destination the checks of domains, constraints and ENABLE ALWAYS triggers do run so when rows are
copied: as with pg_restore.
"""

import time

import psycopg2
import pytest
from support.declared import endpoint, view, wait_live, yaml
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(400)

DB = "app"

# Each function says in the server's log that a superuser called it.
EVIL = """
CREATE FUNCTION evil.shout(why text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN
 RAISE LOG 'PWNED % session % current %', why, session_user, current_user; END IF; END $$;
CREATE TYPE evil.citext AS ENUM ('x', 'y', 'z');
CREATE FUNCTION evil.c2t(evil.citext) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.shout('citext'); RETURN 'x'; END $$;
CREATE CAST (evil.citext AS text) WITH FUNCTION evil.c2t(evil.citext) AS ASSIGNMENT;
CREATE TABLE evil.a (k evil.citext PRIMARY KEY, v text);
INSERT INTO evil.a VALUES ('x', 'v');
CREATE TYPE evil.e AS ENUM ('1', '2', '3', '4', '5', '6');
CREATE FUNCTION evil.e2i(evil.e) RETURNS int8 LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.shout('altered-key-in-trigger'); RETURN 1; END $$;
CREATE CAST (evil.e AS int8) WITH FUNCTION evil.e2i(evil.e) AS ASSIGNMENT;
CREATE FUNCTION evil.t2e(text) RETURNS evil.e LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.shout('delta-using'); RETURN evil.raw($1); END $$;
CREATE FUNCTION evil.raw(text) RETURNS evil.e LANGUAGE plpgsql AS $$ DECLARE r evil.e; BEGIN SELECT e INTO r FROM unnest(enum_range(NULL::evil.e)) e WHERE format('%s', e) = $1; RETURN r; END $$;
CREATE CAST (text AS evil.e) WITH FUNCTION evil.t2e(text);
CREATE FUNCTION evil.t2es(text) RETURNS evil.e[] LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.shout('shipped-key'); RETURN '{}'; END $$;
CREATE CAST (text AS evil.e[]) WITH FUNCTION evil.t2es(text);
CREATE FUNCTION evil.e2t(evil.e) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.shout('enum-as-text'); RETURN '1'; END $$;
CREATE CAST (evil.e AS text) WITH FUNCTION evil.e2t(evil.e) AS ASSIGNMENT;
CREATE TABLE evil.s (k evil.e PRIMARY KEY, v text);
INSERT INTO evil.s VALUES ('1', 'v'), ('2', 'v'), ('3', 'v');
CREATE TABLE evil.b (k int PRIMARY KEY, v text);
INSERT INTO evil.b VALUES (1, 'v');
CREATE TABLE evil.d (k text PRIMARY KEY, v text);
INSERT INTO evil.d VALUES ('1', 'v');
CREATE FUNCTION evil.chk(int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.shout('domain'); RETURN true; END $$;
CREATE DOMAIN evil.dom AS int CHECK (evil.chk(VALUE));
CREATE FUNCTION evil.chk2(int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.shout('domain-in-composite'); RETURN true; END $$;
CREATE DOMAIN evil.dom2 AS int CHECK (evil.chk2(VALUE));
CREATE FUNCTION evil.chk3(int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.shout('domain-in-range'); RETURN true; END $$;
CREATE DOMAIN evil.dom3 AS int CHECK (evil.chk3(VALUE));
CREATE TABLE evil.c (k evil.dom PRIMARY KEY, v text);
INSERT INTO evil.c SELECT i, 'v' FROM generate_series(1, 20) i;
CREATE TABLE evil.big (k evil.dom PRIMARY KEY, v text);
ALTER TABLE evil.big ALTER v SET STORAGE PLAIN;
CREATE TYPE evil.comp AS (d evil.dom2);
CREATE TABLE evil.m (k evil.comp PRIMARY KEY, v text);
INSERT INTO evil.m VALUES (ROW(1), 'v');
CREATE TYPE evil.rng AS RANGE (SUBTYPE = evil.dom3);
CREATE TABLE evil.r (k evil.rng PRIMARY KEY, v text);
INSERT INTO evil.r VALUES (evil.rng(1, 2), 'v');
INSERT INTO evil.big SELECT i, repeat('v', 1500) FROM generate_series(1, 1000) i;
CREATE EXTENSION ltree SCHEMA evil;
CREATE TYPE evil.member AS ENUM ('1', '2');
CREATE FUNCTION evil.m2i(evil.member) RETURNS int8 LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.shout('member-of-extension'); RETURN 1; END $$;
CREATE CAST (evil.member AS int8) WITH FUNCTION evil.m2i(evil.member) AS ASSIGNMENT;
CREATE TABLE evil.o (k int PRIMARY KEY, v text);
CREATE FUNCTION evil.looked(text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.shout($1); RETURN true; END $$;
CREATE TABLE evil.gone (k int PRIMARY KEY, v text);
CREATE TABLE evil.swapped (v text);
CREATE SEQUENCE evil.seq;
"""

# What was a table or a sequence when a session looked at the catalog is a view when it is read.
SWAPS = """BEGIN; DROP SEQUENCE evil.seq; CREATE VIEW evil.seq AS SELECT 1::bigint AS last_value, evil.looked('view-for-sequence') AS is_called;
DROP TABLE evil.swapped; CREATE VIEW evil.swapped AS SELECT 'x'::text AS v WHERE evil.looked('view-for-table'); COMMIT""", """
BEGIN; DROP VIEW evil.seq; CREATE SEQUENCE evil.seq; DROP VIEW evil.swapped; CREATE TABLE evil.swapped (v text); COMMIT"""


def called(server):
    with open(server.log_path, errors="replace") as log:
        return sorted({line.split("PWNED ", 1)[1].split()[0] for line in log
                       if " LOG:  PWNED " in line})


def as_evil(server, sql, dbname=DB):
    connection = psycopg2.connect(host=server.address, port=server.port, user="evil",
                                  password="evil", dbname=dbname)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(sql)
    connection.close()


def swap(server, seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for statements in SWAPS:
            as_evil(server, statements)
            time.sleep(0.01)


def test_nothing_of_a_plain_role_runs_as_superuser_on_the_source(workshop):
    source, dest = workshop.server("source"), workshop.server("dest")
    for server in (source, dest):
        server.create_database(DB)
        server.create_database("two")
        server.sql("CREATE ROLE evil LOGIN PASSWORD 'evil'")
    source.sql("CREATE SCHEMA evil AUTHORIZATION evil; GRANT CREATE ON DATABASE app TO evil", dbname=DB)
    as_evil(source, EVIL)
    source.sql("CREATE TABLE t (k int PRIMARY KEY)", dbname="two")
    source.sql("CREATE SCHEMA bucardo AUTHORIZATION evil", dbname="two")
    machine = workshop.machine(installed=True)
    machine.write_pgpass(source, dest)
    machine.write_config(yaml(source, dest, DB) + "  - name: two\n"
                         f"    source: {endpoint(source, 'two')}\n"
                         f"    destination: {endpoint(dest, 'two')}\n")
    machine.start()
    wait_live(machine)
    as_evil(source, "INSERT INTO evil.a VALUES ('y', 'v')")
    as_evil(source, "INSERT INTO evil.m VALUES (ROW(7), 'v')")
    as_evil(source, "INSERT INTO evil.r VALUES (evil.rng(5, 6), 'v')")
    as_evil(source, "INSERT INTO evil.d VALUES ('2', 'v'), ('3', 'v')")
    as_evil(source, "ALTER TABLE evil.d ALTER k TYPE evil.e USING evil.raw(k)")
    as_evil(source, "ALTER TABLE evil.b ALTER k TYPE evil.e USING evil.raw(k::text)")
    as_evil(source, "ALTER EXTENSION ltree ADD TYPE evil.member; ALTER TABLE evil.o ALTER k TYPE evil.member"
                    " USING NULL")
    for table in ("b", "o"):
        as_evil(source, f"INSERT INTO evil.{table} VALUES ('2', 'v')")
    as_evil(source, "BEGIN; INSERT INTO evil.gone VALUES (1, 'v'); DROP TABLE evil.gone; CREATE VIEW evil.gone AS"
                    " SELECT 1 AS k, 'v'::text AS v WHERE evil.looked('view-in-run'); COMMIT")
    as_evil(source, "ALTER TABLE evil.c DISABLE TRIGGER ALL; INSERT INTO evil.c VALUES (99, 'v');"
                    "DELETE FROM evil.c WHERE k = 1; ALTER TABLE evil.s DISABLE TRIGGER ALL;"
                    "DELETE FROM evil.s WHERE k = '1'; UPDATE evil.s SET k = '4' WHERE k = '2'")
    wait_for(lambda: dest.sql("SELECT min(k::int), max(k::int) FROM evil.c", dbname=DB) == [(2, 99)],
             90, "its rows are sent again", explain=machine.log_tail)
    wait_for(lambda: dest.value("SELECT count(*) FROM evil.a", dbname=DB) == 2, 20, "a follows")
    wait_for(lambda: dest.value("SELECT string_agg(format('%s', k), ',' ORDER BY k) FROM evil.s", dbname=DB) == "3,4",
             60, "a key is deleted and another sent", explain=machine.log_tail)
    swap(source, 8)  # a pass of everything that goes on
    assert called(source) == []
    two = view(machine, "two")
    assert two["status"] == "failed"
    assert any("belongs to role evil" in f["why"] for f in two["findings"])

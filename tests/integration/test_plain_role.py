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
"""


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


def test_nothing_of_a_plain_role_runs_as_superuser_on_the_source(workshop):
    source, dest = workshop.server("source"), workshop.server("dest")
    for server in (source, dest):
        server.create_database(DB)
        server.create_database("two")
        server.sql("CREATE ROLE evil LOGIN PASSWORD 'evil'")
    source.sql("CREATE SCHEMA evil AUTHORIZATION evil", dbname=DB)
    as_evil(source, EVIL)
    source.sql("CREATE TABLE t (k int PRIMARY KEY)", dbname="two")
    source.sql("CREATE SCHEMA bucardo AUTHORIZATION evil", dbname="two")
    machine = workshop.machine()
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
    try:
        as_evil(source, "INSERT INTO evil.b VALUES ('2', 'v')")
    except psycopg2.Error as error:
        assert "the key of this table has another type" in str(error)
    as_evil(source, "ALTER TABLE evil.c DISABLE TRIGGER ALL; INSERT INTO evil.c VALUES (99, 'v');"
                    "DELETE FROM evil.c WHERE k = 1")
    wait_for(lambda: dest.sql("SELECT min(k::int), max(k::int) FROM evil.c", dbname=DB) == [(2, 99)],
             90, "its rows are sent again", explain=machine.log_tail)
    wait_for(lambda: dest.value("SELECT count(*) FROM evil.a", dbname=DB) == 2, 20, "a follows")
    time.sleep(4)  # a pass of everything that goes on
    assert called(source) == []
    two = view(machine, "two")
    assert two["status"] == "failed"
    assert any("belongs to role evil" in f["why"] for f in two["findings"])

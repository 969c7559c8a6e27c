"""Before and after a teardown: a small database, and all that its catalogs have."""

import json
import socket
import subprocess

from .servers import bin_dir

SHOP = """
    CREATE TABLE "Odd Name" (id int PRIMARY KEY, v text);
    CREATE TABLE parts (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2020-01-01') TO ('2030-01-01');
    CREATE TABLE keyless (v text);
    CREATE FUNCTION own() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER own BEFORE INSERT ON "Odd Name" FOR EACH ROW EXECUTE FUNCTION own();
    COMMENT ON TABLE keyless IS 'ours';
    INSERT INTO "Odd Name" SELECT i, 'x' FROM generate_series(1, 100) i;
    INSERT INTO parts VALUES (1, '2021-01-01'); INSERT INTO keyless VALUES ('a')"""
CATALOG = """
    SELECT 'n', nspname::text FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp' UNION ALL
    SELECT 'c', oid::regclass || relkind::text FROM pg_class WHERE oid >= 16384 AND relkind <> 't'
      AND relname !~ '^pg_toast' UNION ALL
    SELECT 'p', oid::regprocedure::text FROM pg_proc WHERE oid >= 16384 UNION ALL
    SELECT 't', tgrelid::regclass || tgname::text || tgenabled::text FROM pg_trigger UNION ALL
    SELECT 'e', evtname::text FROM pg_event_trigger UNION ALL
    SELECT 's', setconfig::text FROM pg_db_role_setting UNION ALL
    SELECT 'd', description FROM pg_description WHERE objoid >= 16384 ORDER BY 1, 2"""


def dump(server, dbname):
    """All of the schema, with nothing left out but pg_dump's own random words."""
    done = subprocess.run([f"{bin_dir()}/pg_dump", "-s", "-h", server.folder, "-p", str(server.port),
                           "-U", server.user, dbname],
                          capture_output=True, text=True, check=True, timeout=120)
    return [line for line in done.stdout.splitlines() if not line.startswith("\\")]


def catalog(server, dbname):
    return server.sql(CATALOG, dbname=dbname)


def ask(machine, name, **members):
    """The request of `teardown NAME`, without waiting for anything."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(f"{machine.runtime}/control.sock")
        client.sendall(json.dumps({"command": "teardown", "migration": name, **members}).encode() + b"\n")
        answer = json.loads(client.makefile().readline())
    assert answer["ok"], answer


ROWS = {"sync": "name", "herd": "name", "dbgroup": "name", "db": "name", "dbmap": "dbgroup",
        "goat": "db", "herdmap": "herd", "syncrun": "sync"}


def assert_control_is_clean(machine, name):
    """Bucardo's own tables have nothing of it."""
    found = {table: machine.control_sql(f"SELECT count(*) FROM bucardo.{table} WHERE {column} ~ '^{name}_'")
             for table, column in ROWS.items()}
    assert set(map(tuple, found.values())) == {("0",)}, found

"""`bucardo-machine verify` on definitions and large objects: a clone is equal, and what was changed is named."""

import json
import os
import socket
import subprocess
import threading

import pytest

from support import samples
from support.clone import Clone, clone_of
from support.users import as_user
from support.verify import Compared, verify

MADE = """
CREATE ROLE vs_owner; CREATE ROLE vs_reader;
CREATE EXTENSION hstore; CREATE EXTENSION pageinspect;
CREATE TYPE mood AS ENUM ('sad', 'fine');
CREATE TABLE parent (id integer PRIMARY KEY, v varchar(9) CHECK (v IN ('a', 'b')), m mood, n integer DEFAULT 1,
    h hstore, big integer, gone integer);
CREATE TABLE child (id integer PRIMARY KEY, parent integer CONSTRAINT child_parent REFERENCES parent);
CREATE TABLE only_here (id integer PRIMARY KEY, v integer UNIQUE);
CREATE UNLOGGED TABLE logless (id integer PRIMARY KEY);
CREATE INDEX by_n ON parent (n) WHERE v IN ('a', 'c'); CREATE INDEX by_m ON parent (m); CREATE INDEX by_big ON parent (big);
CREATE VIEW seen AS SELECT id, v FROM parent WHERE n > 1;
CREATE FUNCTION twice(a integer) RETURNS integer LANGUAGE sql AS 'SELECT a * 2';
CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER notes BEFORE INSERT ON parent FOR EACH ROW EXECUTE FUNCTION noted();
ALTER TABLE parent ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON parent USING (n = 1); CREATE POLICY other ON parent FOR SELECT USING (true);
CREATE SEQUENCE numbers; COMMENT ON TABLE parent IS 'before'; COMMENT ON COLUMN child.parent IS 'same';
GRANT SELECT ON child TO vs_reader; ALTER TABLE child OWNER TO vs_owner;
CREATE RULE quiet AS ON DELETE TO child DO INSTEAD NOTHING; CREATE STATISTICS n_m ON n, m FROM parent;
"""

CHANGED = """
DROP INDEX by_n;
ALTER TABLE child DROP CONSTRAINT child_parent;
ALTER TABLE child ADD CONSTRAINT child_parent FOREIGN KEY (parent) REFERENCES parent NOT VALID;
ALTER TABLE parent ALTER n SET DEFAULT 2, ALTER big TYPE bigint, ALTER m SET NOT NULL, DROP COLUMN gone;
CREATE OR REPLACE VIEW seen AS SELECT id, v FROM parent WHERE n > 2;
CREATE OR REPLACE FUNCTION twice(a integer) RETURNS integer LANGUAGE sql AS 'SELECT a + a';
ALTER TABLE parent DISABLE TRIGGER notes; DROP POLICY own ON parent;
COMMENT ON TABLE parent IS 'after'; ALTER SEQUENCE numbers INCREMENT 5;
UPDATE pg_extension SET extversion = '1.4' WHERE extname = 'hstore'; DROP EXTENSION pageinspect;
ALTER TABLE child OWNER TO CURRENT_USER; GRANT INSERT ON child TO vs_reader;
ALTER TABLE logless SET LOGGED; DROP TABLE only_here; DROP RULE quiet ON child; DROP STATISTICS n_m;
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'by_m'::regclass;
CREATE TABLE strange (id integer PRIMARY KEY, v integer); CREATE INDEX strange_v ON strange (v);
ALTER DATABASE defined SET timezone = 'Asia/Tokyo'; ALTER DATABASE defined SET search_path = '$user', public;
"""

NAMED = {
    ("index", "public.by_n"), ("index", "public.by_m"), ("constraint", "child_parent on public.child"),
    ("column", "public.parent.n"), ("column", "public.parent.big"), ("column", "public.parent.m"),
    ("column", "public.parent.gone"), ("view", "public.seen"),
    ("function", "public.twice(integer)"), ("trigger", "notes on public.parent"), ("policy", "own on public.parent"),
    ("comment", "table public.parent"), ("sequence definition", "public.numbers"), ("extension version", "hstore"),
    ("extension", "pageinspect"), ("owner", "table public.child"), ("grants", "table public.child"),
    ("table definition", "public.logless"), ("table", "public.only_here"), ("rule", "quiet on public.child"),
    ("statistics", "public.n_m"), ("table definition", "public.strange"), ("type", "public.mood"),
    ("parameter", "TimeZone"), ("parameter", "search_path"), ("table", "public.parent"),
}


@pytest.fixture(scope="module", name="pair")
def pair_of_servers(shared_workshop):
    return shared_workshop.server("source"), shared_workshop.server("dest"), shared_workshop


def different(result):
    return {(one["kind"], one["name"]): one for one in result.report["objects"] if one["state"] == "different"}


@pytest.mark.parametrize("name", [name for name in ("pagila", "chinook", "nasty") if samples.path_of(name)])
def test_what_was_cloned_is_defined_alike(pair, name):
    clone = clone_of(pair, f"{name}_schema", name)
    clone.must()
    result = verify(pair[2].binary, clone)
    assert different(result) == {}, result.output
    definitions = result.objects["definitions"]
    assert definitions["kind"] == "schema" and definitions["state"] == "equal", definitions
    assert definitions["equal"] > 100, definitions
    if name == "nasty":
        assert result.objects["content"]["equal"] == 3, result.output


@pytest.fixture(scope="module", name="changed")
def changed_clone(pair):
    source, dest, _ = pair
    dest.sql("CREATE ROLE vs_owner; CREATE ROLE vs_reader")
    clone = clone_of(pair, "defined")
    source.psql("defined", text=MADE)
    clone.must()
    return clone


def test_each_definition_that_was_changed_is_named_and_no_other(pair, changed):
    alike = verify(pair[2].binary, changed)
    assert alike.code == 0, alike.output
    pair[1].psql("defined", text=CHANGED)
    pair[1].sql("ALTER TYPE mood ADD VALUE 'glad'", dbname="defined")
    result = verify(pair[2].binary, changed)
    assert result.code == 5
    found = different(result)
    assert set(found) == NAMED, result.output
    assert result.objects["definitions"]["state"] == "equal" and result.objects["definitions"]["equal"] > 20
    assert "INVALID" in found["index", "public.by_m"]["destination"]
    assert found["index", "public.by_n"].get("destination") is None
    key = found["constraint", "child_parent on public.child"]
    assert "NOT VALID" in key["destination"] and "NOT VALID" not in key["source"]
    assert "DROP CONSTRAINT child_parent; ALTER TABLE public.child ADD CONSTRAINT" in key["statement"]
    assert found["owner", "table public.child"]["source"] == "vs_owner"
    assert "disabled" in found["trigger", "notes on public.parent"]["why"]
    assert "integer DEFAULT 1" in found["column", "public.parent.n"]["why"]


def test_with_tables_only_their_definitions_are_compared(pair, changed):
    result = verify(pair[2].binary, changed, "--table", "public.child")
    assert {kind for kind, _ in different(result)} == {"constraint", "owner", "grants", "rule"}, result.output


def test_large_objects_are_compared_by_their_bytes(pair):
    source, dest, workshop = pair
    clone = clone_of(pair, "large")
    source.sql("SELECT lo_from_bytea(n, decode(repeat(md5(n::text), 100000), 'hex')) FROM generate_series(801, 806) n",
               dbname="large")
    clone.must()
    result = verify(workshop.binary, clone)
    assert result.code == 0 and result.objects["content"]["equal"] == 6, result.output
    assert result.objects["content"]["bytes"] == 6 * 1600000
    dest.sql("SELECT lo_put(801, 1599999, 'x'); SELECT lo_put(802, 1600000, 'x'); SELECT lo_unlink(803);"
             "SELECT lo_create(9)", dbname="large")
    result = verify(workshop.binary, clone)
    assert result.code == 5
    assert set(different(result)) == {("large object", name) for name in ("801", "802", "803", "9")}, result.output
    assert result.objects["content"]["equal"] == 3 and result.objects["content"]["state"] == "equal"
    dest.sql("CREATE ROLE vs_plain LOGIN PASSWORD 'secret-of-dest'; GRANT SELECT ON LARGE OBJECT 804, 806 TO vs_plain",
             dbname="large")
    plain = Clone(workshop.binary, workshop.folder, source, dest, "large", dest_user="vs_plain")
    dest.sql("SELECT lo_unlink(9); SELECT lo_from_bytea(803, lo_get(804))", dbname="large")
    result = verify(workshop.binary, plain)
    assert result.objects["content"]["state"] == "unproven", result.output
    assert "may not read 4 of them, 801 the first" in result.objects["content"]["why"]
    assert not result.states("different") and result.objects["definitions"]["state"] == "equal", result.output


def test_definitions_in_another_encoding_are_the_same(pair):
    source, dest, workshop = pair
    source.sql("CREATE DATABASE coded ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    dest.sql("CREATE DATABASE coded")
    source.sql("CREATE TABLE \"Käse\" (\"ß\" text PRIMARY KEY DEFAULT 'é' CHECK (\"ß\" <> 'ö'))", dbname="coded")
    clone = Clone(workshop.binary, workshop.folder, source, dest, "coded")
    clone.must()
    result = verify(workshop.binary, clone)
    assert result.code == 0, result.output
    dest.sql("ALTER TABLE \"Käse\" ALTER \"ß\" SET DEFAULT 'è'", dbname="coded")
    assert set(different(verify(workshop.binary, clone))) == {("column", "public.\"Käse\".\"ß\"")}


class Answer:
    """A machine that knows one migration: which replicates."""

    def __init__(self, folder, clone, **options):
        self.path = os.path.join(folder, "control.sock")
        ends = {side: {"host": server.address, "port": server.port, "user": server.user, "dbname": clone.dbname,
                       "sslmode": "require"} for side, server in (("source", clone.source), ("destination", clone.dest))}
        self.line = {"done": True, "ok": True, "request": {"migration": {"name": "app", **ends, **options}},
                     "status": {"migrations": [{"name": "app", "live": True,
                                                "phases": [{"phase": "replicate", "state": "done"}]}]}}
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(self.path)
        os.chmod(self.path, 0o666)
        self.socket.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        for _ in ("plan", "status"):
            client, _ = self.socket.accept()
            client.makefile().readline()
            client.sendall((json.dumps(self.line) + "\n").encode())
            client.close()


def test_what_a_migration_leaves_out_is_not_compared(pair, changed):
    folder = os.path.join(changed.folder, "answer")
    os.mkdir(folder)
    os.chmod(folder, 0o755)
    Answer(folder, changed, owners="drop", grants="drop", tables={"exclude": ["public.only_here", "public.strange"]},
           extensions={"skip": ["pageinspect"], "versions": ["hstore=1.4"]})
    done = subprocess.run(as_user([pair[2].binary, "verify", "app", "--json", "--runtime", folder]), env=changed.env(),
                          capture_output=True, text=True, timeout=60, check=False)
    result = Compared(done.returncode, done.stdout, done.stderr)
    assert result.code == 5, done.stdout + done.stderr
    assert NAMED - set(different(result)) == {
        ("owner", "table public.child"), ("grants", "table public.child"), ("extension", "pageinspect"),
        ("extension version", "hstore"), ("table", "public.only_here"), ("table definition", "public.strange")}
    assert set(different(result)) < NAMED, result.output

"""The SQL in files of its own, before the server that is installed (tests/e2e/versions: before the others)."""

import re

import pytest
from support import statements
from support.declared import replicating

pytestmark = pytest.mark.timeout(120)


def test_every_sql_file_is_used_and_says_what_it_is():
    included = {name for path in statements.files(".c")
                for name in re.findall(r'#include "([\w/]+\.sql)\.inc"', statements.text_of(path))}
    there = set(statements.files(".sql"))
    assert there == included
    own = {name: name.rsplit("/", 1)[-1].removesuffix(".sql") for name in there}
    assert not [name for name in there
                if not re.match(f"-- .*{own[name]}", statements.text_of(name).split("\n", 1)[0])], "the first line names it"


STRINGS = re.compile(r'(?:^[^"\n]*"(?:[^"\\\n]|\\.)*"[^";,\\]*\n){15,}', re.M)


def test_sql_of_many_lines_is_in_files():
    found = [f"{path}: {text.lstrip()[:60]}" for path in statements.files(".c") for text in STRINGS.findall(statements.text_of(path))
             if re.search("SELECT|INSERT|UPDATE|DELETE|CREATE", text)]
    assert not found


def test_the_server_takes_every_statement_and_every_function(workshop, monkeypatch):
    source, dest, dbname = workshop.pair("shop")
    machine = replicating(workshop, source, dest, dbname)
    server = workshop.server("other")
    statements.load(server, statements.capture(machine, source, dest, dbname))
    assert {side for _, side, _ in statements.preflight()} == {"source", "destination"}
    assert not statements.refused(server)
    # The check can fail: for a column that is not there, and for a function's text.
    planted = [("worker/x.sql", "SELECT name FROM bucardo.machine_keys WHERE nowhere = $1"),
               ("worker/y.sql", "CREATE FUNCTION bucardo.y() RETURNS void LANGUAGE plpgsql AS 'BEGIN SELEC 1; END'")]
    monkeypatch.setattr(statements, "statements", lambda: planted)
    monkeypatch.setattr(statements, "preflight", lambda: [])
    found = statements.refused(server)
    assert [line.split(":")[0] for line in found] == [f"worker/{name}.sql at the {side}" for side in ("source", "destination")
                                                      for name in "xy"], found

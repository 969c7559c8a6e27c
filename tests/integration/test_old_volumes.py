"""What earlier versions left on the volume and on both sides is taken over; what later ones left is not touched."""

import os
import re

import pytest
from support import compare, volumes
from support.declared import wait_live, wait_view, yaml
from support.leaving import assert_control_is_clean
from support.samples import REPOSITORY
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(200)

VERSIONS = sorted(name for name in os.listdir(volumes.HERE) if os.path.isdir(os.path.join(volumes.HERE, name))
                  and name[0] != "_")
OWN_FUNCTIONS = "SELECT proname FROM pg_proc WHERE pronamespace::regnamespace::text LIKE 'bucardo%%' AND proname !~ '^(bucardo|delta)_'"

TRACES = """
    SELECT 'schema', nspname::text FROM pg_namespace WHERE nspname ~ 'bucardo' UNION ALL
    SELECT 'trigger', tgrelid::regclass || ' ' || tgname FROM pg_trigger WHERE tgname ~ 'bucardo|machine' UNION ALL
    SELECT 'function', oid::regprocedure::text FROM pg_proc WHERE proname ~ 'bucardo' UNION ALL
    SELECT 'event trigger', evtname::text FROM pg_event_trigger UNION ALL
    SELECT 'setting', setconfig::text FROM pg_db_role_setting"""


def our_functions():
    """The names of all that today's program makes."""
    src = os.path.join(REPOSITORY, "src")
    return {name for folder, _, files in os.walk(src) for file in files if file.endswith(".sql")
            for name in re.findall(r"CREATE OR REPLACE FUNCTION \w+\.(\w+)", open(os.path.join(folder, file), encoding="utf-8").read())}


@pytest.fixture
def scene(workshop):
    """(machine, source, dest): a new volume whose machine was stopped, and two empty servers."""
    source, dest = workshop.server("source"), workshop.server("dest")
    machine = workshop.machine()
    machine.write_pgpass(source, dest)
    machine.start()
    machine.wait_ready(60)
    assert machine.stop()[0] == 0
    machine.write_config(yaml(source, dest, volumes.DBNAME))
    return machine, source, dest


@pytest.mark.parametrize("version", VERSIONS)
def test_a_volume_of_an_earlier_version_is_taken_over(scene, version):
    machine, source, dest = scene
    volumes.put(version, machine, source, dest)
    since = machine.log_size()
    machine.start()
    live = wait_live(machine)
    # Nothing is begun again, and all is said in today's words.
    assert {phase["state"] for phase in live["phases"]} == {"done"}
    assert not re.search("(preflight|schema|capture|copy|index|replicate) begins", machine.log()[since:])
    finding, = {(f["severity"], f["object"], f["hint"][:39]) for f in live["findings"]}
    assert finding == ("degrades", "public.note", "ALTER TABLE public.note ADD PRIMARY KEY")
    # The row that waited arrives, and so does what comes now.
    wait_for(lambda: dest.value("SELECT name FROM customer WHERE id = 2", dbname=volumes.DBNAME) == "waits", 60,
             "the row that waited arrives", explain=machine.log_tail)
    source.sql("INSERT INTO customer (name) VALUES ('comes now'); DELETE FROM purchase WHERE customer = 3;"
               "UPDATE customer SET id = 90 WHERE id = 3", dbname=volumes.DBNAME)
    compare.wait_equal(source, dest, volumes.DBNAME, sequences="ahead")
    # Nothing is sent again for it, no table is paused, nobody is asked for anything.
    now = wait_view(machine, lambda v: v["reconcile"] and "paused" in v["reconcile"], "is reconciled")
    assert not now["reconcile"]["why"] and not now["reconcile"]["paused"] and not now["reconcile"]["drift"], now
    assert now["phases"] == live["phases"]
    assert {row[0] for side in (source, dest) for row in side.sql(OWN_FUNCTIONS, dbname=volumes.DBNAME)} <= our_functions()
    assert machine.state() == "ready", machine.status_json()
    # And it can be torn down: what an older program made there goes too.
    result = machine.cli("teardown", "app", "--yes", seconds=90)
    assert result.code == 0, result.output
    for side in (source, dest):
        assert side.sql(TRACES, dbname=volumes.DBNAME) == []
    assert_control_is_clean(machine, "app")


def all_of(machine, source, dest):
    """What the control database and both sides have, of a machine that is down."""
    with volumes.control_cluster(machine) as cluster:
        control = cluster.dump()
    return [[line for line in text.splitlines() if not line.startswith("\\")]
            for text in (control, volumes.dump(source), volumes.dump(dest))]


def journal_version(machine, sql):
    with volumes.control_cluster(machine) as cluster:
        return cluster.psql(sql)


def test_a_volume_of_a_later_version_is_left_as_it_is_and_one_without_is_of_the_first(scene):
    machine, source, dest = scene
    volumes.put(VERSIONS[0], machine, source, dest)
    journal_version(machine, "ALTER TABLE machine.version ADD program text, ADD later text DEFAULT 'x';"
                             "UPDATE machine.version SET version = 99, program = '9.8.7'")
    before = all_of(machine, source, dest)
    machine.start()
    machine.wait_state("holding", 60)
    status = machine.status_json()
    for text in (status["why"], machine.log()):
        assert "has version 99, which bucardo-machine 9.8.7 wrote; this is bucardo-machine " in text
    assert "run that version of bucardo-machine, or a later one" in status["advice"]
    refused = machine.cli("pause", "app")
    assert refused.code == 1, refused.output
    assert machine.unit("bucardo")["state"] == "down" and not machine.find("mcp") and not machine.find("observe")
    assert machine.stop()[0] == 0
    assert all_of(machine, source, dest) == before
    # What no version is known of is of the first one.
    journal_version(machine, "DROP TABLE machine.version")
    machine.start()
    wait_live(machine)
    assert machine.stop()[0] == 0
    assert journal_version(machine, "SELECT version >= 1, program ~ '^[0-9.]+$' FROM machine.version") == "t|t"

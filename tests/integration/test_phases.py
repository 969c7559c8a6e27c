"""All phases of a migration in order, by hand, while the source is written to."""

import json
import subprocess

import pytest
from support import compare
from support.phases import Phases
from support.traffic import Traffic
from support.users import as_user
from support.waiting import wait_for

ORDER = ("preflight", "schema", "capture", "copy", "index", "replicate")


@pytest.fixture(scope="module")
def world(shared_workshop):
    source, dest = shared_workshop.server("source"), shared_workshop.server("dest")
    for dbname in ("pagila", "again"):
        source.create_database(dbname, "pagila")
        dest.create_database(dbname)
    machine = shared_workshop.machine()
    machine.write_pgpass(source, dest)
    machine.start()
    machine.wait_ready(60)
    return machine, source, dest


def kick_until_equal(machine, source, dest, dbname, sync, seconds=90):
    def equal():
        machine.shell(f"bucardo kick {sync} 10")
        return not compare.differences(source, dest, dbname, sequences=False)
    wait_for(equal, seconds, "the contents are equal", every=0.5, explain=machine.log_tail)


@pytest.mark.parametrize("dbname,direction", [
    ("pagila", "both"), pytest.param("again", "forward", marks=pytest.mark.full)])
def test_a_live_database_arrives_complete(world, dbname, direction):
    machine, source, dest = world
    phases = Phases(machine, source, dest, dbname, dbname, direction=direction)
    with Traffic(source, dbname, sample="pagila") as traffic:
        for phase in ORDER[:-1]:
            run = phases.run(phase, seconds=120)
            assert run.failed is None, run.text()
            dones = [line["done"] for line in run.events("progress")]
            assert dones == sorted(dones)
        changed = dest.value("SELECT to_regclass('bucardo.delta_public_film') IS NOT NULL",
                             dbname=dbname)
        assert changed == (direction == "both")
        if changed:  # the copy itself is no change to carry back
            assert dest.value("SELECT count(*) FROM bucardo.delta_public_film", dbname=dbname) == 0
        last = phases.start("replicate")
        wait_for(lambda: machine.shell(f"bucardo kick {dbname}_sync 10").code == 0, 60, "served")
        last.wait(90)
        assert last.failed is None, last.text()
        traffic.wait_total(20)
    kick_until_equal(machine, source, dest, dbname, f"{dbname}_sync")
    assert compare.row_count(dest, dbname) > 10000


def test_every_phase_is_harmless_to_repeat(world):
    machine, source, dest = world
    phases = Phases(machine, source, dest, "pagila", "pagila")
    for phase in ORDER:
        run = phases.run(phase)
        assert run.failed is None, run.text()
    assert not compare.differences(source, dest, "pagila", sequences=False)


def test_the_way_back_carries_too(world):
    machine, source, dest = world
    dest.sql("UPDATE film SET length = 77 WHERE film_id = 7", dbname="pagila")
    kick_until_equal(machine, source, dest, "pagila", "pagila_sync")
    assert source.value("SELECT length FROM film WHERE film_id = 7", dbname="pagila") == 77


def test_closing_stdin_ends_the_worker_at_once(world):
    machine, source, dest = world
    phases = Phases(machine, source, dest, "pagila", "pagila")
    source.sigstop()
    try:
        run = phases.start("capture")
        run.process.stdin.close()
        assert run.process.wait(5) == 1
    finally:
        source.sigcont()


@pytest.mark.parametrize("order,words", [
    ("{", "not JSON"),
    (json.dumps({"v": 2}), "another version"),
    (json.dumps({"v": 1, "phase": "copy"}), "socket_dir"),
])
def test_a_wrong_order_is_refused(world, order, words):
    machine, _, _ = world
    done = subprocess.run(as_user([machine.binary, "worker", "phase"]), input=order + "\n",
                          capture_output=True, text=True, check=False, timeout=20)
    line = json.loads(done.stdout)
    assert done.returncode == 1 and line["event"] == "failed" and words in line["message"]

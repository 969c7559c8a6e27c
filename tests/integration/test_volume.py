"""What the machine finds on a volume at start, what it does about it, and what it says.

Every row of "what is found at start" (docs/architecture.md) is made for real.
"""

import hashlib
import os
import random
import shutil
import subprocess
import time

import pytest

from support import samples
from support.servers import bin_dir
from support.stories import daemon
from support.traffic import await_marker
from support.users import give
from support.waiting import wait_for

MAJOR = os.path.basename(os.path.dirname(bin_dir()))


def fingerprint(folder):
    """Every file below `folder` with its content and rights; the lock's text may change."""
    found = {}
    for where, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(where, name)
            if os.path.relpath(path, folder) in ("lock",) or not os.path.isfile(path):
                continue
            with open(path, "rb") as file:
                digest = hashlib.sha256(file.read()).hexdigest()
            found[os.path.relpath(path, folder)] = (digest, os.stat(path).st_mode)
    return found


def put(machine, path, content=""):
    """A file on the volume, owned by the machine's user."""
    full = os.path.join(machine.volume, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "w", encoding="utf-8") as file:
        file.write(content)
    where = full
    while where != machine.volume:
        give(where)
        where = os.path.dirname(where)
    return full


def data_dir(machine):
    return os.path.join(machine.volume, "postgres", MAJOR)


def assert_holds(machine, what, unharmed=None, seconds=15):
    """daemon.holds(), and nothing on the volume is harmed."""
    status = daemon.holds(machine, what, seconds)
    if unharmed is not None:
        assert fingerprint(machine.volume) == unharmed, "the hold changed the volume"
    return status


@pytest.fixture(name="machine")
def _machine(workshop):
    return workshop.machine()


@pytest.fixture(name="prepared")
def _prepared(workshop):
    """A machine that has been up once and was stopped in order."""
    machine = workshop.machine()
    machine.start().wait_ready(60)
    code, _ = machine.stop()
    assert code == 0
    return machine


def test_an_empty_volume_gets_a_cluster_with_bucardo_and_becomes_ready(machine):
    machine.start().wait_ready(60)
    status = machine.status_json()
    assert "empty" in status["found"]
    assert {u["name"]: u["state"] for u in status["units"]}["bucardo"] == "ready"
    assert machine.control_sql("SELECT setting FROM bucardo_config WHERE name = 'bucardo_version'")
    assert machine.control_sql("SHOW data_checksums") == ["on"]
    assert machine.control_sql("SHOW listen_addresses") == [""]
    assert os.path.exists(os.path.join(machine.volume, "machine.yaml.example"))
    assert machine.stop()[0] == 0


def test_a_stopped_machine_goes_on_and_needs_no_recovery(prepared):
    mark = prepared.log_size()
    prepared.start().wait_ready(60)
    assert "was not properly shut down" not in prepared.log()[mark:]
    assert prepared.status_json()["found"] == "a control cluster without a sync"


def test_killed_at_any_point_of_initdb_and_install_the_next_start_succeeds(workshop, rounds):
    chance = random.Random(os.environ.get("BM_SEED"))
    for number in range(rounds(4, 40)):
        machine = workshop.machine(mode="pod", name=f"cut{number}")
        delay = chance.uniform(0.05, 3.5)
        machine.start()
        time.sleep(delay)  # the instant of the kill is the input of this test
        machine.kill9_everything()
        machine.fresh_runtime()
        machine.start().wait_ready(60)
        assert machine.control_sql("SELECT count(*) FROM sync") == ["0"], f"killed at {delay:.2f} s"
        assert machine.stop()[0] == 0
        machine.remove()


def test_an_interrupted_initdb_is_redone(machine):
    put(machine, f"postgres/{MAJOR}.new/PG_VERSION", f"{MAJOR}\n")
    machine.start().wait_ready(60)
    assert "cut off" in machine.status_json()["found"]
    assert not os.path.exists(os.path.join(machine.volume, "postgres", MAJOR + ".new"))


def test_an_interrupted_install_is_redone(prepared):
    # A database named bucardo without its schema is what a cut-off install leaves.
    prepared.start().wait_ready(60)
    prepared.cli("service", "stop", "bucardo").output
    wait_for(lambda: prepared.unit("bucardo")["state"] == "down", 20, "bucardo is down")
    prepared.control_sql("DROP SCHEMA bucardo CASCADE", dbname="bucardo")
    prepared.kill9_everything()
    shutil.rmtree(os.path.join(prepared.volume, "stopped"))
    prepared.start().wait_ready(60)
    assert prepared.control_sql("SELECT count(*) FROM bucardo.sync") == ["0"]


def test_a_postmaster_pid_of_a_dead_postmaster_is_cleared(prepared):
    # The pid of this very test: alive, of another program, as small pids repeat in pods.
    put(prepared, f"postgres/{MAJOR}/postmaster.pid",
        f"{os.getpid()}\n{data_dir(prepared)}\n{int(time.time()) - 9999}\n5432\n\n\n\n")
    prepared.start().wait_ready(60)


def test_syncs_on_the_volume_resume_and_what_waited_is_replicated(workshop):
    machine, source, dest, dbname = workshop.replicating(mode="pod")
    machine.kill9_everything()
    insert, look_up = samples.MARKERS[dbname]
    source.sql(insert, ("written while the machine was dead",), dbname)
    machine.fresh_runtime()
    machine.start()
    await_marker(dest, dbname, look_up, "written while the machine was dead", 60)
    machine.wait_ready(30)
    assert machine.status_json()["found"] == "a control cluster with 1 sync, 1 active"
    stale = "SELECT count(*) FROM syncrun WHERE ended IS NULL AND started < now() - interval '60 s'"
    assert machine.control_sql(stale) == ["0"]


def test_what_an_operator_stopped_stays_stopped_in_the_next_pod(prepared):
    prepared.start().wait_ready(60)
    assert prepared.cli("service", "stop", "bucardo").code == 0
    wait_for(lambda: prepared.unit("bucardo")["state"] == "down", 20, "bucardo is down")
    prepared.kill9_everything()
    prepared.start()
    wait_for(lambda: prepared.unit("postgres")["state"] == "ready", 30, "postgres is ready")
    status = prepared.status_json()
    unit = next(u for u in status["units"] if u["name"] == "bucardo")
    assert unit["state"] == "down"
    assert "service stop" in unit["stopped_by"]
    assert unit["stopped_at"]
    assert "service start bucardo" in status["advice"]
    assert prepared.cli("service", "start", "bucardo").code == 0
    prepared.wait_ready(60)


def test_a_cluster_of_another_major_is_not_touched(machine):
    put(machine, "postgres/9/PG_VERSION", "9\n")
    before = fingerprint(machine.volume)
    machine.start()
    assert_holds(machine, "PostgreSQL 9", before)


@pytest.mark.parametrize("path", ["9.6/main/PG_VERSION", ".init_complete"])
def test_data_of_the_original_machine_is_not_touched(machine, path):
    put(machine, path, "9.6\n")
    before = fingerprint(machine.volume)
    machine.start()
    assert_holds(machine, "original", before)


def test_a_second_machine_on_the_same_volume_is_refused_until_the_first_dies(workshop, prepared):
    prepared.start().wait_ready(60)
    second = workshop.machine(name="second")
    second.volume = prepared.volume
    second.start()
    assert_holds(second, "locked")
    assert str(prepared.pid()) in second.status_json()["why"], "the holder is not named"
    assert prepared.cli("health", "ready").code == 0
    prepared.kill9_everything()
    second.wait_ready(90)


def test_what_cannot_be_cleared_is_told_once_and_tried_again(prepared):
    obstacle = os.path.join(prepared.volume, "postgres", MAJOR, "postmaster.pid")
    put(prepared, os.path.relpath(os.path.join(obstacle, "file"), prepared.volume), "")
    prepared.start()
    prepared.wait_state("degraded", 20)
    wait_for(lambda: "postmaster.pid" in prepared.status_json()["why"], 10, "the reason is shown",
             explain=prepared.log_tail)
    shutil.rmtree(obstacle)
    prepared.wait_ready(60)
    assert prepared.log().count("cannot clear what an earlier one left") == 1


def test_a_lock_whose_file_was_removed_is_taken_again(prepared):
    prepared.start().wait_ready(60)
    lock = os.path.join(prepared.volume, "lock")
    os.unlink(lock)
    assert prepared.cli("service", "stop", "postgres").code == 0
    wait_for(lambda: os.path.exists(lock), 20, "the lock is taken again")
    with open(lock, encoding="utf-8") as text:
        assert f"pid {prepared.pid()} " in text.read()


def test_an_unparsable_configuration_holds_and_goes_on_when_fixed(prepared):
    prepared.write_config("version: 1\nsupervision: {give_up_afterr: 3}\n")
    before = fingerprint(prepared.volume)
    prepared.start()
    status = assert_holds(prepared, "machine.yaml:2:", before)
    assert "did you mean" in status["why"]
    reload = prepared.cli("config", "reload")
    assert reload.code == 3 and "machine.yaml:2:" in reload.output
    prepared.write_config("version: 1\nsupervision: {give_up_after: 3}\n")
    prepared.wait_ready(60)


def test_every_mistake_is_told_again_when_a_hint_leads_to_others(prepared):
    prepared.write_config("version: 1\nlgo: {}\nsupervision: {give_up_after: -3}\n")
    prepared.start()
    status = assert_holds(prepared, "machine.yaml has 2 errors, the first is")
    assert len(status["config"]["errors"]) == 2
    assert "REJECTED: nothing starts before it is fixed" in " ".join(
        prepared.cli("status").output.split())
    # An event a line: a list of them would be cut.
    for line in status["config"]["errors"]:
        assert line in prepared.cli("events").output and line in prepared.log()
    prepared.write_config("version: 1\nlog: {level: chatty}\n")
    prepared.wait_log("log.level: found 'chatty'", 10)


def test_a_link_to_nowhere_is_no_absent_configuration(prepared):
    os.symlink("..data/machine.yaml", os.path.join(prepared.volume, "machine.yaml"))
    prepared.start()
    assert_holds(prepared, "machine.yaml")
    assert prepared.cli("config", "check").code == 3
    os.unlink(os.path.join(prepared.volume, "machine.yaml"))
    prepared.wait_ready(60)
    assert prepared.status_json()["config"]["state"] == "default"


def test_a_damaged_control_cluster_is_not_touched(prepared):
    control = os.path.join(data_dir(prepared), "global", "pg_control")
    with open(control, "r+b") as file:
        file.truncate(100)
    before = fingerprint(prepared.volume)
    prepared.start()
    assert_holds(prepared, "pg_control", before)


def test_a_folder_of_somebody_else_is_not_touched(machine):
    os.chown(machine.volume, 0, 0)
    os.chmod(machine.volume, 0o755)
    machine.start()
    status = assert_holds(machine, "belongs to uid 0", fingerprint(machine.volume))
    assert status["config"]["state"] == "unread"
    give(machine.volume)
    machine.wait_ready(60)


@pytest.fixture(name="disk")
def _disk(machine):
    """A small file system under the volume: mount(options) mounts it anew."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300m", "bm", machine.volume], check=True)
    give(machine.volume)

    def remount(option):
        subprocess.run(["mount", "-o", f"remount,{option}", machine.volume], check=True)

    yield remount
    machine.kill9_everything()
    subprocess.run(["umount", "-l", machine.volume], check=True)


def test_a_read_only_volume_holds_and_goes_on_when_it_is_writable(machine, disk):
    disk("ro")
    machine.start()
    assert_holds(machine, "read-only", {})
    disk("rw")
    machine.wait_ready(60)


def test_a_full_volume_holds_and_goes_on_when_there_is_room(machine, disk):
    daemon.a_full_volume_holds_and_goes_on_when_there_is_room(
        machine, lambda size: disk(f"size={size}"))


def test_a_volume_that_fills_up_while_it_runs_is_healed_when_there_is_room(machine, disk):
    daemon.a_volume_that_fills_up_while_it_runs_is_healed_when_there_is_room(
        machine, lambda size: disk(f"size={size}"))


def test_a_missing_folder_holds(machine):
    shutil.rmtree(machine.volume)
    machine.start()
    assert_holds(machine, "no folder")


def test_root_is_refused_with_a_hint(machine):
    process = subprocess.run(
        [machine.binary, "run", "--strict", "--volume", machine.volume, "--runtime",
         machine.runtime], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30,
        check=False)
    assert process.returncode == 3
    assert "runs as root" in process.stdout


def test_strict_exits_with_3_instead_of_holding(machine):
    put(machine, ".init_complete")
    machine.start("--strict")
    assert wait_for(lambda: machine.process.poll(), 15, "the machine leaves") == 3
    assert "original" in machine.log()


def test_a_plain_process_killed_alone_leaves_nothing_that_hinders_the_next(prepared):
    prepared.start().wait_ready(60)
    prepared.kill9()
    prepared.start().wait_ready(60)
    assert len(prepared.find("postmaster")) == 1
    wait_for(lambda: not prepared.leftovers(), 15, "leftovers of the killed machine are gone")

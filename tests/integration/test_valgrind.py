"""The daemon under valgrind through one short migration: no invalid access, nothing lost.

valgrind 3.19 (Debian 12) knows no pidfd_open and says so in its log; the daemon then looks now and
then whether an adopted process has ended.
"""

import os
import shutil
import subprocess

import pytest

from support import compare, declared
from support.samples import REPOSITORY
from support.users import give


def _daemon_under_valgrind(workshop):
    """(machine, valgrind's log): the daemon alone is traced. Sanitized programs do not run there."""
    binary = shutil.copy(os.path.join(REPOSITORY, "build", "bucardo-machine"),
                         os.path.join(workshop.folder, "bucardo-machine"))
    shim = os.path.join(workshop.folder, "self_exec.so")
    subprocess.run(["cc", "-shared", "-fPIC", "-D_GNU_SOURCE", f'-DSELF="{binary}"', "-o", shim,
                    os.path.join(REPOSITORY, "tests", "support", "self_exec.c")], check=True)
    log = os.path.join(workshop.folder, "valgrind.log")
    with open(log, "w", encoding="ascii"):
        give(log)
    machine = workshop.machine(env={"LD_PRELOAD": shim}, wrapper=[
        "valgrind", f"--log-file={log}", "--child-silent-after-fork=yes", "--leak-check=full",
        "--errors-for-leak-kinds=definite,possible", "--track-origins=yes", "--num-callers=30"])
    machine.binary = binary
    return machine, log


@pytest.mark.full
def test_valgrind_finds_nothing_in_the_daemon_through_a_short_migration(workshop):
    source, dest, dbname = workshop.pair("shop")
    machine, log = _daemon_under_valgrind(workshop)
    machine.write_pgpass(source, dest)
    machine.write_config(declared.yaml(source, dest, dbname))
    machine.start()
    declared.wait_live(machine, 240)
    for words in (["status"], ["plan", "app"], ["events"], ["pause", "app"], ["resume", "app"],
                  ["config", "reload"]):
        machine.cli(*words, seconds=60).check()
    declared.wait_live(machine, 120)
    compare.wait_equal(source, dest, dbname, 60, sequences="ahead")
    code, _ = machine.stop(120)
    with open(log, encoding="utf-8") as file:
        found = file.read()
    assert "ERROR SUMMARY: 0 errors from 0 contexts" in found, found
    assert code == 0, machine.log_tail()

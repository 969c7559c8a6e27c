"""The loop, programs and jobs with real processes: C programs whose tests are listed one by one."""

import os
import re
import subprocess

import pytest

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("BM_BUILD") or os.path.join(REPOSITORY, "build")


PROGRAMS = ("event_check", "supervise_check", "watchdog_check")


def names_in(program):
    with open(os.path.join(REPOSITORY, "tests", "integration", program + ".c"), encoding="utf-8") as f:
        return re.findall(r"SCENE\((test_\w+)\)", f.read())


@pytest.fixture(scope="module")
def results():
    """{program: (exit code, output)}, each run once."""
    done = {}

    def run(program):
        if program not in done:
            path = os.path.join(BUILD, "tests", "integration", program)
            made = subprocess.run([path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, timeout=120, check=False)
            done[program] = made.returncode, made.stdout.decode("utf-8", "replace")
        return done[program]

    return run


@pytest.mark.parametrize("program, name", [(program, name)
                                           for program in PROGRAMS
                                           for name in names_in(program)])
def test_in_c(results, program, name):
    _, output = results(program)
    assert re.search(rf"^\[       OK \] {name}$", output, re.M), output


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_program_ends_well(results, program):
    code, output = results(program)
    assert code == 0, output

"""Files on a real file system, and that what is printed about the configuration is in docs/."""

import os
import subprocess

import pytest

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("BM_BUILD") or os.path.join(REPOSITORY, "build")


def run(*argv):
    """The finished process, its output as text."""
    assert os.path.exists(argv[0]), f"'{argv[0]}' is not there: run make all helpers"
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=60, check=False)


def machine(*arguments):
    return run(os.path.join(BUILD, "bucardo-machine"), *arguments)


def test_files_are_replaced_removed_and_read_as_promised():
    done = run(os.path.join(BUILD, "tests", "integration", "file_check"))
    assert done.returncode == 0, done.stdout
    assert "[  PASSED  ] 16 test(s)." in done.stdout, done.stdout


def test_the_reference_in_docs_is_what_the_machine_prints():
    done = machine("config", "reference")
    assert done.returncode == 0, done.stdout
    with open(os.path.join(REPOSITORY, "docs", "configuration.md"), encoding="utf-8") as file:
        assert file.read() == done.stdout, "run make docs"


@pytest.mark.parametrize("text, said", [
    ("version: 1\nlog: {level: loud}\n", ":2:14: log.level: found 'loud'; allowed: one of"),
    ("", ":1:1: nothing in it"),
    ("version: 1\nunitz: []\n", ":2:1: unitz: unknown key; did you mean 'units'?"),
])
def test_a_bad_file_is_told_with_its_place_and_exit_code_3(tmp_path, text, said):
    path = tmp_path / "machine.yaml"
    path.write_text(text)
    done = machine("config", "check", str(path))
    assert done.returncode == 3, done.stdout
    assert f"{path}{said}" in done.stdout

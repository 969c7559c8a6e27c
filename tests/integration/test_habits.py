"""What a developer types: make and scripts/check on a copy or a small stand-in, and the demos."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys

import pytest

from support.processes import cmdline, pids
from support.samples import REPOSITORY
from support.waiting import wait_for

# As scripts/check finds it in CI: what is exported there is not what these runs should see.
OURS = ("BM_BUILD", "BM_BINARY", "BM_FAILED_TESTS", "CI", "MAKEFLAGS", "PYTEST_ADDOPTS")


def _run(argv, folder, seconds=60):
    env = {name: text for name, text in os.environ.items() if name not in OURS}
    return subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, check=False,
                          timeout=seconds)


def test_make_help_names_every_target_and_every_script():
    shown = _run(["make", "-s", "help"], REPOSITORY).stdout
    with open(os.path.join(REPOSITORY, "Makefile"), encoding="utf-8") as file:
        targets = set(" ".join(re.findall(r"(?m)^\.PHONY: (.*)", file.read())).split())
    missing = [f"make {name}" for name in sorted(targets) if f"  make {name} " not in shown]
    missing += [name for name in os.listdir(os.path.join(REPOSITORY, "scripts"))
                if f"  scripts/{name} " not in shown]
    assert not missing and len(targets) > 15


def _copy_of_the_makefile(folder):
    """A tree with one small file of each kind."""
    shutil.copy(os.path.join(REPOSITORY, "Makefile"), folder)
    shutil.copytree(os.path.join(REPOSITORY, "scripts"), folder / "scripts")
    for path, text in (("src/main.c", "int main(void) { return 0; }\n"),
                       ("src/base/util/one.c", "int one;\n"), ("src/util/one.c", "int two;\n"),
                       ("tests/unit/test_one.c", "int main(void) { return 0; }\n")):
        where = folder / path
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_text(text)


def _commands(folder):
    with open(folder / "compile_commands.json", encoding="utf-8") as file:
        return {entry["file"]: entry for entry in json.load(file)}


def test_make_writes_compile_commands_that_compile_and_knows_of_a_new_file(tmp_path):
    _copy_of_the_makefile(tmp_path)
    assert _run(["make", "-s"], tmp_path).returncode == 0
    first = _commands(tmp_path)
    assert {"src/main.c", "tests/unit/test_one.c"} < set(first)
    os.remove(tmp_path / "build/src/main.o")
    for entry in (first["src/main.c"], first["tests/unit/test_one.c"]):
        os.makedirs(tmp_path / "build/tests/unit", exist_ok=True)
        done = _run(["sh", "-c", entry["command"]], entry["directory"])
        assert done.returncode == 0, done.stderr
    assert os.path.exists(tmp_path / "build/src/main.o")
    (tmp_path / "tests/unit/test_two.c").write_text("int main(void) { return 0; }\n")
    _run(["make", "-s"], tmp_path)
    assert set(_commands(tmp_path)) - set(first) == {"tests/unit/test_two.c"}
    # Another compiler's build has flags of its own, and is not what editors show.
    _run(["make", "-s", "BUILD=build-other", "CFLAGS=-O0"], tmp_path)
    assert "-O2" in _commands(tmp_path)["src/main.c"]["command"]


@pytest.fixture(name="small")
def _small(tmp_path):
    """A repository in which scripts/check ends within seconds."""
    for path, text in (("scripts/install-packages", "#!/bin/sh\n"),
                       ("Makefile", "all helpers unit lint:\n\t@echo 'unit: 1 passed, 0 failed'\n"),
                       ("tests/integration/test_heal_outages.py", "def test_a(): pass\n"),
                       ("tests/integration/test_escalation.py", "def test_b(): pass\n"),
                       ("tests/integration/test_other.py", "def test_c(): pass\n")):
        where = tmp_path / path
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_text(text)
        where.chmod(0o755)
    shutil.copy(os.path.join(REPOSITORY, "scripts/check"), tmp_path / "scripts/check")
    return tmp_path


def test_make_install_brings_pages_for_man_that_name_all_commands_and_keys(tmp_path):
    binary = os.environ.get("BM_BINARY", f"{REPOSITORY}/build/bucardo-machine")
    subprocess.run(["make", "-s", "install", f"DESTDIR={tmp_path}", f"BINARY={binary}", "PREFIX=/usr"],
                   cwd=REPOSITORY, check=True)

    def page(path, *words):
        done = subprocess.run(["mandoc", *words, str(tmp_path / "usr/share/man" / path)],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        return re.sub(".\b", "", done.stdout)
    for path in ("man1/bucardo-machine.1", "man5/bucardo-machine.yaml.5"):
        found = [line for line in page(path, "-T", "lint", "-W", "warning").splitlines()
                 if "missing date" not in line]
        assert found == []
    help_text = subprocess.run([binary, "help"], capture_output=True, text=True, check=True).stdout
    commands = re.findall(r"^(?:[A-Z][a-z]+)? +([a-z]+) ", help_text, re.MULTILINE)
    assert len(commands) > 15
    pages = page("man1/bucardo-machine.1", "-O", "width=200")
    for command in commands:
        assert re.search(rf"^ +{command}\b", pages, re.MULTILINE), command
    reference = subprocess.run([binary, "config", "reference"], capture_output=True, text=True,
                               check=True).stdout.split("## Refused")[0]
    keys = re.findall(r"^- `([a-z_.\[\]]+)`:", reference, re.MULTILINE)
    pages = page("man5/bucardo-machine.yaml.5", "-O", "width=200")
    assert len(keys) > 50
    assert [key for key in keys if not re.search(rf"^ +{re.escape(key)}( |$)", pages, re.MULTILINE)] == []


def test_check_says_beforehand_what_each_stage_took_the_last_time(small):
    first = _run(["scripts/check", "--quick"], small)
    assert first.returncode == 0, first.stdout
    assert "last time" not in first.stdout
    assert first.stdout.splitlines()[-1] == "8 passed, 0 failed"
    known = small / "build/check/durations-quick"
    assert {line.split()[0] for line in known.read_text().splitlines()} == \
        {"packages", "build", "unit", "lint", "integration"}
    known.write_text("packages 3\nbuild 60\nunit 9\nlint 8\nintegration 100\ngone 20\n")
    second = _run(["scripts/check", "--quick"], small).stdout
    assert second.splitlines()[0] == "The last time this took 3 min 20 s."
    assert re.search(r"(?m)^build +\(60 s last time\) ok, 2 passed, \d+ s$", second)
    # What was taken now is what the next run tells, and a stage that is gone is forgotten.
    assert "build 60" not in known.read_text() and "gone" not in known.read_text()


def test_a_check_that_fails_early_keeps_what_the_other_stages_took(small):
    known = small / "build/check/durations-quick"
    known.parent.mkdir(parents=True)
    known.write_text("build 60\nintegration 100\n")
    (small / "Makefile").write_text("all:\n\t@exit 1\n")
    failed = _run(["scripts/check", "--quick"], small)
    assert failed.returncode == 1 and failed.stdout.splitlines()[-1] == "1 passed, 1 failed"
    assert "integration 100" in known.read_text() and "build 60" not in known.read_text()


class _Demo:
    """scripts/demo without what it builds; what it prints is in `path`."""

    def __init__(self, folder, *words):
        self.path = folder / "printed"
        with open(self.path, "w", encoding="utf-8") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-B", os.path.join(REPOSITORY, "tests/support/demo"), *words],
                stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                env={**os.environ, "BM_DATA": str(folder)})

    def printed(self):
        return self.path.read_text(encoding="utf-8")

    def wait_for(self, pattern, seconds=120):
        return wait_for(lambda: re.search(pattern, self.printed()), seconds,
                        f"the demo prints '{pattern}'", explain=self.printed)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(60)


def _working_in(folder):
    """The command lines that name the folder."""
    found = []
    for pid in pids():
        try:
            found.append(cmdline(pid))
        except OSError:
            pass  # it has ended
    return [line for line in found if folder in line]


def test_make_dev_stays_answers_what_it_prints_and_leaves_nothing_behind(tmp_path):
    with _Demo(tmp_path, "--dev") as dev:
        dev.wait_for("(?m)^[0-9:]{8}  live$")
        command = re.search("(?m)^  (/tmp/.*/shell -c '.*')$", dev.printed()).group(1)
        folder = os.path.dirname(command.split()[0])
        assert _working_in(folder)
        assert re.search(r"(?m)^app +live ", _run(["sh", "-c", command], "/").stdout)
        for psql in re.findall("(?m)^  (psql .*)$", dev.printed()):
            done = _run(["sh", "-c", psql + " -XAtc 'SELECT count(*) FROM archive_2023'"], "/")
            assert done.stdout == "20000\n", done.stderr
        os.kill(int(re.search(r"(?m)^  kill -9 (\d+) ", dev.printed()).group(1)), signal.SIGKILL)
        dev.wait_for(r"(?s)The machine ended with .*\n[0-9:]{8}  live\n")
        assert re.search(r"(?m)^app +live ", _run(["sh", "-c", command], "/").stdout)
        dev.process.send_signal(signal.SIGINT)
        assert dev.process.wait(60) == 0
        assert not os.path.exists(folder)
        assert not _working_in(folder)


@pytest.mark.full
@pytest.mark.parametrize("words", [["--once"], ["--once", "--manual"]], ids=["declared", "manual"])
def test_the_demo_proves_what_it_shows(tmp_path, words):
    with _Demo(tmp_path, *words) as demo:
        assert demo.process.wait(200) == 0, demo.printed()
        assert "equal on both servers" in demo.printed().replace("\n", " ")

"""scripts/check-layers and check-names find a violation of each of their rules."""

import os
import subprocess

import pytest

REPOSITORY = os.path.join(os.path.dirname(__file__), "..", "..")

CLEAN = {
    "include/bucardo_machine/log.h": "",
    "include/bucardo_machine/machine.h": '#include "bucardo_machine/log.h"\n',
    "src/base/util/log.c": '#include "bucardo_machine/log.h"\n',
    "src/base/event/loop.c": "#include <uv.h>\n",
    "src/daemon/machine/machine.c": '#include "bucardo_machine/machine.h"\n#include "daemon/volume/lock.h"\n',
    "src/daemon/volume/lock.c": '#include "bucardo_machine/log.h"\n#include "daemon/volume/lock.h"\n',
    "src/daemon/volume/lock.h": "",
    "src/worker/session/ask.c": "#include <libpq-fe.h>\nvoid f(void) { PQexec(c, s); }\n/* system() is not called */\n",
    "src/worker/session/ask.h": "",
    "src/worker/deltas/sql/names.sql": "SELECT tablename FROM bucardo.bucardo_delta_names\n",
    "src/worker/schema/sql/tables.sql": "-- as bucardo.sync has it\nSELECT 1\n",
    "tests/unit/test_log.c": "",
    "src/client/commands/run.c": '#include "bucardo_machine/machine.h"\n',
}

VIOLATIONS = (
    ("src/base/util/file.c", '#include "bucardo_machine/machine.h"', "base includes nothing of a role"),
    ("include/bucardo_machine/log.h", '#include "bucardo_machine/machine.h"', "base includes nothing of a role"),
    ("src/daemon/machine/act.c", '#include "worker/session/ask.h"', "another role"),
    ("src/worker/session/dial.c", '#include "bucardo_machine/machine.h"', "another role"),
    ("src/client/commands/ask_machine.c", '#include "daemon/volume/lock.h"', "private header"),
    ("src/daemon/volume/volume.c", '#include "bucardo_machine/machine.h"', "a later area"),
    ("src/base/util/file.c", '#include "bucardo_machine/unknown.h"', "no area owns"),
    ("src/base/util/file.c", '#include "file.h"', "no area owns"),
    ("src/elsewhere/file.c", '#include "bucardo_machine/log.h"', "no area owns"),
    ("src/daemon/machine/act.c", "#include <uv.h>", "<uv.h> belongs to"),
    ("src/client/commands/ask_machine.c", "#include <libpq-fe.h>", "<libpq-fe.h> belongs to"),
    ("src/daemon/machine/act.c", "void f(void) { PQexec(c, s); }", "blocking libpq"),
    ("src/worker/transfer/copy.c", 'static const char sql[] = "SELECT name FROM bucardo.sync";', "names of Bucardo's tables"),
    ("src/worker/schema/sql/tables.sql", "SELECT tablename FROM bucardo.bucardo_delta_names", "names of Bucardo's tables"),
    ("src/daemon/machine/act.c", "void f(void) { getaddrinfo(a, b, c, d); }", "names are resolved"),
    ("src/daemon/machine/act.c", "void f(void) { waitpid(0, 0, 0); }", "the only waitpid"),
    ("src/daemon/machine/act.c", "void f(void) { fork(); }", "the only fork/exec"),
    ("src/worker/session/dial.c", "void f(void) { execvp(a, b); }", "the only fork/exec"),
    ("src/base/event/spawn.c", "void f(void) { system(a); }", "never uv_spawn"),
    ("src/base/util/file.c", "void f(void) { sleep(1); }", "do not sleep"),
    ("src/base/util/file.c", "void f(void) { strcpy(a, b); }", "banned"),
    ("tests/unit/test_x.c", "void f(void) { sprintf(a, b); }", "banned"),
)


def check(folder, files, script="check-layers"):
    for name, text in files.items():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="ascii") as out:
            out.write(text)
    return subprocess.run([os.path.join(REPOSITORY, "scripts", script), folder], capture_output=True, text=True, timeout=60, check=False)


def test_a_tree_that_keeps_the_rules_passes(tmp_path):
    done = check(str(tmp_path), CLEAN)
    assert (done.returncode, done.stdout) == (0, ""), done


@pytest.mark.parametrize("name, line, told", VIOLATIONS)
def test_a_planted_violation_is_found(tmp_path, name, line, told):
    done = check(str(tmp_path), {**CLEAN, name: line + "\n"})
    assert done.returncode == 1, done
    assert f"{name}:1: " in done.stdout and told in done.stdout, done


@pytest.mark.parametrize("text, told", [("/* loop - turns */", ""), ("/* see log.c */", ""), ("/*\n * loop - turns (log.h) */", ""),
                                        ("/* event - turns */", ":1: it calls itself 'event'"),
                                        ("/*\n * event - turns */", ":2: it calls itself 'event'"),
                                        ("int a; /* gone.c */", ":1: there is no file 'gone.c'"),
                                        ("/* (sql/gone.sql) */", ":1: there is no file 'gone.sql'")])
def test_a_file_has_its_own_name_and_names_those_that_are_there(tmp_path, text, told):
    done = check(str(tmp_path), {**CLEAN, "src/base/event/loop.c": text + "\n"}, "check-names")
    assert done.stdout == (f"src/base/event/loop.c{told}\n" if told else ""), done
    assert done.returncode == (1 if told else 0)


def test_an_area_that_names_some_of_bucardos_tables_may_not_name_more(tmp_path):
    line = 'static const char sql[] = "SELECT name FROM bucardo.sync";\n'
    assert check(str(tmp_path), {**CLEAN, "src/worker/live/live.c": line}).returncode == 0
    done = check(str(tmp_path), {"src/worker/live/live.c": 2 * line})
    assert done.returncode == 1 and "src/worker/live/live.c:2: names of Bucardo's tables" in done.stdout, done


@pytest.mark.parametrize("lines, told", [(2, ""), (3, "src/worker/observe/sampler.c:1: 1 statements of three lines or more")])
def test_a_statement_of_three_lines_stands_in_a_file_of_its_own(tmp_path, lines, told):
    text = 'static const char sql[] = "SELECT a"\n' + (lines - 2) * '\t" FROM b"\n' + '\t" WHERE c";\n'
    done = check(str(tmp_path), {**CLEAN, "src/worker/observe/sampler.c": text}, "check-shape")
    assert done.stdout.startswith(told) and bool(told) == bool(done.returncode) == bool(done.stdout), done

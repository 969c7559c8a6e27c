"""The SQL of src/ before a server: each file is parsed, each function created, each statement planned.

    sample = capture(machine, source, dest, dbname)     # of a migration that is live
    load(server, sample)
    assert not refused(server)

The sample is what is in the control database and on both sides then, without rows.
"""

import json
import os
import re
import subprocess

import psycopg2

from .samples import REPOSITORY
from .servers import bin_dir

SRC = os.path.join(REPOSITORY, "src")
PREFLIGHT = os.path.join(os.environ.get("BM_BUILD") or os.path.join(REPOSITORY, "build"),
                         "tests", "integration", "preflight_sql")
# The control database has its real name: statements call it by that.
DATABASES = {"control": "bucardo", "source": "at_source", "destination": "at_destination"}
# Tables of the control database; and what is asked of it in the body of a DO.
CONTROL = r"\b(machine\.\w|bucardo\.(sync|syncrun|goat|db|dbmap|dbgroup|dbrun|herd|herdmap|customcols|bucardo_config|machine_paths)\b)"
CONTROL_BODIES = {"teardown_control.sql"}
# What a statement finds when it is run.
SETTINGS = [f"bucardo_machine.{name} = '{value}'" for name, value in {
    "name": "app", "migration": "app", "outside": "{}", "skipped": "{}", "versions": "[]", "steady": 1, "copying": 1,
    "tables": "{}", "writing": "{}", "budget": 1000, "names": "[]", "part": "live"}.items()]
SCENES = {"large_objects_finish.sql": ("worker/transfer/sql/large_objects_begin.sql",
                                       "INSERT INTO pg_temp.bm_rules VALUES (false, false);"),
          **{f"history_{name}.sql": ("worker/history/sql/history_begin.sql", "")
             for name in ("write", "coarse", "prune", "read", "attempts")},
          "ledger_create.sql": (None, "DROP SCHEMA bucardo_machine CASCADE;")}


def text_of(path):
    with open(os.path.join(SRC, path), encoding="utf-8") as file:
        return file.read()


def embedded(path):
    """A file as the build puts it into a string."""
    return "".join(line + "\n" for line in text_of(path).splitlines() if not line.startswith("--"))


def files(ending):
    return sorted(os.path.relpath(os.path.join(folder, name), SRC) for folder, _, names in os.walk(SRC)
                  for name in names if name.endswith(ending))


def statements():
    """(name, SQL) of all that C files include; files that one includes in a row are one statement."""
    found = {}
    for path in files(".c"):
        for group in re.findall(r'(?:^#include "[\w/]+\.sql\.inc"\n)+', text_of(path), re.M):
            names = re.findall(r'"([\w/]+\.sql)\.inc"', group)
            found[names[-1]] = "".join(map(embedded, names))
    return sorted(found.items())


def preflight():
    """(name, side, SQL) of the checks, which stand in a table in C."""
    done = subprocess.run([PREFLIGHT], capture_output=True, text=True, check=True, timeout=20)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return [(f"preflight: {line['check']}", line["side"], line["sql"]) for line in lines]


def bare(sql):
    """Without texts and bodies."""
    return re.sub(r"\$(\w+)\$.*?\$\1\$|'[^']*'", "''", sql, flags=re.S)


def sides(name, sql):
    """Where it is meant to run."""
    if name.startswith("daemon/") or os.path.basename(name) in CONTROL_BODIES or re.search(CONTROL, bare(sql)):
        return ["control"]
    text = sql if sql.startswith("DO") else bare(sql)
    if re.search(r"\bbucardo\.machine_live\b", text):
        return ["source"]
    return ["destination"] if re.search(r"\bbucardo_machine\.", text) else ["source", "destination"]


def plan(cursor, sql):
    cursor.execute("DEALLOCATE ALL")
    cursor.execute("PREPARE checked AS " + sql)
    cursor.execute("SELECT cardinality(parameter_types) FROM pg_prepared_statements")
    count = cursor.fetchone()[0]
    cursor.execute("EXPLAIN EXECUTE checked" + (f" ({', '.join(['NULL'] * count)})" if count else ""))


def check(connection, name, sql):
    with connection.cursor() as cursor:
        before, more = SCENES.get(os.path.basename(name), (None, ""))
        cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan;"
                       + "".join(f"SET LOCAL {setting};" for setting in SETTINGS)
                       + (embedded(before) if before else "") + more)
        if re.match(r"\s*(WITH|SELECT|INSERT|UPDATE|DELETE)\b[^;]*$", bare(sql)):
            plan(cursor, sql)
        else:
            cursor.execute(sql)  # a function, or several statements without parameters


def refused(server):
    """What this server does not take, as readable lines."""
    lines = []
    everything = [(name, side, sql) for name, sql in statements() for side in sides(name, sql)] + preflight()
    for there, dbname in DATABASES.items():
        connection = server.connect(dbname, autocommit=False)
        for name, side, sql in everything:
            if side == there:
                try:
                    check(connection, name, sql)
                except psycopg2.Error as error:
                    lines.append(f"{name} at the {side}: {error}")
                connection.rollback()
        connection.close()
    return lines


# ---- the sample ----

def schema(server, dbname):
    done = subprocess.run([f"{bin_dir()}/pg_dump", "-s", "-h", server.folder, "-p", str(server.port),
                           "-U", server.user, dbname], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout


def capture(machine, source, dest, dbname):
    """Bucardo's functions in the control database want plperl, which not every server has."""
    tables = machine.shell("pg_dump -s -h $BUCARDO_MACHINE_RUNTIME -U bucardo -t 'bucardo.*' -t 'machine.*' bucardo").check()
    control = "CREATE SCHEMA bucardo; CREATE SCHEMA machine;" \
        + re.sub(r"^CREATE TRIGGER .*?;$", "", tables, flags=re.S | re.M)
    return {"control": control, "source": schema(source, dbname), "destination": schema(dest, dbname)}


def load(server, sample):
    server.sql("CREATE ROLE bucardo SUPERUSER LOGIN")
    for side, text in sample.items():
        server.create_database(DATABASES[side])
        lines = [line for line in text.splitlines() if not line.startswith("\\")]
        server.sql("\n".join(lines).replace("%", "%%"), (), dbname=DATABASES[side])

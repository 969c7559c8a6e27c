"""What somebody makes, drops or changes between two phases: every row arrives, or it is told.

A row of KINDS is what happens to a table of its own, called as the row. Each stop is one
migration. To try one more kind, add a row.
"""

import json

import pytest
from support import compare
from support.declared import view, yaml
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(600)

# Stopped behind each of them the status names the one that comes next.
STOPS = {"schema": "capture", "capture": "copy", "copy": "index", "index": "replicate"}

# The destination is fenced for everybody else.
OURS = "SET session_replication_role = replica; SET bucardo_machine.applying = 'on'"

TABLE = "CREATE TABLE {0} (id int PRIMARY KEY, v text);"
ROWS = "INSERT INTO {0} SELECT i, md5(i::text) FROM generate_series(1, 50) i;"
PARTED = ("CREATE TABLE {0} (id int, d int, PRIMARY KEY (id, d)) PARTITION BY LIST (d);"
          "CREATE TABLE {0}_1 PARTITION OF {0} FOR VALUES IN (1); INSERT INTO {0} VALUES (1, 1);")
CHANGES = "UPDATE {0} SET v = 'changed' WHERE id % 3 = 0; DELETE FROM {0} WHERE id % 5 = 0;"
SOURCE_PART = ("CREATE TABLE {0}_2 PARTITION OF {0} FOR VALUES IN (2);"
               "INSERT INTO {0} SELECT i, 2 FROM generate_series(1, 50) i;")

# Behind the plan nothing else may go: the machine stops, and says what is missing.
NO_SOURCE = {"schema": "is no longer on the source", "capture": "is no longer on the source"}
NO_DEST = {"schema": "does not exist", "capture": "does not exist", "copy": "does not exist"}
NEITHER = {**NO_SOURCE, "copy": "does not exist"}

# before: on the source, before the migration; source, dest: there, between the phases. told:
# the name is in the status, until `cure` is done on the destination. gone: it is dropped there. stops: by the phase
# behind which it happens, in what words the migration stops.
KINDS = {
    "made_on_both": {"source": TABLE + ROWS, "dest": TABLE},
    "made_on_source": {"source": TABLE + ROWS, "told": True, "cure": TABLE},
    "part_on_both": {"before": PARTED, "source": SOURCE_PART,
                     "dest": "CREATE TABLE {0}_2 (id int NOT NULL, d int NOT NULL, PRIMARY KEY (id, d));"
                             "ALTER TABLE {0} ATTACH PARTITION {0}_2 FOR VALUES IN (2);"},
    "part_on_source": {"before": PARTED, "source": SOURCE_PART},
    "dropped_on_source": {"before": TABLE + ROWS, "source": "DROP TABLE {0};", "gone": True,
                          "stops": NO_SOURCE},
    "dropped_on_both": {"before": TABLE + ROWS, "source": "DROP TABLE {0};", "dest": "DROP TABLE {0};",
                        "gone": True, "stops": NEITHER},
    "dropped_on_dest": {"before": TABLE + ROWS, "source": CHANGES, "dest": "DROP TABLE {0};",
                        "told": True, "cure": TABLE, "stops": NO_DEST},
    "remade_on_source": {"before": TABLE + ROWS, "source": "DROP TABLE {0};" + TABLE +
                         "INSERT INTO {0} SELECT i, 'new' FROM generate_series(40, 90) i;"},
    "rewritten": {"before": TABLE + ROWS, "source": "VACUUM FULL {0};" + CHANGES},
    "key_added": {"before": "CREATE TABLE {0} (id int NOT NULL, v text);" + ROWS,
                  "source": "ALTER TABLE {0} ADD PRIMARY KEY (id);" + CHANGES,
                  "dest": "ALTER TABLE {0} ADD PRIMARY KEY (id);"},
    "renamed_on_both": {"before": TABLE + ROWS, "source": "ALTER TABLE {0} RENAME TO {0}_now;" +
                        CHANGES.replace("{0}", "{0}_now"), "dest": "ALTER TABLE {0} RENAME TO {0}_now;",
                        "stops": NEITHER},
}


def run_each(server, kinds, key, before=""):
    """The statements of these rows, each a transaction of its own."""
    text = before + ";" + "".join(KINDS[name].get(key, "").format(name) for name in kinds)
    connection = server.connect("app")
    try:
        for statement in filter(str.strip, text.split(";")):
            connection.cursor().execute(statement)
    finally:
        connection.close()


def go(workshop, stop, kinds, direction):
    source, dest = workshop.server("source"), workshop.server("dest")
    for server in (source, dest):
        server.create_database("app")
    run_each(source, kinds, "before", (TABLE + ROWS).format("stays"))
    machine = workshop.machine(installed=True)
    machine.write_pgpass(source, dest)
    extra = f"    direction: {direction}\n"
    machine.write_config(yaml(source, dest, "app", extra=f"    run_until: {stop}\n" + extra))
    machine.start()

    def reached():
        now = view(machine)
        return now and now["phase"] == STOPS[stop] and now["status"] == "done"
    wait_for(reached, 60, f"phase {stop} is done", explain=lambda: json.dumps(view(machine))[:2000])
    run_each(dest, kinds, "dest", OURS)
    run_each(source, kinds, "source")
    machine.write_config(yaml(source, dest, "app", extra=extra))
    return source, dest, machine


def follow(source, dest, machine, kinds):
    wait_for(lambda: (view(machine) or {}).get("status") == "live",
             60, "it replicates", explain=lambda: json.dumps(view(machine))[:2500])
    for name in (name for name in kinds if KINDS[name].get("told")):
        wait_for(lambda name=name: name in json.dumps(view(machine)), 40, f"{name} is told")
    run_each(dest, kinds, "cure", OURS)
    for name in (name for name in kinds if KINDS[name].get("gone")):
        dest.sql(f"{OURS}; DROP TABLE IF EXISTS {name}", dbname="app")
    compare.wait_equal(source, dest, "app", 60, sequences=False)
    source.sql("UPDATE stays SET v = 'last'", dbname="app")
    for name in (n for n in kinds if KINDS[n].get("source", "").startswith((TABLE, "ALTER TABLE {0} ADD"))):
        source.sql(f"UPDATE {name} SET v = 'last' WHERE id = 7; DELETE FROM {name} WHERE id = 8", dbname="app")
    compare.wait_equal(source, dest, "app", 60, sequences=False)


def stopped(machine, words):
    def told():
        now = view(machine) or {}
        return now.get("status") == "failed" and words in now["why"]
    wait_for(told, 60, f"it stops and says: {words}", explain=lambda: json.dumps(view(machine))[:2500])


@pytest.mark.parametrize("direction", ["forward", "both"])
def test_tables_made_behind_phase_schema_arrive_with_all_their_rows(workshop, direction):
    kinds = ["made_on_both", "made_on_source", "part_on_both", "part_on_source", "key_added", "remade_on_source"]
    follow(*go(workshop, "schema", kinds, direction), kinds)


@pytest.mark.full
@pytest.mark.parametrize("direction", ["forward", "both"])
@pytest.mark.parametrize("stop", STOPS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_alone_between_two_phases_loses_nothing(workshop, stop, kind, direction):
    source, dest, machine = go(workshop, stop, [kind], direction)
    words = KINDS[kind].get("stops", {}).get(stop)
    if words:
        stopped(machine, words)
    else:
        follow(source, dest, machine, [kind])

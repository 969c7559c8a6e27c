"""A declared migration under write load whose machine is killed again and again."""

import random
import time
from collections import Counter

import psycopg2
import pytest
from support import compare
from support.declared import view, wait_live, wait_view, yaml
from support.traffic import Traffic

TABLES = 40
# How many of 100 kills are meant for a phase, and how many seconds of its work they fall into;
# those after its end fall on a machine that waits, in `replicate` on one that replicates.
KILLS = {"preflight": 10, "schema": 15, "capture": 15, "copy": 30, "index": 15, "replicate": 15}
SPANS = {"preflight": 0.3, "schema": 0.5, "capture": 0.6, "copy": 2.5, "index": 0.6,
         "replicate": 2.5}
PHASES = list(KILLS)
FILL = """DO $$ BEGIN FOR i IN 1..{tables} LOOP
    EXECUTE format('CREATE TABLE big_%s (id serial PRIMARY KEY, a text, b numeric)', i);
    EXECUTE format('INSERT INTO big_%s (a, b) SELECT repeat(md5(g::text), 10), g / 7.0
        FROM generate_series(1, {rows}) g', i);
    EXECUTE format('CREATE INDEX ON big_%s (b)', i);
END LOOP; END $$"""


class BigWrites(Traffic):
    """Writers to the generated tables; every row of them may change in mid-copy."""

    def __init__(self, server, dbname, rows, **options):
        super().__init__(server, dbname, "shop", **options)
        self.steps = [self._insert, self._update, self._delete]
        self.rows = rows

    @staticmethod
    def _insert(cursor, rng, serial):
        cursor.execute(f"INSERT INTO big_{rng.randint(1, TABLES)} (a, b) VALUES (%s, %s)",
                       (f"new {serial}", serial))
        return "insert"

    def _update(self, cursor, rng, serial):
        cursor.execute(f"UPDATE big_{rng.randint(1, TABLES)} SET a = %s WHERE id BETWEEN %s AND %s",
                       (f"changed {serial}", *[rng.randint(1, self.rows)] * 2))
        return "update"

    def _delete(self, cursor, rng, _serial):
        cursor.execute(f"DELETE FROM big_{rng.randint(1, TABLES)} WHERE id = %s",
                       (rng.randint(1, self.rows),))
        return "delete"


def finished_chunks(dest, dbname):
    """What the ledger says of finished chunks: {id: (xmin, rows, bytes, done)}."""
    try:
        rows = dest.sql("SELECT id, xmin::text, rows, bytes, done::text FROM bucardo_machine.chunk "
                        "WHERE done IS NOT NULL", dbname=dbname)
    except psycopg2.errors.InvalidSchemaName:
        return {}
    except psycopg2.errors.UndefinedTable:
        return {}
    return {row[0]: row[1:] for row in rows}


def told_to(machine, phase):
    """Let it go on until `phase` and wait until that one works, or did."""
    now = wait_view(machine, lambda v: v["status"] != "waiting", "was read from the journal", 60)
    if now["until"] != phase:
        machine.cli("migrate", "app", "--until", phase).check()
    wait_view(machine, lambda v: v["phase"] == phase and v["status"] == "running"
              or v["phases"][PHASES.index(phase)]["state"] == "done", f"works on {phase}", 60)


def wait_instant(machine, rng, phase):
    """A random instant: mostly while `phase` works, else of the start. Says where it was."""
    if rng.random() < 0.85:
        told_to(machine, phase)
        time.sleep(rng.uniform(0, SPANS[phase]))  # the instant is the input of this test
    else:
        time.sleep(rng.uniform(0, 2.5))
    now = view(machine)
    return f"{now['phase']} {now['status']}" if now else "starting"


@pytest.mark.timeout(2400)
def test_a_machine_killed_at_random_instants_never_copies_a_finished_chunk_again(
        workshop, rounds, request):
    seed = request.config.option.seed
    rng, rows = random.Random(seed), rounds(3000, 12000)
    source, dest = workshop.server("source"), workshop.server("dest")
    source.create_database("app", "shop").sql(
        FILL.format(tables=TABLES, rows=rows), dbname="app")
    dest.create_database("app")
    machine = workshop.machine(installed=True)
    machine.write_pgpass(source, dest)
    machine.write_config(yaml(
        source, dest, "app", extra=f"    run_until: preflight\n    copy: {{jobs: 4, max_rate: "
                                   f"{rounds('8MB', '4MB')}}}\n"))
    seen, killed_in = {}, Counter()
    with BigWrites(source, "app", rows, rate=60) as traffic, \
            Traffic(source, "app", "shop", rate=20, writers=1):
        traffic.wait_total(20)
        for phase in rounds(PHASES, [phase for phase in PHASES for _ in range(KILLS[phase])]):
            machine.start()
            killed_in[wait_instant(machine, rng, phase)] += 1
            machine.kill9_everything()
            machine.fresh_runtime()
            now = finished_chunks(dest, "app")
            assert {key: now.get(key) for key in seen} == seen, f"copied again; seed {seed}"
            seen = now
        machine.start()
        told_to(machine, PHASES[-1])
        wait_live(machine, 300)
        traffic.wait_total(50)
    print(f"seed {seed}; killed in: {dict(killed_in)}")
    now = finished_chunks(dest, "app")
    assert {key: now.get(key) for key in seen} == seen
    compare.wait_equal(source, dest, "app", seconds=120, sequences="ahead")

"""What status says of a phase while its source does not answer: no time left, and never 100 %."""

import pytest
from support.declared import view, wait_live, wait_view, yaml
from support.waiting import Abandon, wait_for

pytestmark = pytest.mark.timeout(300)

# The rows are slowed down by max_rate, more than sockets hold of them; the index takes some two seconds on the destination.
TABLES = """
    CREATE FUNCTION slowly(integer) RETURNS integer IMMUTABLE LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_sleep(0.001); RETURN $1; END $$;
    CREATE TABLE big (id serial PRIMARY KEY, a text);
    INSERT INTO big (a) SELECT repeat(md5(g::text), 20) FROM generate_series(1, 9000) g;
    CREATE INDEX slow ON big (slowly(id)) WHERE id <= 2000;
    ANALYZE;
"""
# A silence is known after the 5 s that a question of the observer may take, and the next one.
KNOWN = 12


def wait_unknown(machine, phase):
    """No time is left after a while, and none comes back; meanwhile nothing is said to be over."""
    def unknown():
        now = view(machine)["progress"]
        if now["percent"] == 100:
            raise Abandon(f"{phase} is said to be over: {now}")
        return now["eta_msec"] is None

    def stays_unknown():
        if not unknown():
            raise Abandon(f"a time left is back: {view(machine)['progress']}")
        return next(looks) == 9

    wait_for(unknown, KNOWN, f"the time left of {phase} is unknown", explain=machine.log_tail)
    looks = iter(range(10))
    wait_for(stays_unknown, 20, "it stays unknown", every=0.2)
    assert view(machine)["phase"] == phase
    assert "done in" not in machine.cli("status").check()


def test_a_silent_source_has_no_time_left_and_no_phase_is_at_100_before_its_end(workshop):
    source, dest = workshop.server("source"), workshop.server("dest")
    source.create_database("shop").sql(TABLES, dbname="shop")
    dest.create_database("shop")
    machine = workshop.machine(installed=True)
    machine.write_pgpass(source, dest)
    machine.write_config(yaml(source, dest, "shop", extra="    copy: {jobs: 1, max_rate: 400kB}\n"))
    machine.start()
    wait_view(machine, lambda v: v["phase"] == "copy" and v["progress"]["eta_msec"] is not None,
              "a time is left")
    source.sigstop()
    try:
        wait_unknown(machine, "copy")
    finally:
        source.sigcont()
    machine.write_config(yaml(source, dest, "shop"))
    wait_view(machine, lambda v: v["phase"] == "index" and v["progress"]["in_flight"],
              "an index is built", 60)
    source.sigstop()
    try:
        # Sequences are all that is left, and only the source knows them.
        wait_view(machine, lambda v: v["progress"]["pieces_total"]
                  and v["progress"]["pieces_done"] == v["progress"]["pieces_total"], "all is built", 30)
        wait_unknown(machine, "index")
    finally:
        source.sigcont()
    assert wait_live(machine)["progress"]["percent"] == 100

"""Whatever process of the machine dies, replication goes on without a person (story 4)."""

import os
import signal

from support import compare
from support.processes import descendants
from support.traffic import Traffic, marker
from support.waiting import wait_for

LIMIT = 60  # seconds until a row committed after the fault is on the destination
KINDS = ("mcp", "ctl", "kid", "vac", "postmaster", "backend", "observe")


def calm(parts):
    """Ready, nothing left to do, and all processes there."""
    machine = parts[0]
    machine.wait_ready(LIMIT)
    machine.wait_health("idle", LIMIT)
    for kind in ("mcp", "ctl", "kid", "vac", "postmaster", "observe"):
        machine.one(kind, 90)


def replicates(parts, seconds=LIMIT):
    _, source, dest, dbname = parts
    return marker(source, dest, dbname, dbname, seconds)


def a_killed_process_is_healed_under_writes(parts, kind):
    machine, source, dest, dbname = parts
    calm(parts)
    victim = machine.one(kind)
    with Traffic(source, dbname) as traffic:
        traffic.wait_total(5)
        os.kill(victim, signal.SIGKILL)
        replicates(parts)
        traffic.wait_total(5)
    if kind != "backend":
        # The dead one's successor, not the dead one itself.
        wait_for(lambda: [pid for pid in machine.find(kind) if pid != victim], 120,
                 f"another {kind} runs", explain=machine.log_tail)
    machine.wait_ready(LIMIT)
    compare.wait_equal(source, dest, dbname)
    assert len(machine.find("mcp")) == 1, "never two trees"


def a_row_written_after_the_idle_kid_was_killed_arrives(parts):
    calm(parts)
    os.kill(parts[0].one("kid"), signal.SIGKILL)
    replicates(parts)


def a_kid_killed_in_the_middle_of_a_run_loses_nothing(parts):
    for _ in range(3):  # a kill may come too late
        if _kill_a_kid_in_mid_run(parts):
            return
    raise AssertionError("no run was cut short: each was complete before the kill")


def _kill_a_kid_in_mid_run(parts):
    """Was it in time? Nothing is lost in either case."""
    machine, source, dest, dbname = parts
    calm(parts)
    kid = machine.one("kid")
    _touch_many(source, dbname)
    run = _await_open_run(machine)[0]
    os.kill(kid, signal.SIGKILL)
    compare.wait_equal(source, dest, dbname, seconds=LIMIT)
    ended = machine.control_sql(f"SELECT status FROM bucardo.syncrun WHERE started = '{run}'")
    return ended and not ended[0].startswith("Complete")


def _touch_many(source, dbname):
    """A backlog that takes one run several seconds."""
    table, column = ("rental", "last_update") if dbname == "pagila" else ("visit", "pages")
    value = "clock_timestamp()" if dbname == "pagila" else "pages + 1"
    for _ in range(1 if dbname == "pagila" else 5):
        source.sql(f"UPDATE {table} SET {column} = {value}", dbname=dbname)


def _await_open_run(machine):
    return wait_for(
        lambda: machine.control_sql("SELECT started FROM bucardo.syncrun "
                                    "WHERE ended IS NULL AND status ~ 'Delet|Copy'"),
        30, "a run is writing", every=0.01)


def a_stopped_master_is_noticed_and_replaced(parts):
    machine = parts[0]
    calm(parts)
    victim = machine.one("mcp")
    os.kill(victim, signal.SIGSTOP)
    try:
        replicates(parts, 120)
        # A controller that looks by itself may bring the row without any master.
        wait_for(lambda: [pid for pid in machine.find("mcp") if pid != victim], 120,
                 "another master runs", explain=machine.log_tail)
    finally:
        if victim in machine.find("mcp"):
            os.kill(victim, signal.SIGCONT)
    calm(parts)
    assert victim not in machine.find("mcp") and len(machine.find("mcp")) == 1


def after_all_this_nothing_is_left_over(parts):
    machine = parts[0]
    calm(parts)
    assert machine.leftovers() == []
    zombies = [pid for pid in descendants(machine.pid()) if _state(pid) == "Z"]
    assert zombies == [], f"unreaped: {zombies}"


def _state(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[0]
    except OSError:
        return ""

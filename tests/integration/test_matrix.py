"""Every kind of key, every kind of change, with any setting, in both directions: nothing is lost.

The rows and columns of the matrix stand in tests/support/matrix.py.
"""

import psycopg2
import pytest
from support import compare, matrix
from support.declared import view, wait_live, wait_view, yaml
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(600)

# What a role or a database may be set to; the machine's sessions and Bucardo's must not care.
TWISTED = {
    "search_path": "nowhere", "DateStyle": "'SQL, DMY'", "IntervalStyle": "sql_standard",
    "TimeZone": "'Asia/Kolkata'", "extra_float_digits": "-3", "bytea_output": "escape",
    "array_nulls": "off", "xmloption": "document", "quote_all_identifiers": "on",
    "standard_conforming_strings": "off", "escape_string_warning": "off",
    "default_transaction_isolation": "serializable", "synchronous_commit": "off",
    "lock_timeout": "'200ms'", "idle_in_transaction_session_timeout": "'2s'",
    "statement_timeout": "'5s'", "client_min_messages": "error",
}
DIRECTIONS = {
    "forward": "    direction: forward\n",
    "both": "    direction: both\n",
    "back": "    direction: both\n",  # after the cut-over: the changes are made on the destination
}


def twist(*servers):
    for server in servers:
        server.sql(";".join(f"ALTER DATABASE app SET {name} = {value}"
                            for name, value in TWISTED.items()))


def untwist(*servers):
    for server in servers:
        server.sql("ALTER DATABASE app RESET ALL")


def migrate(workshop, settings, direction):
    source, dest = workshop.server("source"), workshop.server("dest")
    for server in (source, dest):
        server.create_database("app")
    matrix.run(source, "app", matrix.schema())
    if settings == "twisted":
        twist(source, dest)
    machine = workshop.machine(installed=True)
    machine.write_pgpass(source, dest)
    machine.write_config(yaml(source, dest, "app", extra=DIRECTIONS[direction]))
    machine.start()
    wait_live(machine, 180)
    wait_view(machine, lambda v: v["reconcile"] and v["reconcile"].get("tables"), "reconciles", 60)
    return machine, source, dest


def captured(view_now):
    capture = next(phase for phase in view_now["phases"] if phase["phase"] == "capture")
    return set(matrix.table_names()) - set(capture["evidence"]["left_out"])


def change_everything(server):
    """Make all changes; returns what the application was refused."""
    refused = []

    def make(what, text):
        try:
            matrix.run(server, "app", text)
        except psycopg2.Error as error:
            refused.append(f"{what}: {str(error).splitlines()[0]}")

    for index, name in enumerate(matrix.EVENTS):
        for key in matrix.KEYS:
            make(f"{key.name}, {name}", matrix.event(key, name, matrix.numbers_of(index)))
    for key, name, table in matrix.whole_cases():
        make(table, matrix.WHOLE[name](key, table))
    return refused


def is_quiet(machine):
    now = machine.status_json()
    reconciled = view(machine)["reconcile"]
    return now["syncs"] and all(sync["backlog_rows"] == 0 for sync in now["syncs"]) \
        and reconciled and not reconciled["paused"]


FEW = [("twisted", "both"), ("plain", "back")]
ALL = [(settings, direction) for settings in ("plain", "twisted") for direction in DIRECTIONS]


@pytest.mark.parametrize("settings, direction", [
    pytest.param(*case, marks=() if case in FEW else pytest.mark.full) for case in ALL])
def test_every_change_of_every_kind_of_key_arrives(workshop, settings, direction):
    machine, source, dest = migrate(workshop, settings, direction)
    live, follower = (dest, source) if direction == "back" else (source, dest)
    assert captured(view(machine)) == set(matrix.table_names())
    if direction == "back":
        dest.sql("SELECT bucardo_machine.lift_fence()", dbname="app")
    refused = change_everything(live)
    untwist(source, dest)
    wait_for(lambda: not compare.differences(live, follower, "app", sequences=False), 150,
             "both sides are equal", every=1, explain=lambda: "\n".join(
                 compare.differences(live, follower, "app", sequences=False)
                 + [machine.cli("status").output]))
    assert not refused, "\n".join(refused)
    wait_for(lambda: is_quiet(machine), 60, "nothing waits, nothing is paused")
    assert not compare.differences(live, follower, "app", sequences=False)

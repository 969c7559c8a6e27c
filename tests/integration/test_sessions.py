"""Whatever a server, a database or a role is set to, rows arrive as they were."""

import functools

import pytest
from support import compare
from support.declared import replicating, view, wait_view, yaml
from support.netns import Namespace
from support.phases import Phases
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(400)

# All of them wrong; each by itself broke or changed something, or could.
WRONG = {
    "synchronous_commit": "off",
    "client_encoding": "LATIN1",
    "array_nulls": "off",
    "xmloption": "document",
    "quote_all_identifiers": "on",
    "standard_conforming_strings": "off",
    "transform_null_equals": "on",
    "DateStyle": "German, DMY",
    "IntervalStyle": "sql_standard",
    "bytea_output": "escape",
    "extra_float_digits": "-15",
    "TimeZone": "Asia/Kathmandu",
    "default_transaction_isolation": "serializable",
    "default_transaction_read_only": "on",
    "default_transaction_deferrable": "on",
    "statement_timeout": "30ms",
    "lock_timeout": "10ms",
    "idle_in_transaction_session_timeout": "50ms",
    "idle_session_timeout": "1500ms",
    "exit_on_error": "on",
    "plpgsql.extra_errors": "all",
}
# What the test itself says in its sessions.
CALM = " ".join(f"-c {name}={value}" for name, value in {
    "statement_timeout": 0, "idle_in_transaction_session_timeout": 0, "lock_timeout": 0,
    "idle_session_timeout": 0, "default_transaction_read_only": "off", "xmloption": "content",
    "array_nulls": "on", "standard_conforming_strings": "on", "exit_on_error": "off",
    "DateStyle": "ISO", "TimeZone": "UTC", "default_transaction_deferrable": "off",
    r"default_transaction_isolation": r"read\ committed", "transform_null_equals": "off",
}.items())

TABLES = r"""
    CREATE TABLE doc (no int PRIMARY KEY, a text[], x xml, t text, d date, ts timestamp,
        tz timestamptz, i interval, b bytea, f float8, r real, n numeric);
    CREATE TABLE dated (d date, z timestamptz, t text, PRIMARY KEY (d, z, t));
    CREATE TABLE bytes (k bytea PRIMARY KEY, f float8);
"""
ROWS = r"""
    INSERT INTO doc SELECT g, ARRAY['x', NULL, 'null'], ('a <b>fragment</b> of ' || g)::xml,
        'back\slash ''' || g || E'\n \\n é', '2026-03-01'::date + g, '2026-03-04 05:06:07.089',
        '2026-07-01 12:00+00', '-1 year 2 days -3:04:05.06', '\x00275c5c80ff', 1/3.0::float8,
        0.1::real, 1.50 FROM generate_series({first}, {last}) g;
    INSERT INTO dated SELECT '2026-02-01'::date + g, '2026-02-03 04:05:06+00', 'é\' || g
        FROM generate_series({first}, {last}) g;
    INSERT INTO bytes SELECT decode(lpad(to_hex(g), 6, '0') || '5c27', 'hex'), g / 7.0::float8
        FROM generate_series({first}, {last}) g;
"""
CHANGE = r"""
    UPDATE doc SET a = a || NULL::text || 'y'::text, x = 'new <c>part</c>'::xml, t = '\n', f = f / 3,
        tz = tz + '1 s', i = i * 2, b = '\x5c00' WHERE no % 2 = 0;
    UPDATE dated SET d = d + 1000 WHERE t LIKE '%2'; DELETE FROM dated WHERE t LIKE '%3';
    UPDATE bytes SET k = k || '\x27'::bytea, f = f * 3 WHERE f > 3;
"""


def wrong(server, level, dbname):
    """Set all of it wrong; our own sessions with this server are calm from now on."""
    if level == "server":
        connection = server.connect("postgres")
        cursor = connection.cursor()
        cursor.execute("LOAD 'plpgsql'")  # ALTER SYSTEM takes no name that nobody knows
        for name, value in WRONG.items():
            if name != "client_encoding":
                cursor.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        connection.close()
        server.restart()
    else:
        whom = f'DATABASE "{dbname}"' if level == "database" else f"ROLE {server.user}"
        server.sql("; ".join(f"ALTER {whom} SET {n} = '{v}'" for n, v in WRONG.items()))
    server.connect = functools.partial(server.connect, options=CALM)


@pytest.mark.parametrize("levels", [
    ("role", "database"),
    pytest.param(("database", "server"), marks=pytest.mark.full),
    pytest.param(("server", "role"), marks=pytest.mark.full)])
def test_rows_arrive_as_they_were_whatever_both_sides_are_set_to(workshop, levels):
    source = workshop.server("source")
    dest = workshop.server("dest", settings={"wal_writer_delay": "10000ms"})
    for server, level in zip((source, dest), levels):
        server.create_database("app")
        wrong(server, level, "app")
    source.sql(TABLES + ROWS.format(first=1, last=400), dbname="app")
    # Nobody's event trigger has a say in what the machine makes.
    for server in (source, dest):
        server.sql("CREATE FUNCTION no() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN"
                   " RAISE EXCEPTION 'DDL is forbidden here'; END $$;", dbname="app")
    dest.sql("DROP FUNCTION no()", dbname="app")
    source.sql("CREATE EVENT TRIGGER forbidden ON ddl_command_start EXECUTE FUNCTION no()", dbname="app")
    machine = replicating(workshop, source, dest, "app", extra="    direction: both\n")
    assert dest.value("SELECT count(*) FROM pg_event_trigger", dbname="app") == 1
    wait_view(machine, lambda v: v["reconcile"] and "paused" in v["reconcile"], "it reconciles")
    source.sql(CHANGE + ROWS.format(first=1000, last=1100), dbname="app")
    compare.wait_equal(source, dest, "app", 60)
    # A row that is marked as done at the source is there after a crash of the destination.
    source.sql("INSERT INTO doc (no, t) SELECT g, 'crash' FROM generate_series(5001, 5050) g",
               dbname="app")
    wait_for(lambda: source.value(
        "SELECT count(*) FROM bucardo.delta_public_doc d WHERE NOT EXISTS (SELECT 1"
        " FROM bucardo.track_public_doc t WHERE t.txntime = d.txntime)", dbname="app") == 0, 60,
        "all is marked as done")
    dest.kill()
    dest.start()
    assert dest.value("SELECT count(*) FROM doc WHERE t = 'crash'", dbname="app") == 50
    machine.wait_ready(90)
    # The way back.
    dest.sql("SELECT bucardo_machine.lift_fence()", dbname="app")
    dest.sql(ROWS.format(first=7001, last=7050), dbname="app")
    compare.wait_equal(source, dest, "app", 60)
    now = wait_view(machine, lambda v: v["reconcile"], "it reconciles")
    assert now["reconcile"]["problems"] == [] and now["reconcile"]["drift"] == []


def test_an_event_trigger_that_our_role_cannot_pass_is_told(workshop):
    source, dest = workshop.server("source"), workshop.server("dest")
    for server in (source, dest):
        server.create_database("app")
    source.sql("CREATE ROLE plain LOGIN PASSWORD 'plain'; GRANT CREATE ON DATABASE app TO plain;"
               " CREATE FUNCTION no() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';"
               " CREATE EVENT TRIGGER quiet ON ddl_command_end EXECUTE FUNCTION no();"
               " CREATE EVENT TRIGGER loud ON ddl_command_end EXECUTE FUNCTION no();"
               " ALTER EVENT TRIGGER loud ENABLE ALWAYS; CREATE TABLE t (id int PRIMARY KEY);"
               " ALTER TABLE t OWNER TO plain", dbname="app")
    machine = workshop.machine()
    machine.write_pgpass(text=source.pgpass_line().replace(
        f":{source.user}:{source.password}", ":plain:plain")
        + source.pgpass_line() + dest.pgpass_line())
    phases = Phases(machine, source, dest, "app", "app")
    ours = phases.run("preflight")
    assert ours.finding("'loud'", "fires in replica role too")["severity"] == "degrades"
    assert not [f for f in ours.findings("degrades") if f["object"] == "quiet"]
    plain = phases.run("preflight", source=phase_endpoint(source, "plain"))
    found = plain.finding("'quiet'", "may not set session_replication_role")
    assert found["severity"] == "degrades" and "GRANT SET ON PARAMETER" in found["hint"]


def phase_endpoint(server, user, **more):
    return {"host": server.address, "port": server.port, "dbname": "app", "user": user,
            "sslmode": None, "sslrootcert": None, **more}


def test_a_connection_to_another_host_without_encryption_is_a_finding(workshop):
    namespace = Namespace()
    try:
        source = workshop.server("source", settings={"ssl": "off"})
        dest = workshop.server("dest", address=namespace.address, listen="0.0.0.0",
                               netns=namespace, settings={"ssl": "off"})
        for server in (source, dest):
            with open(f"{server.data}/pg_hba.conf", "a", encoding="utf-8") as out:
                out.write("hostnossl all all 0.0.0.0/0 scram-sha-256\n")
            server.restart()
            server.create_database("app")
        machine = workshop.machine()
        machine.write_pgpass(source, dest)
        phases = Phases(machine, source, dest, "app", "app")
        for mode in ("disable", "allow", "prefer", None):
            run = phases.run("preflight", source=phase_endpoint(source, source.user, sslmode=mode),
                             destination=phase_endpoint(dest, dest.user, sslmode=mode))
            found = run.finding("not encrypted")
            assert found["severity"] == "degrades" and found["object"] == "destination", run.text()
            assert "verify-full" in found["hint"]
        dest.settings["ssl"] = "on"
        dest.restart()
        run = phases.run("preflight", source=phase_endpoint(source, source.user),
                         destination=phase_endpoint(dest, dest.user))
        assert run.finding("nobody checks")["severity"] == "note"
    finally:
        for thing in reversed(workshop.things):
            thing.remove()
        namespace.remove()


BYTES = "SET client_encoding = SQL_ASCII; "


def test_bytes_without_an_encoding_arrive_as_they_were(workshop):
    """SQL_ASCII holds what its applications wrote, in whatever encoding; a text may be none."""
    source, dest = workshop.server("source"), workshop.server("dest")
    ascii_db = " ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    for name in ("bytes", "told"):
        source.sql(f"CREATE DATABASE {name}{ascii_db}")
    dest.sql(f"CREATE DATABASE bytes{ascii_db}")
    dest.create_database("told")
    table = "CREATE TABLE t (k text PRIMARY KEY, v text);"
    odd = r"(E'caf\xe9 ' || g, E'\xff\xfe' || g)"
    good = r"(E'caf\xc3\xa9 ' || g, E'\xe2\x82\xac' || g)"

    def insert(rows, first, last):
        return (f"INSERT INTO t SELECT r.k, r.v FROM generate_series({first}, {last}) g,"
                f" LATERAL (VALUES {rows}) r(k, v);")

    source.sql(BYTES + table + insert(odd, 1, 50), dbname="bytes")
    source.sql(BYTES + table + insert(good, 1, 50), dbname="told")
    machine = workshop.machine()
    machine.write_pgpass(source, dest)
    two = yaml(source, dest, "bytes", "bytes") + yaml(source, dest, "told", "told").split(
        "migrations:\n")[1]
    machine.write_config(two)
    machine.start()
    for name in ("bytes", "told"):
        wait_for(lambda name=name: (view(machine, name) or {}).get("status") == "live", 90, f"{name} replicates")
    found = [f for f in view(machine, "told")["findings"] if "SQL_ASCII" in f["why"]]
    assert [f["severity"] for f in found] == ["degrades"] and "as they are" in found[0]["why"]
    raw = ("SELECT md5(string_agg(encode(textsend(k) || textsend(v), 'hex'), ','"
           " ORDER BY encode(textsend(k), 'hex'))) FROM t")
    change = "UPDATE t SET v = v || 'x' WHERE k LIKE '%1'; UPDATE t SET k = k || 'y' WHERE k LIKE '%2';" \
             " DELETE FROM t WHERE k LIKE '%3'; "
    source.sql(BYTES + change + insert(odd, 100, 110), dbname="bytes")
    source.sql(BYTES + change + insert(good, 100, 110), dbname="told")
    for name in ("bytes", "told"):
        wait_for(lambda name=name: source.value(BYTES + raw, dbname=name)
                 == dest.value(BYTES + raw, dbname=name), 40, f"equal bytes in {name}")
    # And back.
    dest.sql("SELECT bucardo_machine.lift_fence()", dbname="bytes")
    dest.sql(BYTES + change + insert(odd, 200, 210), dbname="bytes")
    wait_for(lambda: source.value(BYTES + raw, dbname="bytes")
             == dest.value(BYTES + raw, dbname="bytes"), 40, "equal bytes on the way back")
    # What is no text of the destination's encoding stops, and is told with the reason.
    source.sql(BYTES + insert(odd, 300, 300), dbname="told")
    wait_for(lambda: [s for s in machine.status_json()["syncs"] if s["name"] == "told_sync"
                      and "invalid byte sequence" in s["why"] + s["advice"]], 60, "it is told")

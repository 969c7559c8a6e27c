"""`doctor`: each thing that is wrong is named with evidence and with what to do, and goes when that is done."""

import contextlib
import glob
import json
import os
import re
import subprocess

import pytest
from support import declared, http
from support.cgroup import MemoryGroup
from support.terminal import Terminal
from support.users import give
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(500)

REPOSITORY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")

SHOP = """
    CREATE TABLE customer (id serial PRIMARY KEY, name text NOT NULL, email text UNIQUE);
    CREATE TABLE purchase (id serial PRIMARY KEY, amount int);
    CREATE TABLE extra (id int PRIMARY KEY, note text);
    CREATE TABLE held (id int PRIMARY KEY, note text);
    INSERT INTO customer (name) SELECT 'c' || i FROM generate_series(1, 100) i;
    INSERT INTO held VALUES (1, 'a')"""
AS_BUCARDO = "SET session_replication_role = replica; SET bucardo_machine.applying = 'on';"


def look(machine):
    """The evidence; the exit code says the worst of it."""
    result = machine.cli("doctor", "app", "--json", seconds=90)
    assert result.code in (0, 4, 5), result.output
    evidence = json.loads(result.output.strip().splitlines()[-1])
    severities = {f["severity"] for f in evidence["findings"]}
    assert result.code == (5 if "stops" in severities else 4 if "degrades" in severities else 0), evidence
    return evidence


def all_of(evidence, rule, side):
    return [f for f in evidence["findings"] if (f["rule"], f["side"]) == (rule, side)]


def found(machine, rule, side, severity, *words, seconds=60):
    """The finding, once there is one whose cause and hint have the words."""
    def one():
        return next((f for f in all_of(look(machine), rule, side) if severity in (None, f["severity"])
                     and all(word in f["cause"] + f["hint"] for word in words)), None)
    finding = wait_for(one, seconds, f"{rule} on the {side} {severity} with {words}",
                       explain=lambda: json.dumps(look(machine)))
    assert finding["evidence"] and finding["did"] and finding["since"], finding
    return finding


def cured(server, finding, dbname="shop"):
    """What the finding says to do, done."""
    statement = finding["evidence"][0]["cure"]
    assert statement in finding["hint"], finding
    server.sql(statement.replace("%", "%%"), (), dbname=dbname)


def gone(machine, *findings, seconds=60):
    names = {(f["rule"], f["side"], f["object"], f["severity"]) for f in findings}
    wait_for(lambda: not names & {(f["rule"], f["side"], f["object"], f["severity"]) for f in look(machine)["findings"]},
             seconds, f"gone: {names}", explain=lambda: json.dumps(look(machine)))


@pytest.fixture(scope="module")
def pair(shared_workshop):
    source = shared_workshop.server("source", settings={"max_prepared_transactions": 5})
    dest = shared_workshop.server("dest", settings={"max_prepared_transactions": 5})
    source.create_database("shop").sql(SHOP, dbname="shop")
    dest.create_database("shop")
    port = http.free_port()
    machine = shared_workshop.machine(installed=True)
    # Its volume is a small file system of its own.
    os.rename(machine.volume, f"{machine.volume}.first")
    os.mkdir(machine.volume)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600m", "bm", machine.volume], check=True)
    subprocess.run(["cp", "-a", f"{machine.volume}.first/.", machine.volume], check=True)
    machine.http_port, extra = port, f'http: {{listen: "127.0.0.1:{port}"}}\n'
    machine.yaml = declared.yaml(source, dest, "shop", extra=extra)
    declared.replicating(shared_workshop, source, dest, "shop", extra, machine)
    declared.reconciled(machine)
    yield machine, source, dest
    subprocess.run(["umount", "-l", machine.volume], check=True)


def opened(stack, server, *statements):
    session = stack.enter_context(contextlib.closing(server.connect("shop", autocommit=False)))
    for statement in statements:
        session.cursor().execute(statement)
    return session


def test_a_healthy_migration_has_no_finding_and_everything_was_looked_at(pair):
    machine, _, _ = pair
    evidence = look(machine)
    assert evidence["findings"] == [] and evidence["not_looked_at"] == [], evidence
    shown = machine.cli("doctor")
    assert shown.code == 0 and "app: nothing is wrong" in shown.output, shown.output


def renew(server, days):
    """Another certificate of the server's."""
    subprocess.run(["openssl", "req", "-new", "-x509", "-days", str(days), "-key", f"{server.data}/server.key", "-subj",
                    f"/CN={server.name}", "-out", f"{server.data}/server.crt"], check=True, capture_output=True)
    server.sql("SELECT pg_reload_conf()")


@contextlib.contextmanager
def planted(source, dest):
    """Several things that are wrong at once."""
    with contextlib.ExitStack() as stack:
        opened(stack, dest, "SET application_name = 'billing'", AS_BUCARDO, "LOCK TABLE held IN ACCESS EXCLUSIVE MODE")
        source.sql("UPDATE held SET note = 'b'", dbname="shop")
        opened(stack, dest, "SET application_name = 'stray'", AS_BUCARDO, "UPDATE purchase SET amount = 1 WHERE id = -1",
               "INSERT INTO purchase VALUES (-1, 1)")
        opened(stack, source, "PREPARE TRANSACTION 'left here'").close()
        source.sql("CREATE TABLE bucardo.bare (a int); CREATE PUBLICATION everything FOR ALL TABLES", dbname="shop")
        stack.callback(source.sql, "DROP PUBLICATION everything; DROP TABLE bucardo.bare", dbname="shop")
        dest.sql("ALTER DATABASE shop CONNECTION LIMIT 3")
        dest.sql(f"ALTER ROLE {dest.user} VALID UNTIL '{in_days(dest, 3)}'")
        source.sql("CREATE ROLE loader; ALTER ROLE loader SET session_replication_role = 'replica'")
        dest.sql("ALTER TABLE extra DROP COLUMN note", dbname="shop")
        renew(source, 3)
        yield


def in_days(server, days):
    return server.value(f"SELECT now() + interval '{days} days'")


def test_what_is_wrong_is_named_with_evidence_and_goes_when_the_hint_is_followed(pair):
    machine, source, dest = pair
    with planted(source, dest):
        blocker = found(machine, "blocker", "destination", None, "billing", "public.held", "idle in transaction", "since 20")
        writer = found(machine, "foreign-writer", "destination", "degrades", "stray", "public.purchase")
        sessions = found(machine, "connections", "destination", "stops", "database shop", "CONNECTION LIMIT -1")
        password = found(machine, "password", "destination", "degrades", "for 2 d 23 h more")
        publication = found(machine, "publication", "source", "stops", "everything", "bucardo.bare")
        loader = found(machine, "replica-writers", "source", "note", "role loader")
        certificate = found(machine, "certificate", "source", "degrades", "127.0.0.1", "in 2 d 23 h")
        drift = found(machine, "drift", "machine", "degrades", "public.extra", "note")
        prepared = found(machine, "prepared-transaction", "source", "note", "'left here'", "ROLLBACK PREPARED 'left here'")
        shown = machine.shell("NO_COLOR=1 script -qec 'stty cols 80; bucardo-machine doctor app' /dev/null")
        assert shown.code == 5 and max(map(len, shown.output.splitlines())) <= 80, shown.output
        for server, finding in ((dest, blocker), (dest, writer), (dest, sessions), (dest, password), (source, publication),
                                (source, loader)):
            cured(server, finding)
        source.sql("ROLLBACK PREPARED 'left here'", dbname="shop")
        dest.sql("ALTER TABLE extra ADD COLUMN note text", dbname="shop")
        renew(source, 90)
        gone(machine, blocker, writer, sessions, password, publication, loader, certificate, drift, prepared)
        assert found(machine, "publication", "source", "note", "everything")
    source.sql("DROP ROLE loader")
    wait_for(lambda: look(machine)["findings"] == [], 60, "nothing is wrong", explain=lambda: json.dumps(look(machine)))


# ---- what takes a while to come, or stops the runs: one after the other, on the same servers ----

BURN = """
    CREATE TEMP TABLE burnt (a int);
    DO $$ BEGIN FOR i IN 1..88000 LOOP
        BEGIN INSERT INTO burnt VALUES (1); EXCEPTION WHEN division_by_zero THEN NULL; END;
    END LOOP; END $$"""
LEFT_BEHIND = """
    CREATE TABLE orphan (id int PRIMARY KEY);
    CREATE FUNCTION bucardo.left_behind() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
    CREATE TRIGGER bucardo_delta AFTER INSERT ON orphan FOR EACH ROW EXECUTE FUNCTION bucardo.left_behind();
    CREATE TABLE bucardo.delta_public_orphan AS SELECT i AS id, now() AS txntime FROM generate_series(1, 500000) i;
    INSERT INTO bucardo.bucardo_delta_names (sync, tablename, deltaname)
        VALUES ('long_gone', 'public.orphan', 'delta_public_orphan')"""


def left_at(path, free):
    """Make a small file system so small, or so large, that so many bytes are free."""
    now = os.statvfs(path)
    subprocess.run(["mount", "-o", f"remount,size={(now.f_blocks - now.f_bfree) * now.f_frsize + free}", path], check=True)


def certify(machine, days):
    """The certificate of the machine's own HTTPS."""
    paths = [os.path.join(machine.folder, name) for name in ("tls.crt", "tls.key")]
    subprocess.run(["openssl", "req", "-new", "-x509", "-nodes", "-days", str(days), "-subj", "/CN=machine", "-newkey", "rsa:2048",
                    "-out", f"{paths[0]}.new", "-keyout", paths[1]], check=True, capture_output=True)
    os.replace(f"{paths[0]}.new", paths[0])
    for path in paths:
        give(path)
    return "{certificate: %s, key: %s}" % tuple(paths)


def pager(machine, code):
    """A receiver of notify whose command ends with this code."""
    path = os.path.join(machine.folder, "pager")
    with open(f"{path}.new", "w", encoding="ascii") as file:
        file.write(f"#!/bin/sh\necho the pager is out of paper\nexit {code}\n")
    os.chmod(f"{path}.new", 0o755)
    give(f"{path}.new")
    os.replace(f"{path}.new", path)
    return f'notify: {{settle: 0s, receivers: [{{name: pager, command: ["{path}"], interval: 0s}}]}}\n'


def screen(machine):
    shown = machine.shell("NO_COLOR=1 script -qec 'stty cols 80 rows 24; bucardo-machine status' /dev/null").output
    assert max(map(len, shown.splitlines())) <= 80, shown
    return " ".join(shown.split())


def watched(machine, *words):
    """A person's terminal with `status --watch`, small and large: no line is wrapped, nothing is scrolled away."""
    argv, env = machine.inside([machine.binary, "status", "--watch"])
    terminal = Terminal(argv, env={**env, "TERM": "xterm", "NO_COLOR": "1"}, size=(24, 80))

    def last():
        drawn = terminal.raw().split(b"\x1b[H")[1:-1]
        return re.sub(r"\x1b\[[?\d;]*[A-Za-z]", "", drawn[-1].decode()) if drawn else ""

    try:
        for rows, columns in ((24, 80), (60, 160)):
            terminal.resize(rows, columns)
            wait_for(lambda: all(word in " ".join(last().split()) for word in words), 30, f"{words} at {columns}x{rows}", explain=last)
            lines = last().replace("\r", "").split("\n")
            assert len(lines) <= rows and max(map(len, lines)) <= columns, last()
        terminal.type("\x03")
        wait_for(lambda: terminal.exit_code is not None, 10, "Ctrl-C ends it")
    finally:
        terminal.close()


def test_what_is_old_full_or_behind_is_named_and_the_statement_cures_it(pair):
    machine, source, dest = pair
    with contextlib.ExitStack() as stack:
        opened(stack, source, "SET application_name = 'report'", "SELECT count(*) FROM extra")
        dest.sql("ALTER TABLE extra SET (autovacuum_freeze_max_age = 100000)", dbname="shop")
        dest.sql(BURN, dbname="shop")
        dest.sql("ALTER SEQUENCE customer_id_seq MAXVALUE 50 RESTART 1", dbname="shop")
        source.sql(LEFT_BEHIND, dbname="shop")
        machine.write_config(machine.yaml.replace('"}', f'", tls: {certify(machine, 3)}}}') + pager(machine, 1))
        left_at(machine.volume, 50 << 20)
        stack.callback(left_at, machine.volume, 400 << 20)
        full = found(machine, "disk", "machine", "stops", machine.volume)
        shown = wait_for(lambda: (lambda s: s if "doctor: stops, disk on the machine" in s else None)(screen(machine)), 60,
                         "the screen of status says so", explain=lambda: screen(machine))
        assert "`bucardo-machine doctor" in shown, shown
        watched(machine, "doctor: stops, disk on the machine", "bucardo-machine doctor")
        old = found(machine, "wraparound", "destination", "note", "extra", "VACUUM (FREEZE)")
        behind = found(machine, "sequence", "machine", "degrades", "customer_id_seq")
        deltas = found(machine, "deltas", "source", "note", "orphan", "long_gone")
        https = found(machine, "http-certificate", "machine", "degrades", "ends at 20", machine.folder)
        long = found(machine, "long-transaction", "source", "note", "report", "public.extra")
        untold = found(machine, "receiver", "machine", "degrades", "pager", "out of paper", "notify test pager")
        shown = screen(machine)
        assert "notify pager was NOT told since 20" in shown and "receiver on the machine" not in shown, shown
        told, = machine.status_json()["receivers"]
        assert told["failures"] >= 3 and told["failing_since"] == untold["evidence"][0]["failing_since"], told
        pager(machine, 0)
        machine.cli("service", "restart", "notify").check()
        left_at(machine.volume, 400 << 20)
        certify(machine, 90)
        for server, finding in ((source, long), (dest, old), (source, deltas)):
            cured(server, finding)
        source.sql("DELETE FROM bucardo.bucardo_delta_names WHERE sync = 'long_gone'; DROP TABLE bucardo.delta_public_orphan",
                   dbname="shop")
        dest.sql("ALTER SEQUENCE customer_id_seq MAXVALUE 2147483647", dbname="shop")
        gone(machine, full, old, behind, deltas, https, long, untold)
        assert "NOT told" not in screen(machine), screen(machine)
    source.sql("DROP TABLE orphan; DROP FUNCTION bucardo.left_behind()", dbname="shop")
    machine.write_config(machine.yaml)


def test_what_stops_the_runs_is_named_and_they_go_on_when_it_is_cured(pair):
    machine, source, dest = pair
    with contextlib.ExitStack() as stack:
        opened(stack, source, "SET application_name = 'cleaner'", "LOCK TABLE bucardo.bucardo_truncate_trigger IN ACCESS EXCLUSIVE MODE")
        source.sql("UPDATE held SET note = 'c'", dbname="shop")
        check = found(machine, "truncate-check", "source", "stops", "cleaner", "bucardo#183")
        cured(source, check)
        gone(machine, check)
    dest.sql(f"BEGIN; {AS_BUCARDO} INSERT INTO customer VALUES (-1, 'stray', 'c@d'); COMMIT", dbname="shop")
    source.sql("UPDATE customer SET email = 'c@d' WHERE id = 1", dbname="shop")
    twice = found(machine, "unique", "machine", "degrades", "customer_email_key")
    dest.sql(f"BEGIN; {AS_BUCARDO} DELETE FROM customer WHERE id = -1; COMMIT", dbname="shop")
    gone(machine, twice, seconds=120)
    hba = os.path.join(dest.data, "pg_hba.conf")
    with open(hba, encoding="ascii") as file:
        before = file.read()
    with open(hba, "w", encoding="ascii") as file:
        file.write(f"host shop {dest.user} all reject\n{before}")
    dest.sql("SELECT pg_reload_conf()")
    refused = found(machine, "permission", "destination", "stops", "pg_hba.conf", dest.user)
    with open(hba, "w", encoding="ascii") as file:
        file.write(before)
    dest.sql("SELECT pg_reload_conf()")
    gone(machine, refused)
    wait_for(lambda: dest.value("SELECT email FROM customer WHERE id = 1", dbname="shop") == "c@d", 60, "it goes on")


@pytest.fixture(name="small")
def _small(pair):
    """A small tablespace of the destination."""
    dest = pair[2]
    path = os.path.join(dest.folder, "small")
    os.makedirs(path)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "bm", path], check=True)
    os.mkdir(f"{path}/space")
    give(f"{path}/space")
    dest.sql(f"CREATE TABLESPACE small LOCATION '{path}/space'")
    yield path
    dest.sql("ALTER TABLE extra SET TABLESPACE pg_default", dbname="shop")
    dest.sql("DROP TABLESPACE small")
    subprocess.run(["umount", "-l", path], check=True)


@pytest.mark.full
def test_a_tablespace_of_the_destination_that_is_full_is_named(pair, small):
    machine, source, dest = pair
    dest.sql("ALTER TABLE extra SET TABLESPACE small", dbname="shop")
    source.sql("INSERT INTO extra SELECT i, repeat(md5(i::text), 30) FROM generate_series(1, 20000) i", dbname="shop")
    full = found(machine, "disk", "machine", "stops", "No space left on device")
    left_at(small, 100 << 20)
    gone(machine, full, seconds=120)
    wait_for(lambda: dest.value("SELECT count(*) FROM extra", dbname="shop") == 20000, 60, "it goes on by itself")


@pytest.mark.full
def test_a_server_whose_clock_is_another_is_named_and_loses_nothing(pair):
    machine, source, dest = pair
    library, = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")
    dest.stop()
    dest.wrap = ["env", f"LD_PRELOAD={library}", "FAKETIME=+100s", "FAKETIME_DONT_FAKE_MONOTONIC=1"]
    dest.start()
    try:
        clock = found(machine, "clock", "destination", "degrades", "ahead of the pod's", "chronyc")
        assert 95 < clock["evidence"][0]["apart_sec"] < 101, clock
        source.sql("INSERT INTO purchase (amount) VALUES (4711)", dbname="shop")
        wait_for(lambda: dest.value("SELECT count(*) FROM purchase WHERE amount = 4711", dbname="shop") == 1, 60, "it is carried")
        assert not all_of(look(machine), "clock", "source")
    finally:
        dest.stop()
        dest.wrap = []
        dest.start()
    gone(machine, clock)
    declared.wait_live(machine)


@pytest.mark.full
def test_a_kid_that_takes_much_of_what_the_pod_may_have_is_named_and_a_restart_cures_it(pair):
    machine, source, dest = pair
    group = MemoryGroup("bm-doctor", 600 << 20)
    if group.path is None:
        pytest.skip("no control group can be made here")
    machine.stop()
    with group.entered():
        machine.start()
    declared.wait_live(machine)
    source.sql("INSERT INTO extra VALUES (-7, repeat('x', 100 << 20))", dbname="shop")
    wait_for(lambda: dest.value("SELECT length(note) FROM extra WHERE id = -7", dbname="shop") == 100 << 20, 120, "it is carried",
             explain=machine.log_tail)
    with group.entered():
        kid = found(machine, "memory", "machine", None, "KID of app_sync", "the control group allows", "service restart bucardo")
        assert kid["severity"] in ("degrades", "stops") and kid["evidence"][0]["limit_bytes"] == 600 << 20, kid
        machine.cli("service", "restart", "bucardo").check()
        declared.wait_live(machine)
        gone(machine, kid)
    source.sql("DELETE FROM extra WHERE id = -7", dbname="shop")
    machine.stop()
    machine.start()
    declared.wait_live(machine)
    group.close()


def test_a_side_that_is_down_is_a_finding_and_what_could_not_be_asked_is_named(pair):
    machine, _, dest = pair
    dest.stop()
    evidence = look(machine)
    silence, = all_of(evidence, "silence", "destination")
    assert silence["severity"] == "stops" and str(dest.port) in silence["cause"], silence
    unknown, = [u for u in evidence["not_looked_at"] if u["side"] == "destination"]
    assert {"blocked", "permissions", "clock"} <= set(unknown["facts"]) and "cannot connect" in unknown["why"], unknown
    dest.start()
    gone(machine, silence)
    declared.wait_live(machine)


def test_the_machine_looks_by_itself_and_tells_status_metrics_and_events(pair):
    machine, source, _ = pair
    source.sql("CREATE ROLE loader; ALTER ROLE loader SET session_replication_role = 'replica'")
    view = declared.wait_view(machine, lambda v: v["doctor"] and len(v["doctor"]) == 1 and not v["doctor_look"]["not_looked_at"]
                              and v["doctor"][0]["rule"] == "replica-writers", "this finding alone in the status", 120)
    finding, = view["doctor"]
    assert (finding["side"], finding["severity"]) == ("source", "note")
    assert found(machine, "replica-writers", "source", "note")["since"] == finding["since"]
    assert "doctor: replica-writers on the source" in machine.cli("events").output
    metrics = http.ask(machine.http_port, "/metrics").text
    assert ('bucardo_machine_doctor_findings{migration="app",rule="replica-writers",side="source",severity="note"} 1'
            in metrics.splitlines()), metrics


@pytest.mark.full
def test_a_finding_that_goes_is_told_as_over(pair):
    machine, source, _ = pair
    source.sql("DROP ROLE IF EXISTS loader")
    declared.wait_view(machine, lambda v: v["doctor"] == [], "nothing in the status", 90)
    wait_for(lambda: "doctor: over: replica-writers on the source" in machine.cli("events").output, 150, "the event")


def rules():
    with open(os.path.join(REPOSITORY, "src/worker/doctor/rules.c"), encoding="utf-8") as file:
        return set(re.findall(r'^\{ \.name = "([\w-]+)"', file.read(), re.M))


def test_the_document_has_each_rule_and_no_other():
    with open(os.path.join(REPOSITORY, "docs/doctor.md"), encoding="utf-8") as file:
        table = file.read().split("## Rules")[1]
    assert set(re.findall(r"^\| `([\w-]+)` \|", table, re.M)) == rules()

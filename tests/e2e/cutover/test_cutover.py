"""Story: two databases are proven in the pod under writes, and one is cut over, back, and over again, pods being deleted."""

import gzip
import os
import subprocess
import types

import pytest
from support import compare, http
from support.cutover import TABLES, Probe, Writers
from support.declared import endpoint, view, wait_live, wait_view
from support.leaving import dump
from support.traffic import Traffic
from support.waiting import wait_for

pytestmark = [pytest.mark.timeout(900), pytest.mark.k8s]

# What a database has, by name, beside what PostgreSQL itself made.
CATALOG = """
    SELECT 'schema', nspname::text, '' FROM pg_namespace WHERE nspname !~ '^pg_' UNION ALL
    SELECT 'relation', oid::regclass::text, relkind::text || relpersistence::text || relreplident::text
      FROM pg_class WHERE oid >= 16384 AND relnamespace NOT IN (99, 11) UNION ALL
    SELECT 'function', oid::regprocedure::text, md5(prosrc) FROM pg_proc WHERE oid >= 16384 UNION ALL
    SELECT 'trigger', tgrelid::regclass || '.' || tgname, tgenabled::text FROM pg_trigger
      WHERE NOT tgisinternal UNION ALL
    SELECT 'event trigger', evtname::text, evtenabled::text FROM pg_event_trigger UNION ALL
    SELECT 'extension', extname::text, extversion FROM pg_extension UNION ALL
    SELECT 'constraint', conrelid::regclass || '.' || conname, contype::text FROM pg_constraint
      WHERE oid >= 16384 UNION ALL
    SELECT 'setting', setdatabase::text || setrole::text, setconfig::text FROM pg_db_role_setting UNION ALL
    SELECT 'role', rolname::text, '' FROM pg_roles WHERE oid >= 16384 UNION ALL
    SELECT 'publication', pubname::text, '' FROM pg_publication UNION ALL
    SELECT 'slot', slot_name::text, '' FROM pg_replication_slots ORDER BY 1, 2, 3"""

# Everything waits for two processors here; what an attempt on a quiet host takes the benches say.
PATIENT = ("--budget", "10s")
NAMES = {"app": "pagila", "shop": "chinook"}


def yaml(source, dest):
    return "version: 1\nmigrations:\n" + "".join(
        f"  - name: {name}\n    direction: both\n    source: {endpoint(source, dbname)}\n"
        f"    destination: {endpoint(dest, dbname)}\n" for name, dbname in NAMES.items())


class Forward:
    """`kubectl port-forward` of the pod's pages, as a person types it."""

    def __init__(self, machine):
        self.port = http.free_port()
        self.process = subprocess.Popen(
            ["kubectl", f"--namespace={machine.namespace}", "port-forward", f"po/{machine.pod}", f"{self.port}:8080"],
            env={**os.environ, **machine.client_env()}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self):
        wait_for(lambda: self.ask("/livez").status == 200, 30, "the forwarded port answers")
        return self

    def ask(self, path, **headers):
        return http.ask(self.port, path, headers=headers)

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module", name="world")
def _world(shared_k8s_stage):
    """(machine, source, dest): both databases replicate; what they were before stands in `before`."""
    source, dest = shared_k8s_stage.server("source"), shared_k8s_stage.server("dest")
    for dbname in NAMES.values():
        source.create_database(dbname, dbname)
        dest.create_database(dbname)
    source.sql(TABLES, dbname="pagila")
    source.sql("ANALYZE", dbname="pagila")
    machine = shared_k8s_stage.machine(source, dest).wait_ready()
    machine.before = {dbname: (dump(source, dbname), source.sql(CATALOG, dbname=dbname)) for dbname in NAMES.values()}
    machine.write_config(yaml(source, dest))
    for name in NAMES:
        wait_live(machine, name=name)
    return machine, source, dest


def test_both_are_proven_under_writes_and_the_report_is_fetched(world, tmp_path):
    machine, source, dest = world
    with Traffic(source, "pagila") as one, Traffic(source, "chinook") as two:
        one.wait_total(50)
        two.wait_total(50)
        for name in NAMES:
            said = machine.cli("verify", name, "--wait", "60", "--report", f"/tmp/{name}.html", seconds=180)
            assert said.code == 0, said.output
            assert machine.copy_out(f"/tmp/{name}.html", str(tmp_path / f"{name}.html")).code == 0
            page = (tmp_path / f"{name}.html").read_text(encoding="utf-8")
            assert "<html" in page and NAMES[name] in page
        one.wait_total(20)
    for dbname in NAMES.values():
        compare.wait_equal(source, dest, dbname, sequences="ahead")
    with Forward(machine) as forward:
        assert forward.ask("/readyz").status == 200
        assert "bucardo_machine_writable_sides" in forward.ask("/metrics").text
        for name in NAMES:
            report = forward.ask(f"/report/{name}")
            assert report.status == 200 and NAMES[name] in report.text
        page = forward.ask("/", **{"Accept-Encoding": "gzip"})
        assert page.status == 200 and "<html" in gzip.decompress(page.body).decode()
        print(f"the page through port-forward: {page.seconds:.3f} s, {len(page.body)} bytes")


def change(machine, phase):
    """As a person does it: until it is ready, then for good."""
    wait_for(lambda: machine.cli(phase, "app", "--check", seconds=60).code == 0, 120, f"ready for {phase}", every=1,
             explain=lambda: machine.cli(phase, "app", "--check", seconds=60).output)
    said = machine.cli(phase, "app", "--yes", *PATIENT, seconds=120)
    assert said.code == 0, said.output
    return said.output


def live_side(machine, side):
    return wait_view(machine, lambda v: v["reconcile"] and v["reconcile"]["live"]["side"] == side, f"{side} is live", 90)


def delete_pod_in_mid_attempt(machine, phase, before, after):
    """One definite side afterwards; whichever it is, the same command brings it over."""
    attempt = subprocess.Popen(machine.exec_argv(["bucardo-machine", phase, "app", "--yes", *PATIENT]),
                               env={**os.environ, **machine.client_env()}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    wait_for(lambda: (view(machine) or {}).get("phase") == phase or attempt.poll() is not None, 30, "it is under way", every=0.05)
    machine.replace(force=True)
    attempt.communicate(timeout=60)
    machine.wait_ready()
    now = wait_view(machine, lambda v: v["status"] == "live" and v["reconcile"] and "live" in v["reconcile"], "it is live again")
    side = now["reconcile"]["live"]["side"]
    assert side in (before, after)
    if side == before:
        change(machine, phase)
    live_side(machine, after)


def test_it_is_cut_over_and_back_and_over_again_and_no_acknowledged_write_is_lost(world):
    machine, source, dest = world
    sides = types.SimpleNamespace(source=source, dest=dest, dbname="pagila", servers=lambda: (source, dest))
    wait_for(lambda: machine.cli("cutover", "app", "--check", seconds=60).code == 0, 120, "it is ready", every=1,
             explain=lambda: machine.cli("cutover", "app", "--check", seconds=60).output)
    with Writers(sides) as writers, Probe(sides) as probe, Traffic(source, "pagila", other=dest):
        writers.wait_more()
        rehearsed = machine.cli("cutover", "app", "--rehearse", *PATIENT, seconds=120)
        assert rehearsed.code == 0 and "ms" in rehearsed.output, rehearsed.output
        print(change(machine, "cutover"))
        live_side(machine, "destination")
        writers.wait_more()
        machine.replace(force=True)
        machine.wait_ready()
        writers.wait_more()
        wait_live(machine)
        print(change(machine, "failback"))
        live_side(machine, "source")
        writers.wait_more()
        delete_pod_in_mid_attempt(machine, "cutover", "source", "destination")
        writers.wait_more()
    assert writers.errors == [] and probe.changes() >= 3
    compare.wait_equal(dest, source, "pagila", sequences="ahead")
    writers.check()
    said = machine.cli("verify", "app", "--wait", "60", seconds=180)
    assert said.code == 0, said.output


def test_the_teardown_leaves_the_databases_as_a_plain_copy_would(world):
    machine, source, dest = world
    for name, dbname in NAMES.items():
        said = machine.cli("teardown", name, "--yes", seconds=120)
        assert said.code == 0, said.output
        for side in ("source", "destination"):
            assert f"nothing of ours is left on the {side}" in said.output, said.output

    def check():
        for name, dbname in NAMES.items():
            for server in (source, dest):
                assert (dump(server, dbname), server.sql(CATALOG, dbname=dbname)) == machine.before[dbname]
            live, other = (dest, source) if name == "app" else (source, dest)
            assert compare.differences(live, other, dbname, sequences=False) == []

    check()
    machine.replace(force=True)
    machine.wait_ready()
    for name in NAMES:
        now = view(machine, name)
        assert (now["phase"], now["status"]) == ("teardown", "done"), now
    check()

"""The migration engine before phase workers that do as they are told (fake_phases.c)."""

import json
import os
import re
import shutil

import pytest
from support.stage import DONE, PHASES, Stage, failed, progress, yaml
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(200)


@pytest.fixture
def stage(workshop):
    return Stage(workshop)


def test_a_declared_migration_goes_through_every_phase_in_order(stage):
    stage.machine.write_config(yaml("app", extra="    copy: {jobs: 7}\n"))
    stage.machine.start()
    view = stage.wait_live()
    assert stage.requests() == PHASES
    assert [phase["state"] for phase in view["phases"]] == ["done"] * 6
    assert all(phase["ended_at"] >= phase["started_at"] for phase in view["phases"])
    request = stage.full_requests()[3]
    assert request["v"] == 1 and request["fix"] is False
    assert request["control"] == {"socket_dir": stage.machine.runtime}
    assert request["migration"]["source"] == {"host": "192.0.2.1", "port": 5432, "dbname": "app",
                                            "user": "u", "sslmode": "prefer", "sslrootcert": None}
    assert request["migration"]["copy"] == {"jobs": 7, "max_rate": 0, "throttle": True}
    stage.machine.wait_ready()
    shown = stage.machine.cli("status").check()
    assert "MIGRATION" in shown and "live" in shown
    events = stage.machine.cli("events").check()
    for phase in PHASES:
        assert f"app: {phase} begins" in events and f"app: {phase} is done" in events


def test_a_killed_machine_goes_on_with_the_phase_it_was_in(stage):
    for phase in PHASES:
        stage.play("app", phase, f"wait {phase}.go", DONE)
    stage.machine.write_config(yaml("app"))
    for phase in PHASES:
        stage.machine.start()
        stage.wait(lambda v, p=phase: v["phase"] == p and v["pid"] is not None, f"works in {phase}")
        # A worker killed before it has read its request leaves no trace of having begun.
        wait_for(lambda p=phase: p in stage.requests(), 10, f"{phase} has read its request")
        stage.machine.kill9_everything()
        stage.machine.fresh_runtime()
        stage.touch(f"{phase}.go")
    stage.machine.start()
    stage.wait_live()
    # Each was begun twice at most, none that was done again.
    assert sorted(set(stage.requests()), key=PHASES.index) == PHASES
    assert stage.requests() == sorted(stage.requests(), key=PHASES.index)
    assert all(stage.requests().count(phase) == 2 for phase in PHASES)


def test_run_until_stops_there_and_a_person_goes_further(stage):
    stage.machine.write_config(yaml("app", extra="    run_until: schema\n"))
    stage.machine.start()
    stage.wait_at("capture", "done")
    assert stage.requests() == ["preflight", "schema"]
    shown = stage.machine.cli("status").output
    assert re.search(r"^app +schema +done ", shown, re.MULTILINE)
    assert "hint: `bucardo-machine migrate app` lets it go on" in shown
    refused = stage.machine.cli("migrate", "app", "--until", "\udcff")
    assert refused.code == 1 and "not UTF-8" in refused.output
    refused = stage.machine.cli("migrate", "app", "--until", "cutover")
    assert refused.code == 1 and "no migration goes by itself to 'cutover'" in refused.output
    assert "goes on" in stage.machine.cli("migrate", "app", "--until", "copy").check()
    stage.wait_at("index", "done")
    assert stage.requests() == PHASES[:4]
    refused = stage.machine.cli("migrate", "app", "--until", "schema")
    assert refused.code == 1 and "is past 'schema' already" in refused.output
    stage.machine.stop()
    stage.machine.start()  # what a person said is in the journal
    stage.wait_at("index", "done")
    stage.machine.cli("migrate", "app").check()
    stage.wait_live()
    assert stage.requests() == PHASES


def test_a_pause_ends_the_worker_and_outlives_the_machine(stage):
    stage.play("app", "copy", progress(1, 10), "wait copy.go", DONE)
    stage.machine.write_config(yaml("app"))
    stage.machine.start()
    stage.wait_at("copy", "running")
    stage.machine.cli("pause", "app").check()
    view = stage.wait_at("copy", "paused")
    assert view["pid"] is None and view["why"].startswith("paused by uid")
    assert view["hint"] == "`bucardo-machine resume app` lets it go on"
    stage.touch("copy.go")
    stage.machine.kill9_everything()
    stage.machine.fresh_runtime()
    stage.machine.start()
    stage.wait_at("copy", "paused")
    assert stage.requests() == PHASES[:4]
    again = stage.machine.cli("pause", "app")
    assert again.code == 1 and "paused already" in again.output
    stage.machine.cli("resume", "app").check()
    stage.wait_live()


def test_a_request_is_confirmed_when_the_journal_has_it_and_not_before(stage):
    stage.machine.write_config(yaml("app", extra="    run_until: schema\n"))
    stage.machine.start()
    stage.wait_at("capture", "done")
    paused = "SELECT paused_at IS NOT NULL FROM machine.migration"
    with stage.machine.control_session("BEGIN; LOCK TABLE machine.migration IN EXCLUSIVE MODE"):
        done = stage.machine.cli("pause", "app")
        assert done.code == 1 and "is not in the journal yet" in done.output
        assert not stage.view()["recorded"]
        assert stage.machine.control_sql(paused) == ["f"]
    stage.wait(lambda v: v["recorded"], "has its request in the journal")
    assert stage.machine.control_sql(paused) == ["t"]
    stage.machine.cli("resume", "app").check()
    assert stage.machine.control_sql(paused) == ["f"]


@pytest.mark.full
@pytest.mark.timeout(300)
def test_a_worker_that_says_nothing_for_three_minutes_is_replaced(stage):
    stage.play("app", "copy", "wait copy.go", DONE)
    stage.machine.write_config(yaml("app"))
    stage.machine.start()
    hung = stage.wait_at("copy", "running")["pid"]
    stage.wait(lambda v: v["attempt"] == 1, "was found silent", seconds=200)
    view = stage.wait(lambda v: v["pid"] not in (None, hung), "is tried again")
    assert view["why"] == "its worker says nothing, and nothing shows that it works, for 3 min, and was ended"
    stage.touch("copy.go")
    stage.wait_live()


@pytest.mark.full
def test_a_transient_failure_is_retried_ever_more_slowly_and_shown(stage):
    stage.play("app", "copy", failed("transient", "the source is away"))
    stage.machine.write_config(yaml("app"))
    stage.machine.start()
    view = stage.wait(lambda v: v["attempt"] >= 3, "has failed three times")
    assert view["status"] in ("waiting", "running") and view["why"] == "the source is away"
    stage.wait(lambda v: v["retry_in_msec"] is not None and v["retry_in_msec"] > 2000,
               "waits longer")
    wait_for(lambda: stage.machine.status_json()["why"].startswith("migration 'app' is stuck"), 10,
             "the machine says so")
    stage.play("app", "copy", DONE)
    stage.wait_live()
    stage.machine.wait_ready()


def test_a_failure_of_ours_stops_until_a_person_resumes(stage):
    stage.play("app", "schema", failed("internal", "cannot happen"))
    stage.machine.write_config(yaml("app"))
    stage.machine.start()
    view = stage.wait_at("schema", "failed")
    assert view["why"] == "cannot happen" and view["retry_in_msec"] is None
    assert "internal); `bucardo-machine resume app` tries again" in stage.machine.cli(
        "status").check()
    stage.play("app", "schema", DONE)
    stage.machine.stop()
    stage.machine.start()
    stage.wait_at("schema", "failed")
    assert stage.requests() == ["preflight", "schema"]
    stage.machine.cli("resume", "app").check()
    stage.wait_live()


def test_an_operator_failure_names_the_hint_and_is_tried_again_when_pgpass_changes(stage):
    finding = {"v": 1, "event": "finding", "severity": "stops", "object": "public.t",
               "why": "has no key", "hint": "ALTER TABLE t ADD PRIMARY KEY (id)"}
    stage.play("app", "preflight", json.dumps(finding),
               failed("operator", "1 finding stops it", "fix it"))
    stage.machine.write_pgpass(text="h:1:d:u:p\n")
    stage.machine.write_config(yaml("app"))
    stage.machine.start()
    view = stage.wait_at("preflight", "failed")
    assert view["hint"] == "fix it" and view["findings"] == [
        {k: finding[k] for k in ("severity", "object", "why", "hint")}]
    assert 5000 < view["retry_in_msec"] <= 30000
    assert ("stops: public.t: has no key; hint: ALTER TABLE t ADD PRIMARY KEY (id)"
            in stage.machine.cli("status").check())
    stage.play("app", "preflight", DONE)
    stage.machine.write_pgpass(text="h:1:d:u:q\n")
    stage.wait_live(seconds=20)
    assert stage.view()["findings"] == []


def test_a_worker_without_a_result_is_started_again(stage):
    stage.play("app", "schema", "crash")
    stage.play("app", "copy", "nonsense")
    stage.machine.write_config(yaml("app"))
    stage.machine.start()
    view = stage.wait(lambda v: v["attempt"] >= 1, "has failed")
    assert "ended without a result" in view["why"]
    stage.play("app", "schema", DONE)
    view = stage.wait(lambda v: v["phase"] == "copy" and v["attempt"] >= 1, "has failed in copy")
    assert "makes no sense: 'nonsense'" in view["why"]
    stage.play("app", "copy", DONE)
    stage.wait_live()


def test_migrations_leave_each_other_alone(stage):
    stage.play("bad", "preflight", failed("internal", "broken"))
    stage.play("slow", "copy", "wait slow.go", DONE)
    stage.machine.write_config(yaml("bad", "slow", "good"))
    stage.machine.start()
    stage.wait_at("preflight", "failed", name="bad")
    stage.wait_live(name="good")
    stage.wait_at("copy", "running", name="slow")
    stage.touch("slow.go")
    stage.wait_live(name="slow")
    assert stage.requests("bad") == ["preflight"]


def test_a_harmless_change_is_taken_over_in_the_middle(stage):
    stage.play("app", "copy", "wait copy.go", DONE)
    stage.machine.write_config(yaml("app"))
    stage.machine.start()
    stage.wait_at("copy", "running")
    stage.machine.write_config(yaml("app", extra="    copy: {jobs: 9}\n"))
    wait_for(lambda: stage.requests().count("copy") == 2, 20, "the copy began again")
    assert stage.full_requests()[-1]["migration"]["copy"]["jobs"] == 9
    stage.touch("copy.go")
    stage.wait_live()


def test_another_rate_of_the_copy_restarts_nothing_once_the_rows_are_there(stage):
    stage.play("app", "capture", "wait capture.go", DONE)
    stage.play("app", "index", "wait index.go", DONE)
    stage.machine.write_config(yaml("app"))
    stage.machine.start()
    for jobs, phase in ((6, "capture"), (7, "index"), (8, "replicate")):
        stage.wait(lambda v, p=phase: v["phase"] == p and (v["reconcile"] or v["pid"]), f"is in {phase}")
        wait_for(lambda: stage.requests()[-1] == phase, 20, "the worker has its request")
        before = stage.view()
        stage.machine.write_config(yaml("app", extra=f"    copy: {{jobs: {jobs}, max_rate: 1MB}}\n"))
        wait_for(lambda j=jobs: f'"jobs": {j}' in stage.journalled_definition(), 20, "it is taken over")
        after = stage.view()
        assert after["pid"] == before["pid"] and stage.requests().count(phase) == 1
        if phase == "replicate":
            assert after["reconcile"]["pid"] == before["reconcile"]["pid"]
        else:
            stage.touch(f"{phase}.go")
    assert stage.requests() == PHASES and stage.full_requests()[3]["migration"]["copy"]["jobs"] == 6
    log = stage.machine.log()
    assert log.count("its changed definition is taken over") == 3
    assert log.count("nothing is restarted for it") == 3


def test_the_time_left_is_what_the_worker_says_and_none_while_it_says_none(stage):
    for phase in ("copy", "index"):
        stage.play("app", phase, progress(10, 1000), "wait told.go", progress(20, 1000, left_ms=90000),
                   f"wait {phase}.go", progress(30, 1000), "wait over.go", DONE)
    stage.machine.write_config(yaml("app"))
    stage.machine.start()
    for phase in ("copy", "index"):
        begun = stage.wait(lambda v, p=phase: v["phase"] == p and v["progress"]["done"] == 10, "began")
        assert begun["progress"]["eta_msec"] is None
        stage.touch("told.go")
        told = stage.wait(lambda v: v["progress"]["done"] == 20, "tells how long")
        assert told["progress"]["eta_msec"] == 90000
        if phase == "index":
            assert told["progress"]["rate"] is None, "objects of all kinds have no rate"
        assert "done in 1 min 30 s" in stage.machine.cli("status").check()
        stage.touch(f"{phase}.go")
        lost = stage.wait(lambda v: v["progress"]["done"] == 30, "does not know any more")
        assert lost["progress"]["eta_msec"] is None
        assert "done in" not in stage.machine.cli("status").check()
        os.unlink(os.path.join(stage.folder, "told.go"))
        stage.touch("over.go")
        stage.wait(lambda v, p=phase: v["phase"] != p, "is over")
        os.unlink(os.path.join(stage.folder, "over.go"))
    stage.touch("over.go")
    stage.wait_live()


def test_a_change_that_would_mix_databases_is_refused_until_it_is_taken_back(stage):
    stage.play("app", "copy", "wait copy.go", DONE)
    stage.machine.write_config(yaml("app"))
    stage.machine.start()
    stage.wait_at("copy", "running")
    stage.machine.write_config(yaml("app", host="192.0.2.77"))
    view = stage.wait_at("copy", "failed")
    assert 'source.host was "192.0.2.1" and is "192.0.2.77" now' in view["why"]
    assert view["pid"] is None and "put back" in view["hint"]
    told = stage.machine.cli("events").check()
    assert "configuration taken over (loaded), but not of migration 'app'" in " ".join(told.split())
    for word in ("resume", "migrate"):
        refused = stage.machine.cli(word, "app")
        assert refused.code == 1 and "its changed definition is refused: source.host" in refused.output
    # What runs can be stopped, and what was stopped goes on.
    stage.machine.cli("pause", "app").check()
    view = stage.wait_at("copy", "paused")
    assert "paused by" in view["why"] and "refused: source.host" in view["why"]
    stage.machine.cli("resume", "app").check()
    stage.wait_at("copy", "failed")
    stage.machine.stop()
    stage.machine.start()
    stage.wait_at("copy", "failed")
    stage.machine.write_config(yaml("app"))
    stage.touch("copy.go")
    stage.wait_live()


def test_while_the_schema_cannot_be_made_what_is_in_its_way_may_be_left_out(stage):
    stage.play("app", "schema", failed("operator", "making VIEW mirror: no", "leave it out"))
    stage.machine.write_config(yaml("app"))
    stage.machine.start()
    stage.wait_at("schema", "failed")
    stage.play("app", "schema", DONE)
    stage.play("app", "capture", "wait capture.go", DONE)
    stage.machine.write_config(yaml("app", extra="    tables: {exclude: [public.mirror]}\n"))
    stage.wait_at("capture", "running", seconds=20)
    schema = [request for request in stage.full_requests() if request["phase"] == "schema"]
    assert schema[-1]["migration"]["tables"] == {"exclude": ["public.mirror"]}
    stage.machine.write_config(yaml("app"))
    view = stage.wait_at("capture", "failed")
    assert "tables was" in view["why"], "once it is made, nothing of it may change"


def test_before_the_schema_anything_may_change(stage):
    stage.machine.write_config(yaml("app", extra="    run_until: preflight\n"))
    stage.machine.start()
    stage.wait_at("schema", "done")
    stage.machine.write_config(yaml("app", host="192.0.2.77"))
    stage.wait_live()
    assert stage.full_requests()[-1]["migration"]["source"]["host"] == "192.0.2.77"


@pytest.mark.full
def test_a_lost_control_database_is_rebuilt_from_what_the_phases_find(stage):
    stage.machine.write_config(yaml("app"))
    stage.machine.start()
    stage.wait_live()
    stage.machine.stop()
    shutil.rmtree(os.path.join(stage.machine.volume, "postgres"))
    stage.machine.fresh_runtime()
    stage.machine.start()
    stage.wait_live()
    assert stage.requests() == PHASES * 2


def journalled(stage):
    """What the journal has of migration app: its phases with their states, and its pause."""
    return (stage.machine.control_sql("SELECT count(*), min(state), max(state) FROM machine.phase"),
            stage.machine.control_sql("SELECT paused_at IS NULL FROM machine.migration"))


def test_a_journal_that_is_dropped_meanwhile_is_made_again_with_all_that_is_known(stage):
    stage.play("app", "copy", "wait copy.go", DONE)
    stage.machine.write_config(yaml("app"))
    stage.machine.start()
    stage.wait(lambda v: v["phase"] == "copy" and v["pid"] is not None, "copies")
    stage.machine.control_sql("SET client_min_messages = error; DROP SCHEMA machine CASCADE")
    stage.touch("copy.go")
    stage.wait_live()
    wait_for(lambda: journalled(stage) == (["6|done|done"], ["t"]), 10, "all is in the journal")
    stage.machine.kill9_everything()
    stage.machine.fresh_runtime()
    stage.machine.start()
    stage.wait_live()
    assert stage.requests() == PHASES


def test_a_journal_that_cannot_be_read_when_its_database_is_back_is_read_again(stage):
    stage.play("app", "copy", "wait copy.go", DONE)
    stage.machine.write_config(yaml("app"))
    stage.machine.start()
    stage.wait(lambda v: v["phase"] == "copy" and v["pid"] is not None, "copies")
    # A volume that was put back, of an older state, and which a newer program had meanwhile.
    stage.machine.control_sql("DELETE FROM machine.phase WHERE phase <> 'preflight';"
                              "ALTER TABLE machine.phase DROP COLUMN total;"
                              "UPDATE machine.version SET version = 99")
    stage.machine.cli("service", "restart", "postgres").check()
    wait_for(lambda: "cannot read the journal" in stage.machine.log(), 30, "it cannot be read")
    stage.touch("copy.go")
    wait_for(lambda: stage.machine.log().count("cannot read the journal") > 1, 30,
             "it is tried again")
    assert stage.machine.control_sql("SELECT count(*) FROM machine.phase") == ["1"]
    stage.machine.control_sql("UPDATE machine.version SET version = 1")
    stage.wait_live()
    wait_for(lambda: journalled(stage) == (["6|done|done"], ["t"]), 10, "all is in the journal")
    assert stage.requests() == PHASES


def test_a_migration_is_tended_to_while_it_replicates_and_is_declared(stage):
    line = '{"v":1,"event":"reconciled","evidence":{"sequences":{"transferred":7},"drift":[{"table":"t",' \
           '"difference":"column c is on the source only","hint":"add it","breaks":true}]}}'
    stage.play("app", "index", "wait index.go", DONE)
    stage.play("app", "reconcile", line, "wait reconcile.go", failed("transient", "the source is away"))
    stage.machine.write_config(yaml("app"))
    stage.machine.start()
    stage.wait_at("index", "running")
    assert stage.view()["reconcile"] is None
    stage.touch("index.go")
    view = stage.wait(lambda v: v["reconcile"] and v["reconcile"].get("drift"), "is reconciled")
    assert view["reconcile"]["sequences"]["transferred"] == 7 and view["reconcile"]["pid"]
    stage.wait_live()
    wait_for(lambda: "table t is paused: column c" in stage.machine.status_json()["why"], 10,
             "the machine says so")
    stage.touch("reconcile.go")  # it fails from now on, and is tried again
    stage.wait(lambda v: v["reconcile"]["why"] == "the source is away", "says why not")
    stage.play("app", "reconcile", line.replace('"transferred":7', '"transferred":8'), "wait never")
    view = stage.wait(lambda v: v["reconcile"]["sequences"]["transferred"] == 8, "is reconciled again")
    assert view["reconcile"]["why"] == ""
    stage.machine.write_config("version: 1\n")
    stage.wait(lambda v: v["reconcile"]["pid"] is None, "is not reconciled any more")


def test_progress_never_runs_backwards(stage):
    stage.play("app", "copy", progress(60, 100), progress(40, 100), "wait copy.go",
               progress(130, 100), "wait never")
    stage.machine.write_config(yaml("app"))
    stage.machine.start()
    view = stage.wait(lambda v: v["progress"]["done"] == 60, "has copied something")
    assert view["progress"]["percent"] == 60 and view["progress"]["text"] == "copying public.film"
    assert "60 bytes of 100 bytes, 60 %" in stage.machine.cli("status").check()
    stage.touch("copy.go")
    view = stage.wait(lambda v: v["progress"]["done"] == 130, "has copied more")
    assert view["progress"]["percent"] == 99  # the phase is not done


def test_a_preflight_that_failed_is_not_almost_done(stage):
    stage.play("app", "preflight", progress(52, 53, "checks"), "wait preflight.go",
               failed("operator", "preflight found 1 thing that must be fixed first", "fix it"))
    stage.machine.write_config(yaml("app"))
    stage.machine.start()
    stage.wait(lambda v: v["progress"]["percent"] == 98, "looks")
    stage.touch("preflight.go")
    view = stage.wait_at("preflight", "failed")
    assert view["progress"]["percent"] is None and view["progress"]["total"] is None
    assert "98 %" not in stage.machine.cli("status").check()
    stage.play("app", "preflight", progress(10, 53, "checks"), "wait again.go", DONE)
    stage.machine.cli("resume", "app").check()
    stage.wait(lambda v: v["progress"]["done"] == 10, "looks anew")
    stage.touch("again.go")
    stage.wait_live()


def test_what_an_older_machine_wrote_into_the_journal_is_shown(stage):
    """Its findings have the member mend, which is hint now."""
    finding = {"v": 1, "event": "finding", "severity": "degrades", "object": "public.t", "why": "has no key", "hint": "add one"}
    stage.play("app", "preflight", json.dumps(finding), DONE)
    stage.machine.write_config(yaml("app", extra="    run_until: preflight\n"))
    stage.machine.start()
    stage.wait_at("schema", "done")
    stage.machine.control_sql("UPDATE machine.phase SET findings = replace(findings::text, 'hint', 'mend')::jsonb"
                              " WHERE phase = 'preflight'")
    stage.machine.kill9_everything()
    stage.machine.fresh_runtime()
    stage.machine.start()
    found, = stage.wait_at("schema", "done")["findings"]
    assert (found["object"], found["why"], found["hint"]) == ("public.t", "has no key", "add one")


def test_plan_looks_without_beginning(stage):
    finding = {"v": 1, "event": "finding", "severity": "degrades", "object": "public.t",
               "why": "has no key: it is copied and not replicated", "hint": "add one"}
    stage.play("app", "preflight", json.dumps(finding),
               '{"v":1,"event":"done","evidence":{"tables":3,"bytes":1234567}}')
    stage.machine.write_config(yaml("app", extra="    run_until: schema\n"))
    stage.machine.start()
    stage.wait_at("capture", "done")
    shown = stage.machine.cli("plan", "app")
    assert shown.code == 0, shown.output
    assert "degrades public.t: has no key" in shown.output and "hint: add one" in shown.output
    assert "capture    asked" in shown.output and "3 tables, 1.2 MB" in shown.output
    lines = [json.loads(line) for line in
             stage.machine.cli("plan", "app", "--json").check().splitlines()]
    assert [line["event"] for line in lines] == ["finding", "done"]
    stage.machine.cli("plan", "app", "--fix").check()
    assert stage.full_requests()[-1]["fix"] is True
    assert stage.view()["phase"] == "capture"
    stage.play("app", "preflight", failed("operator", "no rights", "GRANT them"))
    refused = stage.machine.cli("plan", "app")
    assert refused.code == 1 and "Something is in the way: no rights" in refused.output
    unknown = stage.machine.cli("plan", "other")
    assert unknown.code == 1 and "there is no migration 'other'; there are: app" in unknown.output

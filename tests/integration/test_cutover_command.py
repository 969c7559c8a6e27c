"""`cutover` and `failback`: the machine's half, before workers that do as they are told."""

import contextlib
import json
import os
import signal
import subprocess

import pytest
from support.stage import Stage, failed, progress, yaml
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(200)


def result(result="done", direction="cutover", **more):
    return {"number": 1, "direction": direction, "mode": "run", "result": result, "freeze_msec": 132,
            "unwritable_msec": 8, "steps": [{"name": "lock", "msec": 21, "detail": "20 tables"}],
            "conditions": [], **more}


def done(*words, **more):
    return json.dumps({"v": 1, "event": "done", "evidence": result(*words, **more)})


def not_ready():
    return json.dumps({"v": 1, "event": "failed", "class": "operator", "message": "2 conditions are in the way",
                       "hint": "end them", "evidence": result("not_ready", conditions=[
                           {"name": "writers", "state": "not_ready", "value": "1", "limit": "none", "why": "process 7",
                            "hint": "let it end"}])}) + "\nexit 1"


@pytest.fixture(scope="module")
def stage(shared_workshop):
    stage = Stage(shared_workshop)
    stage.machine.write_config(yaml("app", extra="    cutover: {budget: 800ms}\n"))
    stage.machine.start()
    stage.wait_live()
    return stage


@contextlib.contextmanager
def typed(stage, *words):
    command, env = stage.machine.inside([stage.machine.binary, *words])
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          cwd="/") as process:
        try:
            yield process
        finally:
            process.kill()


def changes(stage):
    return [r for r in stage.full_requests() if r["phase"] in ("cutover", "failback")]


def over(stage, number, seconds=60):
    return stage.wait(lambda v: v["cutover"] and v["cutover"]["number"] == number and not v["cutover"]["under_way"],
                      f"has ended attempt {number}", seconds=seconds)["cutover"]


def number(stage):
    return (stage.view()["cutover"] or {"number": 0})["number"]


def test_without_a_word_of_agreement_nothing_is_begun(stage):
    said = stage.machine.cli("cutover", "app")
    assert said.code == 1 and "nothing was changed: say --yes" in said.output, said.output
    assert not changes(stage) and stage.view()["cutover"] is None
    assert stage.machine.cli("cutover", "app", "--budget", "5ms").code == 2
    assert stage.machine.cli("cutover", "app", "--check", "--rehearse").code == 2


def test_what_is_not_to_be_cut_over_is_refused_with_the_reason(stage):
    machine = stage.machine
    assert "no migration 'ap'" in machine.cli("cutover", "ap", "--yes").output
    assert machine.cli("pause", "app").code == 0
    assert "is paused; `resume` ends that" in machine.cli("cutover", "app", "--yes").output
    assert machine.cli("resume", "app").code == 0
    stage.wait_live()


def test_the_worker_is_asked_watched_and_its_result_is_told_and_kept(stage):
    before = number(stage)
    stage.play("app", "cutover", progress(3, 12, unit="steps"), "wait go", done())
    path = os.path.join(stage.folder, "report.json")
    with typed(stage, "cutover", "app", "--yes", "--accept", "public.a", "--report", path) as command:
        view = stage.wait_at("cutover", "running")
        assert view["released"] is False and view["cutover"]["under_way"], view
        refused = stage.machine.cli("pause", "app")
        assert refused.code == 1 and "is under way" in refused.output, refused.output
        assert "is under way" in stage.machine.cli("failback", "app", "--yes").output
        assert "is under way" in stage.machine.cli("teardown", "app", "--yes").output
        stage.touch("go")
        said = command.communicate(timeout=30)[0]
    assert command.returncode == 0, said
    flat = " ".join(said.split())
    assert "copying public.film" in flat and "the destination is the live side now" in flat, said
    assert "Writers waited 132 ms" in flat and "bucardo-machine failback app" in flat, said
    assert max(map(len, said.splitlines())) <= 100, said
    with open(path, encoding="utf-8") as file:
        assert json.load(file)["freeze_msec"] == 132
    asked = changes(stage)[-1]
    assert (asked["mode"], asked["number"], asked["budget_msec"], asked["quiesce"], asked["accept"]) == \
        ("run", before + 1, 800, "lock", ["public.a"])
    kept = over(stage, before + 1)
    assert kept["state"] == "done" and kept["result"]["result"] == "done", kept
    assert stage.view()["status"] == "live" and stage.view()["released"]
    events = stage.machine.cli("events").output
    assert "the destination is live; writers waited 132 ms, no side was writable for 8 ms" in events


def test_a_rehearsal_asks_nobody_and_is_remembered(stage):
    before = number(stage)
    stage.play("app", "failback", done("rehearsed", direction="failback", mode="rehearse"))
    said = stage.machine.cli("failback", "app", "--rehearse", "--budget", "2s", "--json")
    assert said.code == 0, said.output
    last = json.loads(said.output.strip().splitlines()[-1])
    assert last["event"] == "result" and last["result"]["freeze_msec"] == 132
    assert changes(stage)[-1]["mode"] == "rehearse" and changes(stage)[-1]["budget_msec"] == 2000
    assert over(stage, before + 1)["rehearsed_at"]


def test_what_was_not_ready_is_told_with_the_reason_and_never_tried_again(stage):
    before = len(changes(stage))
    stage.play("app", "cutover", not_ready())
    said = stage.machine.cli("cutover", "app", "--yes")
    flat = " ".join(said.output.split())
    assert said.code == 4 and "nothing has changed: 2 conditions are in the way; end them" in flat, said.output
    assert "process 7" in flat and "let it end" in flat, said.output
    stage.machine.cli("resume", "app")
    stage.machine.cli("migrate", "app")
    wait_for(lambda: stage.view()["status"] == "live", 30, "it replicates")
    assert len(changes(stage)) == before + 1


def test_ctrl_c_leaves_it_running(stage):
    before = number(stage)
    stage.play("app", "cutover", progress(1, 9, unit="steps"), "wait later", done())
    with typed(stage, "cutover", "app", "--yes") as command:
        stage.wait_at("cutover", "running")
        command.send_signal(signal.SIGINT)
        said = command.communicate(timeout=30)[0]
    assert command.returncode == 1 and f"cutover number {before + 1} goes on in the machine" in said, said
    stage.touch("later")
    assert over(stage, before + 1)["state"] == "done"


def test_a_worker_without_a_result_is_finished_until_there_is_one(stage):
    before = number(stage)
    stage.play("app", "cutover", progress(1, 9, unit="steps"), "crash")
    begun = len(changes(stage))
    assert stage.machine.cli("migrate", "app").code == 0
    with typed(stage, "cutover", "app", "--yes") as command:
        wait_for(lambda: len(changes(stage)) > begun + 1, 30, "another worker")
        for kind in ("transient", "operator"):  # neither says which side is live
            stage.play("app", "cutover", failed(kind, f"{kind}: the source is away"))
            stage.wait(lambda v, kind=kind: f"{kind}: the source is away" in v["why"], "says what it waits for")
        stage.play("app", "cutover", done())
        assert command.wait(30) == 0
    modes = [r["mode"] for r in changes(stage)[begun:]]
    assert modes[0] == "run" and set(modes[1:]) == {"finish"}, modes
    assert {r["number"] for r in changes(stage)[begun:]} == {before + 1}


def test_a_machine_that_is_killed_finishes_it_and_knows_it_afterwards(stage):
    before = number(stage)
    stage.play("app", "failback", "wait never")
    with typed(stage, "failback", "app", "--yes") as command:
        stage.wait_at("failback", "running")
        stage.machine.kill9_everything()
        stage.play("app", "failback", json.dumps({
            "v": 1, "event": "failed", "class": "operator", "message": "it was not committed, and was undone",
            "hint": "", "evidence": result("aborted", direction="failback")}), "exit 1")
        stage.machine.start()
        said = command.communicate(timeout=60)[0]
    assert command.returncode == 4 and "it was not committed, and was undone" in " ".join(said.split()), said
    assert changes(stage)[-1]["mode"] == "finish" and changes(stage)[-1]["number"] == before + 1
    stage.machine.kill9_everything()
    stage.machine.start()
    kept = over(stage, before + 1)
    assert kept["state"] == "failed" and kept["result"]["result"] == "aborted" and kept["direction"] == "failback"
    version = stage.machine.control_sql("SELECT version FROM machine.version")[0]
    assert int(version[0] if isinstance(version, (list, tuple)) else version) == 2

"""Two databases by one YAML, written to throughout, the machine lost in every phase (story K)."""

import json

from support import compare
from support.declared import endpoint, view
from support.traffic import Traffic, marker
from support.verify import verify_migration
from support.waiting import wait_for

SAMPLES = ("pagila", "chinook")
PHASES = ("preflight", "schema", "capture", "copy", "index", "replicate")


# The first is led from phase to phase, so that the machine is lost in each of them; the others
# go their way unattended and are hit wherever they are.
LED = SAMPLES[0]


def yaml(source, dest):
    """One machine.yaml for all samples; slow enough for a copy to be hit in its midst."""
    return "version: 1\nmigrations:\n" + "".join(
        f"  - name: {name}\n    source: {endpoint(source, name)}\n"
        f"    destination: {endpoint(dest, name)}\n    copy: {{jobs: 2, max_rate: 500kB}}\n"
        + (f"    run_until: {PHASES[0]}\n" if name == LED else "")
        for name in SAMPLES)


def wait_for_view(machine, name, condition, what):
    def reached():
        now = view(machine, name)
        return now is not None and condition(now)
    wait_for(reached, 180, f"{name} {what}", explain=machine.log_tail)


def wait_done(machine, name, phase):
    wait_for_view(machine, name, lambda now: now["phases"][PHASES.index(phase)]["state"] == "done",
                  f"is done with {phase}")


def request(machine, *words):
    """As a person does who is told that the machine waits for the one before it to be gone."""
    wait_for(lambda: machine.cli(*words).code == 0, 60, f"the request {words} is taken",
             explain=lambda: machine.cli(*words).output + machine.log_tail())


def led_through(machine, phase, lose):
    """Begin a phase and lose the machine at once; it has to end the phase by itself."""
    if phase != PHASES[0]:
        request(machine, "migrate", LED, "--until", phase)
    if phase == "copy":
        wait_for_view(machine, LED, lambda now: now["phase"] == "copy" and now["progress"]["done"] > 0,
                      "copies")
    lose()
    wait_done(machine, LED, phase)


def prove(machine, name):
    """While applications write: nothing differs, and the page for the auditor is fetched out of the pod."""
    path = f"{machine.volume}/{name}.html"
    result = verify_migration(machine, "--wait", "20", "--report", path, name=name, seconds=180)
    assert result.code in (0, 4) and not result.states("different"), result.output
    assert len(result.of_rows("equal")) > 8, result.output
    assert json.loads(machine.fetch(f"{machine.volume}/{name}.json")) == result.report
    page = machine.fetch(path)
    assert page.startswith("<!DOCTYPE html>") and page.endswith("</html>\n") and "Oldest proof" in page


def two_databases_are_brought_to_live_replication(machine, source, dest, lose):
    """`lose` takes the machine away and gives it back; it is called in each phase."""
    machine.write_config(yaml(source, dest))
    with Traffic(source, "pagila", rate=25) as first, Traffic(source, "chinook", rate=25) as second:
        for traffic in (first, second):
            traffic.wait_total(10)
        for phase in PHASES:
            led_through(machine, phase, lose)
        for name in SAMPLES:
            wait_done(machine, name, PHASES[-1])
            prove(machine, name)
        for traffic in (first, second):
            traffic.wait_total(50)
    for name in SAMPLES:
        marker(source, dest, name, name, 60)
        compare.wait_equal(source, dest, name, 60, sequences="ahead")
        assert compare.row_count(dest, name) > 10000
    machine.wait_ready(60)

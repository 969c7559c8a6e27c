"""Story: the image is upgraded under writes, as README says; the pod of an older commit is replaced by one of this one."""

import os
import shutil
import time
import types

import pytest
from support import compare, containers
from support.cutover import TABLES, Writers
from support.declared import view, wait_live, yaml
from support.documents import REPOSITORY
from support.traffic import Traffic

# It builds a second image, of a commit that a shallow clone does not have.
pytestmark = [pytest.mark.timeout(900), pytest.mark.k8s, pytest.mark.full]

OLD, OLD_IMAGE = "5b51480", "docker.io/library/bucardo-machine-old:0.1.0"


def folder(tree, copy, image):
    """kubernetes/ of a tree, and in its kustomization what README has people write: their image."""
    shutil.copytree(os.path.join(tree, "kubernetes"), copy)
    name, _, tag = image.rpartition(":")
    with open(copy / "kustomization.yaml", "a", encoding="utf-8") as file:
        file.write(f"images: [{{name: bucardo-machine, newName: {name}, newTag: \"{tag}\"}}]\nnamespace: upgrade\n")
    return str(copy)


def load(image):
    if containers.k8s_tool():
        containers.run([containers.k8s_tool(), "load", image], seconds=300).check()


@pytest.fixture(name="older")
def _older(tmp_path):
    """kubernetes/ of the older commit; its image is made."""
    if containers.run(["git", "-C", REPOSITORY, "cat-file", "-e", OLD]).code != 0:
        pytest.skip(f"commit {OLD} is not here")
    tree = tmp_path / "tree"
    containers.run(["git", "-C", REPOSITORY, "worktree", "add", "--detach", str(tree), OLD]).check()
    try:
        containers.run(["make", "-s", "-C", str(tree), "image", f"IMAGE={OLD_IMAGE.rpartition(':')[0]}"], seconds=600).check()
        load(OLD_IMAGE)
        yield folder(tree, tmp_path / "older", OLD_IMAGE)
    finally:
        containers.run(["git", "-C", REPOSITORY, "worktree", "remove", "--force", str(tree)])


@pytest.fixture(name="machine")
def _machine(shared_k8s_stage, older):
    """A machine of the older commit: its image, its StatefulSet, in a namespace of its own."""
    source, dest = shared_k8s_stage.pair("pagila")
    source.sql(TABLES, dbname="pagila")
    source.sql("ANALYZE", dbname="pagila")
    machine = shared_k8s_stage.new_machine(source, dest)
    machine.namespace = "upgrade"
    machine.sides = types.SimpleNamespace(source=source, dest=dest, dbname="pagila", servers=lambda: (source, dest))
    machine.kubectl("create", "namespace", "upgrade")
    machine.kubectl("create", "secret", "generic", "pgpass", f"--from-file={machine.pgpass}").check()
    machine.kubectl("apply", "-k", older).check()
    machine.wait_running(None, 120)
    return machine.wait_ready()


def running_image(machine):
    return machine.kubectl("get", "pod", machine.pod, "-o", "jsonpath={.spec.containers[0].image}").check()


def done(machine):
    """What the journal keeps of the phases that are over: when each began and ended."""
    return {p["phase"]: (p["started_at"], p["ended_at"]) for p in view(machine)["phases"] if p["state"] == "done"}


def test_a_new_image_on_an_old_volume_goes_on_and_no_row_is_lost(machine, tmp_path):
    source, dest = machine.sides.servers()
    machine.write_config(yaml(source, dest, "pagila", extra="    direction: both\n"))
    wait_live(machine)
    assert running_image(machine) == OLD_IMAGE
    load(containers.image())
    newer = folder(REPOSITORY, tmp_path / "newer", containers.image())
    before = done(machine)
    with Writers(machine.sides) as writers, Traffic(source, "pagila"):
        writers.wait_more()
        old = machine.uid()
        begin = time.monotonic()
        machine.kubectl("apply", "-k", newer).check()
        machine.wait_running(old, 120)
        machine.wait_ready()
        wait_live(machine)
        print(f"from `apply` to live with the new image: {time.monotonic() - begin:.1f} s")
        writers.wait_more()
    assert running_image(machine) == containers.image()
    after = done(machine)
    assert {"copy", "index", "capture"} <= set(before) and {name: after[name] for name in before} == before
    compare.wait_equal(source, dest, "pagila", sequences="ahead")
    writers.check()
    assert writers.errors == []
    said = machine.cli("verify", "app", "--wait", "60", seconds=180)
    assert said.code == 0, said.output

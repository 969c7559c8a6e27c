"""kubernetes/ in a real cluster: what the pod may do, what it is given, and what is done with it."""

import os
import re
import shutil

import pytest

from support import compare, samples
from support.declared import view, wait_live, wait_view, yaml
from support.documents import REPOSITORY, documented
from support.waiting import wait_for

pytestmark = pytest.mark.k8s
GUIDE = "docs/container.md"
# What applications write while the pod is away.
WRITES = {"pagila": "UPDATE actor SET last_name = 'MEANWHILE' WHERE actor_id < 100; DELETE FROM "
                    "film_category WHERE film_id % 9 = 0",
          "shop": "UPDATE customer SET name = 'MEANWHILE' WHERE customer_id < 100"}


@pytest.fixture(name="world", scope="module")
def _world(shared_k8s_stage):
    source, dest = shared_k8s_stage.pair(samples.best())
    return shared_k8s_stage.machine(source, dest).wait_ready(), source, dest


@pytest.fixture(name="machine", scope="module")
def _machine(world):
    return world[0]


def test_the_pod_has_the_rights_that_it_needs_and_no_others(machine):
    lines = machine.exec("cat", "/proc/1/status").check().splitlines()
    status = {name: words for name, _, words in (line.partition(":\t") for line in lines)}
    assert status["Uid"].split() == ["10001"] * 4
    assert status["Gid"].split() == ["10001"] * 4
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[kind], 16) == 0, kind
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2", "RuntimeDefault is a filter"
    root = machine.exec("awk", '$2 == "/" { print $4 }', "/proc/mounts").check()
    assert "ro" in root.strip().split(",")
    assert machine.exec("find", "/usr", "/bin/", "-perm", "/6000").check() == ""
    assert machine.exec("ls", "/var/run/secrets").code != 0, "it has no business with the API"


def test_what_the_documents_say_may_be_typed_again_and_leaves_the_secret_as_it_is(machine, tmp_path):
    def state():
        kinds = ("namespace", "secret/pgpass", "service/bucardo-machine", "statefulset/bucardo-machine",
                 "pod/bucardo-machine-0")
        return [machine.kubectl("get", kind if "/" in kind else f"{kind}/{machine.namespace}", "-o",
                                "jsonpath={.metadata.uid} {.metadata.generation} {.data}").check()
                for kind in kinds]

    before, others = state(), tmp_path / "pgpass"
    others.write_text("h:1:d:u:another\n")
    for line in documented("README.md", "kubectl apply -k"):
        done = machine.type(line, **{"./pgpass": str(others)})
        if " create secret " in line:
            assert done.code != 0 and "already exists" in done.output
        else:
            assert done.code == 0 and "Warning" not in done.output, done.output
            # The server writes defaults into the StatefulSet: its generation tells, not kubectl.
            assert set(re.findall(r"(?m)(\S+ \w+)$", done.output)) <= {
                "namespace/bucardo-machine unchanged", "service/bucardo-machine unchanged",
                "statefulset.apps/bucardo-machine configured",
                "statefulset.apps/bucardo-machine unchanged"}, done.output
    for word in ("created", "unchanged"):
        done = machine.type("kubectl apply -f kubernetes/examples/network-policy.yaml").check()
        assert done == f"networkpolicy.networking.k8s.io/bucardo-machine {word}\n"
    assert state() == before
    for line in documented(GUIDE, "kubectl replace"):
        machine.type(line).check()  # with the same content
    assert state() == before and machine.is_ready()


def test_a_provided_machine_yaml_is_adopted_when_new_and_the_volume_is_the_truth(machine, tmp_path):
    """First without kustomize; then with it, and the ConfigMap that is there stays as it is."""
    def runs_with(value):
        wait_for(lambda: f"stalled_after: {value}" in machine.cli("config", "show").check(), 60,
                 f"the machine works with {value}", explain=machine.log_tail)

    machine.kubectl("create", "configmap", "bucardo-machine",
                    "--from-literal=machine.yaml=version: 1\nbucardo: {stalled_after: 31s}\n").check()
    generation_of_it = ("get", "statefulset/bucardo-machine", "-o", "jsonpath={.metadata.generation}")
    patch = ("patch", "statefulset", "bucardo-machine", "--patch-file",
             os.path.join(REPOSITORY, "kubernetes/examples/machine-yaml/adopt-config.yaml"))
    machine.renew(*patch)
    runs_with("31s")
    assert "no change" in machine.kubectl(*patch).check()

    machine.exec("sed", "-i", "s/31s/32s/", f"{machine.volume}/machine.yaml").check()
    machine.renew("delete", f"po/{machine.pod}", "--force", "--grace-period=0")
    runs_with("32s")

    folder = shutil.copytree(os.path.join(REPOSITORY, "kubernetes"), tmp_path / "kubernetes")
    for path, old, new in (("kustomization.yaml", "# components:", "components:"),
                           ("examples/machine-yaml/machine.yaml", "version: 1\n",
                            "version: 1\nbucardo: {stalled_after: 33s}\n")):
        text = (folder / path).read_text()
        assert text.count(old) == 1
        (folder / path).write_text(text.replace(old, new))
    machine.renew("apply", "-k", str(folder))
    runs_with("33s")
    assert "32s" in machine.exec("cat", f"{machine.volume}/machine.yaml.before").check()
    assert "31s" in machine.kubectl("get", "configmap", "bucardo-machine", "-o", "yaml").check()
    uid, generation = machine.uid(), machine.kubectl(*generation_of_it).check()
    machine.kubectl("apply", "-k", str(folder)).check()
    assert (machine.uid(), machine.kubectl(*generation_of_it).check()) == (uid, generation)


@pytest.fixture(name="node")
def _node(machine):
    name = machine.kubectl("get", f"pod/{machine.pod}", "-o", "jsonpath={.spec.nodeName}").check()
    yield name
    machine.kubectl("uncordon", name).check()


def keep_by_budget(machine):
    """As documented; a server before 1.21 knows the same by another name."""
    line = next(line for line in documented(GUIDE, "poddisruptionbudget") if " create " in line)
    if "policy/v1\n" in machine.kubectl("api-versions").check():
        machine.type(line).check()
    else:
        made = machine.type(f"{line} --dry-run=client -o yaml").check()
        machine.kubectl("create", "-f", "-", stdin=made.replace("policy/v1", "policy/v1beta1")).check()


def test_a_migration_goes_on_after_its_node_was_drained_and_a_budget_holds_the_drain_up(world, node):
    machine, source, dest = world
    sample, uid = samples.best(), machine.uid()
    (drain,) = documented(GUIDE, "kubectl drain")
    drain += f" --pod-selector=app.kubernetes.io/name={machine.namespace}"  # and nothing of others
    machine.write_config(yaml(source, dest, sample, extra="    run_until: capture\n"
                                                          "    copy: {jobs: 2, max_rate: 300kB}\n"))
    keep_by_budget(machine)
    done = machine.type(f"{drain} --timeout=4s", NODE=node)
    assert done.code != 0 and "disruption budget" in done.output and machine.uid() == uid, done.output
    machine.type(next(line for line in documented(GUIDE, "poddisruptionbudget") if " delete " in line)).check()

    wait_view(machine, lambda v: v["phase"] == "copy" and v["status"] == "done", "changes are captured")
    machine.cli("migrate", "app", "--until", "replicate").check()
    finished = wait_view(machine, lambda v: v["progress"]["pieces_done"], "it copies")["progress"]["pieces_done"]
    machine.type(drain, NODE=node).check()
    source.sql(WRITES[sample], dbname=sample)
    machine.kubectl("uncordon", node).check()
    machine.wait_running(uid, 120)
    copied = next(p for p in wait_live(machine)["phases"] if p["phase"] == "copy")["evidence"]
    assert copied["reused_chunks"] >= finished
    assert "database system was shut down at" in machine.log_of_this_one()
    compare.wait_equal(source, dest, sample, seconds=60, sequences="ahead")


@pytest.mark.full
def test_a_changed_secret_arrives_in_the_running_pod(machine, tmp_path):
    """As the guide says: within a minute or two, nothing needs a restart."""
    others = tmp_path / "pgpass"
    others.write_text("10.255.0.1:7446:catalyzeDB:catalyze:password-of-the-source\n")
    for line in documented(GUIDE, "kubectl replace"):
        machine.type(line, **{"./pgpass": str(others)}).check()
    wait_for(lambda: "password-of-the-source" in
             machine.exec("cat", f"{machine.runtime}/pgpass").output, 150,
             "the working copy follows the Secret", every=1, explain=machine.log_tail)

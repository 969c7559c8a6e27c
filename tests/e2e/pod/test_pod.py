"""The manifests of kubernetes/ in a real cluster: what the pod may do, and what it is given."""

import os

import pytest

from support.containers import REPOSITORY
from support.waiting import wait_for

pytestmark = pytest.mark.k8s
EXAMPLES = os.path.join(REPOSITORY, "kubernetes", "examples")


@pytest.fixture(name="machine", scope="module")
def _machine(shared_k8s_stage):
    return shared_k8s_stage.only_machine


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


def test_a_provided_machine_yaml_is_adopted_when_new_and_the_volume_is_the_truth(machine):
    def provides(text):
        machine.kubectl("delete", "configmap", "bucardo-machine", "--ignore-not-found").check()
        machine.kubectl("create", "configmap", "bucardo-machine",
                        f"--from-literal=machine.yaml={text}").check()

    def runs_with(value):
        wait_for(lambda: f"stalled_after: {value}" in machine.cli("config", "show").check(), 60,
                 f"the machine works with {value}", explain=machine.log_tail)

    provides("version: 1\nbucardo: {stalled_after: 31s}\n")
    with open(os.path.join(EXAMPLES, "adopt-configmap.yaml"), encoding="utf-8") as patch:
        machine.renew("patch", "statefulset", "bucardo-machine", "--patch", patch.read())
    runs_with("31s")

    machine.exec("sed", "-i", "s/31s/32s/", f"{machine.volume}/machine.yaml").check()
    machine.renew("delete", f"po/{machine.pod}", "--force", "--grace-period=0")
    runs_with("32s")

    provides("version: 1\nbucardo: {stalled_after: 33s}\n")
    machine.renew("delete", f"po/{machine.pod}", "--force", "--grace-period=0")
    runs_with("33s")
    assert "32s" in machine.exec("cat", f"{machine.volume}/machine.yaml.before").check()


@pytest.mark.full
def test_a_changed_secret_arrives_in_the_running_pod(machine):
    """As the example says: within a minute or two, nothing needs a restart."""
    with open(os.path.join(EXAMPLES, "pgpass-secret.yaml"), encoding="utf-8") as secret:
        machine.kubectl("apply", "-f", "-", stdin=secret.read()).check()
    wait_for(lambda: "password-of-the-source" in
             machine.exec("cat", f"{machine.runtime}/pgpass").output, 150,
             "the working copy follows the Secret", every=1, explain=machine.log_tail)

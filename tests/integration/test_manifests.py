"""kubernetes/ and the image, read without a cluster: what stands there fits together."""

import json
import os
import re
import shutil
import subprocess

import jsonschema
import pytest
import yaml

REPOSITORY = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
KUBERNETES = os.path.join(REPOSITORY, "kubernetes")
NAMESPACE = "bucardo-machine"
LABELS = {"app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/version",
          "app.kubernetes.io/component", "app.kubernetes.io/part-of"}


class Strict(yaml.SafeLoader):
    """Refuses what YAML takes silently: a key that stands there twice."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key) for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"a key twice: {keys}"
        return super().construct_mapping(node, deep)


def read(*words):
    with open(os.path.join(REPOSITORY, *words), encoding="utf-8") as file:
        return file.read()


def files(ending=".yaml"):
    found = [os.path.relpath(os.path.join(folder, name), REPOSITORY)
             for folder, _, names in os.walk(KUBERNETES) for name in names]
    return sorted(path for path in found if path.endswith(ending))


def documents(path):
    return [one for one in yaml.load_all(read(path), Strict) if one is not None]


def version():
    return re.search(r"^VERSION := (\S+)$", read("Makefile"), re.M).group(1)


def is_object(one):
    return {"apiVersion", "kind"} <= set(one) and one["kind"] not in ("Kustomization", "Component")


def objects():
    """What is applied as it stands, not the patch."""
    return [(path, one) for path in files() for one in documents(path)
            if is_object(one) and not path.endswith("adopt-config.yaml")]


def pod_template():
    return next(one for _, one in objects() if one["kind"] == "StatefulSet")["spec"]["template"]


def test_every_object_has_the_recommended_labels_and_stands_there_once():
    seen = set()
    for path, one in objects():
        name = (one["kind"], one["metadata"]["name"])
        assert name not in seen, f"{name} stands there twice: whoever applies both gets one of them"
        seen.add(name)
        labels = one["metadata"]["labels"]
        assert LABELS <= set(labels), path
        assert labels["app.kubernetes.io/version"] == version(), path
        assert one["metadata"].get("namespace") == (None if one["kind"] == "Namespace" else NAMESPACE)
    assert {kind for kind, _ in seen} == {"Namespace", "Service", "StatefulSet", "NetworkPolicy", "PodMonitor",
                                        "PrometheusRule"}
    assert LABELS <= set(pod_template()["metadata"]["labels"])


def test_every_selector_finds_the_pod():
    labels, found = pod_template()["metadata"]["labels"], []
    for path, one in objects():
        spec = one.get("spec", {})
        selector = spec.get("podSelector") or spec.get("selector") or {}
        selector = selector.get("matchLabels", selector)
        if selector:
            found.append(one["kind"])
            assert selector.items() <= labels.items(), path
    assert sorted(found) == ["NetworkPolicy", "PodMonitor", "Service", "Service", "StatefulSet"]
    # What an installed StatefulSet does not let anybody change: an upgrade would fail.
    spec = next(one for _, one in objects() if one["kind"] == "StatefulSet")["spec"]
    assert spec["selector"] == {"matchLabels": {"app": "bucardo-machine"}}
    assert spec["volumeClaimTemplates"] == [{
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "5Gi"}}}}]


def test_the_pod_mounts_what_it_has_and_is_given_the_time_to_stop():
    spec = pod_template()["spec"]
    has = {volume["name"] for volume in spec["volumes"]} | {"data"}
    container = spec["containers"][0]
    assert {mount["name"] for mount in container["volumeMounts"]} == has
    assert spec["terminationGracePeriodSeconds"] > 25 + 2
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["image"] == f"bucardo-machine:{version()}"


def test_no_file_of_ours_holds_a_secret_or_takes_the_place_of_a_configmap():
    for path, one in objects():
        assert one["kind"] not in ("Secret", "ConfigMap"), path
    for path in files("kustomization.yaml"):
        (one,) = documents(path)
        assert "secretGenerator" not in one, path
        # Each content has a name of its own, so that none replaces one that is there.
        assert not one.get("generatorOptions", {}).get("disableNameSuffixHash"), path


def test_every_file_that_is_named_exists_and_every_file_is_named():
    readers = ["README.md", "Dockerfile", *(os.path.join("docs", name)
               for name in sorted(os.listdir(os.path.join(REPOSITORY, "docs")))
                                                if name.endswith(".md")), *files()]
    named = {}
    for reader in readers:
        for word in re.findall(r"(?<![\w./-])kubernetes/[\w./-]*", read(reader)):
            named[word.rstrip("./")] = reader
    for path, reader in named.items():
        assert os.path.exists(os.path.join(REPOSITORY, path)), f"{reader} names {path}"
    for path in files(""):
        assert any(path == one or os.path.dirname(path) == one for one in named), f"nobody names {path}"
    for path in files("kustomization.yaml"):
        (one,) = documents(path)
        for word in [*one.get("resources", []), *(patch["path"] for patch in one.get("patches", [])),
                     *(file for made in one.get("configMapGenerator", []) for file in made["files"])]:
            assert os.path.exists(os.path.join(REPOSITORY, os.path.dirname(path), word)), (path, word)


@pytest.fixture(name="kustomize")
def _kustomize(tmp_path):
    """What comes out when the `#` is taken from some lines, as the file says."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    folder = shutil.copytree(KUBERNETES, tmp_path / "kubernetes")

    def made(*wanted):
        text = read("kubernetes", "kustomization.yaml")
        for word in wanted:
            assert text.count(f"\n# {word}:") == 1
            text = text.replace(f"\n# {word}:", f"\n{word}:")
        (folder / "kustomization.yaml").write_text(text)
        done = subprocess.run(["kubectl", "kustomize", folder], check=False,
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and done.stderr == "", done.stderr
        return {one["kind"]: one for one in yaml.load_all(done.stdout, Strict)}

    return made


def test_kustomize_makes_what_stands_there(kustomize):
    assert kustomize() == {one["kind"]: one for path, one in objects() if path.count("/") == 1}


def test_kustomize_takes_another_image_and_another_namespace(kustomize):
    made = kustomize("images", "namespace", "components")
    assert made["Namespace"]["metadata"]["name"] == "another"
    assert {one["metadata"].get("namespace", "another") for one in made.values()} == {"another"}
    pod = made["StatefulSet"]["spec"]["template"]["spec"]
    assert {one["image"] for one in [*pod["initContainers"], *pod["containers"]]} == {
        f"registry.example.com/bucardo-machine:{version()}"}


def test_kustomize_brings_metrics_alerts_and_the_dashboard(kustomize, tmp_path):
    assert kustomize("components")
    file = tmp_path / "kubernetes" / "kustomization.yaml"
    file.write_text(file.read_text().replace("[examples/machine-yaml]", "[examples/machine-yaml, examples]"))
    done = subprocess.run(["kubectl", "kustomize", file.parent], check=True, capture_output=True, text=True, timeout=60)
    made = list(yaml.load_all(done.stdout, Strict))
    assert {"PodMonitor", "PrometheusRule"} <= {one["kind"] for one in made}
    (board,) = [one for one in made if one["metadata"]["labels"].get("grafana_dashboard") == "1"]
    assert board["kind"] == "ConfigMap" and LABELS <= set(board["metadata"]["labels"])
    assert json.loads(board["data"]["grafana-dashboard.json"])["uid"] == "bucardo-machine"


# What Grafana asks of a dashboard in JSON (its documents, "JSON model"), as far as ours has it.
PANEL = {"id": int, "type": str, "title": str, "gridPos": dict}
SERIES = {**PANEL, "targets": list, "datasource": dict, "fieldConfig": dict, "description": str}
UNITS = {"short", "s", "bytes", "percentunit", "dateTimeFromNow"}


def strict(schema):
    """The same, which refuses what it does not know: an API server would leave that out without a word."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: {name: strict(one) for name, one in value.items()} if key == "properties" else strict(value)
            for key, value in schema.items()}
    return {**made, "additionalProperties": False} if "properties" in made and "additionalProperties" not in made else made


def complaints(one):
    """Of what the operator's own definition of this kind says."""
    with open(os.path.join(REPOSITORY, "tests", "support", "schemas", f"{one['kind']}.json"), encoding="utf-8") as file:
        return [f"{'/'.join(map(str, error.path))}: {error.message}"
                for error in jsonschema.Draft4Validator(strict(json.load(file))).iter_errors(one)]


def test_metrics_and_alerts_are_what_the_operator_takes():
    text = read("kubernetes", "examples", "monitoring.yaml")
    ours = [one for one in yaml.safe_load_all(text) if one["apiVersion"] == "monitoring.coreos.com/v1"]
    assert [one["kind"] for one in ours] == ["PodMonitor", "PrometheusRule"]
    with_token = [one for one in yaml.safe_load_all(text.replace("# authorization:", "authorization:")) if one["kind"] == "PodMonitor"]
    assert "authorization" in with_token[0]["spec"]["podMetricsEndpoints"][0]
    assert [complaint for one in ours + with_token for complaint in complaints(one)] == []
    for right, wrong in (("interval: 15s", "interval: often"), ("path: /metrics", "paths: /metrics"), ("for: 2m", "for: [2m]"),
                         ("annotations:", "annotation:")):
        bad = [one for one in yaml.safe_load_all(text.replace(right, wrong)) if one["kind"] != "Service"]
        assert [complaint for one in bad for complaint in complaints(one)], wrong


def test_the_dashboard_is_one_that_grafana_takes():
    board = json.loads(read("kubernetes", "examples", "grafana-dashboard.json"))
    assert isinstance(board["schemaVersion"], int) and board["title"] and board["uid"]
    variables = {one["name"] for one in board["templating"]["list"]}
    ids, taken = set(), set()
    for panel in board["panels"]:
        for member, kind in (PANEL if panel["type"] == "row" else SERIES).items():
            assert isinstance(panel[member], kind), (panel["title"], member)
        assert panel["id"] not in ids
        ids.add(panel["id"])
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert place["x"] + place["w"] <= 24 and not cells & taken, f"{panel['title']} overlaps"
        taken |= cells
        for target in panel.get("targets", []):
            assert target["expr"].count("(") == target["expr"].count(")") and target["legendFormat"]
            assert set(re.findall(r"\$(\w+)", target["expr"])) <= variables | {"__rate_interval"}
        if "fieldConfig" in panel:
            assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    assert len(ids) > 30


def test_kustomize_gives_the_pod_a_machine_yaml(kustomize):
    made = kustomize("components")
    pod = made["StatefulSet"]["spec"]["template"]["spec"]
    config = next(volume for volume in pod["volumes"] if volume["name"] == "config")
    assert config["configMap"]["name"] == made["ConfigMap"]["metadata"]["name"] != "bucardo-machine"
    assert LABELS <= set(made["ConfigMap"]["metadata"]["labels"])
    names = [mount["name"] for mount in pod["containers"][0]["volumeMounts"]]
    assert sorted(names) == ["config", "data", "notify", "pgpass", "runtime", "tmp"]
    assert yaml.safe_load(made["ConfigMap"]["data"]["machine.yaml"]) == {"version": 1}


def test_the_image_has_the_version_of_the_program():
    dockerfile = read("Dockerfile")
    assert re.findall(r"^ARG VERSION=(\S+)$", dockerfile, re.M) == [version()]
    labels = dict(re.findall(r'org\.opencontainers\.image\.([\w.]+)="([^"]+)"', dockerfile))
    assert labels["version"] == "${VERSION}" and labels["licenses"] == "BSD-2-Clause"
    assert {"title", "description", "base.name"} <= set(labels)
    assert f"bucardo-machine:{version()}" in read("README.md")

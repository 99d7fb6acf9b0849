"""deploy/helm: the chart makes what the kustomizations of deploy/kubernetes make.

helm itself is in no registry that the tests reach: tests/helm/render.go stands for it, which has Helm's language
(Go's templates) and knows the few functions that the chart uses.
"""
import copy
import json
import os
import re
import shutil
import subprocess

import jsonschema
import pytest
import yaml

from harness.build import ROOT, patience
from harness.daemon import merge
from test_kubernetes import complaints, needs_kubectl, needs_types, rendered

CHART = ROOT / "deploy/helm/hopcount"
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
STATEFUL = {"persistence": {"enabled": True}}


def overlay_config(name):
    return (ROOT / "deploy/kubernetes/overlays" / name / "hopcount.yaml").read_text()


@pytest.fixture(scope="module")
def helm(tmp_path_factory):
    """helm(values) -> {kind/name: resource}, as `helm template hopcount` has it."""
    if not shutil.which("go"):
        pytest.skip("needs go")
    program = tmp_path_factory.mktemp("helm") / "render"
    environment = {**os.environ, "GO111MODULE": "off", "GOFLAGS": "", "GOCACHE": str(program.parent / "cache")}
    done = subprocess.run(["go", "build", "-o", program, ROOT / "tests/helm/render.go"], text=True, capture_output=True,
                          timeout=patience(300), env=environment)
    assert done.returncode == 0, done.stderr

    def render(values=None, release="hopcount"):
        merged = merge(VALUES, values or {})
        jsonschema.validate(merged, SCHEMA)
        out = subprocess.run([program, CHART, release, "default"], input=json.dumps(merged), text=True,
                             capture_output=True, timeout=patience(20))
        assert out.returncode == 0, out.stderr
        resources = [each for each in yaml.safe_load_all(out.stdout) if each]
        by_name = {f"{each['kind']}/{each['metadata']['name']}": each for each in resources}
        assert len(by_name) == len(resources)
        return by_name
    return render


def without_replicas(resources):
    """The chart names no number of pods where an autoscaler does: an upgrade would set it back."""
    resources = copy.deepcopy(resources)
    for each in resources.values():
        if each["kind"] in ("Deployment", "StatefulSet"):
            each["spec"].pop("replicas", None)
    return resources


@needs_kubectl
@pytest.mark.parametrize("path, values", [
    ("base", {}), ("overlays/statefulset", STATEFUL),
    ("overlays/redis-cluster", STATEFUL | {"config": overlay_config("redis-cluster")}),
    ("overlays/sentinel", STATEFUL | {"config": overlay_config("sentinel")})])
def test_it_makes_what_the_kustomization_makes(helm, path, values):
    assert without_replicas(helm(values)) == without_replicas(rendered(path))


@needs_kubectl
def test_monitoring_and_drain_are_those_of_the_kustomizations(helm):
    plain, more = helm(STATEFUL), helm(STATEFUL | {"monitoring": {"enabled": True}, "drain": ["state-hopcount-3", "state-hopcount-4"]})
    added = {name: each for name, each in more.items() if name not in plain}
    wanted = dict(rendered("overlays/monitoring"))
    (job,) = rendered("overlays/drain").values()
    for claim in ("state-hopcount-3", "state-hopcount-4"):
        each = copy.deepcopy(job)
        each["metadata"]["name"] = f"hopcount-drain-{claim}"
        for volume in each["spec"]["template"]["spec"]["volumes"]:
            if volume["name"] == "state":
                volume["persistentVolumeClaim"]["claimName"] = claim
        wanted[f"Job/{each['metadata']['name']}"] = each
    assert added == wanted


@needs_types
def test_what_can_be_switched_has_the_types_of_kubernetes(helm, tmp_path):
    resources = helm({"autoscaling": {"enabled": False}, "networkPolicy": {"enabled": False}, "replicas": 5,
                      "persistence": {"enabled": True, "storageClass": "fast", "fsGroup": None},
                      "nodeSelector": {"disk": "ssd"}, "image": {"tag": "9.8.7"}, "monitoring": {"enabled": True},
                      "tolerations": [{"key": "links", "operator": "Exists", "effect": "NoSchedule"}]}, "clicks")
    assert {name.split("/")[0] for name in resources} == {
        "StatefulSet", "Service", "ConfigMap", "PodDisruptionBudget", "ServiceMonitor", "PrometheusRule"}
    spec = resources["StatefulSet/clicks"]["spec"]
    pod = spec["template"]["spec"]
    assert spec["replicas"] == 5 and "fsGroup" not in pod["securityContext"]
    assert pod["nodeSelector"] == {"disk": "ssd"} and pod["tolerations"][0]["key"] == "links"
    assert pod["containers"][0]["image"] == "registry.example/hopcount:9.8.7"
    assert spec["volumeClaimTemplates"][0]["spec"]["storageClassName"] == "fast"
    assert complaints(list(resources.values()), tmp_path) == ""


@pytest.mark.parametrize("mistake, says", [
    ({"replica": 3}, "'replica' was unexpected"), ({"replicas": "3"}, "'3' is not of type 'integer'"),
    ({"image": {"tag": 1}}, "1 is not of type 'string'"), ({"config": None}, "'config' is a required property")])
def test_wrong_values_are_refused(mistake, says):
    with pytest.raises(jsonschema.ValidationError, match=re.escape(says)):
        jsonschema.validate(merge(VALUES, mistake), SCHEMA)

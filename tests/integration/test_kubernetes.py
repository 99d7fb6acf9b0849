"""deploy/kubernetes: rendered by kubectl, held against the types of Kubernetes, and against hopcount itself."""
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest
import yaml

from harness.build import ROOT, patience

KUBERNETES = ROOT / "deploy/kubernetes"
MODULES = ROOT / "tests/node_modules"
KUSTOMIZATIONS = ["base", "overlays/statefulset", "overlays/redis-cluster", "overlays/sentinel",
                  "overlays/monitoring", "overlays/drain"]
MODELS = {
    "monitoring.coreos.com": "@kubernetes-models/prometheus-operator/monitoring.coreos.com",
    "gateway.networking.k8s.io": "@kubernetes-models/gateway-api/gateway.networking.k8s.io",
    "traefik.io": "@kubernetes-models/traefik/traefik.io",
}


def rendered(path):
    """The resources of a kustomization, as {kind/name: resource}."""
    done = subprocess.run(["kubectl", "kustomize", KUBERNETES / path], text=True, capture_output=True,
                          timeout=patience(60), env={**os.environ, "HOME": "/nonexistent"})
    if "unknown flag" in done.stderr or re.search("unknown field|no such file or directory.*kustomization", done.stderr):
        pytest.skip("this kubectl's kustomize is older than the fields that are used")
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    return {f"{each['kind']}/{each['metadata']['name']}": each for each in yaml.safe_load_all(done.stdout)}


needs_kubectl = pytest.mark.skipif(not shutil.which("kubectl"), reason="needs kubectl")


def complaints(resources, folder):
    """What is wrong with them, "" for nothing: unknown fields, missing ones and values of a wrong type, by the types made of the published schemas."""
    lines = []
    for number, each in enumerate(resources):
        group, _, version = each["apiVersion"].rpartition("/")
        module = f"{MODELS.get(group, 'kubernetes-models/' + group).rstrip('/')}/{version}"
        typed = {name: value for name, value in each.items() if name not in ("apiVersion", "kind")}
        lines += [f'import {{ {each["kind"]} as K{number} }} from "{module}";',
                  f"new K{number}({json.dumps(typed)}).validate();"]
    (folder / "node_modules").symlink_to(MODULES)
    (folder / "manifests.ts").write_text("\n".join(lines))
    done = subprocess.run([MODULES / ".bin/tsc", "--strict", "--skipLibCheck", "--module", "commonjs", "--target",
                           "es2022", "--moduleResolution", "node", "manifests.ts"], cwd=folder, text=True,
                          capture_output=True, timeout=patience(300))
    if done.returncode != 0:
        return done.stdout
    done = subprocess.run(["node", "manifests.js"], cwd=folder, text=True, capture_output=True, timeout=patience(120))
    return done.stderr


needs_types = pytest.mark.skipif(not (MODULES / "kubernetes-models").exists(), reason="needs tests/node_modules")


@needs_kubectl
@needs_types
def test_what_is_rendered_has_the_types_of_kubernetes(tmp_path):
    resources = [each for path in KUSTOMIZATIONS for each in rendered(path).values()]
    for example in sorted((KUBERNETES / "examples").iterdir()):
        resources += yaml.safe_load_all(example.read_text())
    assert len(resources) > 30
    assert complaints(resources, tmp_path) == ""


MISTAKES = [  # what is changed in the pods, and the words of the complaint
    (lambda pod: pod.update(terminationGracePeriodSecond=1), ".*terminationGracePeriodSecond.* does not exist"),
    (lambda pod: pod["containers"][0]["ports"][0].update(containerPort="8080"), "'string' is not assignable"),
    (lambda pod: pod["containers"][0].pop("name"), "Property .*name.* is missing"),
]


@needs_types
def test_mistakes_in_a_manifest_are_found(tmp_path):
    deployments = []
    for change, _ in MISTAKES:
        deployments.append(yaml.safe_load((KUBERNETES / "base/deployment.yaml").read_text()))
        change(deployments[-1]["spec"]["template"]["spec"])
    found = complaints(deployments, tmp_path)
    for number, (_, words) in enumerate(MISTAKES):
        assert re.search(rf"manifests.ts\({2 * number + 2},[^(]*{words}", found, re.S), found


def pod_of(resource):
    return resource["spec"]["template"]["spec"]


@needs_kubectl
@pytest.mark.parametrize("path, kind", [("base", "Deployment"), ("overlays/statefulset", "StatefulSet"),
                                        ("overlays/redis-cluster", "StatefulSet"),
                                        ("overlays/sentinel", "StatefulSet"), ("overlays/drain", "Job")])
def test_pods_are_what_restricted_pod_security_wants(path, kind):
    resources = rendered(path)
    pod = pod_of(resources["Job/hopcount-drain" if kind == "Job" else f"{kind}/hopcount"])
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"} & set(pod)
    assert all(set(volume) - {"name"} <= {"emptyDir", "configMap", "secret", "persistentVolumeClaim"}
               for volume in pod["volumes"])
    for container in pod["containers"]:
        assert container["securityContext"] == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                                                "capabilities": {"drop": ["ALL"]}}
        assert re.fullmatch(r"registry\.example/hopcount:\d+\.\d+\.\d+", container["image"])
        volumes = {volume["name"] for volume in pod["volumes"]} | ({"state"} if kind == "StatefulSet" else set())
        assert {mount["name"] for mount in container["volumeMounts"]} == volumes


@needs_kubectl
def test_what_names_something_names_what_is_there():
    for path, workload in (("base", "Deployment/hopcount"), ("overlays/statefulset", "StatefulSet/hopcount")):
        resources = rendered(path)
        labels = resources[workload]["spec"]["template"]["metadata"]["labels"]
        container = pod_of(resources[workload])["containers"][0]
        ports = {port["name"] for port in container["ports"]}
        for name, each in resources.items():
            if each["kind"] == "Service":
                assert each["spec"]["selector"].items() <= labels.items()
                assert {port["targetPort"] for port in each["spec"]["ports"]} <= ports
        assert resources["PodDisruptionBudget/hopcount"]["spec"]["selector"]["matchLabels"].items() <= labels.items()
        target = resources["HorizontalPodAutoscaler/hopcount"]["spec"]["scaleTargetRef"]
        assert f"{target['kind']}/{target['name']}" == workload
        assert len([each for each in resources if each.startswith(("Deployment/", "StatefulSet/"))]) == 1
        probes = [container[probe]["httpGet"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")]
        assert {probe["port"] for probe in probes} == {"admin"}


@needs_kubectl
@pytest.mark.parametrize("path", ["base", "overlays/redis-cluster", "overlays/sentinel"])
def test_hopcountd_takes_the_configuration_of_the_config_map(path, make_hopcountd):
    """With the files where the pods mount them, and enough time for what its drain takes."""
    resources = rendered(path)
    config = yaml.safe_load(resources["ConfigMap/hopcount"]["data"]["hopcount.yaml"])
    workload = next(each for name, each in resources.items() if name.startswith(("Deployment/", "StatefulSet/")))
    mounts = {mount["mountPath"] for mount in pod_of(workload)["containers"][0]["volumeMounts"]}
    files = [config["keys"], config["admin"]["api_keys"], config["redis"]["password_file"]]
    assert {str(pathlib.Path(file).parent) for file in files} == {"/run/secrets/hopcount", "/run/secrets/redis"} < mounts
    assert str(pathlib.Path(config["state_dir"]).parent) in mounts
    assert pod_of(workload)["terminationGracePeriodSeconds"] >= config["public"]["drain_delay_s"] + 30

    daemon = make_hopcountd(start=False)
    daemon.add_api_key()
    text = resources["ConfigMap/hopcount"]["data"]["hopcount.yaml"]
    (daemon.directory / "password").write_text("secret\n")
    (daemon.directory / "password").chmod(0o440)
    text = text.replace("/run/secrets/hopcount", str(daemon.directory))
    daemon.config_path.write_text(text.replace("/run/secrets/redis", str(daemon.directory)))
    done = daemon.check()
    assert done.returncode == 0, done.stderr


@needs_kubectl
def test_the_drain_job_reads_what_the_pods_wrote():
    pod, job = (pod_of(rendered(path)[name]) for path, name in (
        ("overlays/statefulset", "StatefulSet/hopcount"), ("overlays/drain", "Job/hopcount-drain")))
    config = yaml.safe_load((KUBERNETES / "base/hopcount.yaml").read_text())
    assert job["containers"][0]["volumeMounts"] == pod["containers"][0]["volumeMounts"]
    assert config["state_dir"] in job["containers"][0]["command"]


# What a program has obeyed, or a test holds against what it names: `pod` is spec.template.spec.
EXERCISED = [
    r"\w+\.(spec\.template\.)?metadata\.(name$|labels\.)", r"ConfigMap\.data\.", r"\w+\.spec\.(pod)?[sS]elector\.",
    r"StatefulSet\.spec\.volumeClaimTemplates\.metadata\.", r"Service\.spec\.ports\.(name|targetPort)", r"PrometheusRule\.spec\.",
    r"pod\.terminationGracePeriodSeconds", r"pod\.securityContext\.runAsNonRoot",
    r"pod\.containers\.(name|image|command|ports\.\w+|volumeMounts\.\w+|securityContext\..*|\w+Probe\.httpGet\.\w+)$",
    r"pod\.volumes\.(name|configMap\.name|secret\.(secretName|defaultMode))$",
]


def fields(value, path):
    """The paths of all that has a value; the items of a list have the list's."""
    if isinstance(value, (dict, list)) and value:
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from fields(each, f"{path}.{key}" if isinstance(value, dict) else path)
    else:
        yield re.sub(r"^\w+\.spec\.template\.spec\.", "pod.", path)


@needs_kubectl
def test_the_readme_names_each_field_that_nothing_here_obeys():
    resources = [each for path in KUSTOMIZATIONS for each in rendered(path).values()]
    for example in (KUBERNETES / "examples").iterdir():
        resources += yaml.safe_load_all(example.read_text())
    found = {path for each in resources for path in fields(
        {name: value for name, value in each.items() if name not in ("apiVersion", "kind")}, each["kind"])}
    table = (KUBERNETES / "README.md").read_text().partition("| fields |")[2]
    named = {name for row in table.splitlines()[2:] for name in re.findall(r"`([A-Za-z.]+)`", row.split("|")[1])}
    assert len(named) > 20

    def is_in(path, name):
        return f"{path}.".startswith(f"{name}.")
    left = {path for path in found if not any(re.match(each, path) for each in EXERCISED)}
    assert not {path for path in left if not any(is_in(path, name) for name in named)}
    assert not {name for name in named if not any(is_in(path, name) for path in left)}, "nothing has these, or they are exercised"


def test_the_rules_of_the_operator_are_those_of_prometheus():
    alerts = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yaml").read_text())
    rules = yaml.safe_load((KUBERNETES / "overlays/monitoring/rules.yaml").read_text())
    assert rules["spec"] == alerts
    monitor = yaml.safe_load((KUBERNETES / "overlays/monitoring/monitor.yaml").read_text())
    services = yaml.safe_load_all((KUBERNETES / "base/services.yaml").read_text())
    wanted = monitor["spec"]["selector"]["matchLabels"]
    chosen = [each for each in services if wanted.items() <= each["metadata"]["labels"].items()]
    assert [each["metadata"]["name"] for each in chosen] == ["hopcount-admin"]
    assert chosen[0]["metadata"]["labels"][monitor["spec"]["jobLabel"]] == "hopcount"

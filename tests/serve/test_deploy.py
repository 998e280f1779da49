"""Tests that Dockerfile, compose.yaml and manifests agree with each other and with the server."""

from __future__ import annotations

import copy
import itertools
import json
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator

import kubernetes_validate
import pytest
import yaml

from mnist_svm.serve.settings import Settings
from tests.support.paths import ROOT
from tests.support.serving import Server, serving

FOLDER = ROOT / "deploy" / "kubernetes"
README = (ROOT / "deploy" / "README.md").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["mnist-svm"]
MANIFESTS = {
    path.name: yaml.safe_load(path.read_text())
    for path in sorted(FOLDER.glob("*.yaml"))
    if path.name != "kustomization.yaml"
}
BY_KIND = {manifest["kind"]: manifest for manifest in MANIFESTS.values()}
DEPLOYMENT = BY_KIND["Deployment"]["spec"]
POD = DEPLOYMENT["template"]["spec"]
CONTAINER = POD["containers"][0]
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
PORT = Settings.model_fields["port"].default
TIME_LIMIT = Settings.model_fields["timeout"].default

# The oldest supported version of the README, and the newest of the validator.
VERSIONS = (
    re.search(r"version (\d\.\d+) or newer", README)[1],
    kubernetes_validate.latest_version(),
)


def last_stage() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile's last stage, with their arguments."""
    text = re.sub(r"^\s*#.*\n", "", DOCKERFILE, flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    instructions = [tuple(line.split(maxsplit=1)) for line in lines if line.strip()]
    begins = max(i for i, (name, _) in enumerate(instructions) if name == "FROM")
    return instructions[begins:]


def instruction(name: str) -> str:
    (arguments,) = (rest for keyword, rest in last_stage() if keyword == name)
    return arguments


def health_check() -> list[str]:
    return json.loads(re.search(r"CMD (\[.*\])", instruction("HEALTHCHECK"))[1])


def environment(container: dict) -> dict[str, str]:
    return {item["name"]: item["value"] for item in container["env"] if "value" in item}


def copied() -> set[str]:
    """Return the paths that the Dockerfile copies from the checkout."""
    lines = re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE)
    return {name for line in lines for name in line.split()}


def validate(manifest: dict, version: str) -> None:
    kubernetes_validate.validate(manifest, version, strict=True)


def selected_by(labels: dict[str, str]) -> bool:
    """Whether the labels select the Deployment's pods; empty labels do not."""
    return bool(labels) and labels.items() <= DEPLOYMENT["template"]["metadata"]["labels"].items()


# Valid manifests.


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_is_valid(name, version):
    validate(MANIFESTS[name], version)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", MANIFESTS)
def test_a_misspelt_field_is_invalid(name, version):
    manifest = copy.deepcopy(MANIFESTS[name])
    field = next(iter(manifest["spec"]))
    manifest["spec"][field + "s"] = manifest["spec"].pop(field)
    with pytest.raises(kubernetes_validate.ValidationError):
        validate(manifest, version)


def test_a_misspelt_field_deep_in_a_manifest_is_found():
    manifest = copy.deepcopy(BY_KIND["Deployment"])
    security = manifest["spec"]["template"]["spec"]["containers"][0]["securityContext"]
    security["readOnlyRootFileSystem"] = security.pop("readOnlyRootFilesystem")
    with pytest.raises(kubernetes_validate.ValidationError, match="readOnlyRootFileSystem"):
        validate(manifest, VERSIONS[0])


def test_all_manifests_are_applied():
    kustomization = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
    assert sorted(kustomization["resources"]) == sorted(MANIFESTS)


# Selectors and scaling.


def test_the_deployment_selects_its_pods():
    assert selected_by(DEPLOYMENT["selector"]["matchLabels"])


def test_the_service_selects_the_pods():
    assert selected_by(BY_KIND["Service"]["spec"]["selector"])


def test_the_disruption_budget_selects_the_pods():
    assert selected_by(BY_KIND["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"])


def test_the_network_policy_selects_the_pods():
    assert selected_by(BY_KIND["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"])


def test_the_pods_are_spread_over_zones_and_nodes():
    spread = POD["topologySpreadConstraints"]
    assert {item["topologyKey"] for item in spread} == {
        "topology.kubernetes.io/zone",
        "kubernetes.io/hostname",
    }
    assert all(selected_by(item["labelSelector"]["matchLabels"]) for item in spread)


def test_the_autoscaler_scales_the_deployment():
    target = BY_KIND["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    deployment = BY_KIND["Deployment"]
    assert target == {
        "apiVersion": deployment["apiVersion"],
        "kind": "Deployment",
        "name": deployment["metadata"]["name"],
    }


def test_the_autoscaled_resource_has_a_request():
    (metric,) = BY_KIND["HorizontalPodAutoscaler"]["spec"]["metrics"]
    assert metric["resource"]["target"]["type"] == "Utilization"
    assert metric["resource"]["name"] in CONTAINER["resources"]["requests"]


def test_the_deployment_does_not_set_replicas():
    assert "replicas" not in DEPLOYMENT


def test_a_pod_can_be_evicted_while_another_serves():
    fewest = BY_KIND["HorizontalPodAutoscaler"]["spec"]["minReplicas"]
    assert 0 < BY_KIND["PodDisruptionBudget"]["spec"]["maxUnavailable"] < fewest


def test_an_upgrade_removes_no_pod_before_another_is_ready():
    update = DEPLOYMENT["strategy"]["rollingUpdate"]
    assert update["maxUnavailable"] == 0
    assert update["maxSurge"] > 0


# Ports.


def test_the_image_exposes_the_server_s_port():
    assert instruction("EXPOSE") == str(PORT)


def test_the_health_check_uses_the_server_s_port():
    assert f"HTTPConnection as C; c = C('127.0.0.1', {PORT}," in health_check()[-1]


def test_compose_publishes_the_port_on_localhost_only():
    assert COMPOSE["ports"] == [f"127.0.0.1:{PORT}:{PORT}"]


def test_the_pod_s_port_is_the_server_s():
    assert CONTAINER["ports"] == [{"name": "http", "containerPort": PORT}]


def test_the_service_targets_the_pod_s_port():
    (port,) = BY_KIND["Service"]["spec"]["ports"]
    assert port["targetPort"] == CONTAINER["ports"][0]["name"]


def test_the_network_policy_allows_only_ingress_to_the_pod_s_port():
    policy = BY_KIND["NetworkPolicy"]["spec"]
    assert sorted(policy["policyTypes"]) == ["Egress", "Ingress"]
    assert [port["port"] for rule in policy["ingress"] for port in rule["ports"]] == ["http"]
    assert policy["egress"] == []


@pytest.mark.parametrize("probe", PROBES)
def test_a_probe_uses_the_pod_s_port(probe):
    assert CONTAINER[probe]["httpGet"]["port"] == CONTAINER["ports"][0]["name"]


def test_prometheus_scrapes_the_pod_s_port():
    annotations = DEPLOYMENT["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/scrape"] == "true"
    assert annotations["prometheus.io/port"] == str(PORT)


# The server.


KEY = "of-the-tests"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server with an API key."""
    with serving(env={"MNIST_SVM_API_KEY": KEY}) as server:
        yield server


@pytest.fixture
def unused_port() -> Iterator[int]:
    """A bound port without a listener."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.mark.slow
@pytest.mark.parametrize("probe", PROBES)
def test_probes_succeed_without_a_key(server, probe):
    assert server.request("GET", CONTAINER[probe]["httpGet"]["path"]).status == 200


def test_prometheus_can_scrape_with_the_key(server):
    path = DEPLOYMENT["template"]["metadata"]["annotations"]["prometheus.io/path"]
    assert server.request("GET", path, headers={"Authorization": f"Bearer {KEY}"}).status == 200


def test_the_health_check_fails_without_a_server(server, unused_port):
    def result(where: int) -> int:
        arguments = [part.replace(str(PORT), str(where)) for part in health_check()[1:]]
        return subprocess.run([sys.executable, *arguments], capture_output=True).returncode

    assert result(server.port) == 0
    assert result(unused_port) != 0


def test_pods_have_time_to_finish_requests():
    pause = CONTAINER["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert POD["terminationGracePeriodSeconds"] > pause + TIME_LIMIT


def test_compose_gives_time_to_finish_requests():
    assert float(COMPOSE["stop_grace_period"].removesuffix("s")) > TIME_LIMIT


def test_service_links_do_not_set_variables_of_the_server():
    # For a Service named mnist-svm, Kubernetes would set MNIST_SVM_PORT to a URL.
    assert POD["enableServiceLinks"] is False


# The key.


def test_the_key_comes_from_the_optional_secret_of_the_readme():
    (key,) = (item["valueFrom"] for item in CONTAINER["env"] if item["name"] == "MNIST_SVM_API_KEY")
    name, field = re.search(r"create secret generic (\S+) --from-literal=(.+?)=", README).groups()
    assert key == {"secretKeyRef": {"name": name, "key": field, "optional": True}}


def test_compose_passes_the_key_on():
    assert "MNIST_SVM_API_KEY" in COMPOSE["environment"]


# Privileges.


def test_the_image_s_user_is_a_number_and_not_root():
    user, group = instruction("USER").split(":")
    assert int(user) > 0
    assert int(group) > 0


def test_the_pod_s_user_is_the_image_s():
    context = POD["securityContext"]
    assert f"{context['runAsUser']}:{context['runAsGroup']}" == instruction("USER")
    assert context["runAsNonRoot"] is True


def test_the_pod_is_restricted():
    assert POD["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert CONTAINER["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert len(POD["containers"]) == 1


def test_the_pod_has_no_service_account_token():
    assert POD["automountServiceAccountToken"] is False


def test_the_pod_can_write_temporary_files():
    (mount,) = CONTAINER["volumeMounts"]
    (volume,) = POD["volumes"]
    assert (mount["name"], mount["mountPath"]) == (volume["name"], "/tmp")
    assert "emptyDir" in volume


def test_compose_is_as_strict_as_the_pod():
    assert COMPOSE["read_only"] is True
    assert COMPOSE["tmpfs"] == ["/tmp"]
    assert COMPOSE["cap_drop"] == ["ALL"]
    assert COMPOSE["security_opt"] == ["no-new-privileges:true"]


def test_compose_and_pod_have_the_same_limits():
    limits = COMPOSE["deploy"]["resources"]["limits"]
    pod = CONTAINER["resources"]["limits"]
    assert (limits["cpus"], limits["memory"]) == (pod["cpu"], pod["memory"].removesuffix("i"))


# The image.


def test_the_image_listens_on_all_interfaces_by_default():
    assert json.loads(instruction("ENTRYPOINT")) == ["mnist-svm"]
    assert json.loads(instruction("CMD")) == ["serve", "--host", "0.0.0.0"]


def test_compose_gives_image_and_package_the_same_version():
    name, tag = COMPOSE["image"].split(":", 1)
    (variable,) = COMPOSE["build"]["args"]
    assert name == CONTAINER["image"]
    assert tag == f"${{{variable}:-latest}}"
    assert f"\nARG {variable}\n" in DOCKERFILE
    assert f"\nRUN SETUPTOOLS_SCM_PRETEND_VERSION=${variable} pip wheel" in DOCKERFILE


def test_the_base_is_named_by_version():
    stages = set(re.findall(r"^FROM \S+ AS (\S+)", DOCKERFILE, re.MULTILINE))
    bases = set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) - stages
    (base,) = bases
    assert re.fullmatch(r"python:3\.\d+-slim", base)


def test_dockerignore_admits_what_is_copied_and_no_more():
    first, *others = (ROOT / ".dockerignore").read_text().split()
    assert first == "*"
    assert {name[1:] for name in others if name.startswith("!")} == copied()


# The README.


def readme_yaml(kind: str) -> dict:
    blocks = [
        yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    ]
    (found,) = (block for block in blocks if block.get("kind") == kind)
    return found


def test_the_readme_s_kustomization_gives_the_image_a_registry_and_a_version():
    kustomization = readme_yaml("Kustomization")
    (image,) = kustomization["images"]
    assert image["name"] == CONTAINER["image"]
    assert image["newName"].endswith(f"/{image['name']}")
    assert isinstance(image["newTag"], str)
    assert kustomization["resources"] == ["../" + str(FOLDER.relative_to(ROOT))]


def test_the_readme_s_ingress_is_valid_and_targets_the_service():
    ingress = readme_yaml("Ingress")
    for version in VERSIONS:
        validate(ingress, version)
    backend = ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
    service = BY_KIND["Service"]
    assert backend["name"] == service["metadata"]["name"]
    assert backend["port"]["name"] == service["spec"]["ports"][0]["name"]


def test_the_readme_runs_the_image_as_strictly_as_the_manifests():
    shown = re.search(r"^docker run .*? mnist-svm$", README, re.MULTILINE | re.DOTALL)[0]
    command = shlex.split(shown.replace("\\\n", ""))
    limits = COMPOSE["deploy"]["resources"]["limits"]
    options = dict(itertools.pairwise(command))
    assert options["--cap-drop"] == "ALL"
    assert options["--tmpfs"] == "/tmp"
    assert options["--security-opt"] == "no-new-privileges"
    assert options["--memory"].upper() == limits["memory"]
    assert options["--cpus"] == limits["cpus"]
    assert "--read-only" in command

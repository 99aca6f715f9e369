"""What `probegate render` prints and configs/ ship is read by the platforms' own parsers, which drop and mistake nothing
(docs/contract.md, "Command line")."""

import copy
import json
import pathlib
import shutil
import subprocess

import jsonschema
import pytest
import yaml

from support.probegate import command

TESTS = pathlib.Path(__file__).parents[1]
CONFIGS = TESTS.parent / "configs"
SETTINGS = {
    "plain": "proxy: {backend: 'http://127.0.0.1:9000'}",
    "full": """
proxy: {backend: 'http://127.0.0.1:9000', listen: '0.0.0.0:8443'}
probes: {listen: '0.0.0.0:9191'}
gate: {startup_timeout: 90s}
drain: {delay: 1s, timeout: 7s}
state_file: /var/lib/probegate/state.json
checks:
  database: {type: postgres, url: 'postgresql://app@db:5432/app', tables: [users]}
  cache: {type: redis, url: 'redis://cache:6379/0'}
""",
}


@pytest.fixture(params=SETTINGS)
def config(request, tmp_path):
    path = tmp_path / "probegate.yaml"
    path.write_text(SETTINGS[request.param])
    return path


def rendered(platform, config):
    ran = command("render", platform, "-c", config)
    assert ran.returncode == 0, ran.stderr
    return list(yaml.safe_load_all(ran.stdout))


# Compose

COMPOSE = jsonschema.Draft7Validator(json.loads((TESTS / "support/schemas/compose-spec.json").read_text()))


def problems(compose):
    return [f"{'.'.join(map(str, error.absolute_path))}: {error.message}" for error in COMPOSE.iter_errors(compose)]


def test_compose_is_what_the_specification_allows(config):
    assert problems(rendered("compose", config)[0]) == []


def test_the_shipped_compose_file_is_too():
    assert problems(yaml.safe_load((CONFIGS / "compose.yaml").read_text())) == []


def test_the_specification_would_see_a_wrong_key_and_a_wrong_value(config):
    compose = rendered("compose", config)[0]
    for key, value in (("start_intervall", "1s"), ("retries", {"times": 3})):
        wrong = copy.deepcopy(compose)
        service = next(service for service in wrong["services"].values() if "healthcheck" in service)
        service["healthcheck"][key] = value
        assert key in " ".join(problems(wrong))


# Kubernetes: kubectl reads a workload into the types of its API, and writes what it has understood.

def understood(workload):
    names = [c["name"] for c in workload["spec"]["template"]["spec"]["containers"]]
    return subprocess.run(["kubectl", "set", "image", "--local", "-f", "-", f"{names[0]}=registry.test/other:1", "-o", "json"],
                          input=json.dumps(workload), capture_output=True, text=True, timeout=60, check=False)


def lost(given, kept, place=""):
    """Where what was given is not what was kept."""
    if isinstance(given, dict) and isinstance(kept, dict):
        for key, value in given.items():
            yield from lost(value, kept.get(key), f"{place}.{key}")
    elif isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        for index, (one, other) in enumerate(zip(given, kept)):
            yield from lost(one, other, f"{place}[{index}]")
    elif given != kept:
        yield place


def is_understood(workload):
    ran = understood(workload)
    assert ran.returncode == 0, ran.stderr
    assert list(lost(workload, json.loads(ran.stdout))) == [".spec.template.spec.containers[0].image"], "the one that was set"


needs_kubectl = pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not here, and not in Debian 12 in a version that knows our keys")


def workloads(documents):
    found = [document for document in documents if document["kind"] == "Deployment"]
    assert found
    return found


@needs_kubectl
@pytest.mark.parametrize("source", ["rendered", "shipped"])
def test_kubernetes_understands_every_key(config, source):
    documents = rendered("kubernetes", config) if source == "rendered" else yaml.safe_load_all((CONFIGS / "kubernetes.yaml").read_text())
    for workload in workloads(documents):
        is_understood(workload)


@needs_kubectl
@pytest.mark.parametrize("source", ["rendered", "shipped"])
def test_the_containers_of_cloud_run_are_those_of_kubernetes(config, source):
    """Its API is Knative's, whose revision is a pod but for these keys."""
    documents = rendered("cloud-run", config) if source == "rendered" else [yaml.safe_load((CONFIGS / "cloud-run.yaml").read_text())]
    pod = documents[0]["spec"]["template"]["spec"]
    for key in ("containerConcurrency", "timeoutSeconds"):
        pod.pop(key, None)
    labels = {"app": "app"}
    workload = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "app"},
                "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}}}
    is_understood(workload)


@needs_kubectl
def test_kubernetes_would_not_take_a_wrong_value_and_would_drop_a_wrong_key(config):
    workload = workloads(rendered("kubernetes", config))[0]
    pod = workload["spec"]["template"]["spec"]
    pod["terminationGracePeriod"] = 30
    assert ".spec.template.spec.terminationGracePeriod" in list(lost(workload, json.loads(understood(workload).stdout)))
    pod["terminationGracePeriodSeconds"] = "soon"
    assert understood(workload).returncode != 0

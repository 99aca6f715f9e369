"""The manifests in configs/ say what they must: each test is an outage that somebody had without it."""

import json
import re
from pathlib import Path

import pytest
import yaml

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
GRACE_ON_CLOUD_RUN = 10  # seconds from SIGTERM to SIGKILL
SAFE_STARTUP = 240  # seconds: what Cloud Run has always allowed a startup probe


def load(name: str) -> list:
    return list(yaml.safe_load_all((CONFIGS / name).read_text()))


def seconds(duration: str) -> float:
    units = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
    parts = re.findall(r"(\d+)(ms|s|m|h)", duration)
    assert "".join(number + unit for number, unit in parts) == duration
    return sum(int(number) * units[unit] for number, unit in parts)


def patience(probe: dict) -> int:
    return probe.get("initialDelaySeconds", 0) + probe["periodSeconds"] * probe["failureThreshold"]


def by_name(items: list) -> dict:
    return {item["name"]: item for item in items}


def default(path: str):
    """A default of probegate, out of the reference configuration that the schema's test keeps true."""
    value = yaml.safe_load((CONFIGS / "probegate.yaml").read_text())
    for key in path.split("."):
        value = value[key]
    return value


class TestCloudRun:
    service = load("cloud-run.yaml")[0]
    annotations = service["spec"]["template"]["metadata"]["annotations"]
    spec = service["spec"]["template"]["spec"]
    containers = by_name(spec["containers"])
    gate, backend = containers["gate"], containers["backend"]
    config = load("cloud-run.probegate.yaml")[0]

    def test_it_is_a_service_that_gcloud_run_services_replace_takes(self):
        assert (self.service["apiVersion"], self.service["kind"]) == ("serving.knative.dev/v1", "Service")
        assert all(isinstance(value, str) for value in self.annotations.values())

    def test_only_the_gate_has_a_port_and_the_backend_has_another_one(self):
        assert [name for name, container in self.containers.items() if "ports" in container] == ["gate"]
        assert self.gate["ports"] == [{"containerPort": 8080}]
        assert self.config["proxy"]["listen"] == "0.0.0.0:${PORT:-8080}"
        port = by_name(self.backend["env"])["PORT"]["value"]
        assert self.config["proxy"]["backend"] == f"http://127.0.0.1:{port}"
        assert port not in ("8080", "9090")

    def test_the_startup_probe_asks_the_gate_over_http_and_ends_in_time(self):
        probe = self.gate["startupProbe"]
        assert probe["httpGet"] == {"path": "/health/startup", "port": 9090}
        assert default("probes.listen").endswith(":9090")
        assert patience(probe) <= SAFE_STARTUP
        assert patience(probe) > seconds(default("gate.startup_timeout"))
        assert probe["timeoutSeconds"] <= probe["periodSeconds"]

    def test_the_page_about_the_platform_tells_the_startup_probe_as_it_is(self):
        probe = self.gate["startupProbe"]
        told = f"every {probe['periodSeconds']} s, {probe['failureThreshold']} times: {patience(probe)} s"
        assert told in (CONFIGS.parent / "docs/platforms/cloud-run.md").read_text()

    def test_liveness_asks_about_the_process_alone(self):
        assert self.gate["livenessProbe"]["httpGet"] == {"path": "/health/live", "port": 9090}

    def test_the_order_of_start_has_startup_probes_and_no_deadlock(self):
        dependencies = json.loads(self.annotations["run.googleapis.com/container-dependencies"])
        needed = {name for names in dependencies.values() for name in names}
        assert set(dependencies) | needed <= set(self.containers)
        assert all("startupProbe" in self.containers[name] for name in needed)
        assert "gate" not in needed  # its startup probe waits for the others
        assert self.backend["startupProbe"]["tcpSocket"] == {"port": 8000}
        assert patience(self.backend["startupProbe"]) <= SAFE_STARTUP

    def test_sockets_may_live_for_an_hour_and_are_closed_before_it_is_over(self):
        assert self.spec["timeoutSeconds"] == 3600
        assert seconds(self.config["proxy"]["websocket"]["max_lifetime"]) < 3600, "the spread goes down"

    def test_checks_keep_their_cpu_and_clients_their_instance(self):
        assert self.annotations["run.googleapis.com/execution-environment"] == "gen2"
        assert self.annotations["run.googleapis.com/cpu-throttling"] == "false"
        assert self.annotations["run.googleapis.com/sessionAffinity"] == "true"

    def test_the_drain_fits_into_the_grace(self):
        drain = self.config.get("drain", {})
        delay, timeout = drain.get("delay", default("drain.delay")), drain.get("timeout", default("drain.timeout"))
        assert seconds(delay) + seconds(timeout) < GRACE_ON_CLOUD_RUN

    def test_the_configuration_is_mounted_where_it_is_looked_for(self):
        volume = by_name(self.spec["volumes"])["config"]
        assert volume["secret"]["items"] == [{"key": "latest", "path": "probegate.yaml"}]
        assert self.gate["volumeMounts"] == [{"name": "config", "mountPath": "/etc/probegate"}]

    def test_every_variable_of_the_configuration_is_set(self):
        wanted = set(re.findall(r"\$\{(\w+):\?", (CONFIGS / "cloud-run.probegate.yaml").read_text()))
        assert wanted == set(by_name(self.gate["env"]))

    def test_the_readiness_probe_that_waits_for_its_launch_stage_fits_when_it_is_taken_in(self):
        text = (CONFIGS / "cloud-run.yaml").read_text()
        taken_in = re.sub(r"(?m)^( *)# (readinessProbe:|  \w+:.*)$", r"\1\2", text)
        gate = by_name(yaml.safe_load(taken_in)["spec"]["template"]["spec"]["containers"])["gate"]
        assert gate["readinessProbe"]["httpGet"] == {"path": "/health/ready", "port": 9090}


class TestKubernetes:
    config_map, deployment, service, _ = load("kubernetes.yaml")
    pod = deployment["spec"]["template"]["spec"]
    gate = pod["initContainers"][0]
    backend = by_name(pod["containers"])["backend"]
    config = yaml.safe_load(config_map["data"]["probegate.yaml"])

    def test_the_gate_is_a_native_sidecar(self):
        assert (self.gate["name"], self.gate["restartPolicy"]) == ("gate", "Always")

    def test_the_backend_need_not_wait_for_a_probe_that_waits_for_the_backend(self):
        assert "startupProbe" not in self.gate

    def test_readiness_holds_the_traffic_and_liveness_is_about_the_process(self):
        assert self.gate["readinessProbe"]["httpGet"] == {"path": "/health/ready", "port": "probes"}
        assert self.gate["livenessProbe"]["httpGet"] == {"path": "/health/live", "port": "probes"}
        for probe in ("readinessProbe", "livenessProbe"):
            assert self.gate[probe]["timeoutSeconds"] <= self.gate[probe]["periodSeconds"]

    def test_a_backend_that_does_not_start_does_not_restart_the_gate(self):
        assert self.config["gate"]["on_startup_timeout"] == "wait"

    def test_the_service_leads_to_the_gate_and_the_gate_to_the_backend(self):
        ports = {port["name"]: port["containerPort"] for port in self.gate["ports"]}
        assert ports == {"http": 8080, "probes": 9090}
        assert [port["targetPort"] for port in self.service["spec"]["ports"]] == ["http"]
        assert self.service["spec"]["selector"].items() <= self.deployment["spec"]["template"]["metadata"]["labels"].items()
        assert "ports" not in self.backend
        assert self.config["proxy"]["listen"].endswith(":8080")
        assert self.config["proxy"]["backend"] == f"http://127.0.0.1:{by_name(self.backend['env'])['PORT']['value']}"

    def test_the_grace_holds_the_whole_end(self):
        pre_stop = self.backend["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert "drain" not in self.config
        drain = 5 + 25  # the preset of the platform; tests/system/shipped_configs_test.py reads it
        assert self.gate["lifecycle"]["preStop"]["exec"]["command"] == ["/usr/bin/probegate", "drain", "--wait"]
        assert pre_stop >= drain + 5, "the backend lives as long as the gate drains"
        assert self.pod["terminationGracePeriodSeconds"] - pre_stop >= 30 + 10

    def test_the_gate_needs_no_rights(self):
        security = self.gate["securityContext"]
        assert security["runAsNonRoot"] and security["runAsUser"] == 65532
        assert security["readOnlyRootFilesystem"] and not security["allowPrivilegeEscalation"]
        assert security["capabilities"] == {"drop": ["ALL"]}

    def test_the_configuration_is_mounted_where_it_is_looked_for(self):
        volume = by_name(self.pod["volumes"])["config"]
        assert volume["configMap"]["name"] == self.config_map["metadata"]["name"]
        assert by_name(self.gate["volumeMounts"])["config"]["mountPath"] == "/etc/probegate"


class TestCompose:
    services = load("compose.yaml")[0]["services"]
    gate, backend = services["gate"], services["backend"]

    def test_health_is_liveness_asked_without_a_shell(self):
        assert self.gate["healthcheck"]["test"] == ["CMD", "/usr/bin/probegate", "healthcheck", "live"]

    def test_nobody_waits_for_somebody_elses_health(self):
        for service in self.services.values():
            for needed in service.get("depends_on", {}).values():
                assert needed["condition"] != "service_healthy"

    def test_the_gate_is_stopped_before_the_backend(self):
        assert list(self.gate["depends_on"]) == ["backend"]
        assert "depends_on" not in self.backend

    def test_a_restart_of_the_gate_leaves_the_backend_its_network(self):
        assert self.gate["network_mode"] == "service:backend"
        assert "network_mode" not in self.backend and "ports" not in self.gate

    def test_every_engine_takes_the_health_check(self):
        assert "start_interval" not in self.gate["healthcheck"]

    def test_the_gate_is_the_only_way_in(self):
        assert {name: service["ports"] for name, service in self.services.items() if "ports" in service} == {
            "backend": ["8080:8080", "127.0.0.1:9090:9090"]}
        assert self.gate["environment"]["BACKEND_URL"] == "http://127.0.0.1:8000"
        assert "--port 8000" in self.backend["build"]["dockerfile_inline"]

    def test_a_configuration_is_mounted_with_its_folder(self):
        """A file that is mounted by itself keeps its old content when an editor replaces it."""
        mounts = re.findall(r"\S+:/etc/probegate\S*", (CONFIGS / "compose.yaml").read_text())
        assert mounts and not [mount for mount in mounts if ".yaml" in mount]

    def test_the_gate_and_the_backend_use_the_same_dependencies(self):
        for name in ("DATABASE_URL", "REDIS_URL"):
            assert self.gate["environment"][name] == self.backend["environment"][name]

    def test_the_drain_fits_into_the_grace(self):
        drain = seconds(default("drain.delay")) + seconds(default("drain.timeout"))
        assert drain < seconds(self.gate["stop_grace_period"])

    def test_the_gate_needs_no_rights(self):
        assert self.gate["read_only"] and self.gate["cap_drop"] == ["ALL"] and self.gate["user"] == "65532:65532"


def test_what_creates_something_on_kubernetes_can_be_repeated():
    """`kubectl create` alone refuses what is there already."""
    pages = [*CONFIGS.glob("*.yaml"), *CONFIGS.parent.glob("docs/**/*.md"), CONFIGS.parent / "README.md"]
    lines = [line for page in pages for line in re.sub(r"\\\n#? *", "", page.read_text()).splitlines()]
    creations = [line for line in lines if "kubectl create" in line]
    assert creations and all("--dry-run=client -o yaml | kubectl apply -f -" in line for line in creations)


@pytest.mark.parametrize("name", sorted(path.name for path in CONFIGS.glob("*.yaml")))
def test_every_configuration_is_yaml_without_tabs(name):
    assert load(name)
    assert "\t" not in (CONFIGS / name).read_text()


def test_the_document_shows_the_example_check_as_it_is_built():
    root = CONFIGS.parent
    shown = re.findall(r"```cpp\n(.*?)```", (root / "docs" / "adding-a-check.md").read_text(), re.DOTALL)
    assert shown == [(root / "examples" / "memcached_check.cc").read_text()]
    assert "memcached_check.cc" in (root / "tests" / "component" / "checks" / "meson.build").read_text()

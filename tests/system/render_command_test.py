"""`probegate render`: manifests whose times fit the configuration, and that hold no secret
(docs/contract.md, "Command line")."""

import json
import math
import pathlib
import re

import pytest
import yaml

from support.probegate import command

CONFIGS = pathlib.Path(__file__).parents[2] / "configs"
SECRETS = {"DATABASE_URL": "postgresql://app:s3cret@db:5432/app", "REDIS_URL": "redis://:s3cret@cache:6379/0"}
PLATFORMS = ["cloud-run", "compose", "kubernetes"]


def render(platform, *arguments, env=None):
    return command("render", platform, *arguments, env=env)


def rendered(platform, *arguments, env=None):
    """The documents of a manifest that must come out."""
    ran = render(platform, *arguments, env=env)
    assert ran.returncode == 0, ran.stderr
    assert "s3cret" not in ran.stdout and "@" not in ran.stdout
    assert "\t" not in ran.stdout
    return list(yaml.safe_load_all(ran.stdout))


def write(tmp_path, text):
    path = tmp_path / "probegate.yaml"
    path.write_text(text)
    return path


def by_name(items):
    return {item["name"]: item for item in items}


def cloud_run(documents):
    spec = documents[0]["spec"]["template"]["spec"]
    return spec, by_name(spec["containers"])


def kubernetes(documents):
    pod = documents[0]["spec"]["template"]["spec"]
    return pod, by_name(pod["initContainers"] + pod["containers"])


def shipped(name):
    return list(yaml.safe_load_all((CONFIGS / name).read_text()))


def test_cloud_run_gets_what_the_shipped_example_says():
    """Probes, ports, mounts and variables agree with configs/cloud-run.yaml, and no secret need be set to render."""
    documents = rendered("cloud-run", "-c", CONFIGS / "cloud-run.probegate.yaml", "--name", "chat")
    spec, containers = cloud_run(documents)
    example_spec, example = cloud_run(shipped("cloud-run.yaml"))
    for key in ("startupProbe", "livenessProbe", "ports", "env", "resources", "volumeMounts"):
        assert containers["gate"][key] == example["gate"][key], key
    for key in ("startupProbe", "resources", "env"):
        assert containers["backend"][key] == example["backend"][key], key
    assert spec["timeoutSeconds"] == example_spec["timeoutSeconds"]
    assert spec["volumes"][0]["secret"]["items"] == example_spec["volumes"][0]["secret"]["items"]
    annotations = documents[0]["spec"]["template"]["metadata"]["annotations"]
    assert all(isinstance(value, str) for value in annotations.values())
    dependencies = "run.googleapis.com/container-dependencies"
    assert json.loads(annotations[dependencies]) == {"gate": ["backend"]}


def test_kubernetes_gets_what_the_shipped_example_says(tmp_path):
    config = write(tmp_path, shipped("kubernetes.yaml")[0]["data"]["probegate.yaml"])
    documents = rendered("kubernetes", "-c", config, "--name", "chat")
    pod, containers = kubernetes(documents)
    example_pod, example = kubernetes(shipped("kubernetes.yaml")[1:])
    for key in ("readinessProbe", "livenessProbe", "ports", "resources", "securityContext", "restartPolicy", "volumeMounts"):
        assert containers["gate"][key] == example["gate"][key], key
    assert "startupProbe" not in containers["gate"]
    for name in ("gate", "backend"):
        assert containers[name]["lifecycle"] == example[name]["lifecycle"]
    assert pod["terminationGracePeriodSeconds"] == example_pod["terminationGracePeriodSeconds"]
    assert containers["backend"]["securityContext"] == example["backend"]["securityContext"]
    assert documents[1:] == shipped("kubernetes.yaml")[2:], "the Service, and the NetworkPolicy"
    names = {entry["name"]: entry["valueFrom"]["secretKeyRef"] for entry in containers["gate"]["env"]}
    assert names == {name: {"name": "chat", "key": name} for name in ("DATABASE_URL", "REDIS_URL")}


def test_compose_gets_what_the_shipped_example_says():
    environment = {"BACKEND_URL": "http://127.0.0.1:8000", "WEBSOCKET_PATH": "/ws",
                   "DATABASE_TABLES": "agent_executions,credit_transactions,subscriptions", **SECRETS}
    [document] = rendered("compose", env=environment)
    gate, backend = document["services"]["gate"], document["services"]["backend"]
    example = shipped("compose.yaml")[0]["services"]
    for key in ("healthcheck", "stop_grace_period", "user", "read_only", "cap_drop", "security_opt", "restart",
                "network_mode", "depends_on"):
        assert gate[key] == example["gate"][key], key
    for key in ("ports", "restart", "stop_grace_period"):
        assert backend[key] == example["backend"][key], key
    assert gate["environment"]["PROBEGATE_PLATFORM"] == example["gate"]["environment"]["PROBEGATE_PLATFORM"]
    for name in ("BACKEND_URL", "WEBSOCKET_PATH", "DATABASE_TABLES"):
        assert gate["environment"][name] == environment[name]
    for service in (gate, backend):
        for name in SECRETS:
            assert service["environment"][name].startswith("${" + name + ":?")


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_environment_alone_is_rendered_without_its_secrets(platform):
    ran = render(platform, env={**SECRETS, "BACKEND_URL": "http://127.0.0.1:8123", "WEBSOCKET_PATH": "/ws?token=s3cret"})
    assert ran.returncode == 0, ran.stderr
    assert "s3cret" not in ran.stdout
    assert ran.stdout.count("DATABASE_URL") >= 2 and "8123" in ran.stdout


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_password_in_the_file_stays_in_the_file(tmp_path, platform):
    config = write(tmp_path, "checks: {db: {type: postgres, url: 'postgresql://u:s3cret@h/d'}}\n")
    text = yaml.safe_dump_all(rendered(platform, "-c", config))
    assert "postgresql" not in text


@pytest.mark.parametrize("startup, threshold", [("30s", 25), ("120s", 70), ("215s", 118), ("240s", 120)])
def test_the_startup_probe_of_cloud_run_outlasts_the_startup_timeout(tmp_path, startup, threshold):
    config = write(tmp_path, f"gate: {{startup_timeout: {startup}}}\n")
    probe = cloud_run(rendered("cloud-run", "-c", config))[1]["gate"]["startupProbe"]
    assert (probe["periodSeconds"], probe["failureThreshold"]) == (2, threshold)
    assert probe["timeoutSeconds"] <= probe["periodSeconds"]


@pytest.mark.parametrize("delay, timeout", [("0s", "8s"), ("5s", "25s"), ("0s", "2m"), ("500ms", "8s")])
def test_the_end_is_given_the_time_of_the_drain(tmp_path, delay, timeout):
    config = write(tmp_path, f"drain: {{delay: {delay}, timeout: {timeout}}}\n")
    units = {"0s": 0, "5s": 5, "500ms": 0.5, "8s": 8, "25s": 25, "2m": 120}
    drain = math.ceil(units[delay] + units[timeout])
    grace = rendered("compose", "-c", config)[0]["services"]["gate"]["stop_grace_period"]
    assert grace == f"{drain + 2}s"
    pod, containers = kubernetes(rendered("kubernetes", "-c", config))
    pre_stop = containers["backend"]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pre_stop == drain + 5, "the backend lives as long as the gate drains"
    assert pod["terminationGracePeriodSeconds"] == pre_stop + 35 + 10


def test_ports_are_those_of_the_configuration(tmp_path):
    config = write(tmp_path, "proxy: {listen: '0.0.0.0:8088', backend: 'http://127.0.0.1:3000'}\n"
                             "probes: {listen: '[::]:9191'}\n")
    _, containers = cloud_run(rendered("cloud-run", "-c", config))
    assert containers["gate"]["ports"] == [{"containerPort": 8088}]
    assert containers["gate"]["startupProbe"]["httpGet"]["port"] == 9191
    assert by_name(containers["backend"]["env"])["PORT"]["value"] == "3000"
    _, containers = kubernetes(rendered("kubernetes", "-c", config))
    assert [port["containerPort"] for port in containers["gate"]["ports"]] == [8088, 9191]
    services = rendered("compose", "-c", config)[0]["services"]
    assert services["backend"]["ports"] == ["8088:8088", "127.0.0.1:9191:9191"]


def test_a_backend_with_a_name_is_a_service_of_that_name_for_compose(tmp_path):
    config = write(tmp_path, "proxy: {backend: 'http://chat:3000'}\n")
    services = rendered("compose", "-c", config)[0]["services"]
    assert set(services) == {"gate", "chat"}
    assert "network_mode" not in services["chat"] and "network_mode" not in services["gate"]
    assert services["gate"]["ports"] and list(services["gate"]["depends_on"]) == ["chat"]


def test_a_state_file_gets_a_place_that_can_be_written(tmp_path):
    config = write(tmp_path, "proxy: {backend: 'http://127.0.0.1:8000'}\nstate_file: /var/lib/probegate/state.json\n")
    document = rendered("compose", "-c", config)[0]
    assert "state:/var/lib/probegate" in document["services"]["gate"]["volumes"] and "state" in document["volumes"]
    pod, containers = kubernetes(rendered("kubernetes", "-c", config))
    assert by_name(containers["gate"]["volumeMounts"])["state"]["mountPath"] == "/var/lib/probegate"
    assert set(by_name(pod["volumes"])) == {"config", "state"}


@pytest.mark.parametrize("platform, config, key, remedy", [
    ("cloud-run", "gate: {startup_timeout: 300s}", "gate.startup_timeout", "220s"),
    ("cloud-run", "gate: {startup_timeout: 0}", "gate.startup_timeout", "220s"),
    ("cloud-run", "drain: {timeout: 10s}", "drain", "below 10s"),
    ("cloud-run", "{platform: none, drain: {delay: 4s, timeout: 8s}}", "drain", "below 10s"),
    ("cloud-run", "proxy: {websocket: {max_lifetime: 60m}}", "proxy.websocket.max_lifetime", "59m"),
    ("compose", "state_file: /data/state.json", "state_file", "/var/lib/probegate"),
    ("cloud-run", "proxy: {listen: '127.0.0.1:8080'}", "proxy.listen", "0.0.0.0:8080"),
    ("cloud-run", "probes: {listen: 'unix:/run/p.sock'}", "probes.listen", "0.0.0.0:9090"),
    ("cloud-run", "proxy: {backend: 'http://chat:8000'}", "proxy.backend", "http://127.0.0.1:8000"),
    ("kubernetes", "probes: {listen: '127.0.0.1:9090'}", "probes.listen", "0.0.0.0:9090"),
    ("kubernetes", "proxy: {backend: 'unix:/run/b.sock'}", "proxy.backend", "http://127.0.0.1:8000"),
    ("kubernetes", "proxy: {backend: 'http://127.0.0.1:8080', listen: '0.0.0.0:8080'}", "proxy.backend", "another"),
    ("compose", "proxy: {listen: 'localhost:8080'}", "proxy.listen", "0.0.0.0:8080"),
])
def test_a_contradiction_is_an_error_that_names_key_and_remedy(tmp_path, platform, config, key, remedy):
    path = write(tmp_path, config + "\n")
    ran = render(platform, "-c", path)
    assert ran.returncode == 2 and ran.stdout == ""
    assert str(path) in ran.stderr and key in ran.stderr and remedy in ran.stderr


def test_all_contradictions_come_at_once(tmp_path):
    ran = render("cloud-run", "-c", write(tmp_path, "gate: {startup_timeout: 10m}\nprobes: {listen: '127.0.0.1:1'}\n"))
    assert ran.returncode == 2
    assert "gate.startup_timeout" in ran.stderr and "probes.listen" in ran.stderr


def test_secrets_that_are_elsewhere_are_no_mistake_but_mistakes_are(tmp_path):
    good = """
auth: {url: 'http://127.0.0.1:1/', bypass: {header: x-bypass, secret_file: /nonexistent/bypass}}
checks:
  database: {type: postgres, url_file: /nonexistent/url}
  parts: {type: postgres, host: '${DB_HOST}', user: app, password_file: /nonexistent/password, tables: ['${TABLE:?which}']}
  web: {type: http, url: '${WEB_URL}', headers: {authorization: 'Bearer ${TOKEN}'}, interval: '${EVERY:-5s}'}
"""
    _, containers = kubernetes(rendered("kubernetes", "-c", write(tmp_path, good)))
    assert [entry["name"] for entry in containers["gate"]["env"]] == ["DB_HOST", "TABLE", "WEB_URL", "TOKEN"]
    ran = render("kubernetes", "-c", write(tmp_path, good + "\ngat: {}\n"))
    assert ran.returncode == 2
    assert ":8:1: gat" in ran.stderr
    ran = render("kubernetes", "-c", write(tmp_path, "checks: {odd: {type: http, url: 'http://${WEB_URL'}}\n"))
    assert ran.returncode == 2 and "checks.odd.url" in ran.stderr


def annotations(documents):
    return documents[0]["spec"]["template"]["metadata"]["annotations"]


@pytest.mark.parametrize("url", [
    "postgresql://u:${DB_PASS}@/app?host=/cloudsql/proj:europe-west1:inst",
    "postgresql://u:s3cret@/app?host=%2Fcloudsql%2Fproj%3Aeurope-west1%3Ainst",
    "host=/cloudsql/proj:europe-west1:inst user=u dbname=app",
    "mysql://u:s3cret@localhost/app?unix_socket=/cloudsql/proj:europe-west1:inst",
])
def test_cloud_run_connects_the_instance_whose_socket_a_check_names(tmp_path, url):
    kind = "mysql" if url.startswith("mysql") else "postgres"
    config = write(tmp_path, f"checks: {{db: {{type: {kind}, url: '{url}'}}}}\n")
    assert annotations(rendered("cloud-run", "-c", config))["run.googleapis.com/cloudsql-instances"] == "proj:europe-west1:inst"


def test_cloud_run_connects_every_instance_once(tmp_path):
    config = write(tmp_path, """checks:
  a: {type: postgres, host: '/cloudsql/p:r:a', user: u}
  b: {type: postgres, host: '/cloudsql/p:r:b', user: u}
  c: {type: postgres, host: '/cloudsql/p:r:a', user: u}
""")
    assert annotations(rendered("cloud-run", "-c", config))["run.googleapis.com/cloudsql-instances"] == "p:r:a,p:r:b"
    plain = write(tmp_path, "checks: {a: {type: redis, url: 'redis://cache.example'}}\n")
    assert "cloudsql" not in render("cloud-run", "-c", plain).stdout


@pytest.mark.parametrize("address, is_private", [
    ("10.0.0.3", True), ("172.16.9.1", True), ("192.168.1.2", True), ("100.64.0.1", True), ("[fd00::1]", True),
    ("cache.internal", True), ("8.8.8.8", False), ("172.32.0.1", False), ("cache.example", False),
])
def test_cloud_run_says_which_address_needs_a_vpc(tmp_path, address, is_private):
    config = write(tmp_path, f"checks: {{cache: {{type: redis, url: 'redis://:s3cret@{address}:6379'}}}}\n")
    ran = render("cloud-run", "-c", config)
    assert ran.returncode == 0 and "s3cret" not in ran.stdout
    assert (address.strip("[]") in ran.stdout) == is_private
    assert ("vpc-access-egress" in ran.stdout) == is_private


def test_cloud_run_bounds_the_sockets_and_the_instances(tmp_path):
    for config, sockets in (("{}", 500), ("proxy: {limits: {connections: 200}}", 200), ("proxy: {limits: {connections: 5000}}", 1000)):
        documents = rendered("cloud-run", "-c", write(tmp_path, config + "\n"))
        assert cloud_run(documents)[0]["containerConcurrency"] == sockets
        assert annotations(documents)["autoscaling.knative.dev/minScale"] == "1"
        assert annotations(documents)["autoscaling.knative.dev/maxScale"] == "10"


@pytest.mark.parametrize("config, key, remedy", [
    ("{}", "proxy.websocket.max_lifetime", "59m"),
    ("state_file: /var/lib/probegate/state.json", "state_file", "volume"),
])
def test_cloud_run_warns_of_what_the_platform_would_take(tmp_path, config, key, remedy):
    path = write(tmp_path, config + "\n")
    ran = render("cloud-run", "-c", path)
    assert ran.returncode == 0 and ran.stdout
    [line] = [line for line in ran.stderr.splitlines() if key in line]
    assert line.startswith(f"{path}: warning: ") and remedy in line
    quiet = render("cloud-run", "-c", write(tmp_path, "proxy: {websocket: {max_lifetime: 59m}}\n"))
    assert (quiet.returncode, quiet.stderr) == (0, "")


TCP = "checks: {a: {type: tcp, address: 'h:1'}}"


@pytest.mark.parametrize("platform, config, warns", [
    ("kubernetes", f"gate: {{on_startup_timeout: fail}}\n{TCP}", True),
    ("kubernetes", f"gate: {{on_startup_timeout: exit}}\n{TCP}", True),
    ("kubernetes", f"platform: none\n{TCP}", True),
    ("compose", f"gate: {{on_startup_timeout: fail}}\n{TCP}", True),
    ("kubernetes", TCP, False),
    ("compose", TCP, False),
    ("kubernetes", "gate: {on_startup_timeout: fail}", False),
    ("cloud-run", f"proxy: {{websocket: {{max_lifetime: 59m}}}}\n{TCP}", False),
])
def test_a_gate_that_liveness_would_restart_for_its_dependency_is_a_warning(tmp_path, platform, config, warns):
    ran = render(platform, "-c", write(tmp_path, config + "\n"))
    assert ran.returncode == 0, ran.stderr
    assert ("gate.on_startup_timeout" in ran.stderr and "write wait" in ran.stderr) == warns, ran.stderr


def test_kubernetes_rolls_the_pods_when_the_file_is_another(tmp_path):
    sums = []
    for config in (TCP, TCP, "{}"):
        documents = rendered("kubernetes", "-c", write(tmp_path, config + "\n"))
        sums.append(annotations(documents)["checksum/config"])
        mount = by_name(kubernetes(documents)[1]["gate"]["volumeMounts"])["config"]
        assert mount["mountPath"] == "/etc/probegate" and "subPath" not in mount
    assert sums[0] == sums[1] != sums[2] and len(sums[0]) == 64


def test_what_makes_the_secrets_on_kubernetes_can_be_repeated(tmp_path):
    """`kubectl create` alone refuses a Secret that is there already, and a password is changed one day."""
    config = write(tmp_path, "checks: {db: {type: postgres, url: '${DATABASE_URL}'}}\n")
    ran = render("kubernetes", "-c", config)
    assert ran.returncode == 0, ran.stderr
    lines = re.sub(r"\\\n# *", "", ran.stdout).splitlines()
    creations = [line for line in lines if "kubectl create" in line]
    assert len(creations) == 2, ran.stdout
    for line in creations:
        assert line.endswith("--dry-run=client -o yaml | kubectl apply -f -")


def test_compose_mounts_the_folder_of_the_configuration_where_that_is_its_own(tmp_path):
    """A file that is mounted by itself stays the old one for whoever reads it inside, so it is mounted only where its folder has more."""
    config = write(tmp_path, "{}\n")
    assert rendered("compose", "-c", config)[0]["services"]["gate"]["volumes"] == [f"{tmp_path}:/etc/probegate:ro"]
    other = config.rename(tmp_path / "other.yaml")
    [volume] = rendered("compose", "-c", other)[0]["services"]["gate"]["volumes"]
    assert volume == f"{other}:/etc/probegate/probegate.yaml:ro"
    assert "restart" in render("compose", "-c", other).stdout.split(volume)[1].splitlines()[0]


def test_the_gate_is_the_only_way_in_for_compose(tmp_path):
    services = rendered("compose", "-c", write(tmp_path, "{}\n"))[0]["services"]
    assert services["backend"]["environment"]["HOST"] == "127.0.0.1"
    other = write(tmp_path, "proxy: {backend: 'http://chat:3000'}\n")
    assert "HOST" not in rendered("compose", "-c", other)[0]["services"]["chat"]["environment"]


def test_kubernetes_leaves_the_replicas_to_an_autoscaler_when_asked(tmp_path):
    config = write(tmp_path, "{}\n")
    assert rendered("kubernetes", "-c", config)[0]["spec"]["replicas"] == 2
    assert "replicas" not in rendered("kubernetes", "-c", config, "--hpa")[0]["spec"]


def test_the_gate_is_the_only_way_in_on_kubernetes(tmp_path):
    config = write(tmp_path, "proxy: {listen: '0.0.0.0:8088'}\nprobes: {listen: '0.0.0.0:9191'}\n")
    documents = rendered("kubernetes", "-c", config)
    policy = next(document for document in documents if document["kind"] == "NetworkPolicy")
    labels = documents[0]["spec"]["template"]["metadata"]["labels"]
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
    assert [port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]] == [8088, 9191]
    backend = kubernetes(documents)[1]["backend"]
    assert by_name(backend["env"])["HOST"]["value"] == "127.0.0.1"
    assert backend["securityContext"]["runAsNonRoot"] and backend["securityContext"]["capabilities"] == {"drop": ["ALL"]}


@pytest.mark.parametrize("arguments", [[], ["nomad"], ["compose", "--name", "Not a name"], ["compose", "--image", "a: b"]])
def test_a_wrong_command_line_is_2_with_a_hint(arguments):
    ran = command("render", *arguments)
    assert ran.returncode == 2 and "probegate render --help" in ran.stderr

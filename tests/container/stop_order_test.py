"""Gate and backend in one network, stopped in the order and with the commands and times that `render` printed for Compose
and for Kubernetes (docs/platforms)."""

import itertools
import json
import os
import pathlib

import pytest
import yaml

from conftest import podman
from support.waiting import wait_until

PEERS = "localhost/probegate-peers:test"
TUNNELS = 200
CONFIG = """
proxy: {backend: 'http://127.0.0.1:8000', listen: '0.0.0.0:8080'}
probes: {listen: '0.0.0.0:9090'}
drain: {delay: 0s, timeout: 8s}
"""
SPREAD = 4.0  # seconds, the first half of drain.timeout
CONFINED = ["--read-only", "--cap-drop=all", "--user=65532", "--security-opt=no-new-privileges"]


@pytest.fixture(scope="session")
def peers(image):  # a skip comes before any build
    build = podman("build", "--pull=never", "--network=host", "-t", PEERS, pathlib.Path(__file__).parent / "peers", timeout=600)
    assert build.returncode == 0, f"the peers do not build:\n{build.stdout[-4000:]}\n{build.stderr[-4000:]}"
    return PEERS


class Project:
    """Containers by the names of their services."""

    _numbers = itertools.count()

    def __init__(self):
        self._prefix = f"probegate-project-{os.getpid()}-{next(self._numbers)}-"
        self._started = []

    def start(self, service, image, *arguments, network, options=()):
        run = podman("run", "--detach", "--pull=never", "--name", self._prefix + service, f"--network={network}", *CONFINED, *options,
                     image, *arguments)
        assert run.returncode == 0, run.stderr
        self._started.append(service)

    def network_of(self, service):
        return f"container:{self._prefix}{service}"

    def output(self, service):
        logs = podman("logs", self._prefix + service)
        return logs.stdout + logs.stderr

    def wait_for_output(self, service, text):
        wait_until(lambda: text in self.output(service), f'"{text}" from {service}')

    def execute(self, service, command, timeout):
        return podman("exec", self._prefix + service, *command, timeout=timeout)

    def stop(self, service, grace):
        """The exit code; 137 if it had to be killed."""
        stop = podman("stop", f"--time={grace}", self._prefix + service, timeout=grace + 60)
        assert stop.returncode == 0, stop.stderr
        return json.loads(podman("inspect", self._prefix + service).stdout)[0]["State"]["ExitCode"]

    def close(self):
        for service in reversed(self._started):  # what lives in another's network goes first
            podman("rm", "--force", "--time=0", self._prefix + service)


@pytest.fixture
def project():
    made = Project()
    yield made
    made.close()


@pytest.fixture
def configuration(tmp_path):
    tmp_path.chmod(0o755)
    (tmp_path / "probegate.yaml").write_text(CONFIG)
    return f"--volume={tmp_path}:/etc/probegate:ro"


def rendered(platform, image, configuration):
    run = podman("run", "--rm", "--pull=never", "--network=none", *CONFINED, configuration, image, "render", platform)
    assert run.returncode == 0, run.stderr
    return next(yaml.safe_load_all(run.stdout))


def seconds(text):
    assert text.endswith("s")
    return int(text[:-1])


def most_within(ends, span):
    times = sorted(when for when, _ in ends)
    return max(sum(1 for when in times if first <= when < first + span) for first in times)


def stop_as_compose_does(project, manifest):
    """What depends on others is stopped before them."""
    gate, backend = manifest["services"]["gate"], manifest["services"]["backend"]
    assert gate["network_mode"] == "service:backend" and "backend" in gate["depends_on"]
    assert project.stop("gate", seconds(gate["stop_grace_period"])) == 0, project.output("gate")
    assert project.stop("backend", seconds(backend["stop_grace_period"])) == 0


def stop_as_the_kubelet_does(project, manifest):
    """The gate's preStop, while the backend's sleeps; then SIGTERM to the backend, and after its end to the sidecar."""
    pod = manifest["spec"]["template"]["spec"]
    [gate], [backend] = pod["initContainers"], pod["containers"]
    sleep = backend["lifecycle"]["preStop"]["sleep"]["seconds"]
    hook = project.execute("gate", gate["lifecycle"]["preStop"]["exec"]["command"], timeout=sleep)
    assert hook.returncode == 0, hook.stderr
    left = pod["terminationGracePeriodSeconds"] - sleep
    assert project.stop("backend", left) == 0
    assert project.stop("gate", left) == 0, project.output("gate")


@pytest.mark.parametrize("platform, stop", [("compose", stop_as_compose_does), ("kubernetes", stop_as_the_kubelet_does)])
def test_clients_are_closed_one_after_another_while_the_backend_lives(image, peers, project, configuration, platform, stop):
    project.start("backend", peers, "backend", "8000", network="none")
    project.wait_for_output("backend", "listening")
    project.start("gate", image, network=project.network_of("backend"), options=[configuration])
    project.wait_for_output("gate", "gate open")
    project.start("crowd", peers, "crowd", "ws://127.0.0.1:8080/ws", TUNNELS, network=project.network_of("backend"))
    project.wait_for_output("crowd", "connected")

    stop(project, rendered(platform, image, configuration))
    assert json.loads(project.output("backend").splitlines()[-1]) == {"left": 0}
    project.wait_for_output("crowd", "ends")
    ends = json.loads(project.output("crowd").splitlines()[-1])["ends"]
    assert len(ends) == TUNNELS and {code for _, code in ends} == {1001}
    figure = most_within(ends, 0.1)
    print(f"{platform}: at most {figure} Close frames within 100 ms; {TUNNELS * 0.1 / SPREAD:.0f} on average")
    # Exactly, in virtual time: tests/component/proxy/drain_tunnel_test.cc. Here the machine may pause for a moment.
    assert figure < TUNNELS / 4
    assert max(ends)[0] - min(ends)[0] > SPREAD * 0.7

"""The image, built once for all tests of this folder; where no container can run, they are skipped with the reason."""

import itertools
import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

# pylint: disable=wrong-import-position
from support.mariadb import MariaDb
from support.ports import free_port
from support.postgres import Postgres
from support.redis import Redis
from support.waiting import wait_until

RUNNER = os.environ.get("CONTAINER_RUNNER", "podman")
BASE = "docker.io/library/debian:bookworm-slim"
IMAGE = "localhost/probegate:test"
CONFINED = ["--network=host", "--read-only", "--cap-drop=all", "--user=65532", "--security-opt=no-new-privileges"]
ALL_SKIPPED = 77  # as Meson and scripts/test read it


def podman(*arguments, timeout=60):
    return subprocess.run([RUNNER, *map(str, arguments)], capture_output=True, text=True, timeout=timeout, check=False,
                          stdin=subprocess.DEVNULL)


def last_line(text):
    return (text.strip().splitlines() or ["no reason given"])[-1]


def why_containers_cannot_run():
    if not shutil.which(RUNNER):
        return f"{RUNNER} was not found (CONTAINER_RUNNER names another podman)"
    if podman("image", "exists", BASE).returncode != 0:
        pull = podman("pull", "--quiet", BASE, timeout=300)
        if pull.returncode != 0:
            return f"{BASE} is neither here nor to be pulled: {last_line(pull.stderr)}"
    run = podman("run", "--rm", "--pull=never", *CONFINED, BASE, "true")
    return f"{RUNNER} run does not work here: {last_line(run.stderr)}" if run.returncode != 0 else None


def pytest_sessionfinish(session, exitstatus):
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    if exitstatus == 0 and terminal and terminal.stats.get("skipped") and not terminal.stats.get("passed"):
        session.exitstatus = ALL_SKIPPED


@pytest.fixture(scope="session")
def image():
    """The name of the image, built from this tree."""
    if reason := why_containers_cannot_run():
        pytest.skip(reason)
    build = podman("build", "--pull=never", "--network=host", "--format=docker", "-t", IMAGE, "-f", ROOT / "Containerfile",
                   ROOT, timeout=1500)
    assert build.returncode == 0, f"the image does not build:\n{build.stdout[-4000:]}\n{build.stderr[-4000:]}"
    return IMAGE


class Container:
    """`probegate run` in a container that may do nothing, on two free ports of the host."""

    _numbers = itertools.count()

    def __init__(self, image, *options, env=None):
        self.name = f"probegate-test-{os.getpid()}-{next(self._numbers)}"
        self.proxy_port, self.probe_port = free_port(), free_port()
        env = {"PORT": self.proxy_port, "PROBE_PORT": self.probe_port, **(env or {})}
        run = podman("run", "--detach", "--pull=never", "--name", self.name, *CONFINED, *options,
                     *(f"--env={name}={value}" for name, value in env.items()), image)
        assert run.returncode == 0, run.stderr

    def inspect(self):
        return json.loads(podman("inspect", self.name).stdout)[0]

    def wait(self):
        """The exit code of a container that has been told to end."""
        wait_until(lambda: self.inspect()["State"]["Status"] == "exited", f"{self.name} to end")
        return self.inspect()["State"]["ExitCode"]

    def logs(self):
        output = podman("logs", self.name)
        return output.stdout + output.stderr

    def close(self):
        podman("rm", "--force", "--time=0", self.name)


@pytest.fixture
def start(image):
    """Starts containers, and removes them."""
    started = []

    def make(*options, **arguments):
        started.append(Container(image, *options, **arguments))
        return started[-1]

    yield make
    for container in started:
        container.close()


@pytest.fixture
def postgres(image):  # a skip comes before any server
    server = Postgres()
    yield server.start()
    server.close()


@pytest.fixture
def redis(image):
    server = Redis(password="redis-s3cret-passphrase")
    yield server.start()
    server.close()


@pytest.fixture
def mariadb(image):
    server = MariaDb(["plugin-load-add=auth_ed25519"])
    yield server.start()
    server.close()

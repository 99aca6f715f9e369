"""Every configuration in configs/ is one that the program takes: the files, and those inside the manifests."""

import pathlib
import re

import pytest
import yaml

from support.probegate import command

CONFIGS = pathlib.Path(__file__).parents[2] / "configs"
SECRETS = {"DATABASE_URL": "postgresql://app:s3cret@db:5432/app", "REDIS_URL": "redis://:s3cret@cache:6379/0"}


def load(name):
    return list(yaml.safe_load_all((CONFIGS / name).read_text()))


def effective(config, tmp_path, env):
    """What `validate --print` makes of a configuration, which it must accept."""
    path = tmp_path / "probegate.yaml"
    path.write_text(config)
    ran = command("validate", "--print", "-c", path, env=env)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "s3cret" not in ran.stdout
    return yaml.safe_load(ran.stdout)


def test_the_reference_is_accepted():
    ran = command("validate", "-c", CONFIGS / "probegate.yaml")
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_one_for_cloud_run_is_accepted_there(tmp_path):
    config = (CONFIGS / "cloud-run.probegate.yaml").read_text()
    seen = effective(config, tmp_path, {**SECRETS, "PORT": "8080", "K_SERVICE": "chat"})
    assert seen["platform"] == "cloud-run"
    assert seen["drain"]["delay"] in (0, "0s") and seen["drain"]["timeout"] == "8s"


def test_the_one_for_kubernetes_is_accepted_there(tmp_path):
    config = load("kubernetes.yaml")[0]["data"]["probegate.yaml"]
    seen = effective(config, tmp_path, {**SECRETS, "KUBERNETES_SERVICE_HOST": "10.0.0.1"})
    assert seen["platform"] == "kubernetes"
    assert (seen["drain"]["delay"], seen["drain"]["timeout"]) == ("5s", "25s")


@pytest.mark.parametrize("name", ["cloud-run.probegate.yaml", "kubernetes.yaml"])
def test_a_secret_that_was_not_mounted_is_named(tmp_path, name):
    config = load(name)[0]["data"]["probegate.yaml"] if name == "kubernetes.yaml" else (CONFIGS / name).read_text()
    path = tmp_path / "probegate.yaml"
    path.write_text(config)
    ran = command("validate", "-c", path, env={"PORT": "8080", "REDIS_URL": SECRETS["REDIS_URL"]})
    assert ran.returncode == 2
    assert re.search(r"probegate\.yaml:\d+:\d+: checks\.database\.url: .*DATABASE_URL", ran.stdout + ran.stderr)


def test_the_environment_of_the_compose_file_is_a_whole_configuration(tmp_path):
    environment = load("compose.yaml")[0]["services"]["gate"]["environment"]
    # Compose puts its own variables in; their defaults will do.
    environment = {key: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value) for key, value in environment.items()}
    ran = command("validate", "--print", env=environment)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    checks = yaml.safe_load(ran.stdout)["checks"]
    assert list(checks) == ["database", "redis", "websocket"]
    assert checks["database"]["tables"] == ["agent_executions", "credit_transactions", "subscriptions"]

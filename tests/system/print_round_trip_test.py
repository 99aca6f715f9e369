"""`validate --print` gives a file that loads again to the same configuration, or one that says what to fill in."""

import pathlib
import re

import pytest
import yaml

from support.probegate import command

ROOT = pathlib.Path(__file__).parents[2]
SECRETS = {"DATABASE_URL": "postgresql://app:s3cret@db:5432/app", "REDIS_URL": "redis://:s3cret@cache:6379/0", "PORT": "8080"}


def shipped():
    """Every configuration of configs/ and examples/: the files, and those inside manifests."""
    found = {}
    for path in [*sorted((ROOT / "configs").glob("*probegate.yaml")), *sorted((ROOT / "examples").rglob("probegate.yaml"))]:
        found[str(path.relative_to(ROOT))] = path.read_text()
    for document in yaml.safe_load_all((ROOT / "configs/kubernetes.yaml").read_text()):
        if document["kind"] == "ConfigMap":
            found["configs/kubernetes.yaml"] = document["data"]["probegate.yaml"]
    return found


SHIPPED = shipped()


def variables_of(text):
    """Something fit for every variable that a file wants to be set."""
    values = {"USER": "app", "DATASOURCE": "postgresql://app:s3cret@db/app", "REDIS_URL": "redis://:s3cret@cache", "ORIGIN": "https://chat.example",
              "SITEURL": "https://chat.example", "FRONTEND_URL": "https://chat.example", "HOST": "h.example"}
    names = re.findall(r"\$\{(\w+)(?=[}:])(?!:-)", text)
    return {name: next((value for part, value in values.items() if part in name), "s3cret") for name in names}


def printed(tmp_path, text, env=None, name="probegate.yaml"):
    path = tmp_path / name
    path.write_text(text)
    return command("validate", "--print", "-c", path, env=env)


def twice(tmp_path, text, env=None):
    """What is printed of a file, which must be what is printed of that."""
    first = printed(tmp_path, text, env)
    assert first.returncode == 0, first.stderr
    again = printed(tmp_path, first.stdout, env, "again.yaml")
    assert again.returncode == 0, again.stderr
    assert again.stdout == first.stdout
    assert "s3cret" not in first.stdout
    return first.stdout


def test_all_examples_are_here():
    assert {"configs/probegate.yaml", "configs/cloud-run.probegate.yaml", "configs/kubernetes.yaml",
            "examples/chat/probegate.yaml"} <= set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("platform", [{}, {"K_SERVICE": "chat"}, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"},
                                      {"PROBEGATE_PLATFORM": "docker"}], ids=["none", "cloud-run", "kubernetes", "docker"])
def test_every_example_is_printed_as_a_file_that_gives_the_same(tmp_path, name, platform):
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    for file in re.findall(r"/run/secrets}?/(\w+)", SHIPPED[name]):
        (secrets / file).write_text("s3cret\n")
    twice(tmp_path, SHIPPED[name], {**variables_of(SHIPPED[name]), **SECRETS, "ZULIP_SECRETS": str(secrets), **platform})


def test_the_reference_needs_no_environment_for_it(tmp_path):
    twice(tmp_path, SHIPPED["configs/probegate.yaml"])


def test_the_environment_alone_is_printed_by_its_variables(tmp_path):
    env = {**SECRETS, "WEBSOCKET_PATH": "/ws", "BACKEND_URL": "http://127.0.0.1:8123"}
    first = command("validate", "--print", env=env)
    assert first.returncode == 0 and "s3cret" not in first.stdout
    checks = yaml.safe_load(first.stdout)["checks"]
    assert checks["database"]["url"] == "${DATABASE_URL}" and checks["redis"]["url"] == "${REDIS_URL}"
    again = printed(tmp_path, first.stdout, env)
    assert (again.returncode, again.stdout) == (0, first.stdout)


@pytest.mark.parametrize("check", [
    "{type: redis, url: '${REDIS_URL}'}",
    "{type: redis, url: '${REDIS_URL:?where is it}'}",
    "{type: redis, url: 'redis://${USER}:${PASSWORD}@cache:6379/0'}",
    "{type: redis, url: 'redis://:${PASSWORD}@${HOST}/0'}",
    "{type: redis, url: 'redis://cache', password: '${PASSWORD}'}",
    "{type: redis, url: 'redis://cache', password_file: '${FILE}'}",
    "{type: http, url: 'http://h/x?token=${PASSWORD}'}",
    "{type: http, url: 'http://h/x', headers: {authorization: '${PASSWORD}', x-token_file: '${FILE}', accept: '*/*'}}",
    "{type: postgres, host: h, user: u, password: '${PASSWORD}'}",
    "{type: mysql, url: 'mysql://h/d'}",
    "{type: mysql, url: 'mysql://h/d', tls: {}}",
    "{type: mysql, host: h, port: 3307, user: u}",
    "{type: tcp, address: 'h:1'}",
    "{type: tcp, address: 'h:1', tls: {verify: false}}",
    "{type: tcp, address: 'h:1', expect: '***'}",
], ids=str)
def test_secrets_by_reference_come_back(tmp_path, check):
    file = tmp_path / "secret"
    file.write_text("s3cret\n")
    env = {**SECRETS, "USER": "me", "PASSWORD": "s3cret", "HOST": "cache:6380", "FILE": str(file)}
    before = yaml.safe_load(twice(tmp_path, f"checks: {{a: {check}}}\n", env))["checks"]["a"]
    assert (before.get("tls") is not None) == ("tls" in check), "a section that turns something on is printed when it is written"


@pytest.mark.parametrize("text, key", [
    ("checks: {a: {type: redis, url: 'redis://:s3cret@cache'}}", "checks.a.url"),
    ("checks: {a: {type: redis, url: 'redis://cache', password: s3cret}}", "checks.a.password"),
    ("checks: {a: {type: http, url: 'http://h/?token=s3cret'}}", "checks.a.url"),
    ("checks: {a: {type: http, url: 'http://h/', headers: {authorization: s3cret}}}", "checks.a.headers.authorization"),
    ("alerts: [{to: 'https://hooks.slack.com/T/s3cret'}]", "alerts[0].to"),
    ("auth: {url: 'http://h/', bypass: {header: x-b, secret: s3cret}}", "auth.bypass.secret"),
    ("checks: {a: {type: redis, url: '${NOT_SET:-redis://:s3cret@cache}'}}", "checks.a.url"),
    ("checks: {a: {type: postgres, url: 'postgresql://app:s3cret@${HOST}/d'}}", "checks.a.url"),
], ids=str)
def test_a_secret_that_was_written_out_is_asked_for_again(tmp_path, text, key):
    first = printed(tmp_path, text, {"HOST": "h"})
    assert first.returncode == 0 and "s3cret" not in first.stdout
    again = printed(tmp_path, first.stdout, {"HOST": "h"}, "again.yaml")
    assert again.returncode == 2
    [line] = [line for line in again.stderr.splitlines() if "mistake" not in line]
    assert f": {key}: " in line and ("***" in line or "NOT_SET" in line)

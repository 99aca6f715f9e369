"""README and docs show what the commands print: each example is run, and compared except for its numbers."""

import pathlib
import re
import shlex

import pytest

from support.backends import silent
from support.ports import free_port
from support.probegate import command
from support.raw import Raw
from support.waiting import wait_for

ROOT = pathlib.Path(__file__).parents[2]
# The runbook has a test of its own, runbook_test.py.
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(page for page in sorted((ROOT / "docs").rglob("*.md")) if page.name != "runbook.md")]


def blocks(language):
    """The fenced blocks of all pages, as (page, text)."""
    return [(page.relative_to(ROOT), text) for page in PAGES
            for text in re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)]


def examples():
    """(command, output) of each example, in the order of the pages."""
    found = []
    for _, block in blocks("console"):
        for example in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            found.append(tuple(example.split("\n", 1)))
    return found


def shown(start):
    """The lines that a page shows after `$ START...`: the same on every page that shows it."""
    outputs = {output.strip() for line, output in examples() if line.startswith(start)}
    assert len(outputs) == 1, (start, outputs)
    return outputs.pop()


def shape(text):
    """Without what differs from run to run: numbers, times, and the blanks that line columns up."""
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z|\w{3}, \d\d \w{3} \d{4} [\d:]+ GMT", "TIME", text)
    text = re.sub(r"[\d.]*\d(ms|m|s|h)?([\d.]+(ms|s|m))?", "N", text)
    text = re.sub(r"-{2,}", "--", text)
    return [re.sub(r"\s+", " ", line).strip() for line in text.strip().splitlines()]


@pytest.fixture
def waiting(rig, backend):
    """A running instance as in docs/commands.md: nobody listens at the address of Redis."""
    return rig.probegate(f"""
proxy: {{backend: '{backend.url}'}}
checks:
  backend: {{type: http, url: '{backend.url}/mirror', interval: 100ms}}
  redis: {{type: redis, url: 'redis://127.0.0.1:{free_port()}', interval: 50ms, startup_interval: 50ms}}
  websocket: {{type: websocket, url: /ws, needs: [redis]}}
""").start()


def test_status(waiting):
    waiting.wait_for_error("redis", "connect")
    waiting.wait_for_check("backend", "pass")
    said = waiting.wait_for_readiness(lambda seen: seen["checks"]["redis"]["consecutive_failures"] > 1, "a second failure")
    assert said["status"] == "not_ready"
    ran = command("status", "--url", f"http://127.0.0.1:{waiting.probe_port}")
    assert ran.returncode == 1
    # Where descriptors are few the limit in force is one "of 10000".
    assert shape(re.sub(r"(in force \d+) of \d+", r"\1", ran.stdout)) == shape(shown("probegate status"))


def test_smoke(proxy):
    ran = command("smoke", f"ws://127.0.0.1:{proxy.proxy_port}/ws")
    assert ran.returncode == 0
    assert shape(ran.stdout) == shape(shown("probegate smoke"))


def test_report(waiting):
    waiting.wait_for_error("redis", "connect")
    ran = command("report", "--for", "1s", "--fail-on", "check_failures>0,tunnel_lost>0", "--url",
                  f"http://127.0.0.1:{waiting.probe_port}")
    assert ran.returncode == 1
    assert shape(ran.stdout) == shape(shown("probegate report"))


def test_render(tmp_path):
    (tmp_path / "long.yaml").write_text("gate: {startup_timeout: 5m}\n")
    ran = command("render", "cloud-run", "-c", tmp_path / "long.yaml")
    assert ran.returncode == 2
    assert shape(ran.stderr.replace(f"{tmp_path}/", "")) == shape(shown("probegate render"))


def test_run_and_its_log(rig, backend):
    port = free_port()
    sidecar = rig.probegate(f"""
log: {{format: text}}
proxy: {{backend: '{backend.url}'}}
checks: {{broker: {{type: tcp, address: '127.0.0.1:{port}'}}}}
""").start()
    sidecar.wait_for_error("broker", "connect")
    headers = {"User-Agent": "curl/7.88.1"}
    assert sidecar.request("/mirror?token=1", headers=headers).status == 503
    rig.scripted(silent, port=port)
    sidecar.wait_for_gate("open")
    assert sidecar.request("/mirror?token=1", headers=headers).status == 200
    wait_for(sidecar.output, lambda text: " 200 " in text, "the last line")
    said = shape(re.sub(r"request_id=\w+", "request_id=ID", sidecar.output()))
    wanted = shape(re.sub(r"request_id=\w+", "request_id=ID", shown("probegate run")))
    assert [line for line in wanted if line not in said] == []


def test_a_refused_client_and_a_refused_probe(rig):
    sidecar = rig.probegate(f"checks: {{database: {{type: tcp, address: '127.0.0.1:{free_port()}'}}}}").start()
    sidecar.wait_for_error("database", "connect")
    with Raw.connect(sidecar.proxy_port) as client:
        client.send(b"GET /ws HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n")
        said = client.read_to_end().decode()
    assert shape(said) == shape(shown("curl -i localhost:8080/ws"))
    ran = command("healthcheck", "ready", "--url", f"http://127.0.0.1:{sidecar.probe_port}")
    assert ran.returncode == 1
    assert (ran.stdout + ran.stderr).strip() == shown("probegate healthcheck ready")


def test_validate(tmp_path):
    (tmp_path / "bad.yaml").write_text("""proxy:
  listen: 8080
  backend: https://127.0.0.1:8000
  hold: {max: many}
gate:
  startup_timout: 60s
checks:
  database:
    type: postgres
    url: ${DATABASE_URL}
    tables: [users]
  redis:
    type: redis
    url: redis://127.0.0.1
    needs: [databse]
    interval: 5
  redis: {type: tcp, address: '127.0.0.1:6379'}
""")
    ran = command("validate", "-c", tmp_path / "bad.yaml")
    assert ran.returncode == 2
    assert (ran.stdout + ran.stderr).replace(f"{tmp_path}/", "").strip() == shown("probegate validate")


def test_pause_resume_and_drain(rig):
    sidecar = rig.probegate("drain: {timeout: 5s}").start()
    for line in ('probegate pause --for 20m --message "migration of orders"', "probegate resume", "probegate drain --wait"):
        ran = command(*shlex.split(line)[1:], "-c", sidecar.config_file)
        assert (ran.returncode, ran.stdout.strip()) == (0, shown(line))


def test_every_example_is_run_here():
    run = ["curl -i localhost:8080/ws", *(f"probegate {name}" for name in (
        "healthcheck ready", "validate -c", "pause", "resume", "drain", "status", "smoke ws:", "report --for", "render cloud-run -c", "run"))]
    assert [line for line, _ in examples() if not any(line.startswith(start) for start in run)] == []


def test_the_variables_alone_make_the_checks_that_the_page_says():
    [text] = [text for _, text in blocks("sh") if "probegate run" in text and "DATABASE_URL" in text]
    env = dict(word.split("=", 1) for word in shlex.split(text.replace("\\\n", " ")) if "=" in word)
    ran = command("validate", "--print", env=env)
    assert ran.returncode == 0, ran.stderr
    for name in ("database", "redis", "websocket"):
        assert re.search(rf"^  {name}:", ran.stdout, re.MULTILINE), name


@pytest.mark.parametrize("page, text", [pytest.param(page, text, id=str(page)) for page, text in blocks("yaml")
                                       if not text.startswith("apiVersion:")])  # manifests of the platform
def test_every_configuration_that_a_page_shows_is_valid(tmp_path, page, text):
    secret = tmp_path / "secret"
    secret.write_text("a-long-enough-secret")
    text = re.sub(r"/run/secrets/\w+", str(secret), text)
    if "precheck: auth" in text:
        text += "checks: {auth: {type: tcp, address: '127.0.0.1:1', affects: []}}\n"
    (tmp_path / "shown.yaml").write_text(text)
    ran = command("validate", "-c", tmp_path / "shown.yaml",
                  env={"DATABASE_URL": "postgres://127.0.0.1/app", "REDIS_URL": "redis://127.0.0.1", "REDIS_PASSWORD": "x"})
    assert ran.returncode == 0, (page, ran.stdout + ran.stderr)


def test_every_program_that_a_page_names_is_there():
    for page, text in blocks("sh"):
        for name in re.findall(r"(?:scripts|bench)/[\w-]+", text):
            assert (ROOT / name).is_file(), (page, name)


def test_the_tables_of_commands_have_every_command():
    known = set(re.findall(r"^  (\w+)  +", command("--help").stdout.split("Subcommands:")[1], re.MULTILINE))
    for page in ("README.md", "docs/commands.md"):
        table = set(re.findall(r"^\| `probegate (\w+)", (ROOT / page).read_text(), re.MULTILINE))
        assert table == known, page

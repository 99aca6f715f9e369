"""What README shows of the commands is what they print: each example is run, and compared but for its numbers."""

import pathlib
import re

import pytest

from support.backends import silent
from support.ports import free_port
from support.probegate import command
from support.waiting import wait_for

README = (pathlib.Path(__file__).parents[2] / "README.md").read_text()


def shown(start):
    """The lines that README shows after `$ probegate START...`."""
    [block] = [text for text in re.findall(r"```console\n(.*?)```", README, re.DOTALL) if text.startswith(f"$ probegate {start}")]
    return block.split("\n", 1)[1].split("\n$ ")[0]


def shape(text):
    """Without what differs from run to run: numbers, times, and the blanks that line columns up."""
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME", text)
    text = re.sub(r"[\d.]*\d(ms|m|s|h)?([\d.]+(ms|s|m))?", "N", text)
    text = re.sub(r"-{2,}", "--", text)
    return [re.sub(r"\s+", " ", line).strip() for line in text.strip().splitlines()]


@pytest.fixture
def waiting(rig, backend):
    """A running one as in the README: PostgreSQL without its tables would do as well; here nobody listens for Redis."""
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
    assert shape(re.sub(r"(in force \d+) of \d+", r"\1", ran.stdout)) == shape(shown("status"))


def test_smoke(door):
    ran = command("smoke", f"ws://127.0.0.1:{door.proxy_port}/ws")
    assert ran.returncode == 0
    assert shape(ran.stdout) == shape(shown("smoke"))


def test_report(waiting):
    waiting.wait_for_error("redis", "connect")
    ran = command("report", "--for", "1s", "--fail-on", "check_failures>0,tunnel_lost>0", "--url",
                  f"http://127.0.0.1:{waiting.probe_port}")
    assert ran.returncode == 1
    assert shape(ran.stdout) == shape(shown("report"))


def test_render(tmp_path):
    (tmp_path / "long.yaml").write_text("gate: {startup_timeout: 5m}\n")
    ran = command("render", "cloud-run", "-c", tmp_path / "long.yaml")
    assert ran.returncode == 2
    assert shape(ran.stderr.replace(f"{tmp_path}/", "")) == shape(shown("render"))


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
    wanted = shape(re.sub(r"request_id=\w+", "request_id=ID", shown("run")))
    assert [line for line in wanted if line not in said] == []

"""What the log says, and how little (docs/contract.md, "Logs, metrics, events")."""

import asyncio
import json
import re

import websockets

from support.ports import free_port
from support.waiting import wait_for


def test_every_line_is_json_with_severity_message_and_timestamp(rig, backend):
    redis = rig.redis()
    sidecar = rig.probegate(f"""
proxy: {{backend: "{backend.url}"}}
checks: {{redis: {{type: redis, url: "{redis.url()}", startup_interval: 100ms}}}}
""").start()
    sidecar.wait_for_error("redis", "connect")
    sidecar.request("/mirror")
    redis.start()
    sidecar.wait_for_gate("open")
    assert sidecar.request("/mirror").status == 200

    async def talk():
        async with websockets.connect(f"ws://127.0.0.1:{sidecar.proxy_port}/ws") as client:
            await client.send("hello")
            await client.recv()

    asyncio.run(talk())
    assert sidecar.stop() == 0
    lines = sidecar.logs()
    assert len(lines) >= 4
    for line in lines:
        assert line["severity"] in ("DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL"), line
        assert line["message"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", line["timestamp"]), line
    messages = " ".join(line["message"].lower() for line in lines)
    for word in ("listening", "redis", "gate", "drain"):
        assert word in messages or word in json.dumps(lines).lower(), word


def test_it_logs_listening_only_when_it_is(rig):
    """The process proves it to itself by asking its own probe port before it logs `listening`."""
    sidecar = rig.probegate("proxy: {}").launch()
    wait_for(sidecar.output, lambda text: "listening" in text, "the word")
    assert sidecar.probe("/health").status == 200
    assert sidecar.request("/").status


def test_a_dependency_that_is_down_is_not_logged_at_every_poll(rig):
    """It logs its changes, and before its first pass only a summary."""
    sidecar = rig.probegate(f"""
checks: {{broker: {{type: tcp, address: "127.0.0.1:{free_port()}", startup_interval: 20ms}}}}
""").start()
    sidecar.wait_for_readiness(lambda seen: seen["checks"]["broker"]["runs"] >= 60, "sixty attempts")
    about = [line for line in sidecar.logs() if "broker" in json.dumps(line)]
    assert len(about) < 10, about


def test_a_gate_that_stays_closed_says_again_why(rig):
    """The summary is for whoever begins to read the log in the middle of it."""
    port = free_port()
    sidecar = rig.probegate(f"""
checks: {{broker: {{type: tcp, address: "127.0.0.1:{port}"}}}}
""").start()
    line = sidecar.wait_for_line("gate still starting", timeout=60)
    assert line["severity"] == "WARNING"
    assert line["waiting_for"] == "broker"
    assert line["waited_seconds"] >= 10
    assert re.fullmatch(rf"broker \(127\.0\.0\.1:{port}\): connect: .* \(\d+ in a row\)", line["why"]), line


def test_the_first_failure_of_a_start_is_no_warning_and_a_later_one_is(rig):
    """While everything starts together, somebody is always late."""
    redis = rig.redis()
    sidecar = rig.probegate(f"""
checks: {{redis: {{type: redis, url: "{redis.url()}", interval: 50ms, startup_interval: 50ms, fall: 2}}}}
""").start()
    assert sidecar.wait_for_line("check redis fail")["severity"] == "INFO"
    redis.start()
    sidecar.wait_for_gate("open")
    redis.kill()
    sidecar.wait_for_check("redis", "fail")
    wait_for(lambda: [line["severity"] for line in sidecar.logs() if line["message"] == "check redis fail"],
             lambda seen: seen == ["INFO", "WARNING"], "both lines")


def test_changes_are_logged_once_each(rig, backend):
    """Failure and recovery are a line each."""
    redis = rig.redis().start()
    sidecar = rig.probegate(f"""
proxy: {{backend: "{backend.url}"}}
checks: {{redis: {{type: redis, url: "{redis.url()}", interval: 50ms, startup_interval: 50ms, fall: 2}}}}
""").start()
    sidecar.wait_for_gate("open")
    before = len([line for line in sidecar.logs() if "redis" in json.dumps(line)])
    redis.kill()
    failed = sidecar.wait_for_check("redis", "fail")
    sidecar.wait_for_readiness(lambda seen: seen["checks"]["redis"]["runs"] > failed["runs"] + 10, "ten more attempts")
    redis.start()
    sidecar.wait_for_check("redis", "pass")
    about = sidecar.wait_for_lines(lambda line: "redis" in json.dumps(line), before + 2)[before:]
    assert 2 <= len(about) <= 5, about


def test_the_text_format_and_the_level(rig):
    """`log.format: text` is for people, and `log.level` leaves out what is below it."""
    sidecar = rig.probegate("log: {format: text}").start()
    assert sidecar.stop() == 0
    assert "listening" in sidecar.output()
    assert not [line for line in sidecar.output().splitlines() if line.startswith("{")]
    quiet = rig.probegate("log: {level: error}").start()
    assert quiet.stop() == 0
    assert "listening" not in quiet.output()

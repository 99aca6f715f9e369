"""`probegate status`: the running one's state, for a terminal, a pipe or a program (docs/contract.md, "Command line")."""

import json
import os
import signal

import pytest

from support.ports import free_port
from support.probegate import BINARY, command, environment, on_a_terminal
from support.process import Child
from support.waiting import wait_until


def url(proxy):
    return f"http://127.0.0.1:{proxy.probe_port}"


def closed_proxy(rig, backend, port):
    """A running one whose check fails, as nobody listens on this port."""
    proxy = rig.probegate(f"proxy: {{backend: '{backend.url}'}}\n"
                         f"checks:\n  broker: {{type: tcp, address: '127.0.0.1:{port}', interval: 50ms, startup_interval: 50ms}}\n"
                         "  later: {type: tcp, address: '127.0.0.1:1', needs: [broker]}\n").start()
    proxy.wait_for_error("broker", "connect")
    return proxy


def test_an_open_gate_is_ready_and_0(proxy):
    ran = command("status", "--url", url(proxy))
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("ready, gate open, up ") and "first open after" in ran.stdout
    assert "\x1b" not in ran.stdout


def test_a_closed_gate_says_why_and_is_1(rig, backend):
    proxy = closed_proxy(rig, backend, free_port())
    ran = command("status", "--url", url(proxy))
    assert ran.returncode == 1
    first, upgrades, requests, connections, traffic, blank, head, broker, later = ran.stdout.splitlines()
    assert upgrades == "upgrades in the last minute: 0 accepted, 0 refused, 0 failed"
    assert requests == "requests in the last minute: 0 2xx, 0 3xx, 0 4xx, 0 5xx"
    assert connections.startswith("connections: 0 open, limit in force ")
    assert traffic == "0 tunnels, 0 held, 0 messages, 0 requests, 0 refused in the last minute"
    assert first.startswith("not_ready, gate starting, waiting for broker, up ")
    assert blank == "" and head.split() == ["CHECK", "STATUS", "LATENCY", "SINCE", "TARGET", "WHY"]
    assert broker.startswith("broker") and "fail" in broker and "connect: " in broker and "ago" in broker
    assert later.split()[:2] == ["later", "waiting"] and later.endswith("waits for broker")
    assert head.index("STATUS") == broker.index("fail") == later.index("waiting"), "columns line up"


def test_json_is_what_status_says(rig, backend):
    proxy = closed_proxy(rig, backend, free_port())
    ran = command("status", "--json", "--url", url(proxy))
    assert ran.returncode == 1
    said = json.loads(ran.stdout)
    served = proxy.probe("/status").json
    assert said.keys() == served.keys()
    assert said["waiting_for"] == ["broker"] and said["checks"].keys() == served["checks"].keys()


@pytest.mark.parametrize("how", ["-c", "PROBE_PORT", "unix"])
def test_the_running_one_is_found(rig, backend, how):
    """By `--url`, by `-c FILE`, by the default file, or by `PROBE_PORT`."""
    listen = f"unix:{rig.directory}/probe.sock" if how == "unix" else f"127.0.0.1:{free_port()}"
    path = os.path.join(rig.directory, "found.yaml")
    with open(path, "w") as file:
        file.write(f"proxy: {{listen: '127.0.0.1:0', backend: '{backend.url}'}}\nprobes: {{listen: '{listen}'}}\n")
    child = Child("probegate", [BINARY, "run", "-c", path], os.path.join(rig.directory, "found.log"), environment())
    try:
        wait_until(lambda: "listening" in child.output(), "it to listen")
        arguments = {"-c": ["-c", path], "PROBE_PORT": [], "unix": ["--url", listen]}[how]
        env = {"PROBE_PORT": listen.rpartition(":")[2]} if how == "PROBE_PORT" else None
        ran = command("status", *arguments, env=env)
        assert ran.returncode == 0 and ran.stdout.startswith("ready"), ran.stderr
    finally:
        assert child.stop() == 0


def test_nobody_there_is_1_with_a_sentence():
    port = free_port()
    ran = command("status", "--url", f"http://127.0.0.1:{port}")
    assert ran.returncode == 1 and ran.stdout == ""
    assert f"cannot be reached at http://127.0.0.1:{port}" in ran.stderr and "refused" in ran.stderr


def test_somebody_else_there_is_1_with_a_sentence(backend):
    ran = command("status", "--url", backend.url)
    assert ran.returncode == 1 and "not the probe port of probegate" in ran.stderr


def test_a_terminal_gets_colours_unless_no_color_says_no(proxy):
    assert "\x1b[32mready\x1b[0m" in on_a_terminal("status", "--url", url(proxy))
    assert "\x1b" not in on_a_terminal("status", "--url", url(proxy), env={"NO_COLOR": "1"})
    assert "\x1b" not in on_a_terminal("status", "--url", url(proxy), env={"TERM": "dumb"})


@pytest.mark.parametrize("as_json", [False, True])
def test_watch_in_a_pipe_writes_a_line_for_each_change_and_ends_with_the_last_state(rig, backend, as_json):
    port = free_port()
    proxy = closed_proxy(rig, backend, port)
    argv = [BINARY, "status", "--watch", "--url", url(proxy)] + (["--json"] if as_json else [])
    child = Child("status", argv, os.path.join(rig.directory, "watch.log"), environment())
    wait_until(lambda: len(child.output().splitlines()) == 1, "the first state")
    server = rig.scripted(lambda connection: connection.read_to_end(), port=port)
    wait_until(lambda: '"broker":true' in child.output() or "broker pass" in child.output(), "the change")
    server.close()
    wait_until(lambda: len(child.output().splitlines()) >= 3, "the failure")
    assert child.stop(signal.SIGINT) == 1
    lines = child.output().splitlines()
    if as_json:
        assert [json.loads(line)["broker"] for line in lines][:2] == [False, True]
    else:
        assert "not_ready, gate starting, waiting for broker; broker fail; later waiting" in lines[0]
        reason = f"; broker: connect: cannot connect to 127.0.0.1:{port}: connection refused"
        assert reason in lines[0]
        assert reason not in lines[1]
        assert any("broker fail" in line and "; broker: " in line for line in lines[2:])
        assert all(line[:2] == "20" for line in lines), "each with its time"


def test_watch_goes_on_when_the_running_one_is_gone(rig, proxy):
    child = Child("status", [BINARY, "status", "--watch", "--url", url(proxy)], os.path.join(rig.directory, "watch.log"),
                  environment())
    wait_until(lambda: "ready" in child.output(), "the first state")
    assert proxy.stop() == 0
    wait_until(lambda: "cannot be reached" in child.output(), "the news")
    assert child.alive
    assert child.stop(signal.SIGINT) == 1


def test_readiness_that_fails_behind_an_open_gate_says_that_clients_are_still_let_in(rig, backend):
    server = rig.scripted(lambda connection: connection.read_to_end())
    proxy = rig.probegate(f"proxy: {{backend: '{backend.url}'}}\n"
                         f"checks:\n  broker: {{type: tcp, address: '127.0.0.1:{server.port}', interval: 50ms}}\n").start()
    proxy.wait_for_gate("open")
    server.close()
    proxy.wait_for_error("broker", "connect")
    wait_until(lambda: proxy.probe("/health/ready").status == 503, "readiness to fail")
    ran = command("status", "--url", url(proxy))
    assert ran.returncode == 1
    assert ran.stdout.startswith("not_ready, gate open, not ready because of broker; new clients are still let in, up ")
    assert f"127.0.0.1:{server.port}" in ran.stdout.splitlines()[-1]

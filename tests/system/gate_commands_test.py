"""`probegate drain`, `resume` and `pause`, and the POSTs behind them (docs/commands.md)."""

import json
import signal
import socket
import threading
import time

import pytest

from support import metrics
from support.expect import problem_on
from support.http import request
from support.ports import free_port
from support.probegate import command
from support.raw import CLOSE, TEXT, Raw, close_code
from support.waiting import wait_for, wait_until


def post(sidecar, action, query="", **headers):
    return request(sidecar.probe_port, f"/{action}{query}", method="POST",
                   headers={"Probegate-Action": action, "Host": "localhost", **headers})


def ask(sidecar, *arguments):
    return command(*arguments, "-c", sidecar.config_file)


def status(sidecar):
    return sidecar.probe("/status").json


def gate_events(sidecar):
    return [(event["from"], event["to"]) for event in status(sidecar)["events"] if event["kind"] == "gate"]


@pytest.fixture(name="sidecar")
def sidecar_(rig, backend):
    return rig.probegate(f"proxy: {{backend: '{backend.url}', hold: {{max: 4, timeout: 20s}}}}\ndrain: {{timeout: 3s}}").start()


def answers_on_a_new_connection(sidecar, path="/mirror"):
    with Raw.connect(sidecar.proxy_port) as client:
        client.send(f"GET {path} HTTP/1.1\r\nHost: proxy.test\r\n\r\n".encode())
        return client.read_head()


# Who may

@pytest.mark.parametrize("action", ["drain", "resume", "pause"])
@pytest.mark.parametrize("headers, expected", [
    ({"Probegate-Action": ""}, 400),
    ({"Probegate-Action": "reload"}, 400),
    ({"Origin": "http://localhost"}, 403),
    ({"Host": "rebound.example"}, 403),
    ({"X-Forwarded-For": "198.51.100.1"}, 403),
], ids=str)
def test_a_request_that_a_page_or_a_stranger_could_send_changes_nothing(sidecar, action, headers, expected):
    answer = post(sidecar, action, **headers)
    assert answer.status == expected and answer.json["detail"]
    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]
    assert sidecar.ready()["gate"] == "open"


@pytest.mark.parametrize("action", ["drain", "resume", "pause"])
def test_only_post_acts(sidecar, action):
    for method in ("GET", "HEAD", "PUT", "DELETE"):
        answer = request(sidecar.probe_port, f"/{action}", method=method,
                         headers={"Probegate-Action": action, "Host": "localhost"})
        assert answer.status == 405 and answer.headers["Allow"] == "POST"
    assert sidecar.ready()["gate"] == "open"


@pytest.mark.parametrize("query", ["?for=2h", "?for=0s", "?for=soon", "?for=-1s", "?until=5m", "?message=%zz"])
def test_a_wrong_parameter_is_400_and_changes_nothing(sidecar, query):
    answer = post(sidecar, "pause", query)
    assert answer.status == 400 and answer.json["detail"]
    assert sidecar.ready()["gate"] == "open"


# Pause

def test_a_pause_closes_the_gate_by_hand_and_resume_opens_it(sidecar):
    """Readiness fails, liveness and startup do not; open tunnels stay."""
    with Raw.tunnel(sidecar.proxy_port) as tunnel:
        ran = ask(sidecar, "pause", "--message", "migration 42")
        assert (ran.returncode, ran.stdout) == (0, "gate paused for 10m\n")
        seen = sidecar.probe("/health/ready")
        assert (seen.status, seen.json["status"], seen.json["gate"]) == (503, "not_ready", "paused")
        assert sidecar.probe("/health/live").status == 200 and sidecar.probe("/health/startup").status == 200
        pause = status(sidecar)["pause"]
        assert pause["message"] == "migration 42" and pause["by"].startswith("probegate pause, user ")
        assert pause["since"] < pause["until"]
        families = metrics.parse(sidecar.metrics())
        assert families["probegate_gate_state"].value(state="paused") == 1
        assert families["probegate_gate_open"].value() == 0
        told = ask(sidecar, "status").stdout
        assert f"paused by {pause['by']} until {pause['until']}: migration 42" in told
        assert told.split(", ")[1] == "gate paused"
        assert f"paused by {pause['by']} until {pause['until']}: migration 42." in sidecar.probe("/", headers={"Host": "localhost"}).body.decode()
        tunnel.send_frame(TEXT, b"still here", mask=True)
        assert tunnel.read_frame()[2] == b"still here"
        ran = ask(sidecar, "resume")
        assert (ran.returncode, ran.stdout) == (0, "gate open\n")
    assert status(sidecar)["pause"] is None
    assert sidecar.probe("/health/ready").status == 200
    assert gate_events(sidecar)[-2:] == [("open", "paused"), ("paused", "open")]
    line = sidecar.wait_for_line("gate paused")
    assert "migration 42" in line["why"] and line["seconds"] == pytest.approx(600, abs=5)


def test_those_who_come_while_it_is_paused_are_held_and_let_in_afterwards(sidecar):
    assert post(sidecar, "pause", "?for=1m").json["gate"] == "paused"
    with Raw.connect(sidecar.proxy_port) as client:
        client.send(b"GET /mirror HTTP/1.1\r\nHost: proxy.test\r\n\r\n")
        wait_for(lambda: status(sidecar)["traffic"]["held"], lambda held: held == 1, "the request to be held")
        assert post(sidecar, "resume").json == {"gate": "open", "pause": None, "drain": None}
        assert client.read_head().status == 200


def test_without_a_hold_they_are_refused_as_paused(rig, backend):
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}', hold: {{max: 0}}}}").start()
    post(sidecar, "pause")
    with Raw.connect(sidecar.proxy_port) as client:
        client.send(b"GET /mirror HTTP/1.1\r\nHost: proxy.test\r\n\r\n")
        problem_on(client, "paused")
    assert metrics.parse(sidecar.metrics())["probegate_refused_total"].value(reason="paused") == 1


def test_a_pause_ends_by_itself_and_a_second_one_sets_its_time_anew(sidecar):
    post(sidecar, "pause", "?for=1h&message=first")
    first = status(sidecar)["pause"]
    post(sidecar, "pause", "?for=300ms&message=second")
    second = status(sidecar)["pause"]
    if second is not None:  # on a slow machine it is over already
        assert second["until"] < first["until"] and second["message"] == "second" and second["since"] == first["since"]
    sidecar.wait_for_gate("open")
    assert status(sidecar)["pause"] is None


def test_a_pause_before_the_first_opening_keeps_the_gate_shut_and_stops_the_startup_timeout(rig):
    dependency = free_port()
    sidecar = rig.probegate(f"""
gate: {{startup_timeout: 4s, on_startup_timeout: fail}}
checks: {{needed: {{type: tcp, address: "127.0.0.1:{dependency}", interval: 50ms}}}}
""").start()
    assert post(sidecar, "pause").json["gate"] == "paused"
    with socket.create_server(("127.0.0.1", dependency)):
        sidecar.wait_for_check("needed", "pass")
        uptime = sidecar.ready()["uptime_seconds"]
        sidecar.wait_for_readiness(lambda seen: seen["uptime_seconds"] > uptime + 5, "more than the timeout")
        assert sidecar.ready()["gate"] == "paused" and sidecar.ready()["startup_seconds"] is None
        assert sidecar.probe("/health/live").status == 200
        post(sidecar, "resume")
        sidecar.wait_for_gate("open")


def test_a_reload_does_not_end_a_pause(sidecar):
    post(sidecar, "pause", "?for=1h")
    assert ask(sidecar, "reload").returncode == 0
    assert sidecar.ready()["gate"] == "paused" and status(sidecar)["pause"]
    sidecar.send(signal.SIGHUP)
    sidecar.wait_for_line("configuration reloaded")
    assert sidecar.ready()["gate"] == "paused"


def test_text_from_outside_is_shown_as_text(sidecar):
    """Control characters become blanks, and the length is bounded."""
    post(sidecar, "pause", "?message=a%0ab%1b[31m%ff<b>" + "x" * 400 + "&by=" + "y" * 100)
    pause = status(sidecar)["pause"]
    assert pause["message"].startswith("a b [31m\ufffd<b>x") and len(pause["message"].encode()) <= 256
    assert pause["by"] == "y" * 64
    page = sidecar.probe("/", headers={"Host": "localhost"}).body.decode()
    assert "&lt;b&gt;" in page and "<b>x" not in page


@pytest.mark.parametrize("arguments", [("--for", "2h"), ("--for", "0s"), ("--for", "x")])
def test_a_pause_that_is_too_long_is_wrong_usage(sidecar, arguments):
    ran = ask(sidecar, "pause", *arguments)
    assert ran.returncode == 2 and "1h" in ran.stderr
    assert sidecar.ready()["gate"] == "open"


# Drain

def test_a_drain_by_command_does_not_end_the_process_and_new_requests_are_refused_with_connection_close(sidecar):
    with Raw.connect(sidecar.proxy_port) as idle, Raw.tunnel(sidecar.proxy_port) as tunnel:
        idle.send(b"GET /mirror HTTP/1.1\r\nHost: proxy.test\r\n\r\n")
        idle.read_body(idle.read_head())
        ran = ask(sidecar, "drain")
        assert ran.returncode == 0 and ran.stdout.startswith("draining, ")
        assert idle.read_some() == b""
        _, opcode, payload, _ = tunnel.read_frame()
        assert (opcode, close_code(payload)) == (CLOSE, 1001)
        tunnel.send_frame(CLOSE, payload[:2], mask=True)
        assert tunnel.ends()
    wait_for(lambda: status(sidecar)["drain"]["left"], lambda left: left == 0, "nothing to be left")
    with Raw.connect(sidecar.proxy_port) as late:
        late.send(b"GET /mirror HTTP/1.1\r\nHost: proxy.test\r\n\r\n")
        problem_on(late, "draining")
    assert sidecar.probe("/health/ready").json["status"] == "draining"
    assert sidecar.probe("/health/live").status == 200
    assert ", 0 sessions left" in ask(sidecar, "status").stdout
    drain = status(sidecar)["drain"]
    assert drain["by"].startswith("probegate drain, user ") and drain["since"] < drain["deadline"]
    assert metrics.parse(sidecar.metrics())["probegate_drain_sessions_left"].value() == 0
    wait_for(lambda: status(sidecar)["drain"]["cut"], lambda cut: cut == 0, "its time to be over", timeout=20)
    assert sidecar.alive, "it stays however long the drain lasts"
    assert sidecar.stop() == 0


def test_resume_ends_a_drain_that_a_command_began(sidecar):
    for _ in range(2):
        assert post(sidecar, "drain").json["gate"] == "draining"
        ran = ask(sidecar, "resume")
        assert (ran.returncode, ran.stdout) == (0, "gate open\n")
        assert sidecar.probe("/health/ready").status == 200
        assert answers_on_a_new_connection(sidecar).status == 200
    assert status(sidecar)["drain"] is None


def test_tunnels_whose_turn_has_not_come_stay_after_a_resume(rig, backend):
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}'}}\ndrain: {{timeout: 60s}}").start()
    tunnels = [Raw.tunnel(sidecar.proxy_port) for _ in range(3)]
    post(sidecar, "drain")
    _, opcode, payload, _ = tunnels[0].read_frame()
    assert opcode == CLOSE
    tunnels[0].send_frame(CLOSE, payload[:2], mask=True)
    assert post(sidecar, "resume").json["gate"] == "open"
    for tunnel in tunnels[1:]:
        tunnel.send_frame(TEXT, b"still here", mask=True)
        assert tunnel.read_frame()[1:3] == (TEXT, b"still here")
        tunnel.close()


def test_a_resume_after_the_end_of_the_budget_opens_it_too(rig, backend):
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}'}}\ndrain: {{timeout: 100ms}}").start()
    post(sidecar, "drain")
    wait_for(lambda: status(sidecar)["drain"]["cut"], lambda cut: cut == 0, "its time to be over")
    assert post(sidecar, "resume").json["gate"] == "open"
    assert answers_on_a_new_connection(sidecar).status == 200


def test_drain_wait_ends_with_0_when_the_last_session_has_ended(rig, backend):
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}'}}\ndrain: {{timeout: 60s}}").start()
    with Raw.connect(sidecar.proxy_port) as busy:
        busy.send(b"GET /wait HTTP/1.1\r\nHost: proxy.test\r\n\r\n")
        wait_until(lambda: backend.waiting, "the request to reach the backend")
        done = {}

        def wait():
            done["ran"] = ask(sidecar, "drain", "--wait")

        waiting = threading.Thread(target=wait)
        waiting.start()
        wait_for(lambda: sidecar.ready()["status"], lambda word: word == "draining", "the drain to begin")
        assert status(sidecar)["drain"]["left"] == 1
        assert waiting.is_alive()
        backend.release()
        assert busy.read_head().status == 200
    waiting.join(20)
    assert (done["ran"].returncode, done["ran"].stdout) == (0, "drained: no session is left\n")


def test_drain_wait_with_nobody_connected_takes_no_longer_than_the_delay(rig, backend):
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}'}}\ndrain: {{delay: 1s, timeout: 60s}}").start()
    begun = time.monotonic()
    assert ask(sidecar, "drain", "--wait").returncode == 0
    assert 1 <= time.monotonic() - begun < 15, "not as long as drain.timeout"
    with Raw.connect(sidecar.proxy_port) as late:
        late.send(b"GET /mirror HTTP/1.1\r\nHost: proxy.test\r\n\r\n")
        problem_on(late, "draining")


def test_drain_wait_says_how_many_were_cut(rig, backend):
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}'}}\ndrain: {{timeout: 500ms}}").start()
    with Raw.connect(sidecar.proxy_port) as stuck:
        stuck.send(b"GET /wait HTTP/1.1\r\nHost: proxy.test\r\n\r\n")
        wait_until(lambda: backend.waiting, "the request to reach the backend")
        ran = ask(sidecar, "drain", "--wait")
        assert ran.returncode == 1 and "1 session cut" in ran.stderr
    assert status(sidecar)["drain"]["cut"] == 1


def test_drain_wait_ends_at_its_own_timeout_and_the_drain_goes_on(sidecar, backend):
    with Raw.connect(sidecar.proxy_port) as stuck:
        stuck.send(b"GET /wait HTTP/1.1\r\nHost: proxy.test\r\n\r\n")
        wait_until(lambda: backend.waiting, "the request to reach the backend")
        ran = ask(sidecar, "drain", "--wait", "--timeout", "100ms")
        assert ran.returncode == 1 and "1 session left" in ran.stderr
        assert sidecar.ready()["status"] == "draining"
        backend.release()
        assert stuck.read_head().status == 200


def test_sigterm_after_a_drain_by_command_ends_at_once(rig, backend):
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}'}}\ndrain: {{delay: 100ms, timeout: 60s}}").start()
    assert ask(sidecar, "drain", "--wait").returncode == 0
    begun = time.monotonic()
    assert sidecar.stop() == 0
    assert time.monotonic() - begun < 15, "not as long as the drain"


def test_sigterm_in_a_drain_by_command_uses_what_remains_of_its_time(rig, backend):
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}'}}\ndrain: {{timeout: 60s}}").start()
    with Raw.connect(sidecar.proxy_port) as busy:
        busy.send(b"GET /wait HTTP/1.1\r\nHost: proxy.test\r\n\r\n")
        wait_until(lambda: backend.waiting, "the request to reach the backend")
        deadline = post(sidecar, "drain").json["drain"]["deadline"]
        sidecar.send(signal.SIGTERM)
        sidecar.wait_for_lines(lambda line: line["message"] == "draining" and line.get("signal") == "SIGTERM")
        drain = status(sidecar)["drain"]
        assert drain["by"] == "SIGTERM"
        assert abs(seconds_between(drain["deadline"], deadline)) < 1, "the signal does not begin it anew"
        backend.release()
        assert busy.read_head().status == 200
    assert sidecar.wait() == 0


def seconds_between(one, other):
    from datetime import datetime
    return (datetime.fromisoformat(one.rstrip("Z")) - datetime.fromisoformat(other.rstrip("Z"))).total_seconds()


def test_a_drain_by_a_signal_cannot_be_resumed_and_the_gate_not_be_paused(sidecar, backend):
    with Raw.connect(sidecar.proxy_port) as busy:
        busy.send(b"GET /wait HTTP/1.1\r\nHost: proxy.test\r\n\r\n")
        wait_until(lambda: backend.waiting, "the request to reach the backend")
        sidecar.send(signal.SIGTERM)
        wait_for(lambda: sidecar.ready()["status"], lambda word: word == "draining", "the drain to begin")
        for name in ("resume", "pause"):
            assert post(sidecar, name).status == 409
            ran = ask(sidecar, name)
            assert ran.returncode == 1 and "409" in ran.stderr
        assert post(sidecar, "drain").status == 200, "it drains already"
        backend.release()
        assert busy.read_head().status == 200
    assert sidecar.wait() == 0


def test_many_who_drain_pause_and_resume_at_once_are_all_answered(sidecar):
    actions = ["drain", "resume", "pause", "resume"] * 8
    peers = []
    for action in actions:
        peer = socket.create_connection(("127.0.0.1", sidecar.probe_port), timeout=20)
        peer.sendall(f"POST /{action} HTTP/1.1\r\nHost: localhost\r\nProbegate-Action: {action}\r\n\r\n".encode())
        peers.append(peer)
    for peer in peers:
        answer = b""
        while part := peer.recv(65536):
            answer += part
        assert answer.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 409 "))
        json.loads(answer.split(b"\r\n\r\n", 1)[1])
        peer.close()
    post(sidecar, "resume")
    sidecar.wait_for_gate("open")
    assert answers_on_a_new_connection(sidecar).status == 200


def test_a_pause_survives_a_drain_that_is_not_resumed_and_ends_with_resume(sidecar):
    post(sidecar, "pause", "?for=1h")
    post(sidecar, "drain")
    assert status(sidecar)["pause"] and sidecar.ready()["gate"] == "draining"
    assert post(sidecar, "resume").json == {"gate": "open", "pause": None, "drain": None}


def test_without_a_running_one_the_commands_say_so(rig):
    for name in ("drain", "resume", "pause"):
        ran = command(name, "--url", f"http://127.0.0.1:{free_port()}")
        assert ran.returncode == 1 and "cannot be reached" in ran.stderr
        assert command(name, "--url", "localhost:9090").returncode == 2

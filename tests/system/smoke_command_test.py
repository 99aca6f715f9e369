"""`probegate smoke`: real WebSocket connections through the proxy, with their latencies
(docs/contract.md, "Command line")."""

import json
import os
import signal

import pytest

from support.backends import silent
from support.ports import free_port
from support.probegate import BINARY, command, environment
from support.process import Child
from support.raw import close_payload, upgrade_response
from support.waiting import wait_until

CLOSE, PING, PONG = 8, 9, 10


def ws(proxy, path="/ws"):
    return f"ws://127.0.0.1:{proxy.proxy_port}{path}"


def test_ten_connections_are_made_and_measured(proxy):
    ran = command("smoke", ws(proxy))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    first, blank, head, *rows = ran.stdout.splitlines()
    assert first == f"{ws(proxy)}: 10 of 10 passed" and blank == ""
    assert head.split() == ["MIN", "MEDIAN", "P95", "MAX"]
    assert [row.split()[0] for row in rows] == ["connect", "handshake", "ping", "close", "total"]
    for row in rows:
        least, median, p95, most = [float(number) for number in row.split()[1::2]]
        assert 0 <= least <= median <= p95 <= most
    assert 'probegate_upgrades_total{result="accepted"} 10' in proxy.metrics()


def test_json_has_the_same_numbers(proxy):
    ran = command("smoke", ws(proxy), "-n", "3", "--json")
    assert ran.returncode == 0, ran.stderr
    said = json.loads(ran.stdout)
    assert (said["connections"], said["passed"], said["failed"], said["failures"]) == (3, 3, 0, [])
    assert said["latency_ms"].keys() == {"connect", "handshake", "ping", "close", "total"}
    assert said["latency_ms"]["total"].keys() == {"min", "median", "p95", "max"}


def wants_origin_and_subprotocol(connection):
    head = connection.read_head()
    if head.get("Origin") != "https://chat.example" or head.get("Cookie") != "session=c00kie" or "v2" not in head.get("Sec-WebSocket-Protocol", ""):
        connection.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 10\r\n\r\nbad origin")
        return connection.read_to_end()
    connection.send(upgrade_response(head.get("Sec-WebSocket-Key"), extra="Sec-WebSocket-Protocol: v2\r\n"))
    while True:
        _, opcode, payload, _ = connection.read_frame()
        if opcode == PING:
            connection.send_frame(PONG, payload)
        if opcode == CLOSE:
            connection.send_frame(CLOSE, payload)
            return connection.read_to_end()


def test_headers_and_subprotocols_lead_through_a_backend_that_checks_them_and_values_are_never_shown(rig):
    sidecar = rig.probegate(f"proxy: {{backend: '{rig.scripted(wants_origin_and_subprotocol).url}'}}").start()
    given = ["--header", "Origin: https://chat.example", "--header", "Cookie:session=c00kie", "--subprotocol", "v1", "--subprotocol", "v2"]
    ran = command("smoke", ws(sidecar), "-n", "3", *given)
    assert ran.returncode == 0 and "3 of 3 passed" in ran.stdout, ran.stdout + ran.stderr
    ran = command("smoke", ws(sidecar), "-n", "2", *given[2:])
    assert ran.returncode == 1 and "2 x auth: answered 403" in ran.stdout
    assert '"bad origin"' in ran.stdout and "--header and --subprotocol" in ran.stdout
    assert "c00kie" not in ran.stdout + ran.stderr


@pytest.mark.parametrize("wrong, told", [
    (["--header", "s3cret-without-a-name"], "expected NAME:VALUE"), (["--header", "Connection: s3cret"], "is part of the handshake"),
    (["--header", "Cookie: a\r\nX-Evil: s3cret"], "not one line"), (["--header", "Sec-WebSocket-Protocol: s3cret"], "--subprotocol"),
    (["--subprotocol", "two words"], "a subprotocol name"), (["--header"], "--header")])
def test_a_header_that_cannot_be_sent_is_2_and_its_value_is_not_shown(wrong, told):
    ran = command("smoke", "ws://127.0.0.1:1/", *wrong)
    assert ran.returncode == 2 and told in ran.stderr and "s3cret" not in ran.stderr


def test_a_closed_gate_is_1_and_its_reason_is_told(rig, backend):
    proxy = rig.probegate(f"proxy: {{backend: '{backend.url}'}}\n"
                         f"checks: {{broker: {{type: tcp, address: '127.0.0.1:{free_port()}'}}}}\n").start()
    ran = command("smoke", ws(proxy), "-n", "4")
    assert ran.returncode == 1
    assert "0 of 4 passed" in ran.stdout
    assert "4 x answer: answered 503 to the upgrade, expected 101 (Probegate-Reason: gate_closed)" in ran.stdout
    ran = command("smoke", ws(proxy), "-n", "2", "--json")
    assert ran.returncode == 1
    [failed] = json.loads(ran.stdout)["failures"]
    assert (failed["count"], failed["kind"]) == (2, "answer") and "gate_closed" in failed["message"]


def test_nobody_there_is_1_with_the_reason():
    ran = command("smoke", f"ws://127.0.0.1:{free_port()}/ws", "-n", "2")
    assert ran.returncode == 1 and "2 x connect: " in ran.stdout and "refused" in ran.stdout


def test_what_hangs_is_given_up_in_time(rig):
    server = rig.scripted(silent)
    ran = command("smoke", f"ws://127.0.0.1:{server.port}/ws", "-n", "2", "--timeout", "200ms")
    assert ran.returncode == 1
    assert "2 x timeout: not finished within 200ms, while waiting for the answer to the upgrade" in ran.stdout


def reluctant(goodbye):
    """A script: a right handshake and a right Pong, and then `goodbye` in answer to the Close."""
    def script(connection):
        head = connection.read_head()
        connection.send(upgrade_response(head.get("Sec-WebSocket-Key")))
        while True:
            _, opcode, payload, _ = connection.read_frame()
            if opcode == PING:
                connection.send_frame(PONG, payload)
            if opcode == CLOSE:
                goodbye(connection)
                return connection.read_to_end()
    return script


@pytest.mark.parametrize("goodbye, told", [
    (lambda connection: None, "timeout: not finished within 1s, while waiting for the answer to our Close"),
    (lambda connection: connection.send_frame(CLOSE, close_payload(1011)), "protocol: answered our Close with code 1011"),
    (lambda connection: connection.shutdown(), "protocol: closed the connection while we were waiting for the answer to our Close"),
], ids=["silence", "another code", "end"])
def test_a_close_that_is_not_answered_rightly_is_no_pass(rig, goodbye, told):
    server = rig.scripted(reluctant(goodbye))
    ran = command("smoke", f"ws://127.0.0.1:{server.port}/ws", "-n", "1", "--timeout", "1s")
    assert ran.returncode == 1 and f"1 x {told}" in ran.stdout, ran.stdout


def test_an_interrupt_ends_it_with_what_there_is(rig):
    server = rig.scripted(silent)
    child = Child("smoke", [BINARY, "smoke", f"ws://127.0.0.1:{server.port}/ws", "--timeout", "10m"],
                  os.path.join(rig.directory, "smoke.log"), environment())
    wait_until(lambda: server.connections == 1, "the first connection")
    assert child.stop(signal.SIGINT) == 1
    assert "0 of 0 passed, interrupted" in child.output()


@pytest.mark.parametrize("arguments", [[], ["ftp://127.0.0.1/"], ["ws://user:s3cret@127.0.0.1/"], ["ws://h/", "-n", "0"],
                                       ["ws://h/", "--timeout", "soon"]])
def test_a_wrong_command_line_is_2_with_a_hint(arguments):
    ran = command("smoke", *arguments)
    assert ran.returncode == 2 and "probegate smoke --help" in ran.stderr and "s3cret" not in ran.stderr

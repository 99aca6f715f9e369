"""Garbage, abuse and bad files: a clear answer, and a process that lives (docs/contract.md, sections 2, 3 and 6)."""

import random

import pytest

from support import metrics
from support.expect import problem_in
from support.ports import free_port
from support.raw import TEXT, Raw, upgrade_request
from support.waiting import wait_for

GARBAGE = {
    "binary": bytes(range(256)) * 4,
    "tls hello": bytes.fromhex("16030100c8010000c40303") + b"\x5a" * 189,
    "ssh": b"SSH-2.0-OpenSSH_9.2\r\n",
    "only line ends": b"\r\n" * 50 + b"x y z\r\n\r\n",
    "no version": b"GET /\r\n\r\n",
    "http 2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "postgres": b"\0\0\0\x08\x04\xd2\x16\x2f",
    "nul in a header": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
    "endless word": b"A" * 300_000,
    "bad version": b"GET / HTTP/9.9\r\nHost: a\r\n\r\n",
}

# 6: "Refused as ambiguous, 400 and close".
AMBIGUOUS = {
    "length and chunked": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "signed length": b"Content-Length: +5\r\n\r\nhello",
    "chunked twice": b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "identity": b"Transfer-Encoding: identity\r\n\r\nhello",
    "folded line": b"X-Folded: a\r\n b\r\n\r\n",
    "space before the colon": b"X-Space : a\r\n\r\n",
    "bare cr": b"X-Bare: a\rb\r\n\r\n",
    "two hosts": b"Host: other.test\r\n\r\n",
    "bad chunk size": b"Transfer-Encoding: chunked\r\n\r\nxyz\r\nhello\r\n0\r\n\r\n",
}


def ends_politely(port, data):
    """Sends garbage; what comes back is a 4xx or 5xx, or nothing; then the end."""
    with Raw.connect(port) as client:
        try:
            client.send(data)
            client.shutdown()
            answer = client.read_to_end()
        except (ConnectionResetError, BrokenPipeError):
            return None  # it was still writing when it had already been refused
        if not answer:
            return None
        status = int(answer.split(b" ")[1])
        assert 400 <= status < 600, answer[:200]
        return status


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_on_either_port_is_refused_and_the_process_lives(proxy, name):
    """Issue: "garbage on either port: ... a clear message, the right ... status"."""
    for port in (proxy.proxy_port, proxy.probe_port):
        for _ in range(3):
            status = ends_politely(port, GARBAGE[name])
            assert status in (None, 400, 408, 414, 431, 501, 505), status
    assert proxy.probe("/health").status == 200
    assert proxy.request("/mirror").status == 200


def test_random_bytes_do_not_kill_it(proxy):
    """The same with bytes nobody chose; the seed is fixed, so that a failure repeats."""
    dice = random.Random(20261123)
    for _ in range(60):
        data = dice.randbytes(dice.randrange(1, 3000))
        start = dice.choice([b"", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n", upgrade_request()[:-2]])
        for port in (proxy.proxy_port, proxy.probe_port):
            ends_politely(port, start + data)
    assert proxy.probe("/health").status == 200
    assert proxy.request("/mirror").status == 200


def test_random_frames_do_not_kill_it(proxy):
    """7: a client may send anything into a tunnel."""
    dice = random.Random(20261123)
    for _ in range(30):
        with Raw.connect(proxy.proxy_port) as client:
            client.send(upgrade_request())
            assert client.read_head().status == 101
            try:
                client.send(dice.randbytes(dice.randrange(1, 3000)))
                client.shutdown()
                client.read_to_end()
            except (ConnectionResetError, BrokenPipeError):
                pass
    wait_for(lambda: metrics.parse(proxy.metrics())["probegate_tunnels"].value(), lambda count: count == 0, "no tunnel")
    with Raw.connect(proxy.proxy_port) as client:
        client.send(upgrade_request())
        assert client.read_head().status == 101
        client.send_frame(TEXT, b"hello", mask=True)
        assert client.read_frame()[2] == b"hello"


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_an_ambiguous_request_is_400_closed_and_not_forwarded_whole(rig, name):
    """6: "bytes that would let two readers see two requests": what follows is never read as a request."""
    seen = []

    def script(connection):
        while True:
            head = connection.read_head()
            seen.append(head.start_line)
            if head.get("content-length") or head.get("transfer-encoding"):
                connection.read_body(head)  # no early answer: the body has to be judged first
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    sidecar = rig.probegate(f"proxy: {{backend: '{rig.scripted(script).url}'}}").start()
    with Raw.connect(sidecar.proxy_port) as client:
        client.send(b"POST /first HTTP/1.1\r\nHost: proxy.test\r\n" + AMBIGUOUS[name]
                    + b"GET /smuggled HTTP/1.1\r\nHost: proxy.test\r\n\r\n")
        head = client.read_head()
        assert head.status in (400, 501)
        client.read_body(head)
        assert client.ends()
    assert not [line for line in seen if "smuggled" in line]


def test_no_host_is_400(proxy):
    """6: "no or two Hosts"."""
    with Raw.connect(proxy.proxy_port) as client:
        client.send(b"GET / HTTP/1.1\r\n\r\n")
        assert client.read_head().status == 400


def test_a_thousand_connections_that_come_and_go_leave_nothing_behind(proxy):
    """2 and 6: descriptors and memory are given back."""
    def open_files():
        return metrics.parse(proxy.metrics())["process_open_fds"].value()

    before = open_files()
    for number in range(1000):
        with Raw.connect(proxy.proxy_port) as client:
            if number % 2:
                client.send(upgrade_request()[:number % 150])
    wait_for(open_files, lambda count: count <= before + 5, "descriptors to be given back")
    assert proxy.request("/mirror").status == 200


def test_a_check_on_a_flooding_peer_is_bounded(rig):
    """2: "An error inside a check, whatever it is, is a result of that check": endless answers cost no endless memory."""
    def flood(connection):
        connection.read_some()
        while True:
            connection.send(b"x" * 65536)

    peer = rig.scripted(flood)
    sidecar = rig.probegate(f"""
checks:
  redis: {{type: redis, url: "redis://127.0.0.1:{peer.port}", timeout: 1s}}
  broker: {{type: tcp, address: "127.0.0.1:{peer.port}", send: hi, expect: never, timeout: 1s}}
  web: {{type: http, url: "http://127.0.0.1:{peer.port}/", timeout: 1s}}
  database: {{type: postgres, url: "postgresql://u:p@127.0.0.1:{peer.port}/d", timeout: 1s}}
  websocket: {{type: websocket, url: "ws://127.0.0.1:{peer.port}/", timeout: 1s}}
""").start()
    for name in ("redis", "broker", "web", "database", "websocket"):
        sidecar.wait_for_check(name, "fail")
    assert sidecar.rss() < 300_000_000
    assert sidecar.probe("/health").status == 200


def test_an_unreachable_backend_is_told_in_every_way(rig):
    """Issue: "unreachable backend ... a clear message, the right ... status"."""
    port = free_port()
    sidecar = rig.probegate(f"""
proxy: {{backend: "http://127.0.0.1:{port}"}}
checks: {{websocket: {{type: websocket, url: /ws}}}}
""").start()
    error = sidecar.wait_for_error("websocket", "connect")
    assert "refused" in error["message"]
    problem_in(sidecar.request("/"), "gate_closed", waiting_for=["websocket"])

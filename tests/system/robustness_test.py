"""Garbage, abuse and bad files: a clear answer, and a process that lives
(docs/contract.md, "Process", "Configuration" and "Proxy")."""

import concurrent.futures
import json
import random

import pytest

from support import metrics
from support.expect import problem, problem_in, problem_on
from support.ports import free_port
from support.raw import TEXT, Head, Raw, upgrade_request
from support.waiting import wait_for

GARBAGE = {  # (what is sent, the status of its answer)
    "binary": (bytes(range(256)) * 4, 400),
    "tls hello": (bytes.fromhex("16030100c8010000c40303") + b"\x5a" * 189, 400),
    "ssh": (b"SSH-2.0-OpenSSH_9.2\r\n", 400),
    "only line ends": (b"\r\n" * 50 + b"x y z\r\n\r\n", 400),
    "no version": (b"GET /\r\n\r\n", 400),
    "http 2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "postgres": (b"\0\0\0\x08\x04\xd2\x16\x2f", 400),
    "nul in a header": (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", 400),
    "endless word": (b"A" * 300_000, 414),
    "bad version": (b"GET / HTTP/9.9\r\nHost: a\r\n\r\n", 505),
}
REASONS = {408: "header_timeout", 414: "uri_too_long", 431: "header_too_large"}

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


def refusal(sidecar, port, data, leaves=False):
    """The status of the one complete refusal that these bytes get before the connection ends; None: it ends in silence.

    A reset is an error: it may destroy the answer before it is read. `leaves`: the client ends its side behind the bytes.
    """
    with Raw.connect(port) as client:
        client.send(data)
        if leaves:
            client.shutdown()
        answer = client.read_to_end()
    if not answer:
        return None
    head, _, body = answer.partition(b"\r\n\r\n")
    head = Head(head)
    if port == sidecar.proxy_port:
        problem(head.status, head, body, REASONS.get(head.status, "bad_request"), refused_as=head.status)
    else:
        assert head.get("Content-Type") == "application/json"
        assert head.get("Connection") == "close"
        assert int(head.get("Content-Length")) == len(body)
        document = json.loads(body)
        assert document["error"] and document["detail"]
    return head.status


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_on_either_port_is_refused_and_the_process_lives(proxy, name):
    """The answer has its status and a reason in words, whether the client waits for it or has ended its side."""
    data, status = GARBAGE[name]
    for port in (proxy.proxy_port, proxy.probe_port):
        for leaves in (False, True):
            assert refusal(proxy, port, data, leaves) == status
    assert proxy.probe("/health").status == 200
    assert proxy.request("/mirror").status == 200


def test_random_bytes_are_refused_and_do_not_kill_it(rig, backend):
    """The same with bytes nobody chose; the seed is fixed, so that a failure repeats."""
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}', timeouts: {{header: 1s}}}}").start()
    dice = random.Random(20261123)
    starts = [b"", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n", upgrade_request()[:-2]]
    inputs = [dice.choice(starts) + dice.randbytes(dice.randrange(1, 3000)) for _ in range(60)]

    def judge(data):
        status = refusal(sidecar, sidecar.proxy_port, data)
        assert status in (400, 408, 414, 431, 505), data
        for port in (sidecar.proxy_port, sidecar.probe_port):
            # Who ends his side in the middle of a head has left, and nobody waits for an answer.
            expected = None if status == 408 else status
            assert refusal(sidecar, port, data, leaves=True) == expected, data

    with concurrent.futures.ThreadPoolExecutor(8) as clients:
        list(clients.map(judge, inputs))
    assert sidecar.probe("/health").status == 200
    assert sidecar.request("/mirror").status == 200


def test_a_connection_that_says_nothing_ends_without_a_word(rig, backend):
    """Silence is for those alone who have asked nothing."""
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}', timeouts: {{header: 500ms}}}}").start()
    assert refusal(sidecar, sidecar.proxy_port, b"") is None
    for port in (sidecar.proxy_port, sidecar.probe_port):
        assert refusal(sidecar, port, b"", leaves=True) is None


def test_random_frames_do_not_kill_it(proxy):
    """A client may send anything into a tunnel."""
    dice = random.Random(20261123)
    for _ in range(30):
        with Raw.tunnel(proxy.proxy_port) as client:
            try:
                client.send(dice.randbytes(dice.randrange(1, 3000)))
                client.shutdown()
                client.read_to_end()
            except (ConnectionResetError, BrokenPipeError):
                pass
    wait_for(lambda: metrics.parse(proxy.metrics())["probegate_tunnels"].value(), lambda count: count == 0, "no tunnel")
    with Raw.tunnel(proxy.proxy_port) as client:
        client.send_frame(TEXT, b"hello", mask=True)
        assert client.read_frame()[2] == b"hello"


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_an_ambiguous_request_is_400_closed_and_not_forwarded_whole(rig, name):
    """What two readers might parse as two requests is refused, and what follows is never read as a request."""
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
        problem_on(client, "bad_request")
    assert not [line for line in seen if "smuggled" in line]


def test_no_host_is_400(proxy):
    with Raw.connect(proxy.proxy_port) as client:
        client.send(b"GET / HTTP/1.1\r\n\r\n")
        problem_on(client, "bad_request")


def test_a_thousand_connections_that_come_and_go_leave_nothing_behind(proxy):
    """Descriptors and memory are given back."""
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
    """An error in a check is a result of that check, and endless answers cost no endless memory."""
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
    """The check has the kind `connect` and says "refused"; clients are told that the gate is closed."""
    port = free_port()
    sidecar = rig.probegate(f"""
proxy: {{backend: "http://127.0.0.1:{port}"}}
checks: {{websocket: {{type: websocket, url: /ws}}}}
""").start()
    error = sidecar.wait_for_error("websocket", "connect")
    assert "refused" in error["message"]
    problem_in(sidecar.request("/"), "gate_closed", waiting_for=["websocket"])

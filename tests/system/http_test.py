"""HTTP through the proxy, between real clients and real backends (docs/contract.md, "Proxy")."""

import hashlib
import http.client
import itertools
import json
import re
import socket
import threading
import time

import pytest

from support import metrics
from support.backends import pattern, silent
from support.expect import problem_in, problem_on
from support.http import request
from support.ports import free_port
from support.raw import Raw, upgrade_request
from support.waiting import PATIENCE, at_rest, wait_until

MEGABYTE = 1_000_000


def chunked(body, size=50_000):
    return (body[start:start + size] for start in range(0, len(body), size))


# Bodies

def test_methods_paths_and_queries_arrive_as_they_were_sent(proxy):
    """The request line is the client's."""
    for method, path in itertools.product(("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"),
                                          ("/mirror", "/mirror/a%20b/%C3%A9?q=1&q=2&empty=", "/mirror/x;y=1,2/..?")):
        answer = proxy.request(path, method=method)
        assert answer.status == 200
        assert answer.json["method"] == method
        assert answer.json["path"] == path


@pytest.mark.parametrize("framing", ["content-length", "chunked"])
def test_a_large_upload_arrives_whole(proxy, framing):
    """It is streamed; a chunked one stays chunked."""
    body = pattern(20 * MEGABYTE)
    if framing == "chunked":
        answer = proxy.request("/mirror", method="POST", body=chunked(body), encode_chunked=True,
                              headers={"Transfer-Encoding": "chunked"})
    else:
        answer = proxy.request("/mirror", method="POST", body=body)
    assert answer.json["size"] == len(body)
    assert answer.json["sha256"] == hashlib.sha256(body).hexdigest()
    names = {name.lower(): value for name, value in answer.json["headers"]}
    if framing == "chunked":
        assert names["transfer-encoding"] == "chunked" and "content-length" not in names
    else:
        assert names["content-length"] == str(len(body)) and "transfer-encoding" not in names


@pytest.mark.parametrize("path", ["/bytes", "/chunks"])
def test_a_large_download_arrives_whole(proxy, path):
    """It is streamed; a chunked one stays chunked."""
    size = 20 * MEGABYTE
    answer = proxy.request(f"{path}?n={size}")
    assert answer.body == pattern(size)
    if path == "/chunks":
        assert answer.headers["Transfer-Encoding"] == "chunked" and answer.headers["Content-Length"] is None
    else:
        assert answer.headers["Content-Length"] == str(size) and answer.headers["Transfer-Encoding"] is None


def test_an_upload_and_its_answer_flow_at_the_same_time(proxy):
    """Streamed means that the first part comes back before the last was sent."""
    part = pattern(MEGABYTE)
    with Raw.connect(proxy.proxy_port) as client:
        client.send(b"POST /echo HTTP/1.1\r\nHost: proxy.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        assert client.read_head().status == 200
        received = b""
        while len(received) < 5:
            received += client.read_chunk()
        assert received == b"hello"

        def finish():
            for _ in range(8):
                client.send(b"%x\r\n%s\r\n" % (len(part), part))
            client.send(b"0\r\n\r\n")

        sender = threading.Thread(target=finish, daemon=True)
        sender.start()
        assert b"".join(iter(client.read_chunk, b"")) == part * 8
        sender.join(PATIENCE)


def test_a_body_without_a_length_ends_with_the_connection(rig):
    """An answer that ends with the backend's connection keeps its every byte."""
    body = pattern(3 * MEGABYTE)

    def script(connection):
        connection.read_head()
        connection.send(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n" + body)

    sidecar = rig.probegate(f"proxy: {{backend: '{rig.scripted(script).url}'}}").start()
    assert sidecar.request("/").body == body


def test_a_cut_body_is_not_passed_off_as_whole(rig):
    """A backend that dies in mid-body must show to the client."""
    def script(connection):
        connection.read_head()
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")

    sidecar = rig.probegate(f"proxy: {{backend: '{rig.scripted(script).url}'}}").start()
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        sidecar.request("/")


def test_an_event_stream_is_flushed_at_once(proxy):
    with Raw.connect(proxy.proxy_port) as client:
        client.send(b"GET /events HTTP/1.1\r\nHost: proxy.test\r\n\r\n")
        assert client.read_head().status == 200
        start = time.monotonic()
        for number in range(5):
            assert f"data: {number}".encode() in client.read_until(b"\n\n")
        assert time.monotonic() - start < 5  # 250 ms of events; a buffer of a few KiB would take minutes


def test_head_204_and_304_have_no_body_and_the_connection_lives(proxy):
    with Raw.connect(proxy.proxy_port) as client:
        for line, status in (("HEAD /bytes?n=5000", 200), ("GET /status/204", 204), ("GET /status/304", 304)):
            client.send(f"{line} HTTP/1.1\r\nHost: proxy.test\r\n\r\n".encode())
            head = client.read_head()
            assert head.status == status
            if "HEAD" in line:
                assert head.get("content-length") == "5000"
        client.send(b"GET /bytes?n=3 HTTP/1.1\r\nHost: proxy.test\r\n\r\n")
        head = client.read_head()
        assert client.read_body(head) == pattern(3)


def test_keep_alive_and_pipelining_on_both_sides(proxy, backend):
    """One client connection carries many requests, and those to the backend are kept, too."""
    connection = http.client.HTTPConnection("127.0.0.1", proxy.proxy_port, timeout=PATIENCE)
    for _ in range(20):
        connection.request("POST", "/mirror", body=b"x")
        assert connection.getresponse().read()
    client_socket = connection.sock
    assert client_socket is not None
    connection.close()
    assert len(backend.connections) < 20

    with Raw.connect(proxy.proxy_port) as client:
        client.send(b"".join(b"GET /mirror/%d HTTP/1.1\r\nHost: proxy.test\r\n\r\n" % number for number in range(5)))
        for number in range(5):
            assert json.loads(client.read_body(client.read_head()))["path"] == f"/mirror/{number}"


def test_http_1_0_is_served_and_closed(proxy):
    """A client that speaks 1.0 cannot read chunks."""
    with Raw.connect(proxy.proxy_port) as client:
        client.send(b"GET /chunks?n=100000 HTTP/1.0\r\nHost: proxy.test\r\n\r\n")
        head = client.read_head()
        assert head.status == 200
        assert head.get("transfer-encoding") is None
        assert client.read_to_end() == pattern(100_000)


def test_expect_100_continue_is_answered_before_the_body(proxy):
    """The client gets 100, sends, and gets its answer."""
    with Raw.connect(proxy.proxy_port) as client:
        client.send(b"POST /mirror HTTP/1.1\r\nHost: proxy.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert client.read_head().status == 100
        client.send(b"hello")
        head = client.read_head()
        assert head.status == 200
        assert json.loads(client.read_body(head))["size"] == 5


def test_a_backend_silent_on_expect_gets_its_body_all_the_same(rig):
    """Where the backend is silent for a second, the proxy says 100 itself and the body starts."""
    def script(connection):
        head = connection.read_head()
        body = connection.read_body(head)  # without a 100 first
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    sidecar = rig.probegate(f"proxy: {{backend: '{rig.scripted(script).url}'}}").start()
    with Raw.connect(sidecar.proxy_port) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: proxy.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert client.read_head().status == 100
        client.send(b"hello")
        head = client.read_head()
        assert client.read_body(head) == b"hello"


def test_early_hints_reach_a_client_of_1_1_and_never_one_of_1_0(rig):
    """Interim answers are unknown to HTTP/1.0 (RFC 9110 section 15.2)."""
    def script(connection):
        while connection.read_head():
            connection.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"
                            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    sidecar = rig.probegate(f"proxy: {{backend: '{rig.scripted(script).url}'}}").start()
    for version, statuses in (("1.1", [103, 200]), ("1.0", [200])):
        with Raw.connect(sidecar.proxy_port) as client:
            client.send(f"GET / HTTP/{version}\r\nHost: proxy.test\r\n\r\n".encode())
            heads = [client.read_head() for _ in statuses]
            assert [head.status for head in heads] == statuses
            assert client.read_body(heads[-1]) == b"ok"


def test_trailers_pass_to_who_asked_for_them(rig):
    """Who wants them sends `TE: trailers`."""
    def script(connection):
        connection.read_head()
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
                        b"5\r\nhello\r\n0\r\nX-Sum: 42\r\n\r\n")
        connection.read_to_end()

    sidecar = rig.probegate(f"proxy: {{backend: '{rig.scripted(script).url}'}}").start()
    with Raw.connect(sidecar.proxy_port) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: proxy.test\r\nTE: trailers\r\nConnection: TE\r\n\r\n")
        client.read_head()
        assert client.read_until(b"0\r\n").endswith(b"hello\r\n")
        assert client.read_until(b"\r\n\r\n").lower() == b"x-sum: 42"


def test_an_idle_connection_is_closed_in_the_end(rig, backend):
    """`timeouts.idle` is how long it may wait for another request."""
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}', timeouts: {{idle: 500ms}}}}").start()
    with Raw.connect(sidecar.proxy_port) as client:
        client.send(b"GET /mirror HTTP/1.1\r\nHost: proxy.test\r\n\r\n")
        client.read_body(client.read_head())
        assert client.read_some() == b"", "closed with FIN, and without a word"


def test_many_clients_at_once(proxy):
    """Sessions do not mix: everybody gets their own answer."""
    failures = []

    def one(number):
        for turn in range(10):
            body = f"{number}:{turn}".encode() * 2000
            answer = proxy.request(f"/mirror/{number}-{turn}", method="POST", body=body)
            if answer.json["sha256"] != hashlib.sha256(body).hexdigest() or f"{number}-{turn}" not in answer.json["path"]:
                failures.append((number, turn))

    threads = [threading.Thread(target=one, args=(number,), daemon=True) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert not failures


# Back-pressure

def test_a_client_that_does_not_read_costs_bounded_memory(rig):
    """A gigabyte is offered, and a few socket buffers are taken."""
    sent = {"bytes": 0}
    block = b"x" * MEGABYTE

    def flood(connection):
        connection.read_head()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (1000 * MEGABYTE))
        for _ in range(1000):
            connection.send(block)
            sent["bytes"] += len(block)

    sidecar = rig.probegate(f"proxy: {{backend: '{rig.scripted(flood).url}'}}").start()
    before = sidecar.rss()
    with Raw.connect(sidecar.proxy_port, receive_buffer=65536) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: proxy.test\r\n\r\n")
        assert client.read_head().status == 200
        at_rest(lambda: sent["bytes"])
        assert sent["bytes"] < 100 * MEGABYTE
        assert sidecar.rss() - before < 32 * MEGABYTE


def test_a_backend_that_does_not_read_costs_bounded_memory(rig):
    """A gigabyte is offered, and a few socket buffers are taken."""
    stall = threading.Event()

    def lazy(connection):
        connection.read_head()
        stall.wait(PATIENCE)

    sidecar = rig.probegate(f"proxy: {{backend: '{rig.scripted(lazy).url}'}}").start()
    before = sidecar.rss()
    sent = {"bytes": 0}
    with Raw.connect(sidecar.proxy_port) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: proxy.test\r\nContent-Length: %d\r\n\r\n" % (1000 * MEGABYTE))

        def flood():
            try:
                while True:
                    client.send(b"x" * MEGABYTE)
                    sent["bytes"] += MEGABYTE
            except OSError:
                pass

        threading.Thread(target=flood, daemon=True).start()
        at_rest(lambda: sent["bytes"])
        assert sent["bytes"] < 100 * MEGABYTE
        assert sidecar.rss() - before < 32 * MEGABYTE
        stall.set()


# Headers

def headers_at_backend(sidecar, headers, path="/mirror"):
    with Raw.connect(sidecar.proxy_port) as client:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
        client.send(f"GET {path} HTTP/1.1\r\nHost: proxy.test\r\n{lines}\r\n".encode())
        head = client.read_head()
        return head, json.loads(client.read_body(head))["headers"]


def values(headers, name):
    return [value for field, value in headers if field.lower() == name]


def test_hop_by_hop_fields_stay_on_their_hop(proxy):
    """Those are the known ones, and every field that `Connection` names."""
    _, seen = headers_at_backend(proxy, [
        ("Connection", "keep-alive, X-Private, x-other"), ("X-Private", "1"), ("X-Other", "2"), ("Keep-Alive", "timeout=5"),
        ("Proxy-Connection", "keep-alive"), ("X-Kept", "3"), ("Cookie", "a=b"), ("Authorization", "Bearer t"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")])
    for name in ("x-private", "x-other", "keep-alive", "proxy-connection"):
        assert not values(seen, name), name
    assert values(seen, "x-kept") == ["3"]
    assert values(seen, "cookie") == ["a=b"]
    assert values(seen, "authorization") == ["Bearer t"]
    assert values(seen, "traceparent") == ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"]
    assert values(seen, "host") == ["proxy.test"], "the client's Host is passed on"


def test_hop_by_hop_fields_of_the_answer_stay_on_their_hop(rig):
    """On the way back, too. Set-Cookie lines are not merged."""
    def script(connection):
        connection.read_head()
        connection.send(b"HTTP/1.1 200 OK\r\nConnection: close, X-Private\r\nX-Private: 1\r\nKeep-Alive: timeout=5\r\n"
                        b"Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 2\r\n\r\nok")

    sidecar = rig.probegate(f"proxy: {{backend: '{rig.scripted(script).url}'}}").start()
    answer = sidecar.request("/")
    assert answer.headers["X-Private"] is None
    assert answer.headers["Keep-Alive"] is None
    assert answer.headers.get_all("Set-Cookie") == ["a=1", "b=2"]


def test_forwarded_fields_are_appended_to_from_a_trusted_peer(proxy):
    """Loopback is trusted by default: its X-Forwarded-* is kept, and its own address, which says nothing, is not added.
    Forwarded goes on untouched, and Via is added."""
    head, seen = headers_at_backend(proxy, [
        ("X-Forwarded-For", "203.0.113.7"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "chat.example"),
        ("Forwarded", "for=203.0.113.7")])
    assert ", ".join(values(seen, "x-forwarded-for")) == "203.0.113.7"
    assert values(seen, "x-forwarded-proto") == ["https"]
    assert values(seen, "x-forwarded-host") == ["chat.example"]
    assert values(seen, "forwarded") == ["for=203.0.113.7"]
    assert re.search(r"1\.1 \S+", ", ".join(values(seen, "via")))
    assert re.search(r"1\.1 \S+", head.get("via")), "both ways"


def test_forwarded_fields_are_replaced_from_anybody_else(rig, backend):
    """Only a trusted peer may say who the client is."""
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}', forwarded: {{trust: []}}}}").start()
    _, seen = headers_at_backend(sidecar, [
        ("X-Forwarded-For", "203.0.113.7"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "evil.example")])
    assert values(seen, "x-forwarded-for") == ["127.0.0.1"]
    assert values(seen, "x-forwarded-proto") == ["http"]
    assert values(seen, "x-forwarded-host") == ["proxy.test"]


def test_a_request_id_is_made_when_absent_and_kept_when_there(proxy):
    made = [values(headers_at_backend(proxy, [])[1], "x-request-id") for _ in range(2)]
    assert all(len(value) == 1 and len(value[0]) >= 8 for value in made)
    assert made[0] != made[1]
    _, seen = headers_at_backend(proxy, [("X-Request-Id", "mine-42")])
    assert values(seen, "x-request-id") == ["mine-42"]


def test_other_upgrade_tokens_are_dropped(proxy):
    """h2c becomes a plain request."""
    head, seen = headers_at_backend(proxy, [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"),
                                           ("HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA")])
    assert head.status == 200
    assert not values(seen, "upgrade")
    assert not values(seen, "http2-settings")


# Backends of other kinds

def test_a_backend_on_a_unix_socket(rig):
    backend = rig.http_backend(path=f"{rig.directory}/backend.sock")
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}'}}").start()
    body = pattern(3 * MEGABYTE)
    answer = sidecar.request("/mirror", method="POST", body=body)
    assert answer.json["sha256"] == hashlib.sha256(body).hexdigest()


def test_listening_on_several_addresses_and_a_unix_socket(rig, backend):
    """`proxy.listen` is an address or a list of them."""
    path, second = f"{rig.directory}/proxy.sock", free_port()
    sidecar = rig.probegate(f"""
proxy: {{listen: ["127.0.0.1:${{PORT}}", "127.0.0.1:{second}", "unix:{path}"], backend: "{backend.url}"}}
""").start()
    for port in (sidecar.proxy_port, second):
        assert request(port, "/mirror").status == 200
    with socket.socket(socket.AF_UNIX) as plain:
        plain.connect(path)
        client = Raw(plain)
        client.send(b"GET /mirror HTTP/1.1\r\nHost: proxy.test\r\n\r\n")
        seen = json.loads(client.read_body(client.read_head()))["headers"]
        assert not values(seen, "x-forwarded-for"), "a client on a unix socket adds no entry"


def test_listening_on_an_ipv6_address(rig, backend):
    port = free_port()
    try:
        with socket.socket(socket.AF_INET6) as trial:
            trial.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    rig.probegate(f"""
proxy: {{listen: ['127.0.0.1:${{PORT}}', '[::1]:{port}'], backend: '{backend.url}', forwarded: {{trust: []}}}}
""").start()
    with socket.create_connection(("::1", port), timeout=PATIENCE) as plain:
        client = Raw(plain)
        client.send(b"GET /mirror HTTP/1.1\r\nHost: proxy.test\r\n\r\n")
        seen = json.loads(client.read_body(client.read_head()))["headers"]
        assert values(seen, "x-forwarded-for") == ["::1"]


def test_forward_websocket_answers_plain_http_with_404(rig, backend):
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}', forward: websocket}}").start()
    problem_in(sidecar.request("/mirror"), "not_found")
    Raw.tunnel(sidecar.proxy_port).close()


def test_several_workers_share_the_proxy(rig, backend):
    """`proxy.workers` data loops carry the traffic."""
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}', workers: 3}}").start()
    for _ in range(30):
        assert sidecar.request("/mirror").status == 200
    assert metrics.parse(sidecar.metrics())["probegate_requests_total"].value(code="200") >= 30


# Backends in trouble

def test_a_dead_backend_is_502_backend_unreachable(rig):
    """A failed connect is repeated within `timeouts.connect`, for every method."""
    sidecar = rig.probegate(f"proxy: {{backend: 'http://127.0.0.1:{free_port()}', timeouts: {{connect: 500ms}}}}").start()
    start = time.monotonic()
    problem_in(sidecar.request("/"), "backend_unreachable")
    assert time.monotonic() - start < 5


def test_a_silent_backend_is_504_backend_timeout(rig):
    """`timeouts.response` bounds the wait for an answer."""
    sidecar = rig.probegate(f"proxy: {{backend: '{rig.scripted(silent).url}', timeouts: {{response: 500ms}}}}").start()
    start = time.monotonic()
    problem_in(sidecar.request("/"), "backend_timeout")
    assert 0.4 < time.monotonic() - start < 5


def test_a_silent_backend_is_504_for_an_upgrade_too(rig):
    """`timeouts.upgrade` bounds the wait: every request gets a complete answer in bounded time, in every state."""
    sidecar = rig.probegate(f"proxy: {{backend: '{rig.scripted(silent).url}', timeouts: {{upgrade: 500ms}}}}").start()
    with Raw.connect(sidecar.proxy_port) as client:
        client.send(upgrade_request())
        problem_on(client, "backend_timeout")


@pytest.mark.parametrize("answer", [
    b"", b"garbage that is no HTTP\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000 + b"\r\n\r\n", b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
    b"Upgrade: websocket\r\n\r\n"], ids=["close", "garbage", "two lengths", "endless head", "unasked 101"])
def test_a_broken_answer_is_502_backend_error(rig, answer):
    """What is no answer never reaches the client."""
    def script(connection):
        connection.read_head()
        connection.send(answer)

    sidecar = rig.probegate(f"proxy: {{backend: '{rig.scripted(script).url}'}}").start()
    problem_in(sidecar.request("/", method="POST", body=b"x"), "backend_error")
    assert sidecar.probe("/health").status == 200


def test_a_stale_kept_connection_is_retried_once_for_get(rig):
    """GET, HEAD and OPTIONS are repeated when a kept connection broke before any byte of the answer."""
    def one_answer(connection):
        connection.read_head()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        connection.read_until(b"\r\n\r\n")  # the second request on this connection dies with it

    target = rig.scripted(one_answer)
    sidecar = rig.probegate(f"proxy: {{backend: '{target.url}'}}").start()
    before = target.connections
    assert [sidecar.request("/").status for _ in range(6)] == [200] * 6
    assert target.connections > before + 1


def test_a_post_is_never_sent_twice(rig):
    """A POST that met a dying connection is an error: the backend may have acted on it."""
    posts = []

    def one_answer(connection):
        connection.read_head()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        posts.append(connection.read_head().start_line)

    sidecar = rig.probegate(f"proxy: {{backend: '{rig.scripted(one_answer).url}'}}").start()
    assert sidecar.request("/", method="GET").status == 200
    problem_in(sidecar.request("/pay", method="POST", body=b"x"), "backend_error")
    assert posts == ["POST /pay HTTP/1.1"]


def test_a_client_that_leaves_frees_its_backend_connection(rig):
    """Nobody waits for an answer that nobody wants."""
    arrived, gone = threading.Event(), threading.Event()

    def script(connection):
        connection.read_head()
        arrived.set()
        connection.read_to_end()
        gone.set()

    sidecar = rig.probegate(f"proxy: {{backend: '{rig.scripted(script).url}'}}").start()
    with Raw.connect(sidecar.proxy_port) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: proxy.test\r\n\r\n")
        assert arrived.wait(PATIENCE)
        assert not gone.is_set()
        client.reset()
    assert gone.wait(PATIENCE)


def test_a_slow_head_is_408(rig, backend):
    """`timeouts.header` is for the whole head."""
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}', timeouts: {{header: 500ms}}}}").start()
    with Raw.connect(sidecar.proxy_port) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: proxy")
        problem_on(client, "header_timeout")


def test_limits_on_head_and_body(rig, backend):
    """They are 431 and 413, before the backend has seen anything."""
    sidecar = rig.probegate(f"""
proxy: {{backend: "{backend.url}", limits: {{header_bytes: 4KiB, body_bytes: 100KiB}}}}
""").start()
    with Raw.connect(sidecar.proxy_port) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: proxy.test\r\nX: " + b"a" * 8000 + b"\r\n\r\n")
        problem_on(client, "header_too_large")
    with Raw.connect(sidecar.proxy_port) as client:
        client.send(b"POST /mirror HTTP/1.1\r\nHost: proxy.test\r\nContent-Length: 200000\r\n\r\n")
        problem_on(client, "body_too_large")
    assert sidecar.request("/mirror", method="POST", body=b"x" * 100_000).json["size"] == 100_000


def test_a_limit_on_connections(rig, backend):
    """`limits.connections` are served; the next one gets 503 `connection_limit`, where none of those there is idle."""
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}', limits: {{connections: 3}}}}").start()
    wait_until(lambda: sidecar.request("/mirror").status == 200, "earlier connections to be gone")
    with Raw.connect(sidecar.proxy_port) as one, Raw.connect(sidecar.proxy_port) as two, Raw.connect(sidecar.proxy_port) as three:
        for busy in (one, two, three):
            busy.send(b"GET /events HTTP/1.1\r\nHost: proxy.test\r\n\r\n")
            assert busy.read_head().status == 200
        problem_in(sidecar.request("/mirror"), "connection_limit")
    wait_until(lambda: sidecar.request("/mirror").status == 200, "room for another connection")

"""What of a message's head is read, repaired, passed on and added, between real clients and real servers."""

import asyncio
import datetime
import email.utils
import re

import pytest
import websockets

from support import metrics
from support.expect import problem_on
from support.nginx import Nginx
from support.node import NodeServer, run_node
from support.ports import free_port
from support.raw import Raw

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def answering(rig, answer, proxy=""):
    """A gate in front of a backend that gives this answer to every request."""
    def script(connection):
        while True:
            connection.read_head()
            connection.send(answer)

    backend = rig.scripted(script)
    return rig.probegate(f"proxy: {{backend: '{backend.url}'{proxy}}}").start()


def ask(port, request=GET):
    with Raw.connect(port) as client:
        client.send(request)
        head = client.read_head()
        return head, client.read_body(head)


# Informational answers

FRAMED_101 = ["Transfer-Encoding: chunked\r\n", "Content-Length: 5\r\n", "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n"]

WS_CLIENT = """
const WebSocket = require("ws");
const socket = new WebSocket(process.argv[1]);
socket.on("open", () => socket.send("hello"));
socket.on("message", (data) => { console.log(String(data)); socket.close(); });
socket.on("error", (error) => { console.error(String(error)); process.exit(1); });
"""
UNDICI_CLIENT = """
const {WebSocket} = require("undici");
const socket = new WebSocket(process.argv[1]);
socket.onopen = () => socket.send("hello");
socket.onmessage = (event) => { console.log(event.data); socket.close(); };
socket.onerror = (event) => { console.error("refused"); process.exit(1); };
setTimeout(() => process.exit(2), 20000).unref();
"""
# A real server whose 101 says what no 101 may say, as Node's own writeHead lets an app do.
WS_SERVER = """
const {WebSocketServer} = require("ws");
const server = new WebSocketServer({port: Number(process.env.PORT), host: "127.0.0.1"});
server.on("headers", (headers) => headers.push(...%s));
server.on("connection", (socket) => socket.on("message", (data) => socket.send(String(data))));
"""


@pytest.mark.parametrize("fields", FRAMED_101)
def test_a_101_that_frames_a_body_opens_a_tunnel_for_every_client(rig, fields):
    lines = [line for line in fields.split("\r\n") if line]
    server = rig.keep(NodeServer(rig.directory, WS_SERVER % lines)).start()
    sidecar = rig.probegate(f"""
proxy: {{backend: '{server.url}'}}
checks: {{websocket: {{type: websocket, url: /ws}}}}
""").start()
    sidecar.wait_for_readiness(lambda seen: seen["gate"] == "open", "the gate to open by the websocket check")
    url = f"ws://127.0.0.1:{sidecar.proxy_port}/ws"
    assert run_node(WS_CLIENT, url) == "hello\n"
    assert run_node(UNDICI_CLIENT, url) == "hello\n"

    async def talk():
        async with websockets.connect(url) as client:
            await client.send("hello")
            return await client.recv()
    assert asyncio.run(talk()) == "hello"


def test_no_field_that_frames_a_body_goes_on_in_an_informational_answer(rig):
    sidecar = answering(rig, b"HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\nLink: x\r\n\r\n"
                             b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    with Raw.connect(sidecar.proxy_port) as client:
        client.send(GET)
        hints = client.read_head()
        assert (hints.status, hints.get("link")) == (103, "x")
        assert hints.get("transfer-encoding") is None and hints.get("content-length") is None
        assert hints.get("date") is None
        head = client.read_head()
        assert client.read_body(head) == b"ok"


# Methods, versions, empty lines

def test_every_method_that_is_a_token_reaches_a_real_server(rig):
    servers = "server { listen 127.0.0.1:PORT; location / { return 200 $request_method; } }"
    nginx = rig.keep(Nginx(rig.directory, servers)).start()
    sidecar = rig.probegate(f"proxy: {{backend: 'http://127.0.0.1:{nginx.port}'}}").start()
    for method in ("QUERY", "LIST", "BAN", "SOURCE", "VERSION-CONTROL", "LABEL", "MKREDIRECTREF", "PRI"):
        head, body = ask(sidecar.proxy_port, f"{method} / HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        assert (head.status, body.decode()) == (200, method)
    for method, status, target in (("CONNECT", 501, "a:443"), ("TRACE", 405, "/")):
        head, _ = ask(sidecar.proxy_port, f"{method} {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        assert head.status == status
        assert head.get("probegate-reason") == "bad_request"
        assert (head.get("allow") is not None) == (status == 405)


def test_the_log_shortens_a_method_without_end(rig):
    sidecar = answering(rig, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    ask(sidecar.proxy_port, b"M" * 5000 + b" / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert sidecar.wait_for_line("M" * 64 + " / 200")["httpRequest"]["requestMethod"] == "M" * 64


def test_a_request_of_a_later_http_1_is_answered_as_1_1(proxy):
    head, _ = ask(proxy.proxy_port, b"GET /mirror HTTP/1.2\r\nHost: a\r\n\r\n")
    assert head.start_line.startswith("HTTP/1.1 200")


def test_empty_lines_before_a_request_are_skipped_up_to_header_bytes(rig, backend):
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}', limits: {{header_bytes: 1KiB}}}}").start()
    head, _ = ask(sidecar.proxy_port, b"\r\n" * 500 + b"GET /mirror HTTP/1.1\r\nHost: a\r\n\r\n")
    assert head.status == 200
    with Raw.connect(sidecar.proxy_port) as client:
        client.send(b"\r\n" * 600)
        problem_on(client, "header_too_large")


# Answers that are repaired

REPAIRED = {
    "blank before a colon": (b"HTTP/1.1 200 OK\r\nX-XSS-Protection : 1\r\nContent-Length: 2\r\n\r\nok", 200),
    "status 600": (b"HTTP/1.1 600 Odd\r\nContent-Length: 2\r\n\r\nok", 600),
    "status 999": (b"HTTP/1.1 999 Odd\r\nContent-Length: 2\r\n\r\nok", 999),
    "identity": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nok", 200),
    "a trailer that frames": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nContent-Length: 2\r\n\r\n", 200),
    "trailers that are no fields": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX\r\n\r\n", 200),
}


@pytest.mark.parametrize("name", REPAIRED)
def test_an_answer_with_a_harmless_fault_passes_whole(rig, name):
    answer, status = REPAIRED[name]
    sidecar = answering(rig, answer)
    with Raw.connect(sidecar.proxy_port) as client:
        for _ in range(2):  # and the client's connection lives on
            client.send(GET)
            head = client.read_head()
            assert (head.status, client.read_body(head)) == (status, b"ok")
            assert head.get("x-xss-protection") == ("1" if "colon" in name else None)


@pytest.mark.parametrize("limit, size, status", [
    ("64KiB", 60_000, 200), ("64KiB", 100_000, 502), ("256KiB", 100_000, 200), ("0", 900_000, 200), ("0", 1_100_000, 502),
    ("4MiB", 1_100_000, 502)])
def test_the_limit_of_heads_holds_for_answers_too(rig, limit, size, status):
    answer = b"HTTP/1.1 200 OK\r\nX: " + b"x" * size + b"\r\nContent-Length: 2\r\n\r\nok"
    sidecar = answering(rig, answer, f", limits: {{header_bytes: {limit}}}")
    head, _ = ask(sidecar.proxy_port)
    assert head.status == status


def test_without_a_limit_a_request_head_may_be_large(rig):
    sidecar = answering(rig, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", ", limits: {header_bytes: 0}")
    for size, status in ((100_000, 200), (1_000_000, 200), (1_100_000, 431)):
        head, _ = ask(sidecar.proxy_port, b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * size + b"\r\n\r\n")
        assert head.status == status


def test_three_hundred_fields_pass_both_ways(rig):
    links = b"".join(b"Link: <%d>\r\n" % number for number in range(300))
    sidecar = answering(rig, b"HTTP/1.1 200 OK\r\n" + links + b"Content-Length: 2\r\n\r\nok")
    head, _ = ask(sidecar.proxy_port, b"GET / HTTP/1.1\r\nHost: a\r\n" + links + b"\r\n")
    assert len(head.all("link")) == 300


# Date

def is_now(text):
    told = email.utils.parsedate_to_datetime(text)
    return abs((datetime.datetime.now(datetime.timezone.utc) - told).total_seconds()) < 60


def test_every_answer_has_a_date(rig):
    sidecar = answering(rig, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    requests = {200: GET, 400: b"GET / HTTP/1.1\r\n\r\n", 501: b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
                204: b"OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n"}
    for status, request in requests.items():
        head, _ = ask(sidecar.proxy_port, request)
        assert head.status == status
        (date,) = head.all("date")
        assert re.fullmatch(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", date)
        assert is_now(date)
    assert is_now(sidecar.probe("/health").headers["Date"])


def test_a_date_of_the_backend_stays(rig):
    sidecar = answering(rig, b"HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 0\r\n\r\n")
    head, _ = ask(sidecar.proxy_port)
    assert head.all("date") == ["Sun, 06 Nov 1994 08:49:37 GMT"]


# Via

@pytest.mark.parametrize("via, compressed, shown", [("both", False, True), ("response", True, True), ("none", True, False)])
def test_nginx_compresses_where_requests_carry_no_via(rig, via, compressed, shown):
    nginx = rig.keep(Nginx(rig.directory, """
  server {
    listen 127.0.0.1:PORT;
    gzip on;
    gzip_types application/json;
    location / { default_type application/json; return 200 '["%s"]'; }
  }""" % ("probegate " * 100))).start()
    sidecar = rig.probegate(f"proxy: {{backend: 'http://127.0.0.1:{nginx.port}', via: {via}}}").start()
    answer = sidecar.request("/", headers={"Accept-Encoding": "gzip"})
    assert (answer.headers["Content-Encoding"] == "gzip") == compressed
    assert bool(answer.headers["Via"]) == shown
    if shown:
        assert re.fullmatch(r"1\.1 probegate-[0-9a-f]{8}", answer.headers["Via"])


@pytest.mark.parametrize("via", ["both", "response", "none"])
def test_a_request_that_comes_back_for_the_third_time_is_508(rig, via):
    port = free_port()
    relay = rig.chaos(port)
    sidecar = rig.probegate(f"""
proxy: {{listen: ['127.0.0.1:${{PORT}}', '127.0.0.1:{port}'], backend: 'http://127.0.0.1:{relay.port}', via: {via}}}
""").start()
    answer = sidecar.request("/")
    assert answer.status == 508
    assert answer.headers["Probegate-Reason"] == "loop_detected"
    assert answer.json["reason"] == "loop_detected"
    refused = metrics.parse(sidecar.metrics())["probegate_refused_total"]
    assert refused.value(reason="loop_detected") == 1


def test_the_name_of_another_instance_is_no_loop(proxy):
    request = (b"GET /mirror HTTP/1.1\r\nHost: a\r\nVia: 1.1 probegate-00000000, 1.1 probegate-00000000\r\n"
               b"Via: 1.1 probegate-00000000\r\n\r\n")
    assert ask(proxy.proxy_port, request)[0].status == 200

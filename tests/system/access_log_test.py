"""A line for each request, and what a reader of the log can tell from it (docs/contract.md, "Logs, metrics, events")."""

import asyncio
import json
import socket

import pytest
import websockets

from support.ports import free_port
from support.raw import Raw
from support.waiting import wait_for, wait_until

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
TRACEPARENT = {"traceparent": f"00-{TRACE}-{SPAN}-01"}
TRACE_FIELD = "logging.googleapis.com/trace"
SPAN_FIELD = "logging.googleapis.com/spanId"
SAMPLED_FIELD = "logging.googleapis.com/trace_sampled"


def access_lines(sidecar):
    return [line for line in sidecar.logs() if "httpRequest" in line]


def refusals(sidecar, reason):
    return [line for line in access_lines(sidecar) if line.get("reason") == reason]


def talk(sidecar, path="/ws", headers=None):
    async def once():
        uri = f"ws://127.0.0.1:{sidecar.proxy_port}{path}"
        async with websockets.connect(uri, extra_headers=headers or {}) as client:
            await client.send("hello")
            await client.recv()
    asyncio.run(once())


def test_a_request_leaves_a_line_that_cloud_logging_shows_as_one(proxy):
    """Access lines carry Cloud Logging's `httpRequest` and trace fields."""
    answer = proxy.request("/bytes?n=1000", headers={"User-Agent": "curl/8", "X-Request-Id": "mine", **TRACEPARENT})
    assert len(answer.body) == 1000
    line = proxy.wait_for_line("GET /bytes 200")
    seen = line["httpRequest"]
    assert line["severity"] == "INFO"
    assert seen["requestMethod"] == "GET"
    assert seen["requestUrl"] == "/bytes"
    assert seen["status"] == 200
    assert seen["protocol"] == "HTTP/1.1"
    assert seen["userAgent"] == "curl/8"
    assert seen["remoteIp"] == "127.0.0.1"
    assert 1000 < int(seen["responseSize"]) < 1500, "the body and a head"
    assert seen["latency"].endswith("s") and float(seen["latency"][:-1]) >= 0
    assert line["request_id"] == "mine"
    assert (line[TRACE_FIELD], line[SPAN_FIELD], line[SAMPLED_FIELD]) == (TRACE, SPAN, True)


def test_the_request_id_of_the_line_is_the_one_the_backend_got(proxy):
    for path in ("/mirror", "/mirror?again"):
        got = proxy.request(path).json["headers"]
        sent = next(value for name, value in got if name.lower() == "x-request-id") if isinstance(got, list) else \
            next(value for name, value in got.items() if name.lower() == "x-request-id")
        assert sent in [line["request_id"] for line in wait_for(
            lambda: access_lines(proxy), lambda lines: any(line["request_id"] == sent for line in lines), "the line")]


@pytest.mark.parametrize("config, env", [
    ("", {"GOOGLE_CLOUD_PROJECT": "chat"}),
    ("log: {project: chat}", {"GOOGLE_CLOUD_PROJECT": "another"}),
], ids=["environment", "config"])
def test_the_trace_is_named_in_its_project_so_that_the_platform_finds_it(rig, backend, config, env):
    """Cloud Logging: correlated only if the trace field is set, as projects/P/traces/ID."""
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}'}}\n{config}", env=env).start()
    sidecar.request("/mirror", headers={"X-Cloud-Trace-Context": f"{TRACE}/4660;o=1"})
    line = sidecar.wait_for_line("GET /mirror 200")
    assert line[TRACE_FIELD] == f"projects/chat/traces/{TRACE}"
    assert line[SPAN_FIELD] == "0000000000001234"
    assert line[SAMPLED_FIELD] is True


def test_a_query_never_reaches_the_log(proxy):
    """Browsers put tokens into the query, and no token appears in any output."""
    proxy.request("/mirror?token=sesame")
    talk(proxy, "/ws?access_token=sesame")
    with Raw.connect(proxy.proxy_port) as client:
        client.send(b"GET /mirror?token=sesame HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n")
        assert client.read_head().status == 400
    proxy.wait_for_line("GET /mirror 200")
    proxy.wait_for_line("tunnel ended")
    proxy.wait_for_line("400 refused: bad_request")
    assert "sesame" not in proxy.output()


def test_the_beginning_and_the_end_of_a_tunnel_are_told_and_belong_together(proxy):
    """The log says who ended it, code and reason; both lines are found by trace, request id and path."""
    talk(proxy, headers=TRACEPARENT)
    begin = proxy.wait_for_line("GET /ws 101")
    end = proxy.wait_for_line("tunnel ended")
    assert begin["httpRequest"]["status"] == 101
    for name in (TRACE_FIELD, SPAN_FIELD, SAMPLED_FIELD, "request_id"):
        assert begin[name] == end[name], name
    assert end["path"] == "/ws"
    assert end["client"] == "127.0.0.1"
    assert (end["cause"], end["ended_by"], end["close_code"]) == ("client_close", "client", 1000)
    assert (end["client_to_backend_messages"], end["backend_to_client_messages"]) == (1, 1)


def test_a_refusal_says_its_reason_and_what_the_gate_waits_for(rig, backend):
    sidecar = rig.probegate(f"""
proxy: {{backend: "{backend.url}", hold: {{max: 0}}}}
checks: {{broker: {{type: tcp, address: "127.0.0.1:{free_port()}"}}}}
""").start()
    assert sidecar.request("/chat", headers=TRACEPARENT).status == 503
    line = sidecar.wait_for_line("GET /chat 503 refused: gate_closed")
    assert line["severity"] == "WARNING"
    assert line["reason"] == "gate_closed"
    assert line["waiting_for"] == "broker"
    assert line["detail"]
    assert line["httpRequest"]["status"] == 503
    assert line[TRACE_FIELD] == TRACE


def test_of_a_flood_of_refusals_ten_are_told_and_the_rest_is_counted(rig, backend):
    """A line for each of thousands would hide everything else, and no number would hide them."""
    sidecar = rig.probegate(f"""
proxy: {{backend: "{backend.url}", hold: {{max: 0}}}}
checks: {{broker: {{type: tcp, address: "127.0.0.1:{free_port()}"}}}}
""").start()
    for _ in range(100):
        assert sidecar.request("/chat").status == 503
    assert sidecar.request("/chat", headers={"Expect": "nonsense"}).status in (417, 503)
    assert sidecar.stop() == 0
    told = len(refusals(sidecar, "gate_closed"))
    left_out = sum(line["more"] for line in sidecar.logs() if "more" in line)
    assert 10 <= told <= 30, "ten in ten seconds, however slow this machine is"
    assert told + left_out == 101


def test_a_client_that_leaves_is_told_with_what_it_waited_for(rig, backend):
    sidecar = rig.probegate(f"""
proxy: {{backend: "{backend.url}", hold: {{max: 10, timeout: 60s}}}}
checks: {{broker: {{type: tcp, address: "127.0.0.1:{free_port()}"}}}}
""").start()
    with Raw.connect(sidecar.proxy_port) as client:
        client.send(b"GET /chat HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: "probegate_held 1\n" in sidecar.metrics(), "the request to be held")
    line = sidecar.wait_for_line("GET /chat client left")
    assert line["meanwhile"] == "held"
    assert "status" not in line["httpRequest"]


def test_an_answer_that_breaks_off_is_told_with_the_cause(rig):
    def half(connection):
        connection.read_head()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")

    scripted = rig.scripted(half)
    sidecar = rig.probegate(f"proxy: {{backend: '{scripted.url}'}}").start()
    with Raw.connect(sidecar.proxy_port) as client:
        client.send(b"GET /page HTTP/1.1\r\nHost: a\r\n\r\n")
        client.read_to_end()
    line = sidecar.wait_for_line("GET /page 200 cut off")
    assert line["severity"] == "WARNING"
    assert line["detail"].startswith("the backend's connection ended within its answer")


def test_failures_of_the_backend_are_warnings(proxy):
    proxy.request("/status/500")
    proxy.request("/status/404")
    assert proxy.wait_for_line("GET /status/500 500")["severity"] == "WARNING"
    assert proxy.wait_for_line("GET /status/404 404")["severity"] == "INFO"


def test_a_proxy_that_nothing_listens_behind_names_the_backend(rig):
    port = free_port()
    sidecar = rig.probegate(f"proxy: {{backend: 'http://127.0.0.1:{port}'}}").start()
    assert sidecar.request("/chat").status == 502
    line = sidecar.wait_for_line("GET /chat 502 refused: backend_unreachable")
    assert line["backend"] == f"127.0.0.1:{port}"
    assert line["detail"] == "connection refused"


@pytest.mark.parametrize("access, expected", [
    ("all", ["GET /mirror 200", "GET /status/500 500", "400 refused: bad_request"]),
    ("failures", ["GET /status/500 500", "400 refused: bad_request"]),
    ("none", []),
])
def test_access_chooses_which_requests_are_told(rig, backend, access, expected):
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}'}}\nlog: {{access: {access}}}").start()
    sidecar.request("/mirror")
    sidecar.request("/status/500")
    with Raw.connect(sidecar.proxy_port) as client:
        client.send(b"nonsense\r\n\r\n")
        assert client.read_head().status == 400
    talk(sidecar)
    sidecar.wait_for_line("tunnel ended")
    assert sidecar.stop() == 0
    told = [line["message"] for line in access_lines(sidecar) if line["message"] != "GET /ws 101"]
    assert told == expected
    assert bool([line for line in sidecar.logs() if line["message"] == "GET /ws 101"]) == (access == "all")


def test_a_trusted_front_end_names_the_client(rig, backend):
    trusting = rig.probegate(f"proxy: {{backend: '{backend.url}', forwarded: {{trust: ['127.0.0.0/8']}}}}").start()
    trusting.request("/mirror", headers={"X-Forwarded-For": "10.9.9.9, 198.51.100.7"})
    talk(trusting, headers={"X-Forwarded-For": "198.51.100.8"})
    assert trusting.wait_for_line("GET /mirror 200")["httpRequest"]["remoteIp"] == "198.51.100.7"
    assert trusting.wait_for_line("tunnel ended")["client"] == "198.51.100.8"
    doubting = rig.probegate(f"proxy: {{backend: '{backend.url}', forwarded: {{trust: []}}}}").start()
    doubting.request("/mirror", headers={"X-Forwarded-For": "198.51.100.7"})
    assert doubting.wait_for_line("GET /mirror 200")["httpRequest"]["remoteIp"] == "127.0.0.1"


def test_text_lines_are_for_people_and_nothing_in_them_moves_a_terminal(rig, backend):
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}'}}\nlog: {{format: text}}").start()
    sidecar.request("/mirror", headers={"User-Agent": "\xc2\x9b2Jevil", **TRACEPARENT})
    text = wait_for(sidecar.output, lambda text: "GET /mirror" in text, "the line")
    line = next(line for line in text.splitlines() if "GET /mirror" in line)
    assert " info    GET /mirror " in line
    assert f" trace={TRACE} " in line + " "
    assert "httpRequest" not in line and "googleapis" not in line
    assert "\x9b" not in line and "\\u009b" in line


def test_probes_leave_no_lines(proxy):
    """Health checks: they come every second for ever."""
    proxy.wait_for_line("listening")
    before = len(proxy.logs())
    for path in ("/health", "/health/ready", "/health/live", "/metrics", "/status", "/nothing"):
        proxy.probe(path)
    proxy.request("/mirror")
    proxy.wait_for_line("GET /mirror 200")
    assert len(proxy.logs()) == before + 1


def test_a_huge_request_leaves_a_line_of_bounded_size(proxy):
    path = "/" + "a" * 8000
    proxy.request(path, headers={"User-Agent": "b" * 8000, "X-Request-Id": "c" * 8000})
    line = wait_for(lambda: access_lines(proxy), bool, "the line")[0]
    assert len(json.dumps(line)) < 4000
    assert line["httpRequest"]["requestUrl"].startswith("/aaa")


def test_a_client_on_a_unix_socket_has_no_address_to_tell(rig, backend):
    path = f"{rig.directory}/proxy.sock"
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}', listen: 'unix:{path}'}}")
    sidecar.launch()
    wait_until(lambda: sidecar.running() and sidecar.probe("/health").status, "the probe port to answer")
    with socket.socket(socket.AF_UNIX) as plain:
        plain.settimeout(20)
        plain.connect(path)
        with Raw(plain) as client:
            client.send(b"GET /mirror HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert client.read_head().status == 200
            client.read_to_end()
    assert "remoteIp" not in sidecar.wait_for_line("GET /mirror 200")["httpRequest"]

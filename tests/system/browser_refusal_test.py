"""What a browser sees of a refusal: a page that tries again, and with `websocket.refuse: close` a Close code."""

import asyncio
import base64
import contextlib
import hashlib
import re

import pytest
import websockets

from support import metrics
from support.browser import Browser
from support.expect import problem_on
from support.ports import free_port
from support.raw import CLOSE, Raw, close_code, upgrade_request
from support.waiting import wait_for, wait_until

HTML = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
CLOSED = """
checks: {needed: {type: tcp, address: "127.0.0.1:%d", interval: 100ms, affects: [%s]}}
"""


def ask(sidecar, accept=HTML, method="GET", **headers):
    return sidecar.request("/app", method=method, headers={"Accept": accept, **headers})


# The page

def test_a_person_gets_a_page_that_tries_again_and_a_program_a_problem(rig):
    sidecar = rig.probegate(CLOSED % (free_port(), "startup")).start()
    answer = ask(sidecar)
    assert answer.status == 503 and answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Probegate-Reason"] == "gate_closed" and answer.headers["Cache-Control"] == "no-store"
    page = answer.body.decode()
    assert f'<meta http-equiv="refresh" content="{answer.headers["Retry-After"]}">' in page
    assert '<html lang="en">' in page and "needed" not in page
    style = re.search("<style>(.*)</style>", page).group(1)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in answer.headers["Content-Security-Policy"]
    assert not re.search(r"(src|href)=", page), "it loads nothing"
    for accept in ("*/*", "application/json", "application/problem+json, text/html;q=0.5", "text/html;q=0", ""):
        assert ask(sidecar, accept).headers["Content-Type"] == "application/problem+json", accept
    posted = ask(sidecar, method="POST").body.decode()
    assert "refresh" not in posted and "Send it again" in posted
    head = ask(sidecar, method="HEAD")
    assert head.status == 503 and head.body == b"" and head.headers["Content-Type"] == "text/html; charset=utf-8"


def test_the_page_names_the_request_as_the_log_does(rig):
    sidecar = rig.probegate(CLOSED % (free_port(), "startup")).start()
    made = re.search("request ([0-9a-f]{32})<", ask(sidecar).body.decode()).group(1)
    line, = sidecar.wait_for_lines(lambda line: line["message"] == "GET /app 503 refused: gate_closed")
    assert line["request_id"] == made
    page = ask(sidecar, **{"X-Request-Id": "<script>&\"x"}).body.decode()
    assert "request &lt;script&gt;&amp;&quot;x<" in page and "<script" not in page


def test_an_answer_of_the_backend_and_a_refusal_below_503_stay_what_they_are(rig, backend):
    sidecar = rig.probegate(f"proxy: {{backend: 'http://127.0.0.1:{free_port()}'}}").start()
    assert ask(sidecar).headers["Content-Type"] == "application/problem+json"
    assert ask(sidecar).status == 502


# The Close

def opened(sidecar, subprotocols=None):
    async def connect():
        async with websockets.connect(f"ws://127.0.0.1:{sidecar.proxy_port}/ws", subprotocols=subprotocols) as socket:
            await asyncio.wait_for(socket.wait_closed(), 20)
            return socket.close_code, socket.close_reason, socket.subprotocol

    return asyncio.run(connect())


def test_an_upgrade_is_accepted_and_closed_with_the_reason(rig, backend):
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}', websocket: {{refuse: close}}}}" + CLOSED % (free_port(), "startup")).start()
    assert opened(sidecar) == (1013, "gate_closed", None)
    assert opened(sidecar, ["chat.v2", "chat"]) == (1013, "gate_closed", "chat.v2")
    families = metrics.parse(sidecar.metrics())
    assert families["probegate_refused_total"].value(reason="gate_closed") == 2
    assert families["probegate_upgrades_total"].value(result="refused") == 2
    assert families["probegate_upgrades_total"].value(result="accepted") == 0
    sidecar.wait_for_lines(lambda line: line["message"] == "GET /ws 503 refused: gate_closed", 2)
    wait_for(lambda: sidecar.probe("/status").json["traffic"]["connections"]["open"], lambda count: count == 0, "the connections to end")


def test_what_is_no_valid_handshake_gets_its_http_answer(rig):
    sidecar = rig.probegate("proxy: {websocket: {refuse: close}}" + CLOSED % (free_port(), "startup")).start()
    with Raw.connect(sidecar.proxy_port) as client:
        client.send(upgrade_request().replace(b"Sec-WebSocket-Key", b"X-Key"))
        problem_on(client, "gate_closed", waiting_for=["needed"])


@pytest.mark.parametrize("reply", [True, False])
def test_a_client_that_does_not_answer_the_close_keeps_no_connection(rig, reply):
    sidecar = rig.probegate("proxy: {websocket: {refuse: close}}" + CLOSED % (free_port(), "startup")).start()
    with Raw.connect(sidecar.proxy_port) as client:
        client.send(upgrade_request())
        assert client.read_head().status == 101
        _, opcode, payload, masked = client.read_frame()
        assert (opcode, close_code(payload), payload[2:], masked) == (CLOSE, 1013, b"gate_closed", False)
        if reply:
            client.send_frame(CLOSE, payload[:2], mask=True)
        assert client.ends()
        wait_for(lambda: sidecar.probe("/status").json["traffic"]["connections"]["open"], lambda count: count == 0, "the connection to end")


def test_by_default_it_is_http(rig):
    sidecar = rig.probegate(CLOSED % (free_port(), "startup")).start()
    with Raw.connect(sidecar.proxy_port) as client:
        client.send(upgrade_request())
        problem_on(client, "gate_closed", waiting_for=["needed"])


# A real browser

SCRIPT = """
const done = arguments[arguments.length - 1];
const socket = new WebSocket(arguments[0], arguments[1]);
socket.onclose = event => done([event.code, event.reason, event.wasClean]);
"""


def test_a_script_in_a_browser_learns_why_in_every_state_of_the_gate(rig, backend):
    sidecar = rig.probegate(f"""
proxy: {{backend: '{backend.url}', websocket: {{refuse: close}}, hold: {{max: 10, timeout: 300ms}}}}
drain: {{timeout: 60s}}
""").start()
    with contextlib.closing(Browser()) as browser:
        browser.open(f"http://127.0.0.1:{sidecar.proxy_port}/mirror")

        def see(protocols=()):
            return browser.run_async(SCRIPT, f"ws://127.0.0.1:{sidecar.proxy_port}/ws", list(protocols))
        act(sidecar, "pause")
        assert see() == [1013, "hold_timeout", True]
        assert see(["chat"]) == [1013, "hold_timeout", True]
        act(sidecar, "resume")
        act(sidecar, "drain")
        assert see() == [1012, "draining", True]


def act(sidecar, action):
    assert sidecar.probe(f"/{action}", method="POST", headers={"Probegate-Action": action, "Host": "localhost"}).status == 200


def test_the_page_gets_in_by_itself_once_the_gate_opens(rig, backend):
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}'}}").start()
    act(sidecar, "pause")
    with contextlib.closing(Browser()) as browser:
        browser.open(f"http://127.0.0.1:{sidecar.proxy_port}/mirror")
        wait_until(lambda: "paused for maintenance" in browser.source, "the page")
        act(sidecar, "resume")
        wait_until(lambda: "paused for maintenance" not in browser.source, "the backend's answer", timeout=30)

"""What somebody sees who opens the probe port in a browser, and what a program reads in its place
(docs/contract.md, "Probe port")."""

import http.client
import re
import socket
import urllib.parse

import pytest

from support.backends import failing, silent
from support.browser import Browser
from support.ports import free_port
from support.probegate import command
from support.raw import Raw, upgrade_request
from support.waiting import wait_for, wait_until

PASSWORD = "hunter2-is-secret"


@pytest.fixture
def watched(rig, backend):
    """A sidecar whose Redis has not been started, with a password that nobody may see."""
    redis = rig.redis(password=PASSWORD)
    sidecar = rig.probegate(f"""
proxy: {{backend: "{backend.url}"}}
checks:
  redis: {{type: redis, url: "{redis.url()}", interval: 100ms, startup_interval: 100ms, fall: 1}}
  websocket: {{type: websocket, url: /ws, needs: [redis], interval: 100ms, startup_interval: 100ms}}
  broker: {{type: tcp, address: "127.0.0.1:{free_port()}", affects: []}}
""").start()
    sidecar.redis = redis
    sidecar.wait_for_error("redis", "connect")
    return sidecar


@pytest.fixture(scope="module")
def browsers():
    """They take seconds to start, so each kind is started once; a page of its own is what a test needs."""
    started = {}

    def browser(**options):
        kind = tuple(sorted(options.items()))
        if kind not in started:
            started[kind] = Browser(**options)
        return started[kind]

    yield browser
    for one in started.values():
        one.close()


@pytest.fixture
def browse(browsers):  # pylint: disable=redefined-outer-name
    def open_page(sidecar, **options):
        return browsers(**options).open(f"http://127.0.0.1:{sidecar.probe_port}/")
    return open_page


def test_the_page_says_at_a_glance_what_is_wrong_and_follows_without_a_reload(watched, browse):
    """The state, why, and the change; the window is the same all the while."""
    page = browse(watched)
    page.run("window.untouched = true")
    assert page.text("h1") == "not ready"
    assert page.text("#summary") == "The gate is starting, waiting for redis."
    assert "connection refused" in page.text("#causes")
    assert page.title == f"probegate: not ready, {socket.gethostname()}"

    watched.redis.start()
    page.wait_for_text("h1", "ready")
    page.wait_for_text("#summary", "The gate is open.")
    wait_for(lambda: page.title, lambda title: title.startswith("probegate: ready, "), "the title")
    assert page.text("#live") == "live"

    watched.redis.kill()
    page.wait_for_text("#causes", "redis: connect: ")
    assert page.run("return window.untouched") is True
    assert page.complaints() == []


def test_the_page_shows_the_start_the_checks_and_the_events(watched, browse):
    watched.redis.start()
    watched.wait_for_gate("open")
    page = browse(watched)
    page.wait_for_text("#lately", "starting → open")
    assert page.texts("caption") == ["Checks", "Start-up", "Recent events", "Refusals by reason"]
    assert any(row.startswith("gate opened") for row in page.texts("tbody tr"))
    assert len(page.all("svg.fall rect.pass")) == 2  # redis and websocket; the broker never passes
    assert len(page.all("svg.fall rect.open")) == 1
    wait_until(lambda: "runs:" in page.run("return document.querySelector('svg.spark').ariaLabel"), "a sparkline")
    checks = page.text("main > div:nth-of-type(1)")
    assert "reported only" in checks
    assert "websocket may run now" in page.text("#lately")


def test_the_page_counts_traffic_and_refusals(watched, browse):
    for _ in range(3):
        assert watched.request("/").status == 503
    watched.redis.start()
    watched.wait_for_gate("open")
    page = browse(watched)
    page.wait_for_text("#lately", "gate_closed")
    with Raw.tunnel(watched.proxy_port) as client:
        for _ in range(5):
            client.send_frame(1, b"hello", mask=True)
            client.read_frame()
        figures = page.wait_for_text("#figures", "tunnels\n1")
        wait_for(lambda: page.text("#figures"), lambda text: "messages per minute\n10" in text, "ten messages")
    assert re.search(r"refused per minute\n3", figures)


def test_no_secret_reaches_the_page_or_the_document(watched, browse):
    page = browse(watched)
    page.wait_for_text("#live", "live")
    watched.redis.start()
    page.wait_for_text("#summary", "open")
    assert PASSWORD not in page.source
    for path in ("/", "/status", "/metrics"):
        assert PASSWORD not in watched.probe(path).text


def test_the_page_loads_nothing_but_itself(watched, browse):
    page = browse(watched)
    page.wait_for_text("#live", "live")
    asked = {url for url in page.requests() if urllib.parse.urlsplit(url).scheme not in ("chrome", "data")}
    root = f"http://127.0.0.1:{watched.probe_port}"
    assert asked == {f"{root}/", f"{root}/events"}
    assert page.complaints() == []


def test_the_page_runs_no_script_but_its_own(watched, browse):
    """Whatever a dependency could smuggle in: the policy of the page names its script by hash."""
    page = browse(watched)
    page.run("""
        const script = document.createElement('script');
        script.textContent = 'window.smuggled = true';
        document.body.append(script);
        document.body.insertAdjacentHTML('beforeend', '<img src=x onerror="window.smuggled = true">');""")
    wait_for(page.complaints, lambda said: any("Content Security Policy" in line for line in said), "the browser's word")
    assert page.run("return window.smuggled ?? false") is False


def test_the_page_works_without_scripts(watched, browse):
    watched.redis.start()
    watched.wait_for_gate("open")
    page = browse(watched, scripts=False)
    assert page.text("h1") == "ready"
    assert len(page.all("table")) == 4
    assert page.all("noscript meta[http-equiv=refresh]") or page.all("meta[http-equiv=refresh]")
    assert not page.all("#pause")[0].is_displayed()


def test_the_page_is_for_keyboards_and_screen_readers(watched, browse):
    """Landmarks, captions, headers with a scope, words for what is drawn, a way to hold it still."""
    page = browse(watched)
    page.wait_for_text("#live", "live")
    for selector in ("html[lang]", "header", "main", "footer nav[aria-label]", "h1", "#summary[role=status]"):
        assert page.all(selector), selector
    assert page.all("th[scope]") and not page.all("th:not([scope])")
    assert page.all("svg") and not page.all("svg:not([aria-label]):not([aria-hidden])")
    page.press("\ue004")  # Tab
    assert page.focused.text == "Skip to the state"
    page.press("\ue004")
    assert page.focused.get_attribute("id") == "pause"
    page.press(" ")
    page.wait_for_text("#live", "paused")
    watched.redis.start()
    watched.wait_for_gate("open")
    assert "starting" in page.text("#summary")
    page.press(" ")
    page.wait_for_text("#summary", "open")
    assert page.focused.get_attribute("id") == "pause"  # the focus survives an update


def test_the_page_obeys_the_users_liking_of_dark_or_light(watched, browse):
    grounds = [browse(watched, dark=dark).run("return getComputedStyle(document.body).backgroundColor") for dark in (False, True)]
    assert grounds == ["rgb(255, 255, 255)", "rgb(13, 17, 23)"]


def test_a_viewer_does_not_delay_the_end(watched):
    """The last that viewers see is the drain; then they are cut with the process."""
    with Raw.connect(watched.probe_port) as viewer:
        viewer.send(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert viewer.read_head().get("content-type") == "text/event-stream"
        assert b"<h1>" in viewer.read_some()
        assert watched.stop() == 0
        rest = b""
        while chunk := viewer.read_some():
            rest += chunk
        assert b"draining" in rest


def test_the_status_document_tells_the_story(watched):
    """Versioned, with the readiness document's keys, the timeline, the events and the traffic."""
    assert watched.request("/").status == 503
    watched.redis.start()
    watched.wait_for_gate("open")
    wait_until(lambda: watched.probe("/status").json["traffic"]["recent_refusals"], "the refusal to be noted")
    status = watched.probe("/status").json
    assert status["schema"] == 1
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", status["version"])
    assert (status["gate"], status["redis"], status["broker"]) == ("open", True, False)
    steps = {step["check"]: step for step in status["timeline"]["steps"]}
    assert list(steps) == ["redis", "websocket", "broker"]
    assert steps["redis"]["runnable_seconds"] == 0
    assert steps["redis"]["passed_seconds"] <= steps["websocket"]["runnable_seconds"] <= steps["websocket"]["passed_seconds"]
    assert steps["websocket"]["passed_seconds"] <= status["timeline"]["gate_open_seconds"] + 0.001
    assert steps["broker"]["passed_seconds"] is None
    seen = [(event["kind"], event.get("check"), event.get("to")) for event in status["events"]]
    assert seen.index(("check", "redis", "fail")) < seen.index(("check", "redis", "pass")) < seen.index(("gate", None, "open"))
    failure = next(event for event in status["events"] if event.get("to") == "fail" and event["check"] == "redis")
    assert failure["error"]["kind"] == "connect"
    assert status["traffic"]["refused_total"] == {"gate_closed": 1}
    assert status["traffic"]["recent_refusals"][0]["reason"] == "gate_closed"
    assert status["recent_runs"]["redis"]["runs"][-1]["failed"] is False


def test_the_events_tell_of_reloads_and_refusals(rig, backend):
    config = f"""
proxy: {{backend: "{backend.url}"}}
checks: {{web: {{type: websocket, url: /ws, interval: 200ms}}}}
"""
    sidecar = rig.probegate(config).start()
    sidecar.wait_for_gate("open")

    def events():
        return [(event["kind"], event.get("to")) for event in sidecar.probe("/status").json["events"]]

    sidecar.send(1)  # SIGHUP
    wait_until(lambda: ("reload", "applied") in events(), "the reload")
    with open(sidecar.config_file, "w") as file:
        file.write("nonsense: true\n")
    sidecar.send(1)
    wait_until(lambda: ("reload", "refused") in events(), "the refused reload")
    rig.made.remove(backend)
    backend.close()
    wait_until(lambda: sidecar.request("/mirror").status and ("gate", "closed") in events(), "the gate to close")


def test_an_open_gate_is_not_green_while_clients_are_refused_and_the_page_says_why(rig, backend, browse):
    """The auth service hangs: the gate is open, and no client gets a session."""
    auth = rig.scripted(silent)
    sidecar = rig.probegate(f"""
proxy: {{backend: "{backend.url}"}}
auth: {{url: "{auth.url}", timeout: 50ms, breaker: {{failures: 2, recovery: 60s}}}}
""").start()
    sidecar.wait_for_gate("open")
    page = browse(sidecar)
    page.wait_for_text("#summary", "The gate is open.")
    assert page.run("return document.querySelector('#state').className") == "good"
    for _ in range(5):
        with Raw.connect(sidecar.proxy_port) as client:
            client.send(upgrade_request())
            assert client.read_head().get("Probegate-Reason") == "auth_unavailable"
    page.wait_for_text("#clients", "0 accepted, 5 refused (5 auth_unavailable), 0 failed")
    page.wait_for_text("#state", "most upgrades of the last minute failed or were refused")
    page.wait_for_text("#state", "the auth breaker is open")
    assert page.run("return document.querySelector('#state').className") == "warn"
    page.wait_for_text("#lately", "auth breaker")
    assert sidecar.probe("/health/ready").status == 200, "readiness is about the gate and the checks"


def test_plain_requests_that_fail_are_counted_by_class_on_page_and_status(rig):
    sidecar = rig.probegate(f"proxy: {{backend: '{rig.scripted(failing).url}'}}").start()
    sidecar.wait_for_gate("open")
    for _ in range(4):
        assert sidecar.request("/").status == 500
    with Raw.connect(sidecar.proxy_port) as client:
        client.send(upgrade_request())
        assert client.read_head().status == 500
    minute = wait_for(lambda: sidecar.probe("/status").json["traffic"], lambda seen: seen["last_minute"]["requests"]["5xx"] == 4,
                      "the answers to be counted")
    assert minute["last_minute"]["upgrades"] == {"accepted": 0, "refused": 0, "failed": 1, "refused_by": {},
                                                 "failed_by": {"backend_5xx": 1}}
    assert len(minute["concerns"]) == 2
    shown = command("status", "--url", f"http://127.0.0.1:{sidecar.probe_port}")
    assert shown.returncode == 0
    assert "requests in the last minute: 0 2xx, 0 3xx, 0 4xx, 4 5xx" in shown.stdout
    assert "upgrades in the last minute: 0 accepted, 0 refused, 1 failed (1 backend_5xx)" in shown.stdout
    assert "most requests of the last minute failed or were refused" in shown.stdout


def test_the_page_names_whose_it_is(watched, browse):
    page = browse(watched)
    identity = page.wait_for_text("#identity", "backend")
    assert socket.gethostname() in identity and watched.config_file in identity
    assert f"127.0.0.1:{watched.redis.port}" in page.text("main > div:nth-of-type(1)"), "what each check asks"


def test_other_peoples_names_get_no_page(watched):
    """A web site whose name resolves to this machine could read it otherwise; probes are not asked for their Host."""
    for path in ("/", "/status", "/events"):
        assert watched.probe(path, headers={"Host": "evil.example"}).status == 403
    for path in ("/health/live", "/metrics"):
        assert watched.probe(path, headers={"Host": "evil.example"}).status == 200
    assert watched.probe("/status", headers={"Host": "localhost:1"}).status == 200


def test_bytes_of_a_server_that_are_no_utf8_are_replaced(rig):
    def reply(connection):
        while connection.read_some():
            connection.send(b"-ERR \xff\xfe \xc3( no such thing\r\n")

    server = rig.scripted(reply)
    sidecar = rig.probegate(f"checks: {{redis: {{type: redis, url: 'redis://127.0.0.1:{server.port}', interval: 50ms}}}}").start()
    wait_until(lambda: "no such thing" in (sidecar.check("redis")["error"] or {}).get("message", ""), "the error")
    for path in ("/", "/status", "/health/ready"):
        connection = http.client.HTTPConnection("127.0.0.1", sidecar.probe_port, timeout=20)
        connection.request("GET", path)
        body = connection.getresponse().read()
        assert "\ufffd" in body.decode("utf-8"), path
        connection.close()

"""A websocket or http check that is refused: what it shows, what passes all the same, and how often it asks."""

import base64

import pytest

from support.raw import upgrade_response
from support.waiting import wait_until

COOKIE = "session=c00kie-of-ours"
TOKEN = "t0ken-in-the-query"
ADVICE = {"websocket": ("headers", "subprotocols", "expect_status"), "http": ("headers", "expect_status")}


def answering(status, body="", extra=""):
    """A server with one answer for every request; `{cookie}` in its body is the client's."""
    def script(connection):
        head = connection.read_head()
        text = body.replace("{cookie}", head.get("Cookie", ""))
        connection.send(f"HTTP/1.1 {status} Whatever\r\n{extra}Content-Length: {len(text)}\r\n\r\n{text}".encode())
        connection.read_to_end()
    return script


def checked(rig, kind, server, keys=""):
    scheme = "ws" if kind == "websocket" else "http"
    return rig.probegate(f"checks: {{it: {{type: {kind}, url: '{scheme}://127.0.0.1:{server.port}/live?token={TOKEN}', "
                         f"headers: {{Cookie: '{COOKIE}'}}, startup_interval: 50ms{keys}}}}}\n").start()


@pytest.mark.parametrize("kind", ["websocket", "http"])
@pytest.mark.parametrize("status, error_kind", [(400, "answer"), (401, "auth"), (403, "auth"), (404, "answer"), (500, "answer")])
def test_a_refusal_shows_url_status_and_answer_and_names_the_keys_that_help(rig, kind, status, error_kind):
    server = rig.scripted(answering(status, "the  Origin\r\nis not \x01 allowed"))
    sidecar = checked(rig, kind, server)
    told = sidecar.wait_for_error("it", error_kind)["message"]
    scheme = "ws" if kind == "websocket" else "http"
    assert f"answered {status}" in told and f"{scheme}://127.0.0.1:{server.port}/live" in told
    assert '"the Origin is not allowed"' in told
    for key in ADVICE[kind]:
        assert key in told
    assert TOKEN not in sidecar.probe("/status").text + sidecar.output()


@pytest.mark.parametrize("kind", ["websocket", "http"])
def test_a_refusal_shows_160_bytes_and_none_of_ours_in_any_form(rig, kind):
    encoded = base64.b64encode(COOKIE.encode()).decode()
    for body in ("you sent {cookie} " + "x" * 300, "x" * 150 + "{cookie}" + "x" * 300, f"you sent {encoded}", "x" * 155 + encoded,
                 f"asked for /live?token={TOKEN}"):
        server = rig.scripted(answering(403, body))
        sidecar = checked(rig, kind, server)
        told = sidecar.wait_for_error("it", "auth")["message"]
        said = told.split(' said "')[1].split('";')[0]
        assert len(said) <= 163
        seen = sidecar.probe("/status").text + sidecar.output()
        for secret in (COOKIE, COOKIE[8:], encoded, TOKEN):
            assert secret[:8] not in seen
        assert sidecar.stop() == 0


@pytest.mark.parametrize("kind", ["websocket", "http"])
def test_a_redirection_shows_where_it_points_without_secrets(rig, kind):
    server = rig.scripted(answering(301, extra=f"Location: http://user:hunter22@127.0.0.1/live/?token={TOKEN}\r\n"))
    sidecar = checked(rig, kind, server)
    told = sidecar.wait_for_error("it", "answer")["message"]
    assert "answered 301" in told and "127.0.0.1/live/" in told
    assert "hunter22" not in told and TOKEN not in told
    relative = rig.scripted(answering(308, extra="Location: /live/\r\n"))
    assert "redirects to /live/" in checked(rig, kind, relative).wait_for_error("it", "answer")["message"]


def test_an_endpoint_that_wants_a_login_passes_where_that_is_expected(rig, backend):
    wants_login, serves, broken = rig.scripted(answering(401, "login first")), backend, rig.scripted(answering(500))
    key = "type: websocket, affects: [], expect_status: [101, 401, 403]"
    sidecar = rig.probegate(f"checks:\n  login: {{{key}, url: 'ws://127.0.0.1:{wants_login.port}/ws'}}\n"
                            f"  serves: {{{key}, url: 'ws://127.0.0.1:{serves.port}/ws'}}\n"
                            f"  broken: {{{key}, url: 'ws://127.0.0.1:{broken.port}/ws'}}\n"
                            f"  must_refuse: {{type: websocket, affects: [], expect_status: ['401-403'], url: 'ws://127.0.0.1:{serves.port}/ws'}}\n"
                            ).start()
    sidecar.wait_for_check("login", "pass")
    sidecar.wait_for_check("serves", "pass")
    assert "answered 500 to the upgrade, expected 101 or 401 or 403" in sidecar.wait_for_error("broken", "answer")["message"]
    assert "answered 101 to the upgrade, expected 401-403" in sidecar.wait_for_error("must_refuse", "answer")["message"]


@pytest.mark.parametrize("kind, refusal", [("websocket", 401), ("websocket", 403), ("http", 401)])
def test_a_refusal_over_http_is_no_login_and_is_asked_again_at_the_usual_pace(rig, kind, refusal):
    refuses = True

    def script(connection):
        if refuses:
            return answering(refusal, extra="Connection: close\r\n")(connection)
        if kind == "http":
            return answering(200, extra="Connection: close\r\n")(connection)
        head = connection.read_head()
        connection.send(upgrade_response(head.get("Sec-WebSocket-Key")))
        return connection.read_to_end()

    server = rig.scripted(script)
    sidecar = checked(rig, kind, server, ", ping: false" if kind == "websocket" else "")
    wait_until(lambda: sidecar.check("it")["runs"] >= 40, "forty attempts")
    refuses = False
    sidecar.wait_for_check("it", "pass")


def test_a_body_that_does_not_come_is_not_waited_for(rig):
    def script(connection):
        connection.read_head()
        connection.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 1000\r\n\r\nbad origin")
        connection.read_to_end()
    server = rig.scripted(script)
    sidecar = checked(rig, "websocket", server, ", timeout: 5s")
    assert '"bad origin"' in sidecar.wait_for_error("it", "auth")["message"]

"""Auth before the upgrade: docs/contract.md, "Proxy" and docs/auth.md.

The auth service is a real one, in a process of its own; a scripted one only where nobody may be asked.
"""

import os
import threading
import time

import pytest

from support import dns
from support.backends import silent
from support.expect import problem_on
from support.metrics import parse
from support.probegate import command
from support.raw import KEY, TEXT, Raw, accept_value, upgrade_request
from support.threads import StoppedThread
from support.waiting import PATIENCE, wait_for, wait_until

ADA = "Authorization: Bearer ada\r\n"


def config(backend, url, keys="", checks="{}"):
    return f"""
proxy: {{backend: "{backend.url}"}}
checks: {checks}
auth:
  url: {url}/validate
  {keys}
"""


def auth_metric(sidecar, name, **labels):
    families = parse(sidecar.metrics())
    return families[f"probegate_auth_{name}"].value(**labels)


def result(sidecar, word):
    return auth_metric(sidecar, "requests_total", result=word)


def upgrade(sidecar, extra=ADA):
    """A connection that has asked for an upgrade."""
    client = Raw.connect(sidecar.proxy_port)
    client.send(upgrade_request(extra=extra))
    return client


def accepted(client):
    head = client.read_head()
    assert head.status == 101, head
    assert head.get("sec-websocket-accept") == accept_value(KEY)
    return client


def refused(sidecar, extra=ADA, reason="auth_unavailable"):
    """Seconds until the refusal was whole."""
    start = time.monotonic()
    with upgrade(sidecar, extra) as client:
        problem_on(client, reason)
    return time.monotonic() - start


def test_an_upgrade_passes_with_the_users_name_and_a_stranger_gets_the_services_answer(rig, backend):
    """401 and 403 are passed on with status, body and `WWW-Authenticate`, and with the reason and `Connection: close`."""
    service = rig.auth_service()
    sidecar = rig.probegate(config(backend, service.url)).start()
    with accepted(upgrade(sidecar)) as client:
        client.send_frame(TEXT, b"hello", mask=True)
        assert client.read_frame()[2] == b"hello"
    for extra, status, body in (("", 401, b"who are you?"), ("Authorization: Bearer stranger\r\n", 403, b'{"error": "not you"}')):
        with upgrade(sidecar, extra) as client:
            client.send(b"GET /mirror HTTP/1.1\r\nHost: proxy.test\r\n\r\n")
            head = client.read_head()
            assert head.status == status
            assert head.get("probegate-reason") == "auth_denied"
            assert head.get("connection") == "close"
            assert head.get("www-authenticate") == ('Bearer realm="chat"' if status == 401 else None)
            assert client.read_body(head) == body
            assert client.ends()
    assert not backend.connections, "nothing behind a refused upgrade is forwarded"
    assert (result(sidecar, "allowed"), result(sidecar, "denied")) == (1, 2)
    question = service.questions()[0]
    assert question["authorization"] == "Bearer ada"
    assert (question["x-forwarded-method"], question["x-forwarded-uri"]) == ("GET", "/ws")
    assert not {"upgrade", "connection", "sec-websocket-key", "sec-websocket-version"} & set(question)


def test_with_applies_to_all_every_request_is_asked_about(rig, backend):
    """What is copied from the 2xx answer to the backend replaces what a client sent under that name."""
    service = rig.auth_service()
    sidecar = rig.probegate(config(backend, service.url, "applies_to: all")).start()
    with Raw.connect(sidecar.proxy_port) as client:
        for path in ("/mirror/1", "/mirror/2"):
            client.send(f"POST {path} HTTP/1.1\r\nHost: proxy.test\r\n{ADA}X-User-Id: root\r\nX_User_Id: root\r\n"
                        "Content-Length: 5\r\n\r\nhello".encode())
            head = client.read_head()
            assert head.status == 200
            seen = client.read_body(head).decode()
            assert '"size": 5' in seen
            assert '["X-User-Id", "ada"]' in seen
            assert "root" not in seen
        client.send(b"GET /mirror/3 HTTP/1.1\r\nHost: proxy.test\r\n\r\n")
        assert client.read_head().status == 401
    assert [question["x-forwarded-uri"] for question in service.questions()] == ["/mirror/1", "/mirror/2", "/mirror/3"]


def test_a_dead_service_costs_the_first_few_its_timeout_and_then_nobody_anything(rig, backend):
    """No request waits longer than `auth.timeout`, and none while the breaker is open; a metric sums up what is saved."""
    service = rig.scripted(silent)
    sidecar = rig.probegate(config(backend, service.url, "timeout: 700ms\n  breaker: {failures: 3, recovery: 1h}")).start()
    first = [refused(sidecar) for _ in range(3)]
    assert min(first) >= 0.69
    assert auth_metric(sidecar, "breaker_open") == 1
    connections = service.connections
    spared = [refused(sidecar) for _ in range(50)]
    assert service.connections == connections == 3, "with an open breaker nobody is asked"
    assert min(spared) < 0.05
    assert result(sidecar, "unavailable") == 53
    assert auth_metric(sidecar, "prevented_seconds_total") == pytest.approx(50 * 0.7)
    told = sidecar.wait_for_lines(lambda line: line["message"].startswith("auth breaker"))
    assert [line["severity"] for line in told] == ["WARNING"]
    assert not backend.connections
    print(f"first {max(first) * 1000:.0f} ms, then median {sorted(spared)[25] * 1000:.2f} ms, best {min(spared) * 1000:.2f} ms")


def test_a_service_that_is_stopped_and_goes_on_closes_the_breaker_again(rig, backend):
    """After `recovery` one trial request decides; SIGSTOP leaves the service's connections open and silent."""
    service = rig.auth_service()
    sidecar = rig.probegate(config(backend, service.url, "timeout: 500ms\n  breaker: {failures: 2, recovery: 500ms}")).start()
    accepted(upgrade(sidecar)).close()
    service.freeze()
    refused(sidecar)
    refused(sidecar)
    assert auth_metric(sidecar, "breaker_open") == 1
    service.thaw()

    def passes():
        with upgrade(sidecar) as client:
            return client.read_head().status == 101
    wait_until(passes, "a trial to close the breaker")
    assert auth_metric(sidecar, "breaker_open") == 0
    told = sidecar.wait_for_lines(lambda line: line["message"].startswith("auth breaker"), 2)
    assert len(told) == 2, "one line for its opening, one for its closing"


def test_while_the_precheck_fails_nobody_is_asked(rig, backend):
    """With a `precheck` that fails, the answer is `auth_unavailable` at once."""
    service = rig.auth_service()
    service.turn("fail")
    checks = f"{{service: {{type: http, url: '{service.url}/health', affects: [], interval: 50ms, fall: 1}}}}"
    sidecar = rig.probegate(config(backend, service.url, "timeout: 10s\n  precheck: service", checks)).start()
    sidecar.wait_for_check("service", "fail")
    assert refused(sidecar) < 5
    assert service.questions() == []
    assert auth_metric(sidecar, "prevented_seconds_total") == 10
    service.turn("well")
    sidecar.wait_for_check("service", "pass")
    accepted(upgrade(sidecar)).close()
    assert len(service.questions()) == 1


def test_the_bypass_opens_the_proxy_while_auth_is_unavailable_and_only_then(rig, backend):
    """Each use is logged and counted, and the backend never sees the header."""
    secret = os.path.join(rig.directory, "bypass")
    with open(secret, "w") as file:
        file.write("tr0mbone\n")
    service = rig.auth_service()
    keys = f"applies_to: all\n  bypass: {{header: x-e2e-bypass, secret_file: {secret}}}"
    sidecar = rig.probegate(config(backend, service.url, keys)).start()

    def ask(path="/mirror", value="tr0mbone", token="stranger"):
        return sidecar.request(path, headers={"Authorization": f"Bearer {token}", "X-E2E-Bypass": value})
    assert ask().status == 403
    service.turn("fail")
    answer = ask()
    assert answer.status == 200
    assert "tr0mbone" not in answer.text
    assert ask(value="trombone").headers["Probegate-Reason"] == "auth_unavailable"
    assert ask(value="tr0mbone").status == 200, "with an open breaker, too"
    assert (result(sidecar, "bypassed"), result(sidecar, "unavailable")) == (2, 1)
    assert len(sidecar.wait_for_lines(lambda line: line["message"] == "auth bypassed", 2)) == 2
    assert "tr0mbone" not in sidecar.output() + sidecar.metrics()

    production = os.path.join(rig.directory, "production.yaml")
    with open(production, "w") as file:
        file.write(config(backend, service.url, keys + "\n  profile: production"))
    ran = command("validate", "-c", production)
    assert ran.returncode == 2
    assert "auth.bypass" in ran.stderr and "production" in ran.stderr


def test_on_unavailable_allow_lets_everybody_in_while_the_service_is_gone(rig, backend):
    """A denial stays one: the service has spoken."""
    service = rig.auth_service()
    sidecar = rig.probegate(config(backend, service.url, "on_unavailable: allow")).start()
    with upgrade(sidecar, "") as client:
        assert client.read_head().status == 401
    service.kill()
    for _ in range(4):
        accepted(upgrade(sidecar, "")).close()
    assert result(sidecar, "unavailable") == 4


def test_when_the_thread_that_asks_stands_still_everybody_still_gets_an_answer(rig, backend):
    """No request waits longer than `auth.timeout`, whatever part of us hangs."""
    service = rig.auth_service()
    sidecar = rig.probegate(config(backend, service.url, "timeout: 600ms\n  breaker: {failures: 2, recovery: 500ms}")).start()
    with StoppedThread(sidecar.pid, "auth"):
        refused(sidecar)
        refused(sidecar)
        assert auth_metric(sidecar, "breaker_open") == 1
        assert sidecar.probe("/health").status == 200
    wait_until(lambda: upgrade(sidecar).read_head().status == 101, "the proxy to open again")


@pytest.mark.skipif(not dns.available(), reason="replacing /etc/resolv.conf for one process needs root, and a mount namespace")
def test_a_black_holed_name_of_the_service_costs_the_timeout(rig, backend):
    """`auth.timeout` is for the whole question: the name and the connect included."""
    server = rig.name_server("silent")
    sidecar = rig.probegate(config(backend, "http://auth.internal.test", "timeout: 500ms"), around=server.around).start()
    assert refused(sidecar) < PATIENCE / 2
    assert server.questions >= 1


def test_a_drain_refuses_those_who_wait_for_a_verdict(rig, backend):
    """Requests that wait on accepted connections get 503 `draining`; nothing of theirs has reached the backend."""
    service = rig.scripted(silent)
    sidecar = rig.probegate(config(backend, service.url, "timeout: 60s")).start()
    with upgrade(sidecar) as client:
        wait_until(lambda: service.connections == 1, "the service to be asked")
        sidecar.send(15)
        problem_on(client, "draining")
    assert sidecar.wait() == 0
    assert not backend.connections


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def test_500_upgrades_that_wait_for_a_hanging_service_slow_no_probe_and_no_tunnel(rig, backend):
    """The asking has a thread of its own. Bounds are for a busy machine, the figures are printed."""
    service = rig.auth_service()
    keys = "timeout: 4s\n  breaker: {failures: 1000}"
    sidecar = rig.probegate(config(backend, service.url, keys)).start()
    tunnel = accepted(upgrade(sidecar))
    service.turn("hang")
    waiting = [upgrade(sidecar) for _ in range(500)]
    begin = time.monotonic()
    wait_for(lambda: len(service.questions()), lambda count: count > 50, "the questions to be under way")

    probes, messages = [], []
    while time.monotonic() - begin < 3:
        start = time.monotonic()
        assert sidecar.probe("/health").status == 200
        probes.append(time.monotonic() - start)
        start = time.monotonic()
        tunnel.send_frame(TEXT, b"tick", mask=True)
        assert tunnel.read_frame()[2] == b"tick"
        messages.append(time.monotonic() - start)

    answered = []

    def read(client):
        problem_on(client, "auth_unavailable")
        answered.append(time.monotonic() - begin)
        client.close()
    readers = [threading.Thread(target=read, args=(client,)) for client in waiting]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(PATIENCE)
    assert len(answered) == 500
    assert result(sidecar, "unavailable") == 500
    print(f"while 500 upgrades wait: probe p99 {percentile(probes, .99) * 1000:.2f} ms of {len(probes)}, "
          f"tunnel echo p99 {percentile(messages, .99) * 1000:.2f} ms; the last refusal after {max(answered):.2f} s")
    assert percentile(probes, .99) < 0.5
    assert percentile(messages, .99) < 0.5
    tunnel.close()

"""A backend that went away and came back is counted, by what its connections show
(docs/contract.md, "Logs, metrics, events")."""

import pytest

from support import metrics
from support.ports import free_port
from support.raw import Raw, upgrade_response
from support.waiting import wait_for, wait_until


def answering(connection):
    while True:
        connection.read_head()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def restarts(sidecar):
    return metrics.parse(sidecar.metrics())["probegate_backend_restarts_total"].value()


@pytest.mark.parametrize("workers", [1, 4])
def test_the_proxy_alone_sees_a_restart_and_counts_it_once(rig, workers):
    """No check looks: refused connections between accepted ones are evidence enough, whichever data loop had them."""
    backend = rig.scripted(answering)
    sidecar = rig.probegate(f"""
proxy: {{backend: "{backend.url}", workers: {workers}, timeouts: {{connect: 100ms}}}}
""").start()
    for restart in (1, 2):
        assert sidecar.request("/").status == 200
        backend.close()
        wait_for(lambda: sidecar.request("/").status, lambda status: status == 502, "the backend to be gone")
        assert {sidecar.request("/").status for _ in range(8)} == {502}
        assert restarts(sidecar) == restart - 1
        backend = rig.scripted(answering, port=backend.port)
        assert {sidecar.request("/").status for _ in range(8)} == {200}
        assert restarts(sidecar) == restart
    told = "backend restarted"
    wait_until(lambda: [line for line in sidecar.logs() if line["message"] == told], "the log to tell it")
    assert [line for line in sidecar.logs() if line["message"] == told][-1]["severity"] == "WARNING"


def test_the_event_of_a_restart_counts_restarts_and_lost_tunnels(rig):
    """One who reads the page at night sees at once whether it was the first one, and whom it has hit."""
    def talking(connection):
        head = connection.read_head()
        if head.get("Upgrade") is None:
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
            return
        connection.send(upgrade_response(head.get("Sec-WebSocket-Key")))
        connection.read_to_end()
    backend = rig.scripted(talking)
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}', timeouts: {{connect: 100ms}}}}").start()

    def restart(old):
        old.close()
        wait_for(lambda: sidecar.request("/").status, lambda status: status == 502, "the backend to be gone")
        # A tunnel ends a little later: its client has time to answer the Close.
        wait_until(lambda: len([line for line in sidecar.logs() if line["message"] == "tunnel ended"]) == 2, "the tunnels to end")
        new = rig.scripted(talking, port=old.port)
        wait_for(lambda: sidecar.request("/").status, lambda status: status == 200, "the backend to be back")
        return new

    def messages():
        return [event["message"] for event in sidecar.probe("/status").json["events"] if event["kind"] == "backend_restart"]
    clients = [Raw.tunnel(sidecar.proxy_port) for _ in range(2)]
    told = "{} since the start of probegate; 2 tunnels lost in all"
    again = restart(backend)
    wait_for(messages, lambda seen: seen == [told.format("1 restart")], "the first restart to be told")
    restart(again)
    wait_for(lambda: sorted(messages()), lambda seen: seen == [told.format("1 restart"), told.format("2 restarts")], "the second")
    page = sidecar.probe("/", headers={"Accept": "text/html"}).text
    assert "2 tunnels lost in all" in page and "<dt>tunnels lost per minute</dt><dd>2</dd>" in page


def test_the_traffic_check_sees_a_restart_that_no_client_met(rig):
    backend = rig.http_backend()
    sidecar = rig.probegate(f"""
proxy: {{backend: "{backend.url}"}}
checks: {{websocket: {{type: websocket, url: /ws, interval: 50ms, startup_interval: 50ms, fall: 1}}}}
""").start()
    sidecar.wait_for_gate("open")
    backend.close()
    sidecar.wait_for_gate("closed")
    assert restarts(sidecar) == 0
    rig.http_backend(port=backend.port)
    sidecar.wait_for_gate("open")
    wait_for(lambda: restarts(sidecar), lambda count: count == 1, "the restart to be counted")


def test_a_backend_that_was_never_there_and_one_that_answers_errors_have_not_restarted(rig):
    port = free_port()
    sidecar = rig.probegate(f"""
proxy: {{backend: "http://127.0.0.1:{port}", timeouts: {{connect: 100ms}}}}
""").start()
    assert sidecar.request("/").status == 502
    rig.http_backend(port=port)
    assert sidecar.request("/status/500").status == 500
    assert sidecar.request("/mirror").status == 200
    assert restarts(sidecar) == 0

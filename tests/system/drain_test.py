"""SIGTERM with everything under way (docs/contract.md, "Drain"), and a process that is frozen ("Process")."""

import asyncio
import json
import signal
import socket
import time

import pytest
import websockets

from support import metrics
from support.backends import pattern
from support.expect import problem_on
from support.ports import free_port
from support.raw import CLOSE, TEXT, Raw, close_code, frame, upgrade_request, upgrade_response
from support.waiting import PATIENCE, wait_for, wait_until


def wait_at(backend, client):
    """A request that the backend answers when the test says so."""
    client.send(b"GET /wait HTTP/1.1\r\nHost: proxy.test\r\n\r\n")
    wait_until(lambda: backend.waiting, "the request to reach the backend")


def test_an_idle_sidecar_exits_with_0_at_once(proxy):
    """There is nothing to wait for."""
    start = time.monotonic()
    assert proxy.stop() == 0
    assert time.monotonic() - start < 4


def test_sigint_drains_too(proxy):
    proxy.send(signal.SIGINT)
    assert proxy.wait() == 0


def test_readiness_says_draining_at_once_and_the_probe_port_answers_to_the_end(rig, backend):
    """`drain.delay` is time in which traffic is still served; startup and liveness stay 200."""
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}'}}\ndrain: {{delay: 2s, timeout: 3s}}").start()
    sidecar.send(signal.SIGTERM)
    answer = wait_for(lambda: sidecar.probe("/health/ready"), lambda seen: seen.status == 503, "readiness to fail", timeout=1)
    assert answer.json["status"] == "draining"
    assert answer.json["gate"] == "draining"
    assert sidecar.probe("/health/startup").status == 200
    assert sidecar.probe("/health/startup").json["status"] == "ready"
    assert sidecar.probe("/health").status == 200
    assert sidecar.request("/mirror").status == 200, "during the delay it still serves"
    states = metrics.parse(sidecar.metrics())["probegate_gate_state"]
    assert states.value(state="draining") == 1

    refused = 0
    while sidecar.alive:
        try:
            assert sidecar.probe("/health").status == 200
            refused = 0
        except OSError:
            refused += 1
            assert refused < 50, "the probe port went silent before the process ended"
            time.sleep(0.01)
    assert sidecar.wait() == 0


def test_tunnels_get_a_close_frame_on_both_sides(rig):
    """The Close has `drain.close_code`, and is masked towards the backend."""
    backend_saw = []

    def script(connection):
        connection.send(upgrade_response(connection.read_head().get("sec-websocket-key")))
        _, opcode, payload, masked = connection.read_frame()
        backend_saw.append((opcode, close_code(payload), masked))
        connection.send_frame(CLOSE, payload[:2])
        connection.read_to_end()

    backend = rig.scripted(script)
    sidecar = rig.probegate(f"""
proxy: {{backend: "{backend.url}"}}
drain: {{timeout: 4s, close_code: 1012}}
""").start()
    clients = [Raw.tunnel(sidecar.proxy_port) for _ in range(5)]
    sidecar.send(signal.SIGTERM)
    for client in clients:
        fin, opcode, payload, masked = client.read_frame()
        assert (fin, opcode, close_code(payload), masked) == (True, CLOSE, 1012, False)
        client.send_frame(CLOSE, payload[:2], mask=True)
        assert client.ends()
    assert sidecar.wait() == 0
    wait_for(lambda: len(backend_saw), lambda count: count == 5, "every backend connection's Close")
    assert set(backend_saw) == {(CLOSE, 1012, True)}


def test_a_real_chat_client_sees_1001(rig):
    """With a well-kept client on either side the default code is 1001, and nobody sees 1006."""
    chat, *_ = rig.running_chat()
    sidecar = rig.probegate(f"proxy: {{backend: '{chat.url}'}}\ndrain: {{timeout: 4s}}").start()

    async def talk():
        sockets = [await websockets.connect(f"ws://127.0.0.1:{sidecar.proxy_port}/ws") for _ in range(10)]
        await sockets[0].send("hello")
        for client in sockets:
            assert "hello" in await asyncio.wait_for(client.recv(), PATIENCE)
        sidecar.send(signal.SIGTERM)
        for client in sockets:
            with pytest.raises(websockets.ConnectionClosed):
                await asyncio.wait_for(client.recv(), PATIENCE)
            assert client.close_code == 1001

    asyncio.run(talk())
    assert sidecar.wait() == 0


def test_closes_are_spread_over_the_first_half(rig, backend):
    """Not everybody reconnects in the same instant."""
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}'}}\ndrain: {{timeout: 4s}}").start()

    async def talk():
        sockets = [await websockets.connect(f"ws://127.0.0.1:{sidecar.proxy_port}/ws") for _ in range(20)]
        start = time.monotonic()
        sidecar.send(signal.SIGTERM)

        async def closed_after(client):
            await asyncio.wait_for(client.wait_closed(), PATIENCE)
            return time.monotonic() - start

        return await asyncio.gather(*map(closed_after, sockets))

    ended = asyncio.run(talk())
    assert max(ended) - min(ended) > 0.5
    assert max(ended) < 4
    assert sidecar.wait() == 0


def test_a_message_under_way_is_finished_before_the_close(rig):
    """The Close goes between two frames and never into somebody's message."""
    import threading
    go_on = threading.Event()

    def script(connection):
        connection.send(upgrade_response(connection.read_head().get("sec-websocket-key")))
        connection.send(b"\x82\x7e" + (1000).to_bytes(2, "big") + b"a" * 400)
        go_on.wait(PATIENCE)
        connection.send(b"b" * 600)
        connection.read_to_end()

    sidecar = rig.probegate(f"proxy: {{backend: '{rig.scripted(script).url}'}}\ndrain: {{timeout: 6s}}").start()
    with Raw.tunnel(sidecar.proxy_port) as client:
        head = client.read_exactly(4 + 400)
        assert head[4:] == b"a" * 400
        sidecar.send(signal.SIGTERM)
        wait_for(lambda: sidecar.ready()["status"], lambda status: status == "draining", "the drain to begin")
        uptime = sidecar.ready()["uptime_seconds"]
        sidecar.wait_for_readiness(lambda seen: seen["uptime_seconds"] > uptime + 0.5, "half a second")
        go_on.set()
        assert client.read_exactly(600) == b"b" * 600
        _, opcode, payload, _ = client.read_frame()
        assert (opcode, close_code(payload)) == (CLOSE, 1001)
    assert sidecar.wait() == 0


def test_http_in_flight_is_finished_with_connection_close(rig, backend):
    """Idle connections are closed with FIN."""
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}'}}\ndrain: {{timeout: 8s}}").start()
    with Raw.connect(sidecar.proxy_port) as idle, Raw.connect(sidecar.proxy_port) as busy:
        idle.send(b"GET /mirror HTTP/1.1\r\nHost: proxy.test\r\n\r\n")
        idle.read_body(idle.read_head())
        wait_at(backend, busy)
        sidecar.send(signal.SIGTERM)
        assert idle.read_some() == b""
        backend.release()
        head = busy.read_head()
        assert head.status == 200
        assert head.get("connection").lower() == "close"
        assert busy.read_body(head) == b"released"
        assert busy.ends()
    assert sidecar.wait() == 0


def test_a_download_under_way_is_finished(rig, backend):
    """A body that is already flowing is completed like an answer that has not begun."""
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}'}}\ndrain: {{timeout: 15s}}").start()
    size = 30_000_000
    with Raw.connect(sidecar.proxy_port, receive_buffer=65536) as client:
        client.send(f"GET /bytes?n={size} HTTP/1.1\r\nHost: proxy.test\r\n\r\n".encode())
        assert client.read_head().status == 200
        body = client.read_exactly(1000)
        sidecar.send(signal.SIGTERM)
        wait_for(lambda: sidecar.ready()["status"], lambda status: status == "draining", "the drain to begin")
        body += client.read_exactly(size - 1000)
        assert body == pattern(size)
        assert client.ends()
    assert sidecar.wait() == 0


def test_a_new_connection_is_refused_once_the_listeners_are_closed(rig, backend):
    """A new client is refused and not left hanging."""
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}'}}\ndrain: {{timeout: 10s}}").start()
    with Raw.connect(sidecar.proxy_port) as busy:
        wait_at(backend, busy)
        sidecar.send(signal.SIGTERM)

        def refused():
            try:
                Raw.connect(sidecar.proxy_port).close()
                return False
            except ConnectionRefusedError:
                return True

        wait_until(refused, "the listener to close", timeout=5)
        assert sidecar.probe("/health/ready").json["status"] == "draining"
        backend.release()
        assert busy.read_head().status == 200
    assert sidecar.wait() == 0


def test_a_request_completed_during_the_drain_is_503_draining(rig, backend):
    """A connection that was accepted before still gets an answer."""
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}'}}\ndrain: {{timeout: 10s}}").start()
    with Raw.connect(sidecar.proxy_port) as late, Raw.connect(sidecar.proxy_port) as busy:
        late.send(b"GET /mirror HTTP/1.1\r\nHost: do")
        wait_at(backend, busy)
        sidecar.send(signal.SIGTERM)
        wait_for(lambda: sidecar.ready()["status"], lambda status: status == "draining", "the drain to begin")
        late.send(b"or.test\r\n\r\n")
        problem_on(late, "draining")
        backend.release()
        assert busy.read_head().status == 200
    assert sidecar.wait() == 0


def test_a_data_loop_that_has_ended_is_not_stuck(rig, backend):
    """Liveness is about loops that stand still; in a long drain one loop has ended while another still serves."""
    sidecar = rig.probegate(f"""
proxy: {{backend: '{backend.url}', workers: 2}}
drain: {{timeout: 30s}}
""").start()
    with Raw.connect(sidecar.proxy_port) as busy:
        wait_at(backend, busy)
        sidecar.send(signal.SIGTERM)
        wait_for(lambda: sidecar.ready()["status"], lambda status: status == "draining", "the drain to begin")
        uptime = sidecar.ready()["uptime_seconds"]
        sidecar.wait_for_readiness(lambda seen: seen["uptime_seconds"] > uptime + 12, "12 seconds", timeout=20)
        assert sidecar.probe("/health/live").status == 200
        backend.release()
        assert busy.read_head().status == 200
    assert sidecar.wait() == 0
    assert not any("data loop blocked" in line["message"] for line in sidecar.logs())


def test_what_is_still_open_at_the_end_is_cut(rig, backend):
    """The budget is `drain.delay` plus `drain.timeout`, and the exit code is 0 all the same."""
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}'}}\ndrain: {{timeout: 1s}}").start()
    with Raw.connect(sidecar.proxy_port) as stuck, Raw.tunnel(sidecar.proxy_port) as deaf:
        wait_at(backend, stuck)
        start = time.monotonic()
        assert sidecar.stop() == 0
        assert time.monotonic() - start < 4
        assert deaf.read_frame()[1] == CLOSE


def test_a_second_signal_ends_it_at_once_with_1(rig, backend):
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}'}}\ndrain: {{timeout: 60s}}").start()
    with Raw.connect(sidecar.proxy_port) as stuck:
        wait_at(backend, stuck)
        sidecar.send(signal.SIGTERM)
        wait_for(lambda: sidecar.ready()["status"], lambda status: status == "draining", "the drain to begin")
        start = time.monotonic()
        sidecar.send(signal.SIGTERM)
        assert sidecar.wait() == 1
        assert time.monotonic() - start < 3


def test_sigterm_before_the_gate_was_ever_open(rig):
    """A drain while starting ends as well, with 0."""
    sidecar = rig.probegate(f"checks: {{broker: {{type: tcp, address: '127.0.0.1:{free_port()}'}}}}").start()
    start = time.monotonic()
    assert sidecar.stop() == 0
    assert time.monotonic() - start < 4


@pytest.mark.parametrize("state", ["starting", "failed", "closed"])
def test_sigterm_refuses_who_is_held_in_every_state_of_the_gate(rig, state):
    """Those who wait get 503 `draining`, with a full hold as well."""
    dependency = rig.http_backend()
    backend = rig.http_backend()
    affects = "traffic" if state == "closed" else "startup"
    port = dependency.port if state == "closed" else free_port()
    sidecar = rig.probegate(f"""
proxy: {{backend: '{backend.url}', workers: 2, hold: {{max: 5, timeout: 60s}}}}
gate: {{startup_timeout: {"500ms" if state == "failed" else "60s"}}}
checks: {{needed: {{type: tcp, address: "127.0.0.1:{port}", affects: [{affects}], interval: 100ms, fall: 1}}}}
drain: {{timeout: 8s}}
""").start()
    if state == "closed":
        sidecar.wait_for_gate("open")
        dependency.close()
        rig.made.remove(dependency)
    sidecar.wait_for_gate(state)
    clients = [Raw.connect(sidecar.proxy_port) for _ in range(5)]
    for client in clients:
        client.send(b"GET / HTTP/1.1\r\nHost: proxy.test\r\n\r\n")
    wait_for(lambda: metrics.parse(sidecar.metrics())["probegate_held"].value(), lambda held: held == 5, "five to be held")
    start = time.monotonic()
    sidecar.send(signal.SIGTERM)
    for client in clients:
        problem_on(client, "draining")
        client.close()
    assert sidecar.wait() == 0
    assert time.monotonic() - start < 6


def test_nothing_however_stubborn_takes_longer_than_the_budget(rig, backend):
    """After `drain.delay` plus `drain.timeout` the rest is cut; the exit code is 0, and probes are answered to the end."""
    sidecar = rig.probegate(f"""
proxy: {{backend: '{backend.url}', workers: 2}}
drain: {{delay: 500ms, timeout: 3s}}
""").start()
    half_head, keep_alive, endless, mute = (Raw.connect(sidecar.proxy_port) for _ in range(4))
    half_head.send(b"GET /mirror HT")
    keep_alive.send(b"GET /mirror HTTP/1.1\r\nHost: proxy.test\r\n\r\n")
    keep_alive.read_body(keep_alive.read_head())
    endless.send(b"GET /events HTTP/1.1\r\nHost: proxy.test\r\n\r\n")
    assert endless.read_head().status == 200
    never_replies, in_a_frame = Raw.tunnel(sidecar.proxy_port), Raw.tunnel(sidecar.proxy_port)
    in_a_frame.send(frame(TEXT, b"unfinished", mask=True)[:9])

    start = time.monotonic()
    sidecar.send(signal.SIGTERM)
    answered = start
    while sidecar.alive:
        try:
            assert sidecar.probe("/health").status == 200
            answered = time.monotonic()
        except OSError:
            time.sleep(0.005)
    ended = time.monotonic()
    assert sidecar.wait() == 0
    assert ended - answered < 0.5, "the probe port answers to the end"
    assert 2.9 < ended - start < 5
    assert keep_alive.ends()
    assert never_replies.read_frame()[1] == CLOSE
    assert in_a_frame.read_frame()[1] == CLOSE
    with pytest.raises((EOFError, OSError)):  # the answer does not look whole
        while endless.read_chunk():
            pass
    for client in (half_head, mute):
        assert client.ends()


def test_the_next_process_takes_the_port_while_the_old_one_drains(rig, backend):
    """Once the listeners are closed, nothing of the old process keeps the new one from listening."""
    old = rig.probegate(f"proxy: {{backend: '{backend.url}', workers: 2}}\ndrain: {{timeout: 20s}}").start()
    with Raw.tunnel(old.proxy_port) as client:
        client.send(frame(TEXT, b"unfinished", mask=True)[:9])
        old.send(signal.SIGTERM)
        assert client.read_frame()[1] == CLOSE
        wait_until(lambda: port_is_free(old.proxy_port), "the old process to close its port")
        new = rig.probegate(f"proxy: {{listen: '127.0.0.1:{old.proxy_port}', backend: '{backend.url}'}}")
        new.proxy_port = old.proxy_port
        new.start()
        assert new.request("/mirror").status == 200
        assert old.alive
    assert old.wait() == 0


def port_is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def test_who_connects_while_the_port_closes_gets_an_answer_or_a_refusal_but_no_reset(rig, backend):
    """A connection that was accepted by the kernel is answered, whichever loop finds it."""
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}', workers: 2}}\ndrain: {{timeout: 5s}}").start()
    connected = []
    sidecar.freeze()  # what comes now lies in the queue when the signal is seen
    for _ in range(50):
        client = Raw.connect(sidecar.proxy_port)
        client.send(b"GET /mirror HTTP/1.1\r\nHost: proxy.test\r\nConnection: close\r\n\r\n")
        connected.append(client)
    sidecar.send(signal.SIGTERM)
    sidecar.thaw()
    for client in connected:
        head = client.read_head()
        assert head.status in (200, 503)
        assert head.status == 200 or head.get("probegate-reason") == "draining"
        client.close()
    assert sidecar.wait() == 0


def test_a_drain_is_the_ends_cause_in_the_log(rig, backend):
    """The cause is `drain`, in one line a tunnel."""
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}'}}\ndrain: {{timeout: 2s}}").start()

    async def talk():
        client = await websockets.connect(f"ws://127.0.0.1:{sidecar.proxy_port}/ws")
        await client.send("hello")
        await client.recv()
        sidecar.send(signal.SIGTERM)
        await asyncio.wait_for(client.wait_closed(), PATIENCE)

    asyncio.run(talk())
    assert sidecar.wait() == 0
    ends = [line for line in sidecar.logs() if "drain" in json.dumps(line) and "1001" in json.dumps(line)]
    assert len(ends) == 1, ends


# Frozen

def test_a_frozen_sidecar_books_no_failure_for_the_time_it_slept(rig, backend):
    """A frozen process is not a failed dependency. The checks are under way when the freeze comes, and their timeout is
    shorter than it."""
    redis = rig.redis().start()

    def slow(connection):
        connection.read_head()
        time.sleep(0.2)  # most of the time an attempt is under way
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")

    web = rig.scripted(slow)
    sidecar = rig.probegate(f"""
proxy: {{backend: "{backend.url}"}}
checks:
  redis: {{type: redis, url: "{redis.url()}", interval: 50ms, timeout: 1s, fall: 1}}
  web: {{type: http, url: "{web.url}/health", interval: 50ms, timeout: 1s, fall: 1}}
""").start()
    sidecar.wait_for_gate("open")
    with Raw.tunnel(sidecar.proxy_port) as client:
        before = sidecar.ready()["checks"]
        sidecar.freeze()
        time.sleep(3)  # frozen time is the input of this test
        sidecar.thaw()
        after = sidecar.wait_for_readiness(
            lambda seen: all(seen["checks"][name]["runs"] > before[name]["runs"] + 3 for name in before), "more runs")
        for name in before:
            assert after["checks"][name]["failures"] == before[name]["failures"], after["checks"][name]
            assert after["checks"][name]["status"] == "pass"
        families = metrics.parse(sidecar.metrics())
        assert families["probegate_check_failures_total"].total() == sum(check["failures"] for check in before.values())
        assert sidecar.ready()["status"] == "ready"
        client.send_frame(TEXT, b"still here", mask=True)
        assert client.read_frame()[2] == b"still here"


def test_a_frozen_backend_is_noticed_and_the_sidecar_is_not_harmed(rig):
    """A backend that hangs is `timeout` for its check; new sessions are refused, and come back."""
    chat, *_ = rig.running_chat()
    sidecar = rig.probegate(f"""
proxy: {{backend: "{chat.url}"}}
checks:
  websocket: {{type: websocket, url: /ws, interval: 200ms, startup_interval: 200ms, timeout: 500ms, fall: 2}}
""").start()
    sidecar.wait_for_gate("open")
    chat.freeze()
    try:
        sidecar.wait_for_error("websocket", "timeout")
        sidecar.wait_for_gate("closed")
        with Raw.connect(sidecar.proxy_port) as client:
            client.send(upgrade_request())
            problem_on(client, "gate_closed", waiting_for=["websocket"])
    finally:
        chat.thaw()
    sidecar.wait_for_gate("open")
    assert sidecar.request("/").status == 200


def test_a_connection_that_says_nothing_does_not_hold_up_the_drain(rig, backend):
    """A connection that never sent a byte is closed with FIN like any idle one."""
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}'}}\ndrain: {{timeout: 8s}}").start()
    with socket.create_connection(("127.0.0.1", sidecar.proxy_port), timeout=PATIENCE) as mute:
        wait_until(lambda: sidecar.request("/mirror").status == 200, "a later connection to be served")
        start = time.monotonic()
        sidecar.send(signal.SIGTERM)
        assert mute.recv(10) == b""
        assert sidecar.wait() == 0
        assert time.monotonic() - start < 5

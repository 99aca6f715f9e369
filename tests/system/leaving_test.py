"""A client that leaves: whatever it is and whatever it waits for, its backend's connection and its place are free at once."""

import asyncio
import http.client
import queue
import signal
import socket
import struct
import subprocess
import threading
import time

import aiohttp
import pytest

from support import metrics
from support.backends import pattern
from support.expect import problem_on
from support.ports import free_port, keep_alive_timers
from support.raw import BINARY, Raw, upgrade_request, upgrade_response
from support.waiting import PATIENCE, wait_until

GET = b"GET /slow HTTP/1.1\r\nHost: proxy.test\r\n\r\n"
POST = b"POST /slow HTTP/1.1\r\nHost: proxy.test\r\nContent-Length: 5\r\n\r\nhello"
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n:\n\n\r\n"
SOON = 2.0  # of a promise of 100 ms, on a machine that is busy


class Slow:
    """A backend that takes requests, begins its answer if it is given one, and notes when its connections end."""

    def __init__(self, rig, answer=b""):
        self.arrived = queue.Queue()
        self.left = queue.Queue()
        self._answer = answer
        self.url = rig.scripted(self._serve).url

    def _serve(self, connection):
        connection.read_head()
        self.arrived.put(time.monotonic())
        connection.send(self._answer)
        try:
            connection.read_to_end()
        finally:
            self.left.put(time.monotonic())

    def await_request(self):
        return self.arrived.get(timeout=PATIENCE)

    def await_end(self):
        return self.left.get(timeout=PATIENCE)


def open_connections(sidecar):
    """Of clients at the proxy port, as the system knows them."""
    listing = subprocess.run(["ss", "-Htn", "state", "established", "state", "close-wait", f"( sport = :{sidecar.proxy_port} )"],
                             capture_output=True, text=True, check=True)
    return len(listing.stdout.splitlines())


@pytest.mark.parametrize("how", ["close", "half-close", "reset"])
@pytest.mark.parametrize("sent, answer", [(GET, b""), (POST, b""), (GET, STREAM), (GET + GET, b""), (GET + GET, STREAM)],
                         ids=["get", "post", "stream", "pipelined", "pipelined stream"])
def test_a_client_that_leaves_takes_its_request_along(rig, sent, answer, how):
    backend = Slow(rig, answer)
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}'}}").start()
    with Raw.connect(sidecar.proxy_port) as client:
        client.send(sent)
        backend.await_request()
        if answer:
            assert client.read_head().status == 200
        assert backend.left.empty()
        at = time.monotonic()
        {"close": client.close, "half-close": client.shutdown, "reset": client.reset}[how]()
        assert backend.await_end() - at < SOON
        wait_until(lambda: open_connections(sidecar) == 0, "the place to be free")
    sidecar.wait_for_line(f"{sent.split()[0].decode()} /slow {'200 ' if answer else ''}client left")


def curl(port):
    with pytest.raises(subprocess.CalledProcessError):
        subprocess.run(["curl", "-s", "--max-time", "1", f"http://127.0.0.1:{port}/slow"], check=True)


def node_fetch(port):
    script = f"""
        const leaving = new AbortController();
        setTimeout(() => leaving.abort(), 1000);
        fetch('http://127.0.0.1:{port}/slow', {{signal: leaving.signal}}).then(() => process.exit(1),
            () => setTimeout(() => process.exit(0), 200));
    """
    subprocess.run(["node", "-e", script], check=True, timeout=PATIENCE)


def http_client(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    with pytest.raises(TimeoutError):
        connection.request("GET", "/slow")
        connection.getresponse()
    connection.close()


def aiohttp_client(port):
    async def ask():
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=1)) as session:
            await session.get(f"http://127.0.0.1:{port}/slow")

    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(ask())


@pytest.mark.parametrize("give_up", [curl, node_fetch, http_client, aiohttp_client])
def test_a_real_client_that_gives_up_is_noticed(rig, give_up):
    backend = Slow(rig)
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}'}}").start()
    give_up(sidecar.proxy_port)
    backend.await_end()
    assert sidecar.wait_for_line("GET /slow client left")["meanwhile"] == "waiting for the backend"


def test_clients_that_come_and_go_fill_no_limit_and_hold_up_no_drain(rig):
    backend = Slow(rig, STREAM)
    sidecar = rig.probegate(f"""
proxy: {{backend: "{backend.url}", limits: {{connections: 10}}}}
drain: {{timeout: 20s}}
""").start()
    for _ in range(30):
        with Raw.connect(sidecar.proxy_port) as client:
            client.send(GET)
            assert client.read_head().status == 200
        backend.await_end()
    start = time.monotonic()
    assert sidecar.stop() == 0
    assert time.monotonic() - start < 10


def test_half_close_serve_answers_and_still_notices_a_reset(rig):
    release = threading.Event()
    gone = threading.Event()

    def script(connection):
        path = connection.read_head().start_line.split()[1]
        if path == "/answered":
            release.wait(PATIENCE)
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        else:
            connection.read_to_end()
            gone.set()

    sidecar = rig.probegate(f"proxy: {{backend: '{rig.scripted(script).url}', half_close: serve}}").start()
    with Raw.connect(sidecar.proxy_port) as client:
        client.send(b"GET /answered HTTP/1.1\r\nHost: proxy.test\r\n\r\n")
        client.shutdown()
        time.sleep(0.3)  # long enough to be taken for gone
        release.set()
        assert client.read_head().status == 200
    with Raw.connect(sidecar.proxy_port) as client:
        client.send(GET)
        client.shutdown()
        time.sleep(0.3)
        assert not gone.is_set()
        client.reset()
        assert gone.wait(PATIENCE)


BROKEN = {
    "/size": b"XYZ\r\n",
    "/no-chunks": b"<html>",
    "/second": b"5\r\nfirst\r\noops\r\n",
    "/extension": b"2;" + b"e" * 8000 + b"\r\n{}\r\n0\r\n\r\n",
    "/trailer": b"2\r\n{}\r\n0\r\nX: a\nY: b\r\n\r\n",
}


def test_a_broken_answer_is_a_whole_502_while_nothing_of_it_has_gone(rig):
    def script(connection):
        path = connection.read_head().start_line.split()[1]
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + BROKEN[path])
        connection.read_to_end()

    sidecar = rig.probegate(f"proxy: {{backend: '{rig.scripted(script).url}'}}").start()
    for path in BROKEN:
        for version in ("1.1", "1.0"):
            if (path, version) == ("/trailer", "1.0"):
                continue  # it would not go on
            with Raw.connect(sidecar.proxy_port) as client:
                client.send(f"GET {path} HTTP/{version}\r\nHost: proxy.test\r\nConnection: TE\r\nTE: trailers\r\n\r\n".encode())
                problem_on(client, "backend_error")
        sidecar.wait_for_line(f"GET {path} 502 refused: backend_error")
    codes = {dict(labels).get("code") for _, labels in metrics.parse(sidecar.metrics())["probegate_requests_total"].samples}
    assert codes == {"502"}


def slow_upload(port, seconds, target="/upload"):
    """The answer, after a body that was sent whole before it was looked for."""
    with Raw.connect(port) as client:
        piece = pattern(20_000)
        count = int(seconds * 10)
        client.send(f"POST {target} HTTP/1.1\r\nHost: proxy.test\r\nContent-Length: {len(piece) * count}\r\n\r\n".encode())
        for _ in range(count):
            client.send(piece)
            time.sleep(0.1)
        head = client.read_head()
        return head.status, head.get("probegate-reason")


@pytest.mark.parametrize("config, status, reason", [
    ("limits: {body_bytes: 1000}", 413, "body_too_large"), ("forward: websocket", 404, "not_found"), ("", 401, None)])
def test_a_client_that_sends_all_of_its_body_first_reads_the_refusal(rig, config, status, reason):
    def early(connection):
        connection.read_head()
        connection.send(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno")

    sidecar = rig.probegate(f"proxy: {{backend: '{rig.scripted(early).url}', {config}}}".replace(", }", "}")).start()
    assert slow_upload(sidecar.proxy_port, 4) == (status, reason)


def test_a_body_that_stops_coming_is_not_waited_for(rig):
    sidecar = rig.probegate(f"proxy: {{backend: 'http://127.0.0.1:{free_port()}', limits: {{body_bytes: 1000}}}}").start()
    with Raw.connect(sidecar.proxy_port) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: proxy.test\r\nContent-Length: 100000\r\n\r\nbegun")
        problem_on(client, "body_too_large")
        wait_until(lambda: open_connections(sidecar) == 0, "the connection to end")


@pytest.mark.parametrize("what", ["tunnel", "exchange"])
def test_both_sides_have_a_keep_alive_of_30_seconds(rig, backend, what):
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}'}}").start()
    with Raw.connect(sidecar.proxy_port) as client:
        if what == "tunnel":
            client.send(upgrade_request())
            assert client.read_head().status == 101
        else:
            client.send(b"GET /wait HTTP/1.1\r\nHost: proxy.test\r\n\r\n")
        for port in (sidecar.proxy_port, backend.port):
            wait_until(lambda p=port: any(seconds <= 30 for seconds in keep_alive_timers(p)), "a keep-alive within 30 s")


@pytest.mark.parametrize("workers", [1, 3])
def test_idle_connections_give_way_to_new_ones(rig, backend, workers):
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}', workers: {workers}, limits: {{connections: 6}}}}").start()
    kept = []
    for _ in range(20):
        client = Raw.connect(sidecar.proxy_port)
        kept.append(client)
        client.send(b"GET /mirror HTTP/1.1\r\nHost: proxy.test\r\n\r\n")
        head = client.read_head()
        assert head.status == 200
        client.read_body(head)
    if workers == 1:
        assert kept[0].ends()
    kept[-1].send(b"GET /mirror HTTP/1.1\r\nHost: proxy.test\r\n\r\n")
    assert kept[-1].read_head().status == 200, "the ones used last stay"
    for client in kept:
        client.close()


def test_every_request_over_the_limit_is_answered_and_a_silent_connection_gives_way(rig):
    backend = Slow(rig)
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}', limits: {{connections: 5}}}}").start()
    wait_until(lambda: open_connections(sidecar) == 0, "earlier connections to be gone")
    served = [Raw.connect(sidecar.proxy_port) for _ in range(5)]
    for client in served:
        client.send(GET)
        backend.await_request()
    silent_ones = [Raw.connect(sidecar.proxy_port) for _ in range(300)]
    crowd = [Raw.connect(sidecar.proxy_port) for _ in range(500)]  # all of them, before the first one asks
    for client in crowd:
        client.send(GET)
    for client in crowd:
        problem_on(client, "connection_limit")
    for client in served + silent_ones + crowd:
        client.close()


@pytest.mark.parametrize("limit", [12, 16, 20, 24])
def test_too_few_descriptors_are_told_in_a_sentence(rig, backend, limit):
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}'}}",
                            around=lambda argv: ["prlimit", f"--nofile={limit}:{limit}", *argv]).launch()
    assert sidecar.wait() == 1
    assert f"the limit of open files is {limit}" in sidecar.output()


@pytest.mark.parametrize("limit", [64, 256])
def test_idle_connections_on_the_probe_port_leave_descriptors_to_traffic_and_probes(rig, backend, limit):
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}'}}",
                            around=lambda argv: ["prlimit", f"--nofile={limit}:{limit}", *argv]).start()
    idle = []
    for _ in range(limit):
        idle.append(socket.create_connection(("127.0.0.1", sidecar.probe_port), timeout=PATIENCE))
        time.sleep(0.002)
    wait_until(lambda: sidecar.probe("/health").status == 200, "a probe to be answered")
    for _ in range(5):
        assert sidecar.request("/mirror").status == 200
    assert sidecar.stop() == 0
    for one in idle:
        one.close()


def test_a_first_request_that_comes_just_after_the_end_has_begun_is_answered(rig, backend):
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}'}}").start()
    client = Raw.connect(sidecar.proxy_port)
    wait_until(lambda: sidecar.request("/mirror").status == 200, "a later connection to be served")
    sidecar.send(signal.SIGTERM)
    wait_until(lambda: sidecar.probe("/health/ready").status == 503, "the drain")
    time.sleep(0.05)
    client.send(b"GET /mirror HTTP/1.1\r\nHost: proxy.test\r\n\r\n")
    problem_on(client, "draining")
    client.close()
    assert sidecar.wait() == 0


def test_what_a_backend_says_unasked_is_nobodys_answer(rig):
    """The next client's request must not meet it, however soon it comes."""
    def gossip(connection):
        while True:
            path = connection.read_head().start_line.split()[1].encode()
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(path), path))
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong")

    sidecar = rig.probegate(f"proxy: {{backend: '{rig.scripted(gossip).url}'}}").start()
    for number in range(100):
        answer = sidecar.request(f"/{number}")
        assert (answer.status, answer.body) == (200, b"/%d" % number)
        time.sleep(0.01)


def test_a_lost_client_ends_its_tunnel_though_the_backend_does_not_read(rig):
    def deaf(connection):
        connection.send(upgrade_response(connection.read_head().get("sec-websocket-key")))
        over.wait(PATIENCE)

    over = threading.Event()

    sidecar = rig.probegate(f"proxy: {{backend: '{rig.scripted(deaf).url}'}}\ndrain: {{timeout: 20s}}").start()
    client = Raw.connect(sidecar.proxy_port)
    client.send(upgrade_request())
    assert client.read_head().status == 101
    plain = client.detach()
    plain.settimeout(1)
    client_frames = 0
    try:
        while client_frames < 2000:
            client.send_frame(BINARY, pattern(60_000), mask=True)
            client_frames += 1
    except TimeoutError:
        pass
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    plain.close()
    assert sidecar.wait_for_line("tunnel ended")["cause"] == "client_lost"
    assert metrics.parse(sidecar.metrics())["probegate_tunnels"].total() == 0
    start = time.monotonic()
    assert sidecar.stop() == 0
    assert time.monotonic() - start < 10
    over.set()

"""WebSockets through the proxy with real clients, and handshakes with bad manners
(docs/contract.md, "Proxy" and "Tunnels")."""

import asyncio
import os

import aiohttp
import pytest
import websockets

from support import metrics
from support.backends import silent
from support.expect import problem_on
from support.raw import (BINARY, CLOSE, KEY, PING, PONG, TEXT, Raw, accept_value, close_code, close_payload, frame,
                         upgrade_request, upgrade_response)
from support.waiting import PATIENCE, at_rest, wait_for


def ws_url(sidecar):
    return f"ws://127.0.0.1:{sidecar.proxy_port}/ws"


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 60))


def scripted_proxy(rig, script, settings=""):
    """(sidecar, backend) with a raw backend behind the proxy."""
    backend = rig.scripted(script)
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}' {settings}}}").start()
    return sidecar, backend


def accepting(then):
    """A script: a backend that accepts the upgrade, then does what the test says."""
    def script(connection):
        connection.send(upgrade_response(connection.read_head().get("sec-websocket-key")))
        then(connection)
    return script


# Two well-kept clients

def test_the_websockets_library_talks_through_the_proxy(proxy):
    """Text, binary, fragments, 4 MB, ping and pong, and a close with its code are relayed unchanged."""
    async def talk():
        async with websockets.connect(ws_url(proxy), max_size=None) as socket:
            await socket.send("hello")
            assert await socket.recv() == "hello"
            await socket.send("grüße 👋")
            assert await socket.recv() == "grüße 👋"
            await socket.send(b"\x00\xff" * 500)
            assert await socket.recv() == b"\x00\xff" * 500
            await socket.send("")
            assert await socket.recv() == ""
            await socket.send(["frag", "mented ", "message"])
            assert await socket.recv() == "fragmented message"
            large = os.urandom(4_000_000)
            await socket.send(large)
            assert await socket.recv() == large
            await asyncio.wait_for(await socket.ping(b"are you there"), PATIENCE)
            await socket.close(code=4001, reason="enough")
        assert socket.close_code == 1000, "what the backend answers to any Close"

    run(talk())


def test_the_aiohttp_client_talks_through_the_proxy(proxy):
    """What one library understands of us, another one does as well."""
    async def talk():
        async with aiohttp.ClientSession() as session:
            async with session.ws_connect(ws_url(proxy), max_msg_size=0) as socket:
                await socket.send_str("hello")
                assert await socket.receive_str(timeout=PATIENCE) == "hello"
                large = os.urandom(4_000_000)
                await socket.send_bytes(large)
                assert await socket.receive_bytes(timeout=PATIENCE) == large
                await socket.ping(b"x")
                await socket.send_str("after the ping")
                assert await socket.receive_str(timeout=PATIENCE) == "after the ping"

    run(talk())


def test_permessage_deflate_passes_as_negotiated(proxy):
    """Extensions are the two ends' own affair."""
    async def talk():
        async with websockets.connect(ws_url(proxy), compression="deflate") as socket:
            assert [extension.name for extension in socket.extensions] == ["permessage-deflate"]
            await socket.send("a" * 100_000)
            assert await socket.recv() == "a" * 100_000
        async with websockets.connect(ws_url(proxy), compression=None) as socket:
            assert socket.extensions == []
            await socket.send("plain")
            assert await socket.recv() == "plain"

    run(talk())


def test_the_subprotocol_is_the_backends_choice(proxy):
    async def talk():
        async with websockets.connect(ws_url(proxy), subprotocols=["nobody.knows", "chat.v2"]) as socket:
            assert socket.subprotocol == "chat.v2"
        async with websockets.connect(ws_url(proxy)) as socket:
            assert socket.subprotocol is None

    run(talk())


@pytest.mark.parametrize("code", [1000, 1001, 1011, 3000, 4999])
def test_the_backends_close_code_reaches_the_client(proxy, code):
    """The frame is relayed unchanged."""
    async def talk():
        async with websockets.connect(ws_url(proxy)) as socket:
            await socket.send(f"bye {code}")
            with pytest.raises(websockets.ConnectionClosed):
                await socket.recv()
            assert (socket.close_code, socket.close_reason) == (code, "as you wish")

    run(talk())


def test_the_clients_close_code_reaches_the_backend(rig):
    """The frame is relayed unchanged, masked as the client masked it."""
    seen = []

    def then(connection):
        fin, opcode, payload, masked = connection.read_frame()
        seen.append((fin, opcode, payload, masked))
        connection.send_frame(CLOSE, payload)

    sidecar, _ = scripted_proxy(rig, accepting(then))
    with Raw.tunnel(sidecar.proxy_port) as client:
        client.send_frame(CLOSE, close_payload(4002, b"later"), mask=True)
        assert client.read_frame() == (True, CLOSE, close_payload(4002, b"later"), False)
        assert client.ends()
    wait_for(lambda: seen, bool, "the backend to see the Close")
    assert seen[0] == (True, CLOSE, close_payload(4002, b"later"), True)


def test_fragments_arrive_as_fragments(rig):
    """They are relayed frame by frame, not gathered, with the control frames between them."""
    seen = []

    def then(connection):
        for _ in range(4):
            fin, opcode, payload, _ = connection.read_frame()
            seen.append((fin, opcode, payload))
        connection.send_frame(TEXT, b"done")
        connection.read_to_end()

    sidecar, _ = scripted_proxy(rig, accepting(then))
    with Raw.tunnel(sidecar.proxy_port) as client:
        sent = [(False, TEXT, b"one "), (False, 0, b"two "), (True, PING, b"now"), (True, 0, b"three")]
        for fin, opcode, payload in sent:
            client.send_frame(opcode, payload, fin=fin, mask=True)
        assert client.read_frame() == (True, TEXT, b"done", False)
        assert seen == sent


def test_many_sockets_at_once(proxy):
    """Everybody hears their own echo; the metrics count the tunnels."""
    async def one(number):
        async with websockets.connect(ws_url(proxy)) as socket:
            for turn in range(10):
                text = f"{number}:{turn}"
                await socket.send(text)
                assert await asyncio.wait_for(socket.recv(), PATIENCE) == text
            return 1

    async def talk():
        assert sum(await asyncio.gather(*(one(number) for number in range(50)))) == 50

    run(talk())
    families = wait_for(lambda: metrics.parse(proxy.metrics()),
                        lambda seen: seen["probegate_tunnels"].value() == 0, "all tunnels to be over")
    assert families["probegate_upgrades_total"].value(result="accepted") == 50


def test_a_unix_socket_backend_carries_websockets(rig):
    backend = rig.http_backend(path=f"{rig.directory}/backend.sock")
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}'}}").start()

    async def talk():
        async with websockets.connect(ws_url(sidecar)) as socket:
            await socket.send("hello")
            assert await socket.recv() == "hello"

    run(talk())


# The handshake, checked on both sides

def test_the_handshake_that_reaches_the_backend(rig):
    """There is exactly one `Connection: Upgrade` and one `Upgrade: websocket`; Firefox's token list is
    understood; the key, cookies and origin are the client's."""
    heads = []

    def script(connection):
        head = connection.read_head()
        heads.append(head)
        connection.send(upgrade_response(head.get("sec-websocket-key")))
        connection.read_to_end()

    sidecar, _ = scripted_proxy(rig, script)
    with Raw.connect(sidecar.proxy_port) as client:
        client.send((f"GET /ws?room=1 HTTP/1.1\r\nHost: proxy.test\r\nConnection: keep-alive, Upgrade\r\nUPGRADE: WebSocket\r\n"
                     f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\nOrigin: https://chat.example\r\n"
                     "Cookie: session=1\r\n\r\n").encode())
        head = client.read_head()
        assert head.status == 101
        assert head.get("sec-websocket-accept") == accept_value(KEY)
        assert head.get("upgrade").lower() == "websocket"
        assert head.get("connection").lower() == "upgrade"
    (head,) = heads
    assert head.start_line == "GET /ws?room=1 HTTP/1.1"
    assert [value.lower() for value in head.all("connection")] == ["upgrade"]
    assert [value.lower() for value in head.all("upgrade")] == ["websocket"]
    assert head.get("sec-websocket-key") == KEY
    assert head.get("sec-websocket-version") == "13"
    assert head.get("origin") == "https://chat.example"
    assert head.get("cookie") == "session=1"
    assert head.get("host") == "proxy.test"
    assert head.get("x-forwarded-for") is None, "loopback is a hop of the machine, and says nothing"
    assert head.get("x-request-id")


@pytest.mark.parametrize("version", ["8", "12", "14", "x"])
def test_another_version_is_426_and_names_ours(proxy, version):
    with Raw.connect(proxy.proxy_port) as client:
        client.send(upgrade_request(version=version))
        head = client.read_head()
        assert head.status in (426, 400) if version == "x" else head.status == 426
        if head.status == 426:
            assert head.get("sec-websocket-version") == "13"
        assert head.get("connection").lower() == "close" or "upgrade" in head.get("connection").lower()


@pytest.mark.parametrize("request_", [
    upgrade_request(version=None), upgrade_request(key=None), upgrade_request(key="short"),
    upgrade_request(key="not base64 at all, no!=="), upgrade_request(extra=f"Sec-WebSocket-Key: {KEY}\r\n"),
    upgrade_request(extra="Content-Length: 5\r\n") + b"hello",
    upgrade_request().replace(b"GET", b"POST", 1).replace(b"\r\n\r\n", b"\r\nContent-Length: 0\r\n\r\n")],
    ids=["no version", "no key", "short key", "no base64", "two keys", "a body", "POST"])
def test_a_bad_handshake_is_refused_and_never_forwarded(rig, request_):
    """Another method and an upgrade with a body are 400; nothing of it reaches the backend, and the connection ends."""
    sidecar, backend = scripted_proxy(rig, silent)
    with Raw.connect(sidecar.proxy_port) as client:
        client.send(request_ + b"GET /smuggled HTTP/1.1\r\nHost: proxy.test\r\n\r\n")
        head = client.read_head()
        assert head.status in ((400, 426) if b"Version" not in request_ else (400,))
        client.read_body(head)
        assert client.ends()
    assert backend.connections == 0


@pytest.mark.parametrize("answer", [
    upgrade_response("AAAAAAAAAAAAAAAAAAAAAA=="),
    upgrade_response(KEY).replace(b"Sec-WebSocket-Accept", b"X-Nothing"),
    upgrade_response(KEY).replace(b"Upgrade: websocket\r\n", b""),
    upgrade_response(KEY).replace(b"Upgrade: websocket", b"Upgrade: h2c"),
    upgrade_response(KEY, "Sec-WebSocket-Protocol: nobody.asked\r\n"),
    upgrade_response(KEY, "Sec-WebSocket-Extensions: permessage-deflate\r\n")],
    ids=["wrong accept", "no accept", "no upgrade", "other upgrade", "unasked subprotocol", "unasked extension"])
def test_a_bad_101_from_the_backend_is_502(rig, answer):
    """A tunnel starts only after accept value, subprotocol and extensions were verified."""
    def script(connection):
        connection.read_head()
        connection.send(answer + frame(TEXT, b"too early"))
        connection.read_to_end()

    sidecar, _ = scripted_proxy(rig, script)
    with Raw.connect(sidecar.proxy_port) as client:
        client.send(upgrade_request())
        problem_on(client, "backend_error")
    wait_for(lambda: metrics.parse(sidecar.metrics())["probegate_upgrades_total"].value(result="failed"),
             lambda count: count == 1, "the failed upgrade to be counted")


def test_a_non_101_is_relayed_as_plain_http(rig):
    """Bytes behind a refused upgrade are never forwarded, and the client's connection is closed."""
    after = []

    def script(connection):
        connection.read_head()
        connection.send(b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nX-Why: because\r\nContent-Length: 9\r\n\r\nnot today")
        after.append(connection.read_to_end())

    sidecar, _ = scripted_proxy(rig, script)
    with Raw.connect(sidecar.proxy_port) as client:
        client.send(upgrade_request() + frame(TEXT, b"early bird", mask=True))
        head = client.read_head()
        assert head.status == 403
        assert head.get("x-why") == "because"
        assert client.read_body(head) == b"not today"
        assert client.ends()
    wait_for(lambda: after, bool, "the backend connection to end")
    assert after == [b""]


def test_bytes_glued_to_either_head_are_not_lost(rig):
    """The tunnel begins with them."""
    seen = []

    def script(connection):
        head = connection.read_head()
        connection.send(upgrade_response(head.get("sec-websocket-key")) + frame(TEXT, b"welcome"))
        seen.append(connection.read_frame()[:3])
        connection.send_frame(TEXT, b"got it")
        connection.read_to_end()

    sidecar, _ = scripted_proxy(rig, script)
    with Raw.connect(sidecar.proxy_port) as client:
        client.send(upgrade_request() + frame(TEXT, b"early bird", mask=True))
        assert client.read_head().status == 101
        assert client.read_frame() == (True, TEXT, b"welcome", False)
        assert client.read_frame() == (True, TEXT, b"got it", False)
    assert seen == [(True, TEXT, b"early bird")]


def test_a_handshake_sent_byte_by_byte(proxy):
    """How the bytes are cut must not matter, in the head and in frames."""
    with Raw.connect(proxy.proxy_port) as client:
        for byte in upgrade_request():
            client.send(bytes([byte]))
        assert client.read_head().status == 101
        for byte in frame(BINARY, bytes(range(200)), mask=True):
            client.send(bytes([byte]))
        assert client.read_frame() == (True, BINARY, bytes(range(200)), False)


def test_an_origin_that_is_not_listed_is_403(rig, backend):
    """`websocket.origins` is a list of those allowed; a request without Origin comes from no browser, and passes."""
    sidecar = rig.probegate(f"""
proxy: {{backend: "{backend.url}", websocket: {{origins: ["https://chat.example"]}}}}
""").start()
    for origin, status in (("https://chat.example", 101), (None, 101), ("https://evil.example", 403), ("null", 403)):
        with Raw.connect(sidecar.proxy_port) as client:
            client.send(upgrade_request(extra=f"Origin: {origin}\r\n" if origin else ""))
            if status == 403:
                problem_on(client, "origin_denied")
            else:
                assert client.read_head().status == 101


# How tunnels end

def test_a_backend_that_dies_gives_the_client_a_close_frame(rig):
    """The code is 1012 or 1014, and never a bare reset."""
    def then(connection):
        connection.send_frame(TEXT, b"the end")
        connection.read_frame()
        connection.reset()

    sidecar, _ = scripted_proxy(rig, accepting(then))
    with Raw.tunnel(sidecar.proxy_port) as client:
        assert client.read_frame()[2] == b"the end"
        client.send_frame(TEXT, b"die", mask=True)
        fin, opcode, payload, masked = client.read_frame()
        assert (fin, opcode, masked) == (True, CLOSE, False)
        assert close_code(payload) in (1012, 1014)
        assert client.ends()


def test_a_killed_chat_gives_every_client_a_close_frame(rig):
    """A real server that is killed has no time for a Close of its own."""
    chat, *_ = rig.running_chat()
    sidecar = rig.probegate(f"proxy: {{backend: '{chat.url}'}}").start()

    async def talk():
        sockets = [await websockets.connect(ws_url(sidecar)) for _ in range(5)]
        await sockets[0].send("hello")
        for socket in sockets:
            assert "hello" in await asyncio.wait_for(socket.recv(), PATIENCE)
        chat.kill()
        for socket in sockets:
            with pytest.raises(websockets.ConnectionClosed):
                await asyncio.wait_for(socket.recv(), PATIENCE)
            assert socket.close_code in (1012, 1014), "not 1006, which means a connection lost without a word"

    run(talk())


def test_a_client_that_vanishes_ends_the_backends_connection(rig):
    """The backend is not left with a dead tunnel."""
    ended = []

    def then(connection):
        connection.send_frame(TEXT, b"hello")
        try:
            while connection.read_some():
                pass
        finally:
            ended.append(True)

    sidecar, _ = scripted_proxy(rig, accepting(then))
    client = Raw.connect(sidecar.proxy_port)
    client.send(upgrade_request())
    assert client.read_head().status == 101
    assert client.read_frame()[2] == b"hello"
    client.reset()
    wait_for(lambda: ended, bool, "the backend to notice")
    wait_for(lambda: metrics.parse(sidecar.metrics())["probegate_tunnels"].value(), lambda count: count == 0, "no tunnel")


def test_half_close_is_passed_on(rig):
    """A client that has said all still hears the rest."""
    def then(connection):
        heard = connection.read_to_end()
        for number in range(3):
            connection.send_frame(TEXT, b"%d after %d bytes" % (number, len(heard)))
        connection.send_frame(CLOSE, close_payload(1000))

    sidecar, _ = scripted_proxy(rig, accepting(then))
    with Raw.tunnel(sidecar.proxy_port) as client:
        message = frame(TEXT, b"that is all", mask=True)
        client.send(message)
        client.shutdown()
        for number in range(3):
            assert client.read_frame()[2] == b"%d after %d bytes" % (number, len(message))
        assert client.read_frame()[1] == CLOSE


def test_pings_and_pongs_pass_both_ways(rig):
    """They are relayed unchanged; the proxy answers no ping in the backend's place."""
    def then(connection):
        connection.send_frame(PING, b"from the backend")
        assert connection.read_frame()[:3] == (True, PONG, b"from the backend")
        assert connection.read_frame()[:3] == (True, PING, b"from the client")
        connection.send_frame(PONG, b"from the client")
        connection.read_to_end()

    sidecar, _ = scripted_proxy(rig, accepting(then))
    with Raw.tunnel(sidecar.proxy_port) as client:
        assert client.read_frame() == (True, PING, b"from the backend", False)
        client.send_frame(PONG, b"from the backend", mask=True)
        client.send_frame(PING, b"from the client", mask=True)
        assert client.read_frame() == (True, PONG, b"from the client", False)


def test_a_tunnel_whose_reader_stalls_costs_bounded_memory(rig):
    """Reading stops when the other side is slow."""
    sent = {"bytes": 0}
    block = frame(BINARY, b"x" * 1_000_000)

    def then(connection):
        for _ in range(1000):
            connection.send(block)
            sent["bytes"] += len(block)

    sidecar, _ = scripted_proxy(rig, accepting(then))
    before = sidecar.rss()
    with Raw.tunnel(sidecar.proxy_port, receive_buffer=65536) as client:
        at_rest(lambda: sent["bytes"])
        assert sent["bytes"] < 100_000_000
        assert sidecar.rss() - before < 32_000_000
        assert client.read_frame()[2] == b"x" * 1_000_000, "and goes on when it reads again"


def test_http_timeouts_end_at_101(rig):
    """A quiet tunnel outlives the header and response timeouts."""
    def then(connection):
        payload = connection.read_frame()[2]
        connection.send_frame(TEXT, payload)
        connection.read_to_end()

    sidecar, _ = scripted_proxy(
        rig, accepting(then), ", timeouts: {header: 300ms, upgrade: 300ms, response: 300ms, connect: 300ms, idle: 300ms}")
    with Raw.tunnel(sidecar.proxy_port) as client:
        uptime = sidecar.ready()["uptime_seconds"]
        sidecar.wait_for_readiness(lambda seen: seen["uptime_seconds"] > uptime + 1.2, "four times the timeouts")
        client.send_frame(TEXT, b"still here", mask=True)
        assert client.read_frame()[2] == b"still here"


def test_one_log_line_tells_how_a_tunnel_ended(proxy):
    """The line has who ended it, code, reason, age, bytes and messages each way, and the state of the gate."""
    async def talk():
        async with websockets.connect(ws_url(proxy)) as socket:
            for _ in range(3):
                await socket.send("hello")
                await socket.recv()
            await socket.close(code=4123, reason="all said")

    run(talk())
    wait_for(lambda: metrics.parse(proxy.metrics())["probegate_tunnel_ends_total"].value(cause="client_close"),
             lambda count: count == 1, "the tunnel's end to be counted")
    # By its key: a random request id may hold the digits of the code.
    (line,) = wait_for(lambda: [line for line in proxy.logs() if line.get("close_code") == 4123], bool, "the log line")
    assert (line["cause"], line["ended_by"], line["reason"], line["gate"]) == ("client_close", "client", "all said", "open")
    assert line["age_seconds"] >= 0
    assert (line["client_to_backend_messages"], line["backend_to_client_messages"]) == (3, 3)
    assert line["client_to_backend_bytes"] >= 3 * (6 + 5)
    families = metrics.parse(proxy.metrics())
    # 3 texts and a Close each way; the Close is no message.
    assert families["probegate_tunnel_messages_total"].value(direction="client_to_backend") == 3
    assert families["probegate_tunnel_messages_total"].value(direction="backend_to_client") == 3
    assert families["probegate_tunnel_bytes_total"].value(direction="client_to_backend") >= 3 * (6 + 5)

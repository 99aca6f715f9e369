"""WebSockets between two ends of an independent library (docs/contract.md, "Tunnels"): python-websockets on both sides of the
proxy checks masks, reserved bits, fragments, compression and UTF-8 for itself, and ends the connection at a mistake.
"""

import asyncio
import random

import pytest
import websockets

from support.backends import LoopThread
from support.waiting import wait_for

TIME = 60  # for a whole conversation
SIZES = [0, 1, 125, 126, 127, 65_535, 65_536, 65_537, 81_920, 131_072, 300_000, 1_048_576, 3_000_000]


class Backend:
    """A server of the library, on a loop of its own; `serve` is what it does with each connection."""

    def __init__(self, serve, **options):
        self._loop = LoopThread()
        self.ended = []  # (code, reason) of each connection, as the library saw it

        async def handle(socket, *_):
            try:
                await serve(socket)
            finally:
                await socket.wait_closed()
                self.ended.append((socket.close_code, socket.close_reason))

        async def start():
            return await websockets.serve(handle, "127.0.0.1", 0, max_size=None, max_queue=None, **options)

        self._server = self._loop.run(start())
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def close(self):
        async def stop():
            self._server.close()
            await self._server.wait_closed()

        self._loop.run(stop())
        self._loop.close()


@pytest.fixture
def through(rig):
    """Starts a backend and a proxy in front of it; returns (where a client connects to, the backend)."""
    backends = []

    def start(serve, **options):
        backends.append(Backend(serve, **options))
        sidecar = rig.probegate(f"proxy: {{backend: '{backends[-1].url}'}}").start()
        return f"ws://127.0.0.1:{sidecar.proxy_port}/", backends[-1]

    yield start
    for backend in backends:
        backend.close()


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, TIME))


def messages(seed):
    """Text and binary of every size that matters, in an order of its own; half compressible, half not."""
    dice = random.Random(seed)
    for size in dice.sample(SIZES, len(SIZES)):
        yield dice.randbytes(size)
        yield (f"grüße {dice.random()} 👋 " * (size // 16 + 1))[:size]


def pieces(message, dice):
    """The message in up to six pieces, some of them empty."""
    cuts = sorted(dice.randint(0, len(message)) for _ in range(dice.randint(0, 5)))
    return [message[start:end] for start, end in zip([0, *cuts], [*cuts, len(message)])]


async def say(socket, seed):
    """All messages, whole or in fragments, with Pings between the fragments that must be answered."""
    dice = random.Random(seed)
    pongs = []

    async def fragments(message):
        for piece in pieces(message, dice):
            yield piece
            pongs.append(await socket.ping(dice.randbytes(dice.randint(0, 125))))

    for number, message in enumerate(messages(seed)):
        await socket.send(fragments(message) if number % 3 else message)
    return pongs


async def hear(socket, seed):
    for expected in messages(seed):
        heard = await socket.recv()
        assert type(heard) is type(expected) and len(heard) == len(expected) and heard == expected


async def converse(socket, mine, yours):
    """Both at once: what is said, and what the other one says meanwhile."""
    pongs, _ = await asyncio.gather(say(socket, mine), hear(socket, yours))
    await asyncio.gather(*pongs)


@pytest.mark.parametrize("compression", [None, "deflate"])
def test_two_independent_ends_understand_each_other(through, compression):
    """Sizes on both sides of every form of header, fragments, control frames between them, compression with its memory over
    all messages, both directions at once: bytes are relayed unchanged."""
    url, backend = through(lambda socket: converse(socket, "backend", "client"), compression=compression)

    async def talk():
        async with websockets.connect(url, compression=compression, max_size=None, max_queue=None) as socket:
            assert bool(socket.extensions) == bool(compression)
            await converse(socket, "client", "backend")
            await socket.close(4000, "all said")
        assert (socket.close_code, socket.close_reason) == (4000, "all said")

    run(talk())
    wait_for(lambda: backend.ended, lambda ended: ended == [(4000, "all said")], "the backend to hear the Close")


@pytest.mark.parametrize("code, reason", [(1000, ""), (1001, "going"), (1003, "no"), (1011, "grüße " * 15), (4999, "x" * 123)],
                         ids=lambda value: str(value)[:5])
@pytest.mark.parametrize("by", ["client", "backend"])
def test_either_ends_close_reaches_the_other_and_is_answered(through, by, code, reason):
    """Code and reason of whoever closes arrive, also right behind a long message."""
    async def serve(socket):
        await socket.send(b"x" * 200_000)
        if by == "backend":
            await socket.close(code, reason)

    url, backend = through(serve, compression=None)

    async def talk():
        async with websockets.connect(url, max_size=None) as socket:
            assert await socket.recv() == b"x" * 200_000
            if by == "client":
                await socket.close(code, reason)
            await socket.wait_closed()
        assert (socket.close_code, socket.close_reason) == (code, reason)

    run(talk())
    wait_for(lambda: backend.ended, lambda ended: ended == [(code, reason)], "the backend to hear the same")

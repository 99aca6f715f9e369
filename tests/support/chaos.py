"""A gate between two real peers that breaks what passes through it: the faults of a network, at any byte.

    gate = rig.chaos(postgres.port)                     # the client connects to gate.port
    gate.inflict(chaos.reset(TO_CLIENT, after=9))       # nine bytes of every answer arrive, then a reset
    gate.heal()

A fault lies in one direction, or in both, and begins once `after` bytes of a connection have passed that way. It meets
the connections there are and those to come. `gate.conversation()` tells how many bytes a connection took each way, so
that a test can walk through every phase of a conversation without knowing its protocol.
"""

import asyncio
import contextlib
import dataclasses
import socket
import struct

from support.backends import LoopThread
from support.ports import free_port

TO_SERVER, TO_CLIENT = "to_server", "to_client"
BOTH = None

_ENDS = ("reset", "close", "half_close")


@dataclasses.dataclass(frozen=True)
class Fault:
    kind: str
    direction: str = BOTH
    after: int = 0
    seconds: float = 0
    size: int = 1

    def lies(self, direction):
        return self.direction in (BOTH, direction)


def delay(seconds, direction=BOTH, after=0):
    """Every piece arrives so much later."""
    return Fault("delay", direction, after, seconds)


def slices(size=1, seconds=0.0, direction=BOTH, after=0):
    """Pieces of this size, with a pause after each: a peer that sends one byte a second."""
    return Fault("slices", direction, after, seconds, size)


def drop(direction=BOTH, after=0):
    """The rest is taken and thrown away, the end too: the peer is there, and silent."""
    return Fault("drop", direction, after)


def stall(direction=BOTH, after=0):
    """The rest is left unread, so that its sender comes to stand when the buffers are full."""
    return Fault("stall", direction, after)


def corrupt(direction=BOTH, after=0, size=1):
    """So many bytes arrive with every bit turned over."""
    return Fault("corrupt", direction, after, size=size)


def reset(direction=BOTH, after=0):
    """RST to both peers."""
    return Fault("reset", direction, after)


def close(direction=BOTH, after=0):
    """FIN to both peers."""
    return Fault("close", direction, after)


def half_close(direction, after=0):
    """FIN in this direction alone; what is sent after it is thrown away."""
    return Fault("half_close", direction, after)


class ChaosGate:
    """Listens on a port of its own and passes on to `target`: a port of loopback, or the path of a unix socket."""

    def __init__(self, target):
        self.port = free_port()
        self.target = target
        self.connections = []  # all there ever were, in their order
        self._faults = ()
        self._changed = asyncio.Event()
        self._listening = None
        self._thread = LoopThread()
        self.up()

    def inflict(self, *faults):
        """These faults, in place of those before."""
        self._thread.run(self._inflict(faults))

    def heal(self):
        """No fault. What a fault took is gone, and what it held goes on its way."""
        self.inflict()

    def cut(self):
        """Resets the connections there are now; new ones are passed on."""
        self._thread.run(self._cut())

    def down(self):
        """Nobody listens: connections are refused, those there are stay."""
        self._thread.run(self._stop_listening())

    def up(self):
        if not self._listening:
            self._thread.run(self._listen())

    @property
    def open_connections(self):
        return [connection for connection in self.connections if not connection.ended]

    def conversation(self):
        """The bytes that have passed on the latest connection: {TO_SERVER: n, TO_CLIENT: m}."""
        return dict(self.connections[-1].passed)

    def close(self):
        self._thread.run(self._close())
        self._thread.close()

    # On the loop's thread

    async def _listen(self):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(64)
        listener.setblocking(False)
        self._listening = listener, asyncio.ensure_future(self._accept(listener))

    async def _stop_listening(self):
        if self._listening:
            listener, accepting = self._listening
            self._listening = None
            accepting.cancel()
            await asyncio.gather(accepting, return_exceptions=True)
            listener.close()

    async def _accept(self, listener):
        while True:
            client, _ = await asyncio.get_running_loop().sock_accept(listener)
            self.connections.append(_Connection(self, client))

    async def _inflict(self, faults):
        self._faults = tuple(faults)
        for connection in self.open_connections:
            connection.look_at_ends()
        self._changed.set()  # wakes who stalls
        self._changed = asyncio.Event()

    async def _cut(self):
        for connection in self.open_connections:
            connection.end(with_reset=True)

    async def _close(self):
        await self._stop_listening()
        tasks = [connection.task for connection in self.connections]
        for connection in self.open_connections:
            connection.end(with_reset=False)
        await asyncio.gather(*tasks, return_exceptions=True)

    def faults(self, direction):
        return [fault for fault in self._faults if fault.lies(direction)]

    async def change(self):
        await self._changed.wait()


class _Connection:
    def __init__(self, gate, client):
        self.passed = {TO_SERVER: 0, TO_CLIENT: 0}
        self.dropped = {TO_SERVER: 0, TO_CLIENT: 0}
        self.ended = False
        self._gate = gate
        self._half_closed = set()
        self._pumps = []
        self._client = client
        target = gate.target
        self._server = socket.socket(socket.AF_UNIX if isinstance(target, str) else socket.AF_INET)
        for side in (self._client, self._server):
            side.setblocking(False)
        self.task = asyncio.ensure_future(self._run())

    async def _run(self):
        with contextlib.suppress(OSError):
            self.look_at_ends()
            if self.ended:
                return
            target = self._gate.target
            address = target if isinstance(target, str) else ("127.0.0.1", target)
            await asyncio.get_running_loop().sock_connect(self._server, address)
            self._pumps = [asyncio.ensure_future(self._pump(TO_SERVER, self._client, self._server)),
                           asyncio.ensure_future(self._pump(TO_CLIENT, self._server, self._client))]
            await asyncio.gather(*self._pumps)
            self.end(with_reset=False)
        self.end(with_reset=True)  # one peer broke it, or refused it: the other shall see that

    async def _pump(self, direction, source, sink):
        while data := await asyncio.get_running_loop().sock_recv(source, 65536):
            while data:
                data = data[await self._pass_on(direction, data, sink):]
        while any(fault.kind in ("drop", "stall") for fault in self._active(direction)):
            await self._gate.change()  # an end is no more seen than a byte
        self._finish(direction)

    def _active(self, direction):
        return [fault for fault in self._gate.faults(direction) if fault.after <= self.passed[direction]]

    async def _pass_on(self, direction, data, sink):
        """Passes the front of `data` on as far as the same faults reach; returns how many bytes are dealt with."""
        at = self.passed[direction]
        faults = self._gate.faults(direction)
        size = min([len(data)] + [fault.after - at for fault in faults if fault.after > at])
        for fault in self._active(direction):
            if fault.kind == "drop":
                self.dropped[direction] += len(data)
                return len(data)
            if fault.kind == "stall":
                await self._gate.change()
                return 0
            if fault.kind == "delay":
                await asyncio.sleep(fault.seconds)
            if fault.kind == "slices":
                size = min(size, fault.size)
                await asyncio.sleep(fault.seconds if at > fault.after else 0)
            if fault.kind == "corrupt" and at < fault.after + fault.size:
                size = min(size, fault.after + fault.size - at)
                data = bytes(byte ^ 0xFF for byte in data[:size])
        if direction not in self._half_closed:
            await asyncio.get_running_loop().sock_sendall(sink, data[:size])
        self.passed[direction] += size
        self.look_at_ends()
        return size

    def look_at_ends(self):
        """Carries out the faults that end something and whose point is reached."""
        for direction, passed in self.passed.items():
            for fault in self._gate.faults(direction):
                if fault.kind in _ENDS and fault.after <= passed and not self.ended:
                    if fault.kind == "half_close":
                        self._finish(direction)
                    else:
                        self.end(with_reset=fault.kind == "reset")

    def _finish(self, direction):
        if direction not in self._half_closed and not self.ended:
            self._half_closed.add(direction)
            with contextlib.suppress(OSError):
                (self._server if direction == TO_SERVER else self._client).shutdown(socket.SHUT_WR)

    def end(self, with_reset):
        if self.ended:
            return
        self.ended = True
        for side in (self._client, self._server):
            loop = asyncio.get_running_loop()
            loop.remove_reader(side)
            loop.remove_writer(side)
            if with_reset:
                side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            side.close()
        for task in (self.task, *self._pumps):
            if task is not asyncio.current_task():
                task.cancel()

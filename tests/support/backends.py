"""Backends inside the test: a scripted one for bad manners, and a real HTTP and WebSocket server for good ones."""

import asyncio
import hashlib
import socket
import ssl
import threading

import aiohttp
from aiohttp import web

from support.ports import free_port
from support.raw import Raw
from support.waiting import PATIENCE


class Scripted:
    """A TCP (or unix) server that runs `script(connection)` on a thread for every connection.

    What a script raises is kept and re-raised by close(), except that its peer went away. `certificate` is (file, key) of one
    that speaks TLS, `client_authority` a file: clients without a certificate of that authority are refused.
    """

    def __init__(self, script, path=None, port=None, certificate=None, client_authority=None):
        self._script = script
        self._tls = None
        if certificate:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(*certificate)
        if client_authority:
            self._tls.load_verify_locations(client_authority)
            self._tls.verify_mode = ssl.CERT_REQUIRED
        self.path = path
        self.connections = 0
        self._errors = []
        self._open = set()
        if path:
            self.port = None
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(path)
        else:
            self.port = port or free_port()
            self._listener = socket.socket()
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listener.bind(("127.0.0.1", self.port))
        self._listener.listen(64)
        self._threads = []
        self._start(self._accept)

    @property
    def url(self):
        return f"unix:{self.path}" if self.path else f"http://127.0.0.1:{self.port}"

    def _start(self, function, *arguments):
        thread = threading.Thread(target=function, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self):
        while True:
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.add(accepted)
            self._start(self._run, accepted)

    def _run(self, accepted):
        try:
            if self._tls:
                accepted = self._tls.wrap_socket(accepted, server_side=True)
            with Raw(accepted) as connection:
                self._script(connection)
        except (EOFError, OSError):
            pass  # the peer is gone, or the test is over
        except Exception as error:  # pylint: disable=broad-except
            self._errors.append(error)
        finally:
            self._open.discard(accepted)

    def close(self):
        try:
            self._listener.shutdown(socket.SHUT_RDWR)  # or accept() would take one more connection
        except OSError:
            pass
        self._listener.close()
        for accepted in list(self._open):
            try:
                accepted.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        if self._errors:
            raise self._errors[0]


def silent(connection):
    """A script: listens for as long as the peer likes, and never says a word."""
    connection.read_to_end()


def failing(connection):
    """A script: an HTTP server that answers with 500."""
    connection.read_head()
    connection.send(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


class LoopThread:
    """An asyncio loop on a thread of its own, for servers inside the test."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(PATIENCE)

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(PATIENCE)
        self.loop.close()


class HttpBackend:
    """An aiohttp server whose paths answer in every way that HTTP knows.

    /mirror    what arrived: method, path, headers, size and sha256 of the body, as JSON
    /echo      the request's body, streamed back chunked as it comes
    /bytes?n=  n bytes with Content-Length     /chunks?n=  n bytes chunked
    /status/N  an empty answer with this code  /events     an endless event stream, a line every 50 ms
    /wait      answers when the test calls release()
    /ws        WebSocket echo; `chat.v1` and `chat.v2` as subprotocols, permessage-deflate, `bye N` closes with code N
    """

    def __init__(self, path=None, certificate=None, port=None):
        self.path = path
        self.port = None if path else port or free_port()
        self._tls = None
        if certificate:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(*certificate)
        self.connections = set()
        self._thread = LoopThread()
        self._released = threading.Event()
        self.waiting = 0
        self._thread.run(self._start())

    @property
    def url(self):
        return f"unix:{self.path}" if self.path else f"http://127.0.0.1:{self.port}"

    def release(self):
        self._released.set()

    def close(self):
        self._released.set()
        if self._runner:
            self._thread.run(self._runner.cleanup())
            self._thread.close()
        self._runner = None

    async def _start(self):
        app = web.Application(client_max_size=2**30)
        app.add_routes([
            web.route("*", "/mirror", self._mirror), web.route("*", "/mirror/{rest:.*}", self._mirror),
            web.post("/echo", self._echo), web.get("/bytes", self._bytes), web.get("/chunks", self._chunks),
            web.route("*", "/status/{code}", self._status), web.get("/events", self._events),
            web.get("/wait", self._wait), web.get("/ws", self._websocket)])
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = (web.UnixSite(self._runner, self.path, shutdown_timeout=1) if self.path
                else web.TCPSite(self._runner, "127.0.0.1", self.port, shutdown_timeout=1, ssl_context=self._tls))
        await site.start()

    async def _mirror(self, request):
        self.connections.add(id(request.transport))
        digest, size = hashlib.sha256(), 0
        async for part in request.content.iter_any():
            digest.update(part)
            size += len(part)
        return web.json_response({
            "method": request.method, "path": request.raw_path, "headers": list(map(list, request.headers.items())),
            "size": size, "sha256": digest.hexdigest()}, headers={"Connection-Count": str(len(self.connections))})

    async def _echo(self, request):
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        async for part in request.content.iter_any():
            await response.write(part)
        await response.write_eof()
        return response

    async def _bytes(self, request):
        return web.Response(body=pattern(int(request.query["n"])))

    async def _chunks(self, request):
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        body = pattern(int(request.query["n"]))
        for start in range(0, len(body), 65536):
            await response.write(body[start:start + 65536])
        await response.write_eof()
        return response

    async def _status(self, request):
        return web.Response(status=int(request.match_info["code"]), headers={"ETag": '"one"'})

    async def _events(self, request):
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for number in range(10_000):
            await response.write(f"data: {number}\n\n".encode())
            await asyncio.sleep(0.05)
        return response

    async def _wait(self, _request):
        self.waiting += 1
        await asyncio.to_thread(self._released.wait, PATIENCE)
        return web.Response(text="released")

    async def _websocket(self, request):
        socket_ = web.WebSocketResponse(max_msg_size=64 * 2**20, protocols=("chat.v1", "chat.v2"))
        await socket_.prepare(request)
        async for message in socket_:
            if message.type == aiohttp.WSMsgType.TEXT and message.data.startswith("bye "):
                await socket_.close(code=int(message.data[4:]), message=b"as you wish")
            elif message.type == aiohttp.WSMsgType.TEXT:
                await socket_.send_str(message.data)
            elif message.type == aiohttp.WSMsgType.BINARY:
                await socket_.send_bytes(message.data)
        return socket_


def pattern(size):
    """Bytes that do not repeat with any buffer's size, so that a lost or doubled buffer shows."""
    block = hashlib.sha512(b"probegate").digest() * 1021 + b"!"
    return (block * (size // len(block) + 1))[:size]

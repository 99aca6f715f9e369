"""A stand-in for the server of a public stack: it lets nobody in who does not bring what that stack demands."""

import json

import aiohttp
from aiohttp import web

from support.backends import LoopThread
from support.ports import free_port


class StandIn:
    """`path` is its WebSocket endpoint, `health` a map of paths to what they answer as (headers wanted, status, body).

    A handshake that lacks one of `headers` gets the status of `refusal`; so does one without the `query` or the
    `cookie`. With `subprotocol` it is the one that is spoken, `greeting` is the first message.
    """

    def __init__(self, path=None, headers=None, query=None, cookie=None, subprotocol=None, greeting=None, refusal=403, health=None):
        self.port = free_port()
        self._path, self._headers, self._query, self._cookie = path, headers or {}, query or {}, cookie
        self._subprotocol, self._greeting, self._refusal = subprotocol, greeting, refusal
        self._health = health or {}
        self._thread = LoopThread()
        self._runner = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        self._thread.run(self._start())
        return self

    def close(self):
        if self._runner:
            self._thread.run(self._runner.cleanup())
        self._runner = None
        self._thread.close()

    async def _start(self):
        app = web.Application()
        if self._path:
            app.add_routes([web.get(self._path, self._websocket)])
        app.add_routes([web.get(path, self._answer(*wanted)) for path, wanted in self._health.items()])
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, shutdown_timeout=1).start()

    @staticmethod
    def _answer(headers, status, body):
        async def answer(request):
            if any(request.headers.get(name) != value for name, value in headers.items()):
                return web.Response(status=403, text="not for you")
            text = body if isinstance(body, str) else json.dumps(body)
            return web.Response(status=status, text=text, content_type="text/plain" if isinstance(body, str) else "application/json")

        return answer

    def _wanted(self, request):
        if any(request.headers.get(name) != value for name, value in self._headers.items()):
            return False
        if any(request.query.get(name) != value for name, value in self._query.items()):
            return False
        if self._cookie and request.cookies.get(self._cookie[0]) != self._cookie[1]:
            return False
        return not self._subprotocol or self._subprotocol in request.headers.get("Sec-WebSocket-Protocol", "")

    async def _websocket(self, request):
        if not self._wanted(request):
            return web.Response(status=self._refusal, text="not for you")
        socket = web.WebSocketResponse(protocols=(self._subprotocol,) if self._subprotocol else ())
        await socket.prepare(request)
        if self._greeting:
            await socket.send_str(self._greeting)
        async for message in socket:
            if message.type == aiohttp.WSMsgType.TEXT:
                await socket.send_str(message.data)
        return socket

"""A real auth service as a child process, so that it can be killed, stopped and asked how often it was asked."""

import asyncio
import os
import pathlib
import sys

from aiohttp import web

from support.http import request
from support.ports import free_port
from support.process import Child
from support.waiting import wait_until


class AuthService:
    """`Bearer NAME` is let in as NAME, except `Bearer stranger` (403); without a token 401. /health follows its mode.

    Modes: `well`, `hang` (questions get no answer), `fail` (500 for everything).
    """

    def __init__(self, directory):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = os.path.join(directory, f"auth-{self.port}.log")
        self._server = None

    def start(self):
        self._server = Child("auth service", [sys.executable, "-B", "-m", "support.auth_service", str(self.port)],
                             self._log, cwd=pathlib.Path(__file__).parents[1])
        wait_until(self.running, "the auth service to answer")
        return self

    def running(self):
        assert self._server.alive, f"the auth service ended:\n{self.output()}"
        return request(self.port, "/questions").status == 200

    def questions(self):
        """The heads of all questions so far, newest last: {name in lower case: value}."""
        return request(self.port, "/questions").json

    def turn(self, mode):
        assert request(self.port, f"/turn/{mode}").status == 200

    def freeze(self):
        self._server.freeze()

    def thaw(self):
        self._server.thaw()

    def kill(self):
        if self._server:
            self._server.kill()

    close = kill

    def output(self):
        return self._server.output() if self._server else "(not running)"


def serve(port):
    state = {"mode": "well", "questions": []}

    async def validate(question):
        state["questions"].append({name.lower(): value for name, value in question.headers.items()})
        if state["mode"] == "hang":
            await asyncio.sleep(3600)
        if state["mode"] == "fail":
            return web.Response(status=500)
        scheme, _, name = question.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not name:
            return web.Response(status=401, text="who are you?", headers={"WWW-Authenticate": 'Bearer realm="chat"'})
        if name == "stranger":
            return web.json_response({"error": "not you"}, status=403)
        return web.Response(status=204, headers={"X-User-Id": name})

    async def health(_question):
        return web.Response(status=200 if state["mode"] == "well" else 503)

    async def questions(_question):
        return web.json_response(state["questions"])

    async def turn(question):
        state["mode"] = question.match_info["mode"]
        return web.Response()

    app = web.Application()
    app.add_routes([web.get("/validate", validate), web.get("/health", health), web.get("/questions", questions),
                    web.get("/turn/{mode}", turn)])
    web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=None, backlog=1024)


if __name__ == "__main__":
    serve(int(sys.argv[1]))

"""A real auth service as a child process, so that it can be killed, stopped and asked how often it was asked."""

import asyncio
import os
import pathlib
import sys

from aiohttp import web

from support.http import request
from support.ports import free_port
from support.server_process import ServerProcess


class AuthService(ServerProcess):
    """`Bearer NAME` is let in as NAME, except `Bearer stranger` (403); without a token 401. /health follows its mode.

    Modes: `well`, `hang` (questions get no answer), `fail` (500 for everything).
    """

    def __init__(self, directory):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        super().__init__("the auth service", log=os.path.join(directory, f"auth-{self.port}.log"),
                         cwd=pathlib.Path(__file__).parents[1])

    def _argv(self):
        return [sys.executable, "-B", "-m", "support.auth_service", str(self.port)]

    def _answers(self):
        return request(self.port, "/questions").status == 200

    def questions(self):
        """The heads of all questions so far, newest last: {name in lower case: value}."""
        return request(self.port, "/questions").json

    def turn(self, mode):
        assert request(self.port, f"/turn/{mode}").status == 200


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

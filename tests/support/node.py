"""Real servers and clients of Node.js, from Debian's packages."""

import os
import subprocess

from support.ports import accepts, free_port
from support.server_process import ServerProcess

_ENVIRONMENT = {"PATH": os.environ["PATH"], "NODE_PATH": "/usr/share/nodejs", "HOME": "/nonexistent"}


class NodeServer(ServerProcess):
    """A script that listens on 127.0.0.1 at the port in its environment's PORT."""

    def __init__(self, directory, script):
        self.port = free_port()
        super().__init__("node", log=os.path.join(directory, f"node-{self.port}.log"),
                         env={**_ENVIRONMENT, "PORT": str(self.port)})
        self._script = script

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def _argv(self):
        return ["node", "-e", self._script]

    def _answers(self):
        return accepts(self.port)


def run_node(script, *arguments):
    """Runs a script to its end, which must be a good one, and returns what it printed."""
    done = subprocess.run(["node", "-e", script, *arguments], env=_ENVIRONMENT, capture_output=True, text=True, timeout=60,
                          check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


# An app that believes its proxy as Express apps do, and insists on https.
EXPRESS = """
const express = require("express");
const app = express();
app.set("trust proxy", ["loopback", "10.8.0.0/16"]);
app.get("/seen", (request, answer) => answer.json({
  ip: request.ip, proto: request.protocol, secure: request.secure, host: request.hostname,
  forwarded_for: request.headers["x-forwarded-for"] || null, forwarded: request.headers["forwarded"] || null}));
app.get("/account", (request, answer) => request.secure
  ? answer.cookie("session", "1", {secure: true}).send("in")
  : answer.redirect("https://" + request.headers.host + request.originalUrl));
app.listen(Number(process.env.PORT), "127.0.0.1");
"""

"""The chat server of examples/chat as a child process."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import urllib.request

from support.ports import free_port
from support.process import Child
from support.waiting import wait_until

PROGRAM = pathlib.Path(__file__).parents[2] / "examples" / "chat" / "chat.py"


class Chat:
    """Runs between start() and stop(), on a port, or on a unix socket, that is known before."""

    def __init__(self, postgres, redis, unix=False, slow_start=0):
        self.home = tempfile.mkdtemp(prefix="probegate-chat-")
        self.port = None if unix else free_port()
        self.socket_path = os.path.join(self.home, "chat.sock") if unix else None
        self._slow_start = slow_start
        self._env = {"PATH": os.environ["PATH"], "DATABASE_URL": postgres.url(), "REDIS_URL": redis.url(),
                     "PYTHONUNBUFFERED": "1"}
        self._server = None

    @property
    def url(self):
        """As proxy.backend wants it."""
        return f"unix:{self.socket_path}" if self.socket_path else f"http://127.0.0.1:{self.port}"

    @property
    def pid(self):
        return self._server.pid

    def launch(self):
        """Starts the process and does not wait for it."""
        where = ["--unix", self.socket_path] if self.socket_path else ["--port", str(self.port)]
        self._server = Child("chat", [sys.executable, PROGRAM, "serve", *where, "--slow-start", str(self._slow_start)],
                             os.path.join(self.home, "log"), env=self._env)
        return self

    def start(self):
        self.launch()
        wait_until(self._answers, "the chat server to answer")
        return self

    def _answers(self):
        if not self._server.alive:
            raise AssertionError(f"the chat server ended at its start:\n{self._server.output()}")
        if self.socket_path:
            return os.path.exists(self.socket_path)
        with urllib.request.urlopen(f"{self.url}/", timeout=5) as answer:
            return answer.status == 200

    def migrate(self, delay=0):
        subprocess.run([sys.executable, PROGRAM, "migrate", "--delay", str(delay)], env=self._env, check=True,
                       stdout=subprocess.DEVNULL, timeout=60 + delay)

    def stop(self):
        """SIGTERM: sockets get Close 1001."""
        if self._server:
            self._server.stop()
            self._server = None

    def kill(self):
        """The server is gone without a word, its sockets with it."""
        if self._server:
            self._server.kill()
            self._server = None

    def freeze(self):
        self._server.freeze()

    def thaw(self):
        self._server.thaw()

    def output(self):
        return self._server.output() if self._server else "(not running)"

    def close(self):
        self.kill()
        shutil.rmtree(self.home, ignore_errors=True)

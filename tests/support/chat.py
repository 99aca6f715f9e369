"""The chat server of examples/chat as a child process."""

import os
import pathlib
import subprocess
import sys
import tempfile
import urllib.request

from support.ports import free_port
from support.server_process import ServerProcess

PROGRAM = pathlib.Path(__file__).parents[2] / "examples" / "chat" / "chat.py"


class Chat(ServerProcess):
    """On a port, or on a unix socket, that is known before it starts; SIGTERM closes its sockets with 1001."""

    def __init__(self, postgres, redis, unix=False, slow_start=0):
        self._env = {"PATH": os.environ["PATH"], "DATABASE_URL": postgres.url(), "REDIS_URL": redis.url(),
                     "PYTHONUNBUFFERED": "1"}
        super().__init__("the chat server", tempfile.mkdtemp(prefix="probegate-chat-"), env=self._env)
        self.port = None if unix else free_port()
        self.socket_path = os.path.join(self.home, "chat.sock") if unix else None
        self._slow_start = slow_start

    @property
    def url(self):
        """As proxy.backend wants it."""
        return f"unix:{self.socket_path}" if self.socket_path else f"http://127.0.0.1:{self.port}"

    def _argv(self):
        where = ["--unix", self.socket_path] if self.socket_path else ["--port", str(self.port)]
        return [sys.executable, PROGRAM, "serve", *where, "--slow-start", str(self._slow_start)]

    def _answers(self):
        if self.socket_path:
            return os.path.exists(self.socket_path)
        with urllib.request.urlopen(f"{self.url}/", timeout=5) as answer:
            return answer.status == 200

    def migrate(self, delay=0):
        subprocess.run([sys.executable, PROGRAM, "migrate", "--delay", str(delay)], env=self._env, check=True,
                       stdout=subprocess.DEVNULL, timeout=60 + delay)

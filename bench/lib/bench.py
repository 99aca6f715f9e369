"""The bench: one backend per kind of address, and proxies and load in front of it."""

import pathlib
import sys
import time

from lib.answers import first_answer
from lib.load import Load
from lib.processes import LOAD_CPU, Process
from lib.proxies import Proxy
from support.ports import free_port
from support.waiting import wait_until


def tell(text):
    print(time.strftime("%H:%M:%S ") + text, file=sys.stderr, flush=True)


class Bench:
    def __init__(self, directory, tools, descriptors):
        self.directory = pathlib.Path(directory)
        self.directory.chmod(0o711)  # nginx works as another user, and must reach the socket
        self.tools = tools
        self.descriptors = descriptors
        self._backends = {}

    def backend(self, unix):
        """Its address; it starts when it is wanted first."""
        if unix not in self._backends:
            path = self.directory / "backend.sock"
            port = free_port()
            address = f"unix:{path}" if unix else f"127.0.0.1:{port}"
            process = Process("backend", [str(self.tools / "backend"), "--listen", address], self.directory, LOAD_CPU)
            process.check()
            if unix:
                wait_until(path.exists, "the backend's socket")
                path.chmod(0o666)
            else:
                first_answer(port, "/", time.monotonic() + 10)
            self._backends[unix] = address
        return self._backends[unix]

    def proxy(self, name, work, around=(), patience=20):
        """Running; ends with the `with` it is used in."""
        proxy = Proxy(name, self.backend(work.unix), self.directory, self.tools, self.descriptors, around)
        return proxy.start(patience)

    def load(self, work, proxy, connections=None):
        return Load(work, proxy, self.tools, self.directory, connections)

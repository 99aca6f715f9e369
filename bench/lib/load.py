"""Drives the load generator, and holds the table of the works."""

import json
import select
import subprocess
from dataclasses import dataclass

from lib.processes import LOAD_CPU, Failure, Process


@dataclass(frozen=True)
class Work:
    title: str
    kind: str  # the load generator's
    connections: int
    units: int  # for the counts that are free of noise
    size: int = 64
    probe: bool = False
    unix: bool = False
    fields: int = 0  # of a request, besides its Host


WORKS = {
    "alone": Work("64 B alone, echoed", "echo", 1, 1000),
    "echo": Work("64 B, 64 connections", "echo", 64, 6400),
    "64k": Work("64 KiB, 16 connections", "echo", 16, 480, 65536),
    "1m": Work("1 MiB, 4 connections", "echo", 4, 60, 1 << 20),
    "handshake": Work("handshake and close", "handshake", 16, 480),
    "get": Work("HTTP GET, 64 keep-alive", "get", 64, 6400),
    "probe": Work("probe request", "get", 16, 3200, probe=True),
    "unix": Work("64 B, 64 connections, unix-socket backend", "echo", 64, 6400, unix=True),
}


class Load:
    """A running load generator on one work against one proxy."""

    def __init__(self, work, proxy, tools, directory, connections=None):
        self._work = work
        port = proxy.probe if work.probe else proxy.port
        argv = [str(tools / "load"), "--work", work.kind, "--target", f"127.0.0.1:{port}", "--size", str(work.size),
                "--window", str(work.connections)]
        if work.probe:
            argv += ["--path", "/health/ready", "--body-contains", '"status":"ready"']
        elif work.kind == "get":
            argv += ["--fields", str(work.fields), "--body-contains", "0123456789abcdef" * 4]
        self._process = Process("load", argv, directory, LOAD_CPU, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._against = f"{work.title} through {proxy.name}"
        if work.kind != "handshake":
            self.open(connections or work.connections)

    def _ask(self, command, patience):
        pipes = self._process.popen
        try:
            pipes.stdin.write(f"{command}\n".encode())
            pipes.stdin.flush()
        except BrokenPipeError:
            pass  # the reason is in its output
        readable, _, _ = select.select([pipes.stdout], [], [], patience)
        line = pipes.stdout.readline() if readable else b""
        if not line:
            raise Failure(f"{self._against}, {command}: {self._process.output() or 'no end'}")
        return json.loads(line)

    def open(self, connections):
        return self._ask(f"open {connections}", 120)

    def units(self, number):
        return self._ask(f"units {number}", 240)

    def seconds(self, number):
        return self._ask(f"seconds {number}", number + 30)

    def start_seconds(self, number):
        """Starts without waiting; finish() has the result."""
        self._process.popen.stdin.write(f"seconds {number}\n".encode())
        self._process.popen.stdin.flush()

    def finish(self, patience=60):
        readable, _, _ = select.select([self._process.popen.stdout], [], [], patience)
        line = self._process.popen.stdout.readline() if readable else b""
        if not line:
            raise Failure(f"{self._against}: {self._process.output() or 'no end'}")
        return json.loads(line)

    def close(self):
        self._process.stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

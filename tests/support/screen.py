"""A command on a terminal of its own, whose screen (a real emulator, pyte) the test can read."""

import fcntl
import os
import pty
import struct
import subprocess
import termios
import threading

import pyte

from support.probegate import BINARY, environment
from support.waiting import PATIENCE


class Screen:
    def __init__(self, *arguments, columns=100, rows=24, env=None):
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._lock = threading.Lock()
        self.raw = b""
        self._ours, theirs = pty.openpty()
        self._set_size(columns, rows)
        self._process = subprocess.Popen(
            [BINARY, *map(str, arguments)], env=environment({"TERM": "xterm", **(env or {})}), stdin=theirs, stdout=theirs,
            stderr=theirs, start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(theirs)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        try:
            while part := os.read(self._ours, 65536):
                with self._lock:
                    self.raw += part
                    self._stream.feed(part)
        except OSError:
            pass  # the other side has closed: the end

    def _set_size(self, columns, rows):
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, columns, rows):
        with self._lock:
            self._screen.resize(rows, columns)
            self._set_size(columns, rows)

    @property
    def lines(self):
        """What stands on it, without blanks at the ends of lines and without the empty lines below."""
        with self._lock:
            return "\n".join(line.rstrip() for line in self._screen.display).rstrip("\n").split("\n")

    @property
    def cursor(self):
        with self._lock:
            return self._screen.cursor

    def press(self, keys):
        os.write(self._ours, keys)

    def wait(self):
        code = self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return code

    def close(self):
        self._process.kill()
        self._process.wait()
        self._reader.join(PATIENCE)
        os.close(self._ours)

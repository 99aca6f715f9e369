"""A name server of our own on a loopback address, for a process whose /etc/resolv.conf we replace (needs root)."""

import functools
import os
import random
import shlex
import shutil
import socket
import subprocess
import threading


@functools.lru_cache(maxsize=None)
def available():
    """Root may, and even root may not in most containers: so it is tried."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    attempt = ["unshare", "--mount", "--propagation", "private", "mount", "--bind", "/dev/null", "/etc/resolv.conf"]
    return subprocess.run(attempt, capture_output=True, timeout=30, check=False).returncode == 0


class NameServer:
    """Swallows every question, or (mode "nxdomain") says that no name exists,
    or (mode "servfail") that it could not find out, or that every name is 127.0.0.1:
    at once (mode "at once"), or (mode "late") after a while that is longer than a resolver waits before it asks again,
    or (mode "ipv4 alone") at once, and swallows questions for another kind of address.
    `mode` may change at any time."""

    LATE = 1.2
    CODES = {"servfail": 2, "nxdomain": 3}

    def __init__(self, mode, directory):
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        while True:
            self.address = f"127.{random.randint(1, 254)}.{random.randint(1, 254)}.53"
            try:
                self._socket.bind((self.address, 53))
                break
            except OSError:
                continue
        self.questions = 0
        self.mode = mode
        self._resolv_conf = os.path.join(directory, f"resolv-{mode.replace(' ', '-')}.conf")
        with open(self._resolv_conf, "w") as file:
            file.write(f"nameserver {self.address}\n")
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                question, peer = self._socket.recvfrom(4096)
            except OSError:
                return
            self.questions += 1
            if self.mode in self.CODES:
                # The question back, with QR, RD, RA and the code; no other section.
                head = question[:2] + bytes([0x81, 0x80 + self.CODES[self.mode]])
                self._socket.sendto(head + question[4:6] + b"\0" * 6 + question[12:], peer)
            elif self.mode == "at once" or (self.mode == "ipv4 alone" and self._asks_for_a(question)):
                self._answer(question, peer)
            elif self.mode == "late":
                threading.Timer(self.LATE, self._answer, [question, peer]).start()

    @staticmethod
    def _asks_for_a(question):
        name_end = question.index(b"\0", 12)
        return question[name_end + 1:name_end + 3] == b"\0\1"

    def _answer(self, question, peer):
        name_end = question.index(b"\0", 12)
        asks_for_a = self._asks_for_a(question)
        # QR, RD, RA; the question alone (EDNS left out); an A record of 127.0.0.1 for a pointer to the name.
        head = question[:2] + b"\x81\x80\0\1" + (b"\0\1" if asks_for_a else b"\0\0") + b"\0" * 4
        record = b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4\x7f\0\0\1" if asks_for_a else b""
        try:
            self._socket.sendto(head + question[12:name_end + 5] + record, peer)
        except OSError:
            pass  # the test is over

    def around(self, argv):
        """`argv` run where /etc/resolv.conf names this server alone; exec keeps the process id."""
        mount = f"mount --bind {shlex.quote(self._resolv_conf)} /etc/resolv.conf && exec \"$@\""
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", mount, "sh", *argv]

    def close(self):
        self._socket.close()

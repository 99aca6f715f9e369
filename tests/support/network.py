"""A network of one's own, in which a test may have any addresses it likes."""

import ctypes
import os
import subprocess
import threading

import pytest

from support.waiting import PATIENCE

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def in_own_network(body, addresses=()):
    """Runs `body()` on a thread whose network has a loopback interface with these addresses besides its own, and nothing
    else; so have the threads and processes that it starts. Skips the test where that is not allowed."""
    outcome = []

    def run():
        if _libc.unshare(CLONE_NEWNET) != 0:
            outcome.append(f"no network of one's own: {os.strerror(ctypes.get_errno())}")
            return
        try:
            _ip("link", "set", "lo", "up")
            for address in addresses:
                _ip("address", "add", f"{address}/32", "dev", "lo")
            body()
            outcome.append(None)
        except BaseException as error:  # pylint: disable=broad-except
            outcome.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(5 * PATIENCE)
    assert outcome, "the test in its own network did not end"
    if isinstance(outcome[0], str):
        pytest.skip(outcome[0])
    if outcome[0] is not None:
        raise outcome[0]


def _ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=PATIENCE)

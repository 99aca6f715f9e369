"""A network of one's own, in which a test may have any addresses it likes."""

import ctypes
import os
import queue
import subprocess
import threading

import pytest

from support.waiting import PATIENCE

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def in_own_network(body, addresses=()):
    """Runs `body()` on a thread whose network has a loopback interface with these addresses besides its own, and nothing
    else; so have the threads and processes that it starts. Skips the test where that is not allowed.

    The thread stays until this process ends: children die with the thread that started them (PR_SET_PDEATHSIG), and a test
    ends its servers itself.
    """
    outcome = queue.SimpleQueue()

    def run():
        outcome.put(attempt())
        threading.Event().wait()

    def attempt():
        if _libc.unshare(CLONE_NEWNET) != 0:
            return f"no network of one's own: {os.strerror(ctypes.get_errno())}"
        try:
            _ip("link", "set", "lo", "up")
            for address in addresses:
                _ip("address", "add", f"{address}/32", "dev", "lo")
            body()
            return None
        except BaseException as error:  # pylint: disable=broad-except
            return error

    threading.Thread(target=run, daemon=True).start()
    result = outcome.get(timeout=5 * PATIENCE)
    if isinstance(result, str):
        pytest.skip(result)
    if result is not None:
        raise result


def _ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=PATIENCE)

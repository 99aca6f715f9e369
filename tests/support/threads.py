"""One thread of a process that is held still while the others go on."""

import ctypes
import os

import pytest

from support.waiting import wait_for

PTRACE_ATTACH, PTRACE_DETACH = 16, 17
_WAIT_FOR_ANY_THREAD = 0x40000000  # __WALL


class StoppedThread:
    """One thread of another process held still by ptrace, which stops no other thread of it."""

    def __init__(self, pid, name):
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
        self._tid = wait_for(lambda: self._find(pid, name), lambda tid: tid is not None, f"a thread {name}")

    @staticmethod
    def _find(pid, name):
        for tid in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{tid}/comm") as comm:
                if comm.read().strip() == name:
                    return int(tid)
        return None

    def __enter__(self):
        if self._libc.ptrace(PTRACE_ATTACH, self._tid, None, None) != 0:
            pytest.skip(f"ptrace is not allowed here: {os.strerror(ctypes.get_errno())}")
        os.waitpid(self._tid, _WAIT_FOR_ANY_THREAD)
        return self

    def __exit__(self, *_):
        self._libc.ptrace(PTRACE_DETACH, self._tid, None, None)

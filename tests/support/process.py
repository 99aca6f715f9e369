"""Child processes that never outlive us."""

import atexit
import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import tempfile

from support.waiting import PATIENCE

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)
_alive = set()


def _die_with_parent():
    # Runs between fork and exec, after any change of user, which would clear it again.
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


@atexit.register
def _kill_all():
    for child in list(_alive):
        child.kill()


def unprivileged_user():
    """Who runs the servers: some (PostgreSQL) refuse to be root; None means ourselves."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def as_user(user):
    """The arguments of subprocess that change to this user, groups included."""
    if not user:
        return {}
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def hand_over(path):
    """Makes the file or directory belong to who runs the servers."""
    if unprivileged_user():
        shutil.chown(path, unprivileged_user())


def private_directory(name):
    """A new directory of who runs the servers. Not below pytest's own temporary one, which is closed to other users."""
    path = tempfile.mkdtemp(prefix=f"probegate-{name}-")
    hand_over(path)
    return path


class Child:
    """One process in a process group of its own, with its output (stdout and stderr) in a file.

    It ends by stop() or kill(), at the latest when this process does: by atexit, or by the kernel if we are killed.
    """

    def __init__(self, name, argv, log, env=None, user=None, cwd=None):
        self.name = name
        self.log = log
        with open(log, "ab") as output:
            self._process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=cwd, env=env,
                start_new_session=True, preexec_fn=_die_with_parent,
                **as_user(user))
        _alive.add(self)

    @property
    def pid(self):
        return self._process.pid

    @property
    def alive(self):
        return self._process.poll() is None

    def send(self, number):
        if self.alive:
            self._process.send_signal(number)

    def freeze(self):
        """SIGSTOP to the process and all its descendants: a machine that hangs, with its connections open."""
        for pid in self.tree():
            os.kill(pid, signal.SIGSTOP)

    def thaw(self):
        for pid in self.tree():
            os.kill(pid, signal.SIGCONT)

    def tree(self):
        pids = [self.pid]
        for pid in pids:
            try:
                with open(f"/proc/{pid}/task/{pid}/children") as children:
                    pids += [int(child) for child in children.read().split()]
            except FileNotFoundError:
                pass
        return pids

    def wait(self, timeout=PATIENCE):
        """The exit code; a process that does not end in time is killed, and that is an error."""
        try:
            code = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not end within {timeout:g} s\n{self.output()[-4000:]}") from None
        _alive.discard(self)
        return code

    def stop(self, number=signal.SIGTERM, timeout=PATIENCE):
        self.send(number)
        return self.wait(timeout)

    def kill(self):
        if self.alive:
            for pid in reversed(self.tree()):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        self._process.wait()
        _alive.discard(self)

    def output(self):
        with open(self.log, errors="replace") as log:
            return log.read()

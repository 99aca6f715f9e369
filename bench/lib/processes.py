"""What the benchmark starts: pinned to a CPU, watched, and ended with us, whatever happens."""

import ctypes
import os
import pathlib
import resource
import signal
import subprocess

PROXY_CPU = 0
LOAD_CPU = 1  # load generator and backend; the peers get the other one for themselves
PATIENCE = 20.0
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)
_running = []


class Failure(Exception):
    """The run is over; the text says why."""


def raise_descriptor_limit():
    """For us and all we start: a tunnel costs a proxy two descriptors. Returns the limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def on_cpu(cpu):
    """What a child does before it becomes the program: take its CPU, and die with us."""
    def prepare():
        os.sched_setaffinity(0, {cpu % os.cpu_count()})
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    return prepare


class Process:
    """One program with its output in a file; `stdin` and `stdout` may be pipes."""

    def __init__(self, name, argv, directory, cpu, stdin=subprocess.DEVNULL, stdout=None, env=None):
        self.name = name
        self.log = pathlib.Path(directory) / f"{name}-{len(_running)}.log"
        with open(self.log, "wb") as log:
            self.popen = subprocess.Popen(
                argv, stdin=stdin, stdout=stdout or log, stderr=log, cwd=directory, env=env,
                start_new_session=True, preexec_fn=on_cpu(cpu))
        _running.append(self)

    @property
    def pid(self):
        return self.popen.pid

    def tree(self):
        """This process and its descendants: nginx works in a child."""
        pids = [self.pid]
        for pid in pids:
            try:
                pids += map(int, pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
            except (FileNotFoundError, ProcessLookupError):
                pass
        return pids

    def check(self):
        if self.popen.poll() is not None:
            raise Failure(f"{self.name} ended with {self.popen.returncode}:\n{self.output()}")

    def output(self):
        return self.log.read_text(errors="replace")[-3000:].strip()

    def stop(self, number=signal.SIGTERM):
        """Asks it to end, and makes it end if it does not."""
        if self in _running:
            _running.remove(self)
        if self.popen.poll() is None:
            pids = self.tree()
            self.popen.send_signal(number)
            try:
                self.popen.wait(3)
            except subprocess.TimeoutExpired:
                for pid in pids:
                    try:
                        os.kill(pid, signal.SIGKILL)
                    except ProcessLookupError:
                        pass
                self.popen.wait()
        for pipe in (self.popen.stdin, self.popen.stdout):
            if pipe:
                pipe.close()


def stop_all():
    for process in list(reversed(_running)):
        process.stop(signal.SIGKILL if process.name != "nginx" else signal.SIGTERM)

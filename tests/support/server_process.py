"""What all servers of the tests have in common: a child process with a start, an end and an output."""

import os
import shutil
import signal

from support.process import Child
from support.waiting import PATIENCE, wait_until


class ServerProcess:
    """A server that runs from start() to stop() or kill(), and may then be started again; close() is its end.

    A subclass says how it is run (`_argv`) and when it answers (`_answers`). `home` is a directory of its own, which
    close() removes; `log` is a file in it unless given. What the server has said in all of its runs outlives both.
    `how` are further arguments of Child: env, user, cwd.
    """

    stop_signal = signal.SIGTERM

    def __init__(self, name, home=None, log=None, **how):
        self.name = name
        self.home = home
        self.log = log or os.path.join(home, "log")
        self._how = how
        self._child = None
        self._kept_output = ""

    def _argv(self):
        """The command line; called at each start."""
        raise NotImplementedError

    def _answers(self):
        """Whether it answers; an OSError means "not yet"."""
        raise NotImplementedError

    def launch(self):
        """Starts the process and does not wait for it."""
        self._child = Child(self.name, self._argv(), self.log, **self._how)
        return self

    def start(self):
        """Starts the process and waits until it answers."""
        self.launch()
        wait_until(lambda: self.running() and self._answers(), f"{self.name} to answer")
        return self

    def running(self):
        """True; the end of a process that should run is an error that shows its output."""
        if not self.alive:
            raise AssertionError(f"{self.name} ended with {self._child.wait()}:\n{self.output()[-4000:]}")
        return True

    @property
    def alive(self):
        return self._child is not None and self._child.alive

    @property
    def pid(self):
        return self._child.pid

    def stop(self, timeout=PATIENCE):
        """Ends it as an operator would, and returns the exit code; one that does not end in time is an error."""
        return self._child.stop(self.stop_signal, timeout) if self._child else None

    def kill(self):
        """It is gone without a word, with all its connections."""
        if self._child:
            self._child.kill()

    def freeze(self):
        self._child.freeze()

    def thaw(self):
        self._child.thaw()

    def output(self):
        if not os.path.exists(self.log):
            return self._kept_output
        with open(self.log, errors="replace") as log:
            return log.read()

    def close(self):
        self.kill()
        self._kept_output = self.output()
        if self.home:
            shutil.rmtree(self.home, ignore_errors=True)

"""The program under test: its process, its two ports, its log."""

import json
import os
import pathlib
import pty
import subprocess

from support.http import request
from support.ports import free_port
from support.raw import Raw
from support.server_process import ServerProcess
from support.waiting import PATIENCE, wait_for

BINARY = os.environ.get("PROBEGATE_BIN", str(pathlib.Path(__file__).parents[2] / "build" / "src" / "probegate"))

# A sanitizer's report has an exit code of its own, so that no test takes it for one of the program's.
_SANITIZERS = {"ASAN_OPTIONS": "exitcode=99:quarantine_size_mb=8", "LSAN_OPTIONS": "exitcode=99",
               "UBSAN_OPTIONS": "exitcode=99:halt_on_error=1:print_stacktrace=1", "TSAN_OPTIONS": "exitcode=99"}


def is_sanitized():
    program = pathlib.Path(BINARY).read_bytes()
    return any(sign in program for sign in (b"__asan_init", b"__tsan_init"))


def is_thread_sanitized():
    """Under ThreadSanitizer what libraries compute takes many times as long."""
    return b"__tsan_init" in pathlib.Path(BINARY).read_bytes()


def environment(extra=None):
    """What the program may see of ours: nearly nothing, so that a PORT or K_SERVICE around us changes no test."""
    sanitizers = {name: f"{os.environ.get(name, '')}:{ours}".lstrip(":") for name, ours in _SANITIZERS.items()}
    return {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **sanitizers, **(extra or {})}


def command(*arguments, env=None, timeout=PATIENCE, stdin=None):
    """Runs a command of the program to its end: returncode, stdout, stderr."""
    return subprocess.run([BINARY, *map(str, arguments)], env=environment(env), timeout=timeout, text=True,
                          capture_output=True, stdin=stdin or subprocess.DEVNULL, check=False)


def on_a_terminal(*arguments, env=None):
    """What a command writes to a terminal of its own."""
    ours, theirs = pty.openpty()
    with subprocess.Popen([BINARY, *map(str, arguments)], env=environment({"TERM": "xterm", **(env or {})}), stdin=subprocess.DEVNULL,
                          stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        text = b""
        try:
            while part := os.read(ours, 65536):
                text += part
        except OSError:
            pass  # the terminal's other side has closed: the end
        process.wait(PATIENCE)
    os.close(ours)
    return text.decode()


class Probegate(ServerProcess):
    """`probegate run` on two free ports.

    `config` is YAML, where what it leaves out of the two `listen` keys is filled in, or the path of a file that is used
    as it is (it finds PORT and PROBE_PORT in its environment). None means environment alone.
    """

    def __init__(self, directory, config=None, env=None, around=lambda argv: argv):
        self.proxy_port = free_port()
        self.probe_port = free_port()
        super().__init__("probegate", log=os.path.join(directory, f"probegate-{self.probe_port}.log"), env=environment(
            {"PORT": str(self.proxy_port), "PROBE_PORT": str(self.probe_port), **(env or {})}))
        self._around = around
        self.config_file = config
        if isinstance(config, str):
            self.config_file = os.path.join(directory, f"probegate-{self.probe_port}.yaml")
            self.write_config(config)

    def write_config(self, config):
        import yaml  # here, so that the demo does without it
        settings = yaml.safe_load(config) or {}
        settings.setdefault("proxy", {}).setdefault("listen", f"127.0.0.1:{self.proxy_port}")
        settings.setdefault("probes", {}).setdefault("listen", f"127.0.0.1:{self.probe_port}")
        with open(self.config_file + ".new", "w") as file:
            yaml.safe_dump(settings, file, sort_keys=False)
        os.replace(self.config_file + ".new", self.config_file)  # whole, whoever is reading it

    # The process

    def _argv(self):
        return self._around([BINARY, "run", *(["-c", self.config_file] if self.config_file else [])])

    def _answers(self):
        return self.probe("/health").status

    def start(self):
        """Waits until it answers probes and accepts clients; none of them reaches the backend."""
        super().start()
        with Raw.connect(self.proxy_port) as client:
            client.shutdown()
            client.read_to_end()  # or it might still be counted when the test begins
        return self

    def send(self, number):
        self._child.send(number)

    def wait(self, timeout=PATIENCE):
        return self._child.wait(timeout)

    def rss(self):
        """Resident bytes."""
        with open(f"/proc/{self.pid}/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    # What it says

    def logs(self):
        """The complete lines so far; every one must be JSON."""
        return [json.loads(line) for line in self.output().split("\n")[:-1]]

    def wait_for_line(self, message, timeout=PATIENCE):
        """The first line with this message, once it is written."""
        found = wait_for(lambda: [line for line in self.logs() if line["message"] == message], bool,
                         f'the log line "{message}"', timeout)
        return found[0]

    def wait_for_lines(self, accept, count=1):
        """The lines that `accept` likes, once there are so many: what has been done is written a moment later."""
        return wait_for(lambda: [line for line in self.logs() if accept(line)], lambda found: len(found) >= count,
                        f"{count} lines of the log")

    def probe(self, path, method="GET", headers=None):
        return request(self.probe_port, path, method=method, headers=headers)

    def ready(self):
        """The readiness document."""
        return self.probe("/health/ready").json

    def check(self, name):
        return self.ready()["checks"][name]

    def metrics(self):
        return self.probe("/metrics").text

    def request(self, path="/", **arguments):
        """One request through the proxy."""
        return request(self.proxy_port, path, **arguments)

    def wait_for_readiness(self, accept, what, timeout=PATIENCE):
        """Waits until `accept` likes the readiness document, and returns that."""
        return wait_for(lambda: self.running() and self.ready(), accept, what, timeout)

    def wait_for_gate(self, state="open", timeout=PATIENCE):
        return self.wait_for_readiness(lambda seen: seen["gate"] == state, f"the gate to be {state}", timeout)

    def wait_for_check(self, name, status, timeout=PATIENCE):
        """The check's part of the document, once its status is this."""
        return self.wait_for_readiness(lambda seen: seen["checks"][name]["status"] == status,
                                       f"check {name} to be {status}", timeout)["checks"][name]

    def wait_for_error(self, name, kind, timeout=PATIENCE):
        """The check's error, once it is of this kind."""
        return self.wait_for_readiness(lambda seen: (seen["checks"][name].get("error") or {}).get("kind") == kind,
                                       f"check {name} to fail with {kind}", timeout)["checks"][name]["error"]

    def close(self):
        """The end of every test: what still runs must drain and exit with 0, and no sanitizer may have spoken."""
        if self.alive:
            self.thaw()
            code = self.stop()
            assert code == 0, f"probegate ended with {code} after SIGTERM:\n{self.output()[-4000:]}"
        for sign in ("AddressSanitizer", "LeakSanitizer", "ThreadSanitizer", "runtime error:"):
            assert sign not in self.output(), f"{sign} in the log:\n{self.output()[-8000:]}"

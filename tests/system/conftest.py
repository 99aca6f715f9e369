"""What every system test gets: servers of its own, a deadline, and their logs when it fails."""

import faulthandler
import os
import pathlib
import shutil
import signal
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

# pylint: disable=wrong-import-position
from support import backends, dns, probegate
from support.auth_service import AuthService
from support.certificates import Authority
from support.chaos import ChaosGate
from support.chat import Chat
from support.grpc_health import HealthServer
from support.mariadb import MariaDb
from support.pgbouncer import Pgbouncer
from support.postgres import Postgres
from support.probegate import Probegate
from support.prometheus import Prometheus
from support.redis import Redis, RedisCluster, Sentinel

TEST_DEADLINE = 120


class Rig:
    """Makes servers and closes them all, the last made first. Every test has one, and no two tests share anything."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="probegate-test-")
        os.chmod(self.directory, 0o711)  # servers run as somebody else and read their certificates here
        self.made = []
        self.outputs_at_end = []  # of a test whose end failed: its files are gone by then

    def keep(self, server):
        self.made.append(server)
        return server

    # Made, with an address, and not started: the test decides when.

    def postgres(self, **options):
        return self.keep(Postgres(**options))

    def pgbouncer(self, postgres, **options):
        return self.keep(Pgbouncer(postgres, **options))

    def redis(self, **options):
        return self.keep(Redis(**options))

    def redis_cluster(self, **options):
        return self.keep(RedisCluster(**options))

    def sentinel(self, masters, **options):
        return self.keep(Sentinel(masters, **options))

    def mariadb(self, **options):
        return self.keep(MariaDb(**options))

    def chat(self, postgres, redis, **options):
        return self.keep(Chat(postgres, redis, **options))

    def probegate(self, config=None, env=None, around=lambda argv: argv):
        return self.keep(Probegate(self.directory, config, env, around))

    # Made and running.

    def http_backend(self, **options):
        return self.keep(backends.HttpBackend(**options))

    def grpc_server(self, **options):
        return self.keep(HealthServer(**options))

    def running_chat(self):
        """A chat server with its tables: (chat, its PostgreSQL, its Redis)."""
        postgres, redis = self.postgres().start(), self.redis().start()
        chat = self.chat(postgres, redis)
        chat.migrate()
        return chat.start(), postgres, redis

    def auth_service(self):
        return self.keep(AuthService(self.directory).start())

    def scripted(self, script, **options):
        return self.keep(backends.Scripted(script, **options))

    def chaos(self, target):
        return self.keep(ChaosGate(target))

    def prometheus(self, sidecar, **options):
        return self.keep(Prometheus(f"127.0.0.1:{sidecar.probe_port}", **options).start())

    def authority(self, name="authority"):
        return Authority(self.directory, name)

    def name_server(self, mode):
        return self.keep(dns.NameServer(mode, self.directory))

    def close(self):
        errors = []
        for server in reversed(self.made):
            try:
                server.close()
            except Exception as error:  # pylint: disable=broad-except
                errors.append(error)
                if hasattr(server, "kill"):
                    server.kill()
        if errors:
            self.outputs_at_end = self.outputs()
        shutil.rmtree(self.directory, ignore_errors=True)
        if errors:
            raise errors[0]

    def outputs(self):
        """What each server has said so far, as sections of a report."""
        return [(f"output of {type(server).__name__}", server.output()[-6000:])
                for server in self.made if hasattr(server, "output")]


def pytest_configure(config):
    config.addinivalue_line("markers", "unsanitized: says more of a program that was built without sanitizers")
    if not os.access(probegate.BINARY, os.X_OK):
        pytest.exit(f"no program at {probegate.BINARY}; build it, or set PROBEGATE_BIN", returncode=4)


@pytest.fixture
def rig(request):
    made = Rig()
    request.node.rig = made
    yield made
    made.close()


@pytest.fixture
def backend(rig):  # pylint: disable=redefined-outer-name
    """A real HTTP and WebSocket server."""
    return rig.http_backend()


@pytest.fixture
def proxy(rig, backend):  # pylint: disable=redefined-outer-name
    """A running probegate with no checks, so with an open gate, before `backend`."""
    return rig.probegate(f"proxy: {{backend: '{backend.url}'}}").start()


@pytest.fixture(autouse=True)
def deadline():
    """No test waits for ever, whatever it waits for."""
    def too_late(*_):
        faulthandler.dump_traceback(all_threads=True)
        raise TimeoutError(f"the test took longer than {TEST_DEADLINE} s")
    before = signal.signal(signal.SIGALRM, too_late)
    signal.alarm(TEST_DEADLINE)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """A failed test shows what its servers said."""
    report = (yield).get_result()
    if report.failed and hasattr(item, "rig"):
        report.sections += item.rig.outputs_at_end or item.rig.outputs()

"""A Redis of one's own, in memory, on a free loopback port."""

import os
import shutil
import tempfile

import redis

from support.ports import free_port
from support.process import Child, unprivileged_user
from support.waiting import wait_until


class Redis:
    """A server that runs between start() and stop(); the address is known before it starts.

    `settings` are more lines of redis.conf. With `certificate` (files of certificate and key) it speaks TLS on `tls_port`, too.
    """

    def __init__(self, password=None, settings=(), certificate=None):
        self.port = free_port()
        self.tls_port = free_port() if certificate else None
        self.password = password
        self._settings = list(settings)
        if certificate:
            self._settings += [f"tls-port {self.tls_port}", f"tls-cert-file {certificate[0]}",
                               f"tls-key-file {certificate[1]}", "tls-auth-clients no"]
        self.home = tempfile.mkdtemp(prefix="probegate-redis-")
        if unprivileged_user():
            shutil.chown(self.home, unprivileged_user())
        self._server = None

    def url(self, password=None, database=0):
        password = password or self.password
        return f"redis://{f':{password}@' if password else ''}127.0.0.1:{self.port}/{database}"

    @property
    def socket_path(self):
        return os.path.join(self.home, "redis.sock")

    def start(self):
        # The password goes into a file and not onto a command line that every user can read.
        config = os.path.join(self.home, "redis.conf")
        with open(config, "w") as file:
            file.write(f"bind 127.0.0.1\nport {self.port}\nunixsocket {self.socket_path}\ndir {self.home}\n"
                       "save \"\"\nappendonly no\n" + (f"requirepass {self.password}\n" if self.password else "")
                       + "".join(f"{line}\n" for line in self._settings))
        self._server = Child("redis", ["redis-server", config], os.path.join(self.home, "log"),
                             user=unprivileged_user(), cwd=self.home)

        def answers():
            if not self._server.alive:
                raise AssertionError(f"redis ended at its start:\n{self._server.output()}")
            try:
                return self.client().ping()
            except (redis.AuthenticationError, redis.BusyLoadingError):  # ConnectionErrors, but of a server that answers
                return True
            except redis.ConnectionError:
                return False
            except redis.ResponseError:
                return True

        wait_until(answers, "Redis to answer")
        return self

    def add_settings(self, *lines):
        """For the next start."""
        self._settings += lines

    def client(self, database=0, timeout=5):
        return redis.Redis.from_url(self.url(database=database), socket_timeout=timeout, socket_connect_timeout=5)

    def stop(self):
        if self._server:
            self._server.stop()
            self._server = None

    def kill(self):
        if self._server:
            self._server.kill()
            self._server = None

    def freeze(self):
        self._server.freeze()

    def thaw(self):
        self._server.thaw()

    def output(self):
        return self._server.output() if self._server else "(not running)"

    def close(self):
        self.kill()
        shutil.rmtree(self.home, ignore_errors=True)

"""A PostgreSQL of one's own: a fresh cluster in a temporary directory, on a free loopback port and a unix socket."""

import atexit
import contextlib
import functools
import glob
import os
import shutil
import signal
import subprocess

import psycopg2

from support.ports import free_port
from support.process import as_user, hand_over, private_directory, unprivileged_user
from support.server_process import ServerProcess

USER = "chat"
PASSWORD = "pg-s3cret-passphrase"
TABLES = ["agent_executions", "credit_transactions", "subscriptions"]


def _program(name):
    found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), key=lambda path: int(path.split("/")[4]))
    path = found[-1] if found else shutil.which(name)
    if not path:
        raise FileNotFoundError(f"{name} not found; apt install postgresql")
    return path


@functools.lru_cache(maxsize=None)
def _template():
    """initdb takes a second, a copy of its result a tenth."""
    home = private_directory("pg")
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    password_file = os.path.join(home, "password")
    with open(password_file, "w") as file:
        file.write(PASSWORD)
    data = os.path.join(home, "data")
    subprocess.run(
        [_program("initdb"), "-D", data, "-U", USER, "-A", "scram-sha-256", "--pwfile", password_file, "-E", "UTF8",
         "--locale=C.UTF-8", "--no-sync", "--no-instructions", "--wal-segsize=1"],
        check=True, cwd=home, stdout=subprocess.DEVNULL, timeout=120,
        **as_user(unprivileged_user()))
    return data


def takes_logins(url):
    """Whether a PostgreSQL, or what stands before one, lets somebody in."""
    try:
        return psycopg2.connect(url, connect_timeout=5).close() is None
    except psycopg2.OperationalError:
        return False


class Postgres(ServerProcess):
    """A cluster that is made at once; to stop its server cuts the sessions, as an operator would, and keeps the data.

    `standby`: in recovery, with nothing to follow. `follows`: a running Postgres, whose hot standby this is.
    `hba`: lines that go before the usual ones. `certificate`: (file, key), and the server speaks TLS.
    """

    stop_signal = signal.SIGINT

    def __init__(self, standby=False, follows=None, hba="", certificate=None, settings=None):
        home = private_directory("pg")
        super().__init__("PostgreSQL", home, user=unprivileged_user(), cwd=home)
        self.port = free_port()
        self._data = os.path.join(self.home, "data")
        self._settings = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": self.home,
                          "fsync": "off", "full_page_writes": "off", "shared_buffers": "16MB", **(settings or {})}
        if follows:
            subprocess.run([_program("pg_basebackup"), "-D", self._data, "-d", follows.url(), "-R", "-c", "fast",
                            "--no-sync"], check=True, cwd=self.home, timeout=120, **as_user(unprivileged_user()))
        else:
            subprocess.run(["cp", "-a", _template(), self._data], check=True)
        if standby:
            self._write("standby.signal", "")
        if hba:
            with open(os.path.join(self._data, "pg_hba.conf")) as file:
                usual = file.read()
            self._write("pg_hba.conf", hba + "\n" + usual)
        if certificate:
            for name, source in zip(("server.crt", "server.key"), certificate):
                with open(source) as file:
                    self._write(name, file.read())
            self._settings["ssl"] = "on"

    def _write(self, name, text):
        path = os.path.join(self._data, name)
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, 0o600)
        hand_over(path)

    def url(self, password=PASSWORD, database="postgres", user=USER, host="127.0.0.1"):
        return f"postgresql://{user}:{password}@{host}:{self.port}/{database}"

    @property
    def socket_directory(self):
        return self.home

    def _argv(self):
        return [_program("postgres"), "-D", self._data, *(f"-c{key}={value}" for key, value in self._settings.items())]

    def _answers(self):
        return takes_logins(self.url())

    def execute(self, *statements, database="postgres"):
        with contextlib.closing(psycopg2.connect(self.url(database=database), connect_timeout=5)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
                return cursor.fetchall() if cursor.description else None

    def create_tables(self, names=tuple(TABLES)):
        self.execute(*(f"CREATE TABLE {name} (id bigserial PRIMARY KEY)" for name in names))

    def kill(self):
        """As after a crash; what the server left of itself keeps nobody from starting it again."""
        super().kill()
        with contextlib.suppress(FileNotFoundError):
            os.remove(os.path.join(self._data, "postmaster.pid"))

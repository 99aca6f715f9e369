"""A MariaDB of one's own: a fresh data directory, a free loopback port and a unix socket."""

import atexit
import contextlib
import functools
import glob
import os
import shutil
import subprocess

import pymysql

from support.ports import free_port
from support.process import as_user, private_directory, unprivileged_user
from support.server_process import ServerProcess

USER = "gate"
PASSWORD = "my-s3cret-passphrase"
ADMIN = "admin"
_FRUGAL = ["--innodb-use-native-aio=0"]  # of which the kernel has only so much for all servers together
# --tmpdir: a server that starts clears it of temporary tables, and shall not find those of another.


@functools.lru_cache(maxsize=None)
def _template():
    """Making a data directory takes seconds, a copy of it a tenth."""
    home = private_directory("my")
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    data = os.path.join(home, "data")
    subprocess.run(["mariadb-install-db", "--no-defaults", f"--datadir={data}", f"--tmpdir={home}",
                    "--auth-root-authentication-method=normal", "--skip-test-db", "--innodb-log-file-size=4M", *_FRUGAL],
                   check=True, cwd=home, stdout=subprocess.DEVNULL, timeout=120, **as_user(unprivileged_user()))
    return data


def _galera_settings():
    (library,) = glob.glob("/usr/lib/galera/libgalera_smm.so") or glob.glob("/usr/lib*/galera*/libgalera_smm.so")
    port = free_port()
    return ["wsrep-on=ON", f"wsrep-provider={library}", "wsrep-cluster-address=gcomm://", "wsrep-cluster-name=tests",
            f"wsrep-node-address=127.0.0.1:{port}", "wsrep-sst-method=rsync", "binlog-format=ROW", "innodb-autoinc-lock-mode=2",
            f"wsrep-provider-options=gmcast.listen_addr=tcp://127.0.0.1:{port};ist.recv_addr=127.0.0.1:{free_port()};gcache.size=1M"]


class MariaDb(ServerProcess):
    """A server with a database `shop` and a user who may read it.

    `galera`: the only node of a cluster.
    """

    def __init__(self, settings=(), certificate=None, galera=False):
        home = private_directory("my")
        super().__init__("MariaDB", home, user=unprivileged_user(), cwd=home)
        self.port = free_port()
        self._data = os.path.join(self.home, "data")
        subprocess.run(["cp", "-a", _template(), self._data], check=True)
        self._settings = list(settings)
        if certificate:
            self._settings += [f"ssl-cert={certificate[0]}", f"ssl-key={certificate[1]}"]
        if galera:
            self._settings += _galera_settings()
        self._init = os.path.join(self.home, "init.sql")
        with open(self._init, "w") as file:
            file.write("CREATE DATABASE IF NOT EXISTS shop;\n"
                       f"CREATE USER IF NOT EXISTS '{USER}'@'%' IDENTIFIED BY '{PASSWORD}';\n"
                       f"GRANT SELECT ON shop.* TO '{USER}'@'%';\n"
                       f"CREATE USER IF NOT EXISTS '{ADMIN}'@'%' IDENTIFIED BY '{PASSWORD}';\n"
                       f"GRANT ALL ON *.* TO '{ADMIN}'@'%' WITH GRANT OPTION;\n")
        os.chmod(self._init, 0o644)

    def url(self, password=PASSWORD, database="shop", user=USER, host="127.0.0.1"):
        return f"mysql://{user}:{password}@{host}:{self.port}/{database}"

    @property
    def socket_path(self):
        return os.path.join(self.home, "mysqld.sock")

    def _argv(self):
        return ["mariadbd", "--no-defaults", f"--datadir={self._data}", f"--tmpdir={self.home}",
                f"--port={self.port}", "--bind-address=127.0.0.1",
                f"--socket={self.socket_path}", f"--pid-file={self.home}/pid", f"--init-file={self._init}",
                "--skip-name-resolve", "--innodb-buffer-pool-size=8M", "--innodb-log-file-size=4M",
                "--innodb-flush-log-at-trx-commit=0", "--log-warnings=2", *_FRUGAL, *(f"--{line}" for line in self._settings)]

    def _answers(self):
        try:
            self.connect().close()
            return True
        except pymysql.err.OperationalError:
            return False

    def connect(self):
        return pymysql.connect(unix_socket=self.socket_path, user=ADMIN, password=PASSWORD, autocommit=True,
                               connect_timeout=5, read_timeout=20)

    def execute(self, *statements):
        with contextlib.closing(self.connect()) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return cursor.fetchall()

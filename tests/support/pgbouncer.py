"""A pgbouncer before a PostgreSQL of the tests."""

import os
import shutil

import psycopg2

from support.ports import free_port
from support.postgres import PASSWORD, USER
from support.process import Child, unprivileged_user
from support.waiting import wait_until


class Pgbouncer:
    """Runs between start() and close(), in the pool mode given, with the users and the password of its PostgreSQL."""

    def __init__(self, postgres, pool_mode="transaction"):
        self.port = free_port()
        self._postgres = postgres
        self._home = os.path.join(postgres.home, f"pgbouncer-{self.port}")
        os.mkdir(self._home)
        self._log = os.path.join(self._home, "log")
        self._write("users", f'"{USER}" "{PASSWORD}"\n')
        self._write("pgbouncer.ini", f"""
[databases]
postgres = host=127.0.0.1 port={postgres.port} dbname=postgres
nobody_there = host=127.0.0.1 port={free_port()} dbname=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {self._home}/users
pool_mode = {pool_mode}
""")
        if unprivileged_user():
            shutil.chown(self._home, unprivileged_user())
        self._process = None

    def _write(self, name, text):
        path = os.path.join(self._home, name)
        with open(path, "w") as file:
            file.write(text)
        if unprivileged_user():
            shutil.chown(path, unprivileged_user())

    def url(self, password=PASSWORD, database="postgres", user=USER):
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def start(self):
        self._process = Child("pgbouncer", [shutil.which("pgbouncer", path="/usr/sbin:/usr/bin"), "pgbouncer.ini"],
                              self._log, user=unprivileged_user(), cwd=self._home)

        def answers():
            if not self._process.alive:
                raise AssertionError(f"pgbouncer ended at its start:\n{self.output()}")
            try:
                return psycopg2.connect(self.url(), connect_timeout=5).close() is None
            except psycopg2.OperationalError:
                return False

        wait_until(answers, "pgbouncer to answer")
        return self

    def output(self):
        return self._process.output() if self._process else "(not running)"

    def close(self):
        if self._process:
            self._process.kill()
            self._process = None

"""A pgbouncer before a PostgreSQL of the tests."""

import os
import shutil

from support.ports import free_port
from support.postgres import PASSWORD, USER, takes_logins
from support.process import hand_over, unprivileged_user
from support.server_process import ServerProcess


class Pgbouncer(ServerProcess):
    """In the pool mode given, with the users and the password of its PostgreSQL."""

    def __init__(self, postgres, pool_mode="transaction"):
        self.port = free_port()
        home = os.path.join(postgres.home, f"pgbouncer-{self.port}")
        super().__init__("pgbouncer", home, user=unprivileged_user(), cwd=home)
        os.mkdir(home)
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
auth_file = {home}/users
pool_mode = {pool_mode}
""")
        hand_over(home)

    def _write(self, name, text):
        path = os.path.join(self.home, name)
        with open(path, "w") as file:
            file.write(text)
        hand_over(path)

    def url(self, password=PASSWORD, database="postgres", user=USER):
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def _argv(self):
        return [shutil.which("pgbouncer", path="/usr/sbin:/usr/bin"), "pgbouncer.ini"]

    def _answers(self):
        return takes_logins(self.url())

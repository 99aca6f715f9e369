"""A Redis of one's own, in memory, on a free loopback port."""

import os

import redis

from support.ports import free_port
from support.process import hand_over, private_directory, unprivileged_user
from support.server_process import ServerProcess
from support.waiting import wait_until


class Redis(ServerProcess):
    """The address is known before it starts.

    `settings` are more lines of redis.conf. With `certificate` (files of certificate and key) it speaks TLS on `tls_port`, too.
    """

    def __init__(self, password=None, settings=(), certificate=None):
        home = private_directory("redis")
        super().__init__("Redis", home, user=unprivileged_user(), cwd=home)
        self.port = free_port()
        self.tls_port = free_port() if certificate else None
        self.password = password
        self._settings = list(settings)
        if certificate:
            self._settings += [f"tls-port {self.tls_port}", f"tls-cert-file {certificate[0]}",
                               f"tls-key-file {certificate[1]}", "tls-auth-clients no"]

    def url(self, password=None, database=0):
        password = password or self.password
        return f"redis://{f':{password}@' if password else ''}127.0.0.1:{self.port}/{database}"

    @property
    def socket_path(self):
        return os.path.join(self.home, "redis.sock")

    def _argv(self):
        # The password goes into a file and not onto a command line that every user can read.
        config = os.path.join(self.home, "redis.conf")
        with open(config, "w") as file:
            file.write(self.configuration() + "".join(f"{line}\n" for line in self._settings))
        hand_over(config)  # a Sentinel keeps its state there
        return ["redis-server", config, *self.arguments()]

    def _answers(self):
        try:
            return self.client().ping()
        except (redis.AuthenticationError, redis.BusyLoadingError):  # ConnectionErrors, but of a server that answers
            return True
        except redis.ConnectionError:
            return False
        except redis.ResponseError:
            return True

    def arguments(self):
        return []

    def configuration(self):
        return (f"bind 127.0.0.1\nport {self.port}\nunixsocket {self.socket_path}\ndir {self.home}\nsave \"\"\nappendonly no\n"
                + (f"requirepass {self.password}\n" if self.password else ""))

    def add_settings(self, *lines):
        """For the next start."""
        self._settings += lines

    def client(self, database=0, timeout=5):
        return redis.Redis.from_url(self.url(database=database), socket_timeout=timeout, socket_connect_timeout=5)


class Sentinel(Redis):
    """A Redis Sentinel that watches masters, by name; `quorum` of them must agree that one is down."""

    def __init__(self, masters, quorum=1, password=None, settings=()):
        super().__init__(password=password, settings=settings)
        self._masters = masters
        self._quorum = quorum

    def arguments(self):
        return ["--sentinel"]

    def configuration(self):
        lines = [f"bind 127.0.0.1\nport {self.port}\ndir {self.home}\nsentinel deny-scripts-reconfig yes\n"]
        for name, master in self._masters.items():
            lines.append(f"sentinel monitor {name} 127.0.0.1 {master.port} {self._quorum}\n"
                         f"sentinel down-after-milliseconds {name} 300\nsentinel failover-timeout {name} 3000\n")
            if master.password:
                lines.append(f"sentinel auth-pass {name} {master.password}\n")
        return "".join(lines) + (f"requirepass {self.password}\n" if self.password else "")

    def master(self, name):
        """The port of the master that this one names."""
        return int(self.client().execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name)[1])


class RedisCluster:
    """Masters that share the slots evenly, started and agreed on it."""

    def __init__(self, nodes=3, password=None, settings=()):
        self.nodes = [Redis(password=password, settings=[
            "cluster-enabled yes", f"cluster-port {free_port()}", "cluster-node-timeout 1000", "cluster-replica-validity-factor 0",
            *([f"masterauth {password}"] if password else []), *settings]) for _ in range(nodes)]

    def start(self):
        for node in self.nodes:
            node.start()
        share = 16384 // len(self.nodes)
        for number, node in enumerate(self.nodes):
            last = 16383 if node is self.nodes[-1] else (number + 1) * share - 1
            node.client().execute_command("CLUSTER", "ADDSLOTSRANGE", number * share, last)
            node.client().execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for node in self.nodes[1:]:
            self.meet(node)
        for node in self.nodes:
            wait_until(lambda node=node: self.state(node) == "ok" and len(self.known(node)) == len(self.nodes), "the cluster to agree")
        return self

    def meet(self, node):
        """Makes a node known to the first, and so to all."""
        bus = node.client().config_get("cluster-port")["cluster-port"]
        self.nodes[0].client().execute_command("CLUSTER", "MEET", "127.0.0.1", node.port, bus)

    @staticmethod
    def state(node):
        return node.client().cluster("INFO")["cluster_state"]

    @staticmethod
    def known(node):
        return node.client().cluster("NODES")

    @staticmethod
    def identity(node):
        return node.client().execute_command("CLUSTER", "MYID").decode()

    def output(self):
        return "\n".join(node.output() for node in self.nodes)

    def close(self):
        for node in self.nodes:
            node.close()

"""Dependency times network fault: whatever breaks, and in whichever phase, is told in time and by the right kind.

One attempt at a time, by `probegate check`, through a gate between it and a real server. The faults that are a server's
own (credentials, certificates, loading, read-only) stand in the tests of each type.
"""

import dataclasses
import json

import pytest

from support import chaos
from support.chaos import TO_CLIENT, TO_SERVER
from support.probegate import command

# What is told at once is told long before the one, however busy the machine is; the other is waited for.
LONG, SHORT = 15.0, 1.0


@dataclasses.dataclass
class Dependency:
    server: object
    port: int
    check: str
    encrypted: bool = False


def plain(rig, name):
    if name == "redis":
        server = rig.redis().start()
        return Dependency(server, server.port, 'type: redis, url: "redis://localhost:{port}"')
    if name == "mysql":
        server = rig.mariadb().start()
        return Dependency(server, server.port, f'type: mysql, url: "{server.url().replace(str(server.port), "{port}")}"')
    if name == "grpc":
        server = rig.grpc_server()
        return Dependency(server, server.port, 'type: grpc, url: "grpc://localhost:{port}"')
    server = rig.http_backend()
    return Dependency(server, server.port, {
        "http": 'type: http, url: "http://localhost:{port}/bytes?n=2000"',
        "websocket": 'type: websocket, url: "ws://localhost:{port}/ws"',
        "tcp": 'type: tcp, address: "localhost:{port}", send: "GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n", expect: "404: Not Found"'}[name])


def encrypted(rig, name, authority):
    certificate, tls = authority.issue(), f", tls: {{{{ca_file: {authority.file}}}}}"
    if name == "rediss":
        server = rig.redis(certificate=certificate).start()
        return Dependency(server, server.tls_port, 'type: redis, url: "rediss://localhost:{port}"' + tls, True)
    if name == "mysql+tls":
        server = rig.mariadb(certificate=certificate).start()
        url = server.url(host="localhost").replace(str(server.port), "{port}")
        return Dependency(server, server.port, f'type: mysql, url: "{url}"' + tls, True)
    if name == "grpcs":
        server = rig.grpc_server(credentials=certificate)
        return Dependency(server, server.port, 'type: grpc, url: "grpcs://localhost:{port}"' + tls, True)
    server = rig.http_backend(certificate=certificate)
    return Dependency(server, server.port, {
        "https": 'type: http, url: "https://localhost:{port}/bytes?n=2000"' + tls,
        "wss": 'type: websocket, url: "wss://localhost:{port}/ws"' + tls,
        "tcp+tls": 'type: tcp, address: "localhost:{port}", send: "GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n", expect: "404: Not Found"' + tls}[name],
        True)


@pytest.fixture(params=["redis", "http", "tcp", "websocket", "grpc", "mysql",
                        "rediss", "https", "tcp+tls", "wss", "grpcs", "mysql+tls"])
def bench(rig, request):
    """One attempt after the other on one dependency behind a gate."""
    made = Bench(rig, request.param)
    if made.ask().get("status") == "absent":
        pytest.skip("this build has no mysql")
    return made


class Bench:
    def __init__(self, rig, name):
        self.name = name
        is_plain = name in ("redis", "http", "tcp", "websocket", "grpc", "mysql")
        self.dependency = plain(rig, name) if is_plain else encrypted(rig, name, rig.authority())
        self.gate = rig.chaos(self.dependency.port)
        self.file = f"{rig.directory}/check.yaml"

    def ask(self, timeout=LONG):
        with open(self.file, "w") as file:
            file.write(f"checks:\n  target: {{{self.dependency.check.format(port=self.gate.port)}, timeout: {timeout:g}s}}\n")
        answer = command("check", "--json", "-c", self.file)
        if "this build has no mysql" in answer.stdout + answer.stderr:
            return {"status": "absent"}
        assert answer.returncode in (0, 1), answer.stderr
        return json.loads(answer.stdout)["checks"]["target"]

    def kind(self, name, *faults, timeout=LONG):
        """What one attempt under these faults says, "pass" or the kind of its error."""
        self.gate.inflict(*faults)
        seen = self.ask(timeout)
        self.gate.heal()
        kind = seen["error"]["kind"] if seen["error"] else "pass"
        print(f"{self.name:10} {name:24} {kind:10} {seen['latency_ms'] / 1000:6.3f} s")  # shown by pytest -rP
        return kind


def test_every_network_fault_has_its_kind_and_its_deadline(bench):
    assert bench.kind("none") == "pass"
    bench.gate.down()
    assert bench.kind("refused") == "connect"
    bench.gate.up()
    for name, fault in (("accepts and says nothing", chaos.drop(TO_CLIENT)), ("hears nothing", chaos.drop(TO_SERVER)),
                        ("one byte a second", chaos.slices(1, 1.0, TO_CLIENT))):
        assert bench.kind(name, fault, timeout=SHORT) == "timeout"
    # What was a length may now be a longer one, which is waited for.
    garbled = {"tcp": ("timeout",), "mysql": ("protocol", "connect", "timeout"), "mysql+tls": ("protocol", "connect", "timeout")}
    usual = ("tls",) if bench.dependency.encrypted else ("protocol",)
    assert bench.kind("corrupt", chaos.corrupt(TO_CLIENT, size=1000), timeout=SHORT) in garbled.get(bench.name, usual)
    assert bench.kind("none") == "pass"


def test_a_reset_or_an_end_in_any_phase_is_told_at_once(bench):
    assert bench.kind("none") == "pass"
    passed = bench.gate.conversation()
    expected = {"connect", "protocol"} | ({"tls"} if bench.dependency.encrypted else set())
    if bench.name.startswith("tcp"):
        expected.add("answer")  # the end is an answer, though not the expected one
    for direction in (TO_SERVER, TO_CLIENT):
        for after in sorted({0, 1, passed[direction] // 4, passed[direction] // 2}):
            for fault in (chaos.reset, chaos.close):
                name = f"{fault.__name__} {direction} {after}"
                assert bench.kind(name, fault(direction, after)) in expected, name
    assert bench.kind("none") == "pass"


def test_a_server_that_stands_still_is_timeout_and_one_that_goes_on_passes(bench):
    if not hasattr(bench.dependency.server, "freeze"):
        pytest.skip("its server is a thread of this test")
    bench.dependency.server.freeze()
    try:
        assert bench.kind("SIGSTOP", timeout=SHORT) == "timeout"
    finally:
        bench.dependency.server.thaw()
    assert bench.kind("none") == "pass"

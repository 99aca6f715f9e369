"""Dependency times fault, as somebody watches it: what is told and how soon, and how soon it passes again.

A running program, a real server and a gate between the two. Each fault is made while the check passes, and taken away
once it has been told. PROBEGATE_FAULT_TABLE=FILE adds the times to a Markdown table; they are of one machine at one
time, and nothing depends on them: what is asserted is the kind, and that both are told at all.
"""

import contextlib
import dataclasses
import fcntl
import os
import time
import typing

import pytest
from transport_fault_test import encrypted, plain

from support import chaos, dns
from support.grpc_health import NOT_SERVING, SERVING
from support.mariadb import PASSWORD as MYSQL_PASSWORD
from support.mariadb import USER as MYSQL_USER
from support.postgres import PASSWORD
from support.probegate import command

OFTEN = "interval: 100ms, startup_interval: 100ms, timeout: 1s, fall: 1"
HEAD = "| dependency | fault | kind | told after | passes again after |\n|---|---|---|---|---|\n"
BROKEN = ("connect", "protocol")  # by the phase in which a connection ends


@dataclasses.dataclass
class Fault:
    name: str
    kinds: tuple
    make: typing.Callable
    mend: typing.Callable


def record(rows):
    if path := os.environ.get("PROBEGATE_FAULT_TABLE"):
        with open(path, "a") as table:
            fcntl.flock(table, fcntl.LOCK_EX)  # tests run side by side
            table.write(("" if os.fstat(table.fileno()).st_size else HEAD)
                        + "".join(f"| {' | '.join(row)} |\n" for row in rows))


def walk(sidecar, dependency, faults):
    """Makes and mends one fault after the other, and writes down what was seen."""
    rows = []
    sidecar.wait_for_check("target", "pass")
    for fault in faults:
        begun = time.monotonic()
        fault.make()
        told = sidecar.wait_for_readiness(
            lambda seen, fault=fault: (seen["checks"]["target"]["error"] or {}).get("kind") in fault.kinds,
            f"{fault.name} to be told as {fault.kinds}")["checks"]["target"]["error"]["kind"]
        detected = time.monotonic() - begun
        begun = time.monotonic()
        fault.mend()
        sidecar.wait_for_check("target", "pass")
        rows.append((dependency, fault.name, f"`{told}`", f"{detected:.2f} s", f"{time.monotonic() - begun:.2f} s"))
    record(rows)


def of_the_network(gate):
    def refuse():
        gate.down()
        gate.cut()

    def inflicts(*faults):
        return lambda: gate.inflict(*faults)

    return [Fault("refused", ("connect",), refuse, gate.up),
            Fault("silent", ("timeout",), inflicts(chaos.drop()), gate.heal),
            Fault("one byte a second", ("timeout",), inflicts(chaos.slices(1, 1.0, chaos.TO_CLIENT)), gate.heal),
            Fault("reset", BROKEN, inflicts(chaos.reset(chaos.TO_CLIENT)), gate.heal)]


def of_the_server(name, server, gate):
    """What only this server can do wrong; who is asked for a password is asked at the next login."""
    def anew(change):
        def change_and_cut():
            change()
            gate.cut()
        return change_and_cut

    def says(*statements):
        return lambda: server.execute(*statements)

    def config(key, value):
        return lambda: server.client().config_set(key, value)

    def refuses(status):
        return lambda: setattr(server, "refuse", status)

    stops = Fault("SIGSTOP", ("timeout",), getattr(server, "freeze", None), getattr(server, "thaw", None))
    if name == "postgres":
        role = "ALTER ROLE visitor PASSWORD"
        mode = "ALTER ROLE visitor SET default_transaction_read_only ="
        return [stops, Fault("wrong credentials", ("auth",), anew(says(f"{role} 'other'")), says(f"{role} '{PASSWORD}'")),
                Fault("read-only", ("answer",), anew(says(f"{mode} on")), anew(says(f"{mode} off")))]
    if name == "mysql":
        role = f"ALTER USER '{MYSQL_USER}'@'%' IDENTIFIED BY"
        return [stops, Fault("wrong credentials", ("auth",), anew(says(f"{role} 'other'")), says(f"{role} '{MYSQL_PASSWORD}'")),
                Fault("read-only", ("answer",), says("SET GLOBAL read_only = 1"), says("SET GLOBAL read_only = 0"))]
    if name == "redis":
        # Our own client is let in by an open session, made before the password is.
        client = server.client()
        client.ping()
        return [stops, Fault("wrong credentials", ("auth",), anew(lambda: client.config_set("requirepass", "other")),
                             lambda: client.config_set("requirepass", "")),
                Fault("read-only", ("answer",), config("min-replicas-to-write", 1), config("min-replicas-to-write", 0))]
    if name == "grpc":
        import grpc
        return [Fault("wrong credentials", ("auth",), refuses(grpc.StatusCode.UNAUTHENTICATED), refuses(None)),
                Fault("NOT_SERVING", ("answer",), lambda: server.services.update({"": NOT_SERVING}),
                      lambda: server.services.update({"": SERVING}))]
    return []


def built_without(check):
    return "this build has no" in command("validate", "-c", check).stderr


def with_target(rig, check, port, **options):
    file = f"{rig.directory}/target.yaml"
    text = f"checks:\n  target: {{{check.format(port=port)}, {OFTEN}}}\n"
    with open(file, "w") as written:
        written.write(text)
    if built_without(file):
        pytest.skip("this build has no mysql")
    return rig.probegate(text, **options).start()


def postgres(rig, certificate=None, more=""):
    server = rig.postgres(certificate=certificate).start()
    server.execute(f"CREATE ROLE visitor LOGIN PASSWORD '{PASSWORD}'")
    return server, f'type: postgres, url: "postgresql://visitor:{PASSWORD}@localhost:{{port}}/postgres{more}", writable: true'


def behind_a_gate(rig, name):
    if name == "postgres":
        server, check = postgres(rig)
    else:
        dependency = plain(rig, name)
        server, check = dependency.server, dependency.check + (", writable: true" if name == "mysql" else "")
    return server, check, rig.chaos(server.port)


@pytest.mark.parametrize("name", ["postgres", "redis", "mysql", "grpc", "http", "tcp", "websocket"])
def test_every_fault_is_told_by_its_kind_and_passes_once_it_is_mended(rig, name):
    server, check, gate = behind_a_gate(rig, name)
    sidecar = with_target(rig, check, gate.port)
    with contextlib.ExitStack() as stack:
        if hasattr(server, "thaw"):
            stack.callback(server.thaw)  # or it could not be ended
        walk(sidecar, name, of_the_network(gate) + of_the_server(name, server, gate))


@pytest.mark.parametrize("name", ["postgres+tls", "rediss", "mysql+tls", "grpcs", "https", "tcp+tls", "wss"])
def test_a_server_that_comes_back_with_a_strangers_certificate_is_tls(rig, name):
    def made(authority):
        if name == "postgres+tls":
            server, check = postgres(rig, authority.issue(), f"?sslmode=verify-full&sslrootcert={authority.file}")
            return server.port, check
        dependency = encrypted(rig, name, authority)
        return dependency.port, dependency.check

    ours, check = made(rig.authority())
    strange, _ = made(rig.authority("stranger"))
    gate = rig.chaos(ours)

    def leads_to(port):
        def lead():
            gate.target = port
            gate.cut()
        return lead

    walk(with_target(rig, check, gate.port), name, [Fault("wrong certificate", ("tls",), leads_to(strange), leads_to(ours))])


@pytest.mark.skipif(not dns.available(), reason="replacing /etc/resolv.conf for one process needs root, and a mount namespace")
@pytest.mark.parametrize("name", ["postgres", "redis", "mysql", "grpc", "http", "tcp", "websocket"])
def test_names_that_are_asked_for_in_vain_are_timeout(rig, name):
    _, check, gate = behind_a_gate(rig, name)
    names = rig.name_server("at once")

    def swallow():
        names.mode = "silent"
        gate.cut()  # who is connected asks for no name

    sidecar = with_target(rig, check.replace("localhost", "db.internal.test").replace("127.0.0.1", "db.internal.test"),
                          gate.port, around=names.around)
    walk(sidecar, name, [Fault("DNS black hole", ("timeout",), swallow, lambda: setattr(names, "mode", "at once"))])


def test_a_redis_that_comes_back_and_still_loads_is_told_until_it_has(rig):
    server = rig.redis(settings=["enable-debug-command yes"]).start()
    server.client().execute_command("DEBUG", "POPULATE", 300)
    server.client().save()
    server.add_settings("key-load-delay 10000", "loading-process-events-interval-bytes 1024")  # 10 ms for each key

    def restart():
        server.stop()
        server.start()

    sidecar = with_target(rig, 'type: redis, url: "redis://localhost:{port}"', server.port)
    walk(sidecar, "redis", [Fault("loading", ("answer",), restart, lambda: server.client().config_set("key-load-delay", 0))])

"""docs/runbook.md shows what the program says: every scene is played here, and every line shown there must come of it."""

import contextlib
import os
import pathlib
import re
import signal
import subprocess

from support.backends import failing, silent
from support.ports import free_port
from support.probegate import command
from support.raw import TEXT, Raw, upgrade_request, upgrade_response
from support.waiting import wait_for

RUNBOOK = pathlib.Path(__file__).parents[2] / "docs" / "runbook.md"
INCIDENTS = RUNBOOK.with_name("incidents.md")


def normal(line):
    """Ports, times and counts differ from run to run, and so do the names that a server's user has."""
    line = re.sub(r"request_id=\w+", "request_id=ID", line)
    kept = re.findall(r"close_code=\d+", line)  # no two of them mean the same
    return " ".join([re.sub(r"\d+(\.\d+)?", "N", line).strip(), *kept])


def scene(name):
    """The lines of the scene's console blocks, commands apart."""
    section = re.search(rf"^## {re.escape(name)}\n(.*?)(?=^## |\Z)", RUNBOOK.read_text(), re.MULTILINE | re.DOTALL)
    assert section, f"the runbook has no scene {name!r}"
    blocks = re.findall(r"```console\n(.*?)```", section[1], re.DOTALL)
    assert blocks, name
    return [line for block in blocks for line in block.splitlines() if line and not line.startswith("$ ")]


def check_scene(name, *outputs):
    said = {normal(line) for output in outputs for line in output.splitlines()}
    wrong = [line for line in scene(name) if normal(line) not in said]
    assert not wrong, "shown and not said:\n" + "\n".join(wrong) + "\n\nsaid:\n" + "\n".join(sorted(said))


def untimed(sidecar):
    return "\n".join(line.split(" ", 1)[1] for line in sidecar.output().splitlines())


def both(ran):
    return ran.stdout + ran.stderr


def closed_gate(rig, config):
    """What a person asks first, of a running sidecar whose gate stays closed."""
    sidecar = rig.probegate("log: {format: text}\n" + config).start()
    sidecar.wait_for_readiness(lambda seen: any((check.get("error") or {}) for check in seen["checks"].values()), "an error")
    asked = both(command("healthcheck", "ready", "-c", sidecar.config_file))
    checked = both(command("check", "-c", sidecar.config_file))
    return asked, checked, untimed(sidecar)


def test_a_wrong_password(rig):
    postgres = rig.postgres().start()
    check_scene("The gate stays closed: a wrong password", *closed_gate(rig, f"""
checks: {{database: {{type: postgres, url: "{postgres.url(password='wrong')}"}}}}
"""))


def test_a_missing_table(rig):
    postgres = rig.postgres().start()
    check_scene("The gate stays closed: a missing table", *closed_gate(rig, f"""
checks: {{database: {{type: postgres, url: "{postgres.url()}", tables: [agent_executions, subscriptions]}}}}
"""))


def test_redis_is_down(rig):
    check_scene("The gate stays closed: Redis is down", *closed_gate(rig, f"""
checks:
  redis: {{type: redis, url: "redis://127.0.0.1:{free_port()}"}}
  websocket: {{type: websocket, url: /ws, needs: [redis]}}
"""))


def test_the_backend_does_not_listen(rig):
    check_scene("The gate stays closed: the backend does not listen", *closed_gate(rig, f"""
proxy: {{backend: "http://127.0.0.1:{free_port()}"}}
checks: {{websocket: {{type: websocket, url: /ws}}}}
"""))


def test_the_backend_refuses_the_check(rig):
    def wants_an_origin(connection):
        connection.read_head()
        connection.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 10\r\n\r\nbad origin")
        connection.read_to_end()
    check_scene("The gate stays closed: the backend refuses the check", *closed_gate(rig, f"""
proxy: {{backend: "{rig.scripted(wants_an_origin).url}"}}
checks: {{websocket: {{type: websocket, url: /ws}}}}
"""))


def test_the_port_is_taken(rig):
    holder = rig.probegate("proxy: {}").start()
    path = os.path.join(rig.directory, "second.yaml")
    with open(path, "w") as file:
        file.write(f"proxy: {{listen: '127.0.0.1:{holder.proxy_port}'}}\n")
    ran = command("run", "-c", path)
    assert ran.returncode == 3
    check_scene("It does not start: the port is taken", both(ran))


def test_it_was_killed(rig):
    state = os.path.join(rig.directory, "state.json")
    for _ in range(2):
        sidecar = rig.probegate(f"log: {{format: text}}\nstate_file: {state}").start()
        wait_for(sidecar.output, lambda text: "start counted" in text, "the start to be counted")
        sidecar.send(signal.SIGKILL)
        sidecar.wait()
    sidecar = rig.probegate(f"log: {{format: text}}\nstate_file: {state}").start()
    wait_for(sidecar.output, lambda text: "start counted" in text, "the start to be counted")
    check_scene("It restarts again and again", untimed(sidecar))


def test_a_socket_was_closed(rig):
    def vanish(connection):
        head = connection.read_head()
        connection.send(upgrade_response(head.get("Sec-WebSocket-Key")))
        connection.read_frame()
        connection.reset()

    sidecar = rig.probegate(f"log: {{format: text}}\nproxy: {{backend: '{rig.scripted(vanish).url}'}}").start()
    with Raw.connect(sidecar.proxy_port) as client:
        client.send(upgrade_request("/ws", extra="User-Agent: chat/2\r\n"))
        assert client.read_head().status == 101
        client.send_frame(TEXT, b"hello", mask=True)
        client.read_to_end()
    wait_for(sidecar.output, lambda text: "tunnel ended" in text, "the tunnel's line")
    check_scene("A WebSocket closed unexpectedly", untimed(sidecar))


def status_of(sidecar, until):
    return wait_for(lambda: command("status", "--url", f"http://127.0.0.1:{sidecar.probe_port}").stdout, lambda text: until in text,
                    f"{until!r} from status")


def refused_upgrade(sidecar):
    with Raw.connect(sidecar.proxy_port) as client:
        client.send(upgrade_request("/ws", extra="User-Agent: chat/2\r\n"))
        return client.read_head().get("Probegate-Reason")


def test_ready_and_every_client_is_refused(rig, backend):
    sidecar = rig.probegate(f"""
log: {{format: text}}
proxy: {{backend: "{backend.url}"}}
auth: {{url: "{rig.scripted(silent).url}", timeout: 100ms, breaker: {{failures: 2, recovery: 30s}}}}
""").start()
    sidecar.wait_for_gate("open")
    assert {refused_upgrade(sidecar) for _ in range(5)} == {"auth_unavailable"}
    shown = status_of(sidecar, "5 refused")
    wait_for(sidecar.output, lambda text: "auth breaker open" in text, "the breaker")
    check_scene("It says ready, and clients are refused", shown, untimed(sidecar))


def test_the_backend_answers_5xx(rig):
    sidecar = rig.probegate(f"log: {{format: text}}\nproxy: {{backend: '{rig.scripted(failing).url}'}}").start()
    sidecar.wait_for_gate("open")
    for _ in range(4):
        assert sidecar.request("/orders", headers={"User-Agent": "shop/1"}).status == 500
    check_scene("The backend answers 5xx", status_of(sidecar, "4 5xx"), untimed(sidecar))


def test_the_connection_limit_is_reached(rig, backend):
    sidecar = rig.probegate(f"log: {{format: text}}\nproxy: {{backend: '{backend.url}', limits: {{connections: 4}}}}").start()
    sidecar.wait_for_gate("open")
    open_ones = [Raw.connect(sidecar.proxy_port) for _ in range(4)]
    try:
        for client in open_ones:
            client.send(upgrade_request())
            assert client.read_head().status == 101
        assert refused_upgrade(sidecar) == "connection_limit"
        shown = status_of(sidecar, "the connection limit is reached")
        wait_for(sidecar.output, lambda text: "connection limit reached why=" in text, "the warning")
        check_scene("The connection limit is reached", shown, untimed(sidecar))
    finally:
        for client in open_ones:
            client.close()


def test_redis_refuses_to_write(rig):
    redis = rig.redis().start()
    redis.client().config_set("maxmemory", "1")
    check_scene("The gate stays closed: Redis refuses to write", *closed_gate(rig, f"""
checks: {{redis: {{type: redis, url: "{redis.url()}"}}}}
"""))


def test_a_slow_database(rig):
    postgres = rig.postgres().start()
    sidecar = rig.probegate(f"""
log: {{format: text}}
checks:
  database: {{type: postgres, url: "{postgres.url()}", query: "SELECT pg_sleep(0.3)", slow: 100ms, interval: 50ms}}
""").start()
    sidecar.wait_for_check("database", "warn")
    shown = status_of(sidecar, "limit 100 ms")
    check_scene("The database is slow", "\n".join(line.split(" ago ", 1)[-1] for line in shown.splitlines()), untimed(sidecar))


def test_a_name_that_does_not_resolve(rig):
    check_scene("The gate stays closed: a name does not resolve", *closed_gate(rig, """
checks: {database: {type: postgres, url: "postgresql://app:secret@db.invalid/app"}}
"""))


def test_the_disk_is_full(rig):
    disk = os.path.join(rig.directory, "disk")
    os.mkdir(disk)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], check=True)
    try:
        config = f"log: {{format: text}}\nstate_file: {disk}/state.json"

        def played(full):
            sidecar = rig.probegate(config).start()
            wait_for(sidecar.output, lambda text: "start counted" in text, "the start to be counted")
            if full:
                with open(f"{disk}/rubbish", "wb", buffering=0) as file, contextlib.suppress(OSError):
                    while True:
                        file.write(b"x" * 512)
            assert sidecar.stop() == 0
            return untimed(sidecar).replace(disk, "/var/lib/probegate")

        first = played(full=True)
        os.remove(f"{disk}/rubbish")
        second = played(full=False)
        check_scene("The disk is full", first, second)
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_every_test_that_the_incidents_name_exists():
    tests = pathlib.Path(__file__).parents[1]
    named = re.findall(r"`(tests/\S+?)::(\w+)`", INCIDENTS.read_text())
    assert len(named) >= 8
    for path, name in named:
        assert f"def {name}(" in (tests.parent / path).read_text(), (path, name)

"""docs/runbook.md shows what the program says: every scene is played here, and every line shown there must come of it."""

import os
import pathlib
import re
import signal

from support.ports import free_port
from support.probegate import command
from support.raw import TEXT, Raw, upgrade_request, upgrade_response
from support.waiting import wait_for

RUNBOOK = pathlib.Path(__file__).parents[2] / "docs" / "runbook.md"
INCIDENTS = RUNBOOK.with_name("incidents.md")


def normal(line):
    """Ports, times and counts differ from run to run, and so do the names that a server's user has."""
    line = re.sub(r"request_id=\w+", "request_id=ID", line)
    return re.sub(r"\d+(\.\d+)?", "N", line).strip()


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
    check_scene("A socket was closed, and nobody knows why", untimed(sidecar))


def test_every_test_that_the_incidents_name_exists():
    tests = pathlib.Path(__file__).parents[1]
    named = re.findall(r"`(tests/\S+?)::(\w+)`", INCIDENTS.read_text())
    assert len(named) >= 8
    for path, name in named:
        assert f"def {name}(" in (tests.parent / path).read_text(), (path, name)

"""Who is told to stop first, and what clients see: they are told one after another, whoever begins (docs/proxy.md)."""

import asyncio
import os
import signal
import subprocess
import time

import pytest
import websockets
import yaml

from support.probegate import BINARY, command, environment
from support.waiting import PATIENCE

TUNNELS = 200
TIMEOUT = 8  # the turns are spread over half of it


class Crowd:
    """Silent clients, and when and how each was closed."""

    def __init__(self, port):
        self.url = f"ws://127.0.0.1:{port}/ws"
        self.sockets = []
        self.closed = []

    async def connect(self):
        for _ in range(TUNNELS // 20):
            self.sockets += await asyncio.gather(*(websockets.connect(self.url, ping_interval=None) for _ in range(20)))

    async def see_the_end(self):
        async def watch(socket):
            await asyncio.wait_for(socket.wait_closed(), PATIENCE + TIMEOUT)
            self.closed.append((time.monotonic(), socket.close_code))

        await asyncio.gather(*map(watch, self.sockets))

    def codes(self):
        return {code for _, code in self.closed}

    def span(self):
        return max(self.closed)[0] - min(self.closed)[0]

    def most_within(self, seconds):
        times = sorted(when for when, _ in self.closed)
        return max(sum(1 for when in times if first <= when < first + seconds) for first in times)


async def crowd_during(stop, chat, sidecar):
    crowd = Crowd(sidecar.proxy_port)
    await crowd.connect()
    watching = asyncio.create_task(crowd.see_the_end())
    await stop(chat, sidecar)
    await watching
    return crowd


def ask(sidecar, *arguments):
    return asyncio.create_subprocess_exec(BINARY, *arguments, "-c", sidecar.config_file, stdout=subprocess.PIPE)


async def the_gate_alone(chat, sidecar):
    sidecar.send(signal.SIGTERM)


async def the_backend_just_after_the_gate(chat, sidecar):
    sidecar.send(signal.SIGTERM)
    sidecar.wait_for_readiness(lambda seen: seen["status"] == "draining", "the drain to begin")
    os.kill(chat.pid, signal.SIGTERM)


async def the_gate_by_its_command_and_then_the_backend(chat, sidecar):
    """As a Pod does it: preStop of the gate, SIGTERM to the backend, SIGTERM to the gate."""
    ran = await ask(sidecar, "drain")
    assert await ran.wait() == 0
    os.kill(chat.pid, signal.SIGTERM)
    sidecar.send(signal.SIGTERM)


@pytest.mark.parametrize("stop", [the_gate_alone, the_backend_just_after_the_gate, the_gate_by_its_command_and_then_the_backend],
                         ids=lambda stop: stop.__name__)
def test_clients_are_told_one_after_another_and_none_sees_1006(rig, stop):
    chat, *_ = rig.running_chat()
    sidecar = rig.probegate(f"proxy: {{backend: '{chat.url}'}}\ndrain: {{timeout: {TIMEOUT}s}}").start()

    crowd = asyncio.run(crowd_during(stop, chat, sidecar))
    assert crowd.codes() <= {1001, 1012}
    # Exactly, in virtual time: tests/component/proxy/drain_tunnel_test.cc. Here the machine may stand still for a while.
    assert crowd.span() > TIMEOUT / 2 * 0.7
    assert crowd.most_within(0.5) < TUNNELS / 2
    assert sidecar.wait() == 0
    ends = [line for line in sidecar.logs() if line["message"] == "tunnel ended"]
    assert {line["cause"] for line in ends} == {"drain"}


def test_drain_wait_returns_when_the_last_of_them_is_gone(rig):
    chat, *_ = rig.running_chat()
    sidecar = rig.probegate(f"proxy: {{backend: '{chat.url}'}}\ndrain: {{timeout: {TIMEOUT}s}}").start()

    async def play():
        crowd = Crowd(sidecar.proxy_port)
        await crowd.connect()
        watching = asyncio.create_task(crowd.see_the_end())
        ran = await ask(sidecar, "drain", "--wait")
        assert await ran.wait() == 0
        returned = time.monotonic()
        await asyncio.wait_for(watching, 5)
        return crowd, returned

    crowd, returned = asyncio.run(play())
    assert crowd.codes() == {1001}
    assert abs(returned - max(crowd.closed)[0]) < 2, "not at the end of the budget"
    assert sidecar.stop() == 0


# In the order and with the commands of the manifests that `render` prints

RENDERED = """
proxy: {{backend: '{backend}', listen: '0.0.0.0:${{PORT}}'}}
probes: {{listen: '0.0.0.0:${{PROBE_PORT}}'}}
drain: {{delay: 0s, timeout: {timeout}s}}
"""


def ports(sidecar):
    return {"PORT": str(sidecar.proxy_port), "PROBE_PORT": str(sidecar.probe_port)}


def rendered(platform, sidecar):
    ran = command("render", platform, "-c", sidecar.config_file, env=ports(sidecar))
    assert ran.returncode == 0, ran.stderr
    return next(yaml.safe_load_all(ran.stdout))


def as_seconds(text):
    assert text.endswith("s")
    return int(text[:-1])


async def stopped(ended, grace):
    """As an engine waits after SIGTERM; what has not ended within the grace would get SIGKILL."""
    return await asyncio.wait_for(asyncio.to_thread(ended, grace), grace + PATIENCE)


async def end_of_the_pod(chat, sidecar):
    """All preStop hooks at once; SIGTERM to the backend after its own; SIGTERM to the sidecar when the backend has ended."""
    pod = rendered("kubernetes", sidecar)["spec"]["template"]["spec"]
    [gate], [backend] = pod["initContainers"], pod["containers"]
    assert gate["restartPolicy"] == "Always", "a native sidecar gets SIGTERM last"
    program, *arguments = gate["lifecycle"]["preStop"]["exec"]["command"]
    assert os.path.basename(program) == "probegate"
    begun = time.monotonic()
    hook = await asyncio.create_subprocess_exec(BINARY, *arguments, env=environment(ports(sidecar)),
                                                stdout=subprocess.PIPE)
    sleep = asyncio.create_task(asyncio.sleep(backend["lifecycle"]["preStop"]["sleep"]["seconds"]))
    assert await hook.wait() == 0, "nothing was cut"
    assert not sleep.done(), "the backend lives until the gate has drained"
    await sleep
    chat.stop()
    sidecar.send(signal.SIGTERM)
    left = pod["terminationGracePeriodSeconds"] - (time.monotonic() - begun)
    assert await stopped(sidecar.wait, left) == 0


async def end_of_the_project(chat, sidecar):
    """`docker compose stop`: what depends on others is stopped before them."""
    services = rendered("compose", sidecar)["services"]
    gate = services["gate"]
    assert gate["network_mode"] == "service:backend" and "backend" in gate["depends_on"]
    assert "gate" not in services["backend"].get("depends_on", {}), "or it would not be stopped last"
    sidecar.send(signal.SIGTERM)
    assert await stopped(sidecar.wait, as_seconds(gate["stop_grace_period"])) == 0
    chat.stop()


@pytest.mark.parametrize("end", [end_of_the_pod, end_of_the_project], ids=lambda end: end.__name__)
def test_a_rendered_manifest_lets_the_gate_drain_while_its_backend_lives(rig, end):
    chat, *_ = rig.running_chat()
    sidecar = rig.probegate(RENDERED.format(backend=chat.url, timeout=TIMEOUT)).start()

    crowd = asyncio.run(crowd_during(end, chat, sidecar))
    assert crowd.codes() == {1001}, "by the gate; none from the backend, and none lost"
    assert crowd.span() > TIMEOUT / 2 * 0.7
    assert crowd.most_within(0.5) < TUNNELS / 2

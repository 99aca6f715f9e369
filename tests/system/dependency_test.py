"""After the gate is open: what the loss of each dependency does, and what it must not do (docs/contract.md, "Gate").

The startup latch, readiness, `traffic` checks that close and reopen the gate, and tunnels that stay.
"""

import asyncio

import aiohttp

from support.expect import problem_in
from support.ports import free_port
from support.waiting import PATIENCE, wait_for, wait_until

QUICK = "interval: 200ms, startup_interval: 100ms, fall: 2, timeout: 1s"


def incident(rig):
    """Everything up, the gate open: (sidecar, postgres, redis, chat)."""
    chat, postgres, redis = rig.running_chat()
    sidecar = rig.probegate(f"""
proxy: {{backend: "{chat.url}"}}
checks:
  database: {{type: postgres, url: "{postgres.url()}", tables: [agent_executions], {QUICK}}}
  redis: {{type: redis, url: "{redis.url()}", needs: [database], {QUICK}}}
  websocket: {{type: websocket, url: /ws, needs: [redis], {QUICK}, interval: 60s}}
""").start()
    sidecar.wait_for_gate("open")
    return sidecar, postgres, redis, chat


async def says(socket, text):
    """Sends a line and waits for its echo from the chat."""
    await socket.send_str(text)
    while True:
        message = await socket.receive(PATIENCE)
        assert message.type == aiohttp.WSMsgType.TEXT, message
        if message.json()["text"] == text:
            return


def test_redis_killed_fails_readiness_while_the_gate_stays_open_and_the_chat_goes_on(rig):
    """The startup latch never reverts: `/health/ready` fails, and existing and new tunnels work."""
    sidecar, _, redis, _ = incident(rig)
    proxy = f"http://127.0.0.1:{sidecar.proxy_port}/ws"

    async def chat():
        async with aiohttp.ClientSession() as session:
            early = await session.ws_connect(f"{proxy}?name=early")
            await says(early, "before")
            redis.kill()
            failed = await asyncio.to_thread(sidecar.wait_for_check, "redis", "fail")
            assert failed["error"]["kind"] == "connect"

            answer = await asyncio.to_thread(sidecar.probe, "/health/ready")
            assert answer.status == 503
            assert answer.json["status"] == "not_ready"
            assert answer.json["gate"] == "open"
            assert answer.json["redis"] is False
            assert (await asyncio.to_thread(sidecar.probe, "/health/startup")).json["status"] == "ready"
            assert (await asyncio.to_thread(sidecar.probe, "/health")).status == 200

            await says(early, "without redis")
            late = await session.ws_connect(f"{proxy}?name=late")
            await says(late, "a new socket without redis")

            redis.start()
            await asyncio.to_thread(sidecar.wait_for_check, "redis", "pass")
            assert (await asyncio.to_thread(sidecar.probe, "/health/ready")).status == 200
            await says(early, "redis is back")
            await early.close()
            await late.close()

    asyncio.run(chat())


def test_a_killed_database_is_reported_and_its_tunnels_and_the_gate_stay(rig):
    """Only a check with `traffic` closes the gate, and that of a database has startup and readiness."""
    sidecar, postgres, _, _ = incident(rig)
    postgres.kill()
    assert sidecar.wait_for_check("database", "fail")["error"]["kind"] == "connect"
    assert sidecar.probe("/health/ready").status == 503
    assert sidecar.probe("/health/startup").status == 200
    assert sidecar.ready()["gate"] == "open"
    assert sidecar.request("/").status == 200
    postgres.start()
    sidecar.wait_for_check("database", "pass")
    assert sidecar.probe("/health/ready").status == 200


def test_the_first_refused_connection_closes_the_gate_and_the_backend_reopens_it(rig):
    """The next regular poll is a minute away; the check is then polled at `startup_interval`, and finds the backend soon."""
    sidecar, _, _, chat = incident(rig)
    assert sidecar.request("/").status == 200
    chat.kill()
    first = sidecar.request("/")
    assert first.headers["Probegate-Reason"] in ("backend_unreachable", "gate_closed"), first
    second = sidecar.request("/")
    problem_in(second, "gate_closed", waiting_for=["websocket"])

    document = sidecar.wait_for_gate("closed")
    assert document["waiting_for"] == ["websocket"]
    [line] = wait_until(lambda: [line for line in sidecar.logs() if line["message"] == "gate closed"], "the log to tell it")
    assert (line["severity"], line["waiting_for"]) == ("WARNING", "websocket")
    assert sidecar.probe("/health/ready").status == 503
    assert sidecar.probe("/health/startup").status == 200
    assert sidecar.probe("/health").status == 200

    chat.start()
    sidecar.wait_for_gate("open")
    assert sidecar.probe("/health/ready").status == 200
    assert sidecar.request("/").status == 200


def test_a_refused_upgrade_closes_the_gate_as_well(rig):
    """The first connection that the backend refuses may be an upgrade."""
    from support.raw import Raw, upgrade_request
    sidecar, _, _, chat = incident(rig)
    chat.kill()
    with Raw.connect(sidecar.proxy_port) as client:
        client.send(upgrade_request())
        assert client.read_head().status in (502, 503)
    wait_for(lambda: sidecar.ready()["gate"], lambda gate: gate == "closed", "the gate to close")


def test_existing_tunnels_outlive_a_closed_gate(rig):
    """A check with `traffic` closes the gate to new sessions only, and opens it again."""
    backend = rig.http_backend()
    needed = rig.redis().start()
    sidecar = rig.probegate(f"""
proxy: {{backend: "{backend.url}"}}
checks:
  redis: {{type: redis, url: "{needed.url()}", affects: [startup, traffic], {QUICK}}}
""").start()
    sidecar.wait_for_gate("open")

    async def chat():
        async with aiohttp.ClientSession() as session:
            tunnel = await session.ws_connect(f"http://127.0.0.1:{sidecar.proxy_port}/ws")
            needed.kill()
            await asyncio.to_thread(sidecar.wait_for_gate, "closed")
            problem_in(await asyncio.to_thread(sidecar.request, "/mirror"), "gate_closed", waiting_for=["redis"])
            await tunnel.send_str("still here")
            assert (await tunnel.receive(PATIENCE)).data == "still here"
            needed.start()
            await asyncio.to_thread(sidecar.wait_for_gate, "open")
            assert (await asyncio.to_thread(sidecar.request, "/mirror")).status == 200
            await tunnel.close()

    asyncio.run(chat())


def test_without_a_traffic_check_each_session_gets_502_and_the_gate_stays(rig):
    """Without one, a backend that refuses is 502 `backend_unreachable` for each session."""
    sidecar = rig.probegate(f"proxy: {{backend: 'http://127.0.0.1:{free_port()}', timeouts: {{connect: 300ms}}}}").start()
    for _ in range(3):
        problem_in(sidecar.request("/"), "backend_unreachable")
    assert sidecar.ready()["gate"] == "open"
    assert sidecar.probe("/health/ready").status == 200


def test_fall_is_how_often_a_check_must_fail(rig):
    """Status, boolean and `waiting_for` are judged by `rise` and `fall`; `consecutive_failures` is the raw count."""
    redis = rig.redis().start()
    sidecar = rig.probegate(f"""
checks:
  redis: {{type: redis, url: "{redis.url()}", interval: 300ms, startup_interval: 300ms, fall: 4}}
""").start()
    sidecar.wait_for_gate("open")
    redis.kill()
    document = sidecar.wait_for_readiness(lambda seen: seen["checks"]["redis"]["consecutive_failures"] >= 1, "a failure")
    assert document["checks"]["redis"]["consecutive_failures"] < 4
    assert document["redis"] is True
    assert document["status"] == "ready"
    failed = sidecar.wait_for_check("redis", "fail")
    assert failed["consecutive_failures"] >= 4


def test_a_check_slower_than_slow_is_warn_and_still_passes(rig):
    import time

    def dawdle(connection):
        time.sleep(0.3)
        connection.send(b"INFO {}\r\n")

    target = rig.scripted(dawdle)
    sidecar = rig.probegate(f"""
checks:
  broker: {{type: tcp, address: "127.0.0.1:{target.port}", expect: INFO, slow: 100ms, interval: 1s}}
""").start()
    document = sidecar.wait_for_gate("open")
    assert document["checks"]["broker"]["status"] == "warn"
    assert document["broker"] is True
    assert document["status"] == "ready"

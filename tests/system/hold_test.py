"""The hold
(docs/contract.md, "Proxy"): requests that meet a closed gate wait for it, across starts and restarts of the backend."""

import asyncio

import aiohttp
import websockets

from support import metrics
from support.http import request
from support.waiting import PATIENCE, wait_for, wait_until

QUICK = "interval: 200ms, startup_interval: 100ms, fall: 2, timeout: 1s"


def chat_behind_a_hold(rig, workers, limit=200):
    postgres, redis = rig.postgres().start(), rig.redis().start()
    chat = rig.chat(postgres, redis)
    chat.migrate()
    sidecar = rig.probegate(f"""
proxy:
  backend: "{chat.url}"
  workers: {workers}
  hold: {{max: {limit}, timeout: 60s, per_second: 200}}
checks:
  websocket: {{type: websocket, url: /ws, {QUICK}, interval: 60s}}
""").start()
    return sidecar, chat


def held(sidecar):
    return metrics.parse(sidecar.metrics())["probegate_held"].value()


async def first_word(port):
    """Connects as a chat client does, says a word and waits until it comes back."""
    async with websockets.connect(f"ws://127.0.0.1:{port}/ws", open_timeout=PATIENCE * 2) as client:
        await client.send("hello")
        return await asyncio.wait_for(client.recv(), PATIENCE)


def test_a_client_that_connects_before_the_backend_is_there_gets_101(rig):
    """It is held until the gate opens, and never sees a 503."""
    sidecar, chat = chat_behind_a_hold(rig, workers=1)

    async def scenario():
        client = asyncio.create_task(first_word(sidecar.proxy_port))
        await asyncio.to_thread(wait_until, lambda: held(sidecar) == 1, "the client to be held")
        await asyncio.to_thread(chat.start)
        assert "hello" in await asyncio.wait_for(client, PATIENCE)

    asyncio.run(scenario())


def test_a_restart_of_the_backend_is_a_wait_and_not_an_error(rig):
    """A chat that is killed and started again costs nobody who comes in between an error, with several data loops."""
    sidecar, chat = chat_behind_a_hold(rig, workers=2)
    chat.start()
    sidecar.wait_for_gate("open")
    assert asyncio.run(first_word(sidecar.proxy_port))

    async def burst(count):
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            async def get(number):
                async with session.get(f"http://127.0.0.1:{sidecar.proxy_port}/?{number}") as answer:
                    await answer.read()
                    return answer.status
            return await asyncio.gather(*map(get, range(count)))

    async def scenario():
        await burst(10)  # so that there are idle connections to the one that dies
        chat.kill()
        socket = asyncio.create_task(first_word(sidecar.proxy_port))
        requests = asyncio.create_task(burst(60))
        await asyncio.to_thread(wait_for, lambda: held(sidecar), lambda count: count == 61, "everybody to be held")
        await asyncio.to_thread(chat.start)
        assert "hello" in await asyncio.wait_for(socket, PATIENCE)
        assert set(await asyncio.wait_for(requests, PATIENCE)) == {200}

    asyncio.run(scenario())
    refused = metrics.parse(sidecar.metrics())["probegate_refused_total"]
    assert refused.value(reason="gate_closed") == 0
    assert refused.value(reason="hold_timeout") == 0


def test_hold_max_is_that_of_the_process(rig, backend):
    """`hold.max` requests wait, however many data loops there are; the next one is told `hold_full`."""
    sidecar = rig.probegate(f"""
proxy: {{backend: '{backend.url}', workers: 4, hold: {{max: 8, timeout: 60s}}}}
checks: {{never: {{type: tcp, address: "127.0.0.1:1", affects: [startup]}}}}
""").start()

    async def scenario():
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            async def get():
                async with session.get(f"http://127.0.0.1:{sidecar.proxy_port}/") as answer:
                    return answer.headers.get("Probegate-Reason")
            waiting = [asyncio.create_task(get()) for _ in range(40)]
            done, pending = set(), waiting
            while len(pending) > 8:
                now, pending = await asyncio.wait(pending, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
                assert now, "nobody is answered any more"
                done |= now
            assert {task.result() for task in done} == {"hold_full"}
            assert len(done) == 32
            assert held(sidecar) == 8
            for task in pending:
                task.cancel()

    asyncio.run(scenario())
    wait_until(lambda: held(sidecar) == 0, "the places to be free again")
    assert request(sidecar.probe_port, "/health").status == 200

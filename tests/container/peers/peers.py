"""`backend PORT` answers WebSocket clients until SIGTERM; `crowd URL N` is N silent clients that see how they are closed."""

import asyncio
import json
import signal
import sys
import time

import websockets


async def backend(port):
    async def echo(socket, _path="/"):
        async for message in socket:
            await socket.send(message)

    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    server = await websockets.serve(echo, "127.0.0.1", int(port), ping_interval=None)
    print("listening", flush=True)
    await ended.wait()
    print(json.dumps({"left": len(server.websockets)}), flush=True)
    server.close()  # 1001 to whoever is left
    await server.wait_closed()


async def crowd(url, count):
    sockets, ends = [], []
    for _ in range(0, int(count), 20):
        sockets += await asyncio.gather(*(websockets.connect(url, ping_interval=None) for _ in range(20)))
    print("connected", flush=True)

    async def watch(socket):
        await socket.wait_closed()
        ends.append((time.monotonic(), socket.close_code))

    await asyncio.gather(*map(watch, sockets))
    print(json.dumps({"ends": ends}), flush=True)


asyncio.run({"backend": backend, "crowd": crowd}[sys.argv[1]](*sys.argv[2:]))

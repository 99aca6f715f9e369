#!/usr/bin/python3
"""A small chat server, the kind that probegate stands in front of.

    chat.py migrate [--delay 3]            creates the tables, one after the other, as a slow migration does
    chat.py serve [--port 8000 | --unix PATH] [--slow-start 3]

`/` is the page, `/ws` the chat, `/history` the latest messages as JSON. It needs DATABASE_URL (PostgreSQL keeps the
messages) and REDIS_URL (several servers share one chat over its pub/sub). Once it runs it outlives the loss of both:
people on the same server still hear each other.
"""

import argparse
import asyncio
import contextlib
import json
import os
import pathlib
import secrets
import time

import psycopg2
import redis.asyncio
from aiohttp import WSMsgType, web

MIGRATIONS = {
    "agent_executions": "id bigserial PRIMARY KEY, author text NOT NULL, text text NOT NULL, at timestamptz DEFAULT now()",
    "credit_transactions": "id bigserial PRIMARY KEY, author text NOT NULL, amount int NOT NULL, at timestamptz DEFAULT now()",
    "subscriptions": "author text PRIMARY KEY, since timestamptz DEFAULT now()",
}
CHANNEL = "chat"


class Store:
    """What was said, in PostgreSQL. psycopg2 blocks, so each call runs on a thread."""

    def __init__(self, url):
        self._url = url
        self._lock = asyncio.Lock()
        self._connection = None

    async def _run(self, query):
        async with self._lock:
            return await asyncio.to_thread(self._transaction, query)

    def _transaction(self, query):
        try:
            if self._connection is None:
                self._connection = psycopg2.connect(self._url, connect_timeout=2)
            with self._connection, self._connection.cursor() as cursor:
                return query(cursor)
        except (psycopg2.OperationalError, psycopg2.InterfaceError):
            self._connection = None  # the next call connects anew
            raise

    async def add(self, author, text):
        def insert(cursor):
            cursor.execute("INSERT INTO subscriptions (author) VALUES (%s) ON CONFLICT DO NOTHING", (author,))
            cursor.execute("INSERT INTO agent_executions (author, text) VALUES (%s, %s)", (author, text))
            cursor.execute("INSERT INTO credit_transactions (author, amount) VALUES (%s, -1)", (author,))
        await self._run(insert)

    async def latest(self, count=50):
        def select(cursor):
            cursor.execute("SELECT author, text FROM agent_executions ORDER BY id DESC LIMIT %s", (count,))
            return [{"author": author, "text": text} for author, text in reversed(cursor.fetchall())]
        return await self._run(select)


class Chat:
    """Everybody connected here, and through Redis everybody connected to our siblings."""

    def __init__(self, store, redis_url):
        self._store = store
        self._redis = redis.asyncio.from_url(redis_url, socket_connect_timeout=2, socket_timeout=2)
        self._redis_url = redis_url
        self._name = secrets.token_hex(4)  # tells our own messages from our siblings' when they come back
        self._sockets = set()
        self._stopping = False

    async def socket(self, request):
        socket = web.WebSocketResponse(max_msg_size=8 * 2**20, protocols=("chat.v1",))
        await socket.prepare(request)
        author = request.query.get("name", "guest")
        self._sockets.add(socket)
        try:
            async for message in socket:
                if message.type == WSMsgType.TEXT:
                    await self.say(author, message.data)
        finally:
            self._sockets.discard(socket)
            if self._stopping:  # here and not in close(): a handler that returns sends 1000 before close() can say 1001
                await socket.close(code=1001, message=b"server stops")
        return socket

    async def say(self, author, text):
        message = json.dumps({"author": author, "text": text})
        await self._to_everybody_here(message)
        await self._unless_down("publish", self._redis.publish(CHANNEL, self._name + message))
        await self._unless_down("store", self._store.add(author, text))

    async def history(self, _request):
        try:
            return web.json_response(await self._store.latest())
        except psycopg2.Error as error:
            return web.json_response({"error": str(error).strip()}, status=503)

    async def listen_to_siblings(self):
        while True:
            with contextlib.suppress(redis.RedisError, OSError):
                async with redis.asyncio.from_url(self._redis_url, socket_connect_timeout=2).pubsub() as channel:
                    await channel.subscribe(CHANNEL)
                    async for event in channel.listen():
                        data = event["data"].decode() if event["type"] == "message" else self._name
                        if not data.startswith(self._name):
                            await self._to_everybody_here(data[len(self._name):])
            await asyncio.sleep(0.5)

    async def close(self, _app):
        self._stopping = True
        await asyncio.gather(*(socket.close(code=1001) for socket in set(self._sockets)))

    async def _to_everybody_here(self, message):
        await asyncio.gather(*(socket.send_str(message) for socket in set(self._sockets)), return_exceptions=True)

    @staticmethod
    async def _unless_down(what, operation):
        try:
            await operation
        except (psycopg2.Error, redis.RedisError, OSError) as error:
            print(f"chat: cannot {what}: {str(error).strip().splitlines()[0]}", flush=True)


def serve(arguments):
    time.sleep(arguments.slow_start)
    chat = Chat(Store(os.environ["DATABASE_URL"]), os.environ["REDIS_URL"])
    page = pathlib.Path(__file__).with_name("chat.html")

    async def siblings(_app):
        task = asyncio.create_task(chat.listen_to_siblings())
        yield
        task.cancel()

    app = web.Application()
    app.add_routes([web.get("/", lambda _: web.FileResponse(page)), web.get("/ws", chat.socket),
                    web.get("/history", chat.history)])
    app.cleanup_ctx.append(siblings)
    app.on_shutdown.append(chat.close)
    where = {"path": arguments.unix} if arguments.unix else {"host": "127.0.0.1", "port": arguments.port}
    web.run_app(app, shutdown_timeout=2, access_log=None, **where)  # ends in good order on SIGTERM


def migrate(arguments):
    connection = psycopg2.connect(os.environ["DATABASE_URL"])
    connection.autocommit = True
    for table, columns in MIGRATIONS.items():
        time.sleep(arguments.delay / len(MIGRATIONS))
        connection.cursor().execute(f"CREATE TABLE IF NOT EXISTS {table} ({columns})")
        print(f"chat: created {table}", flush=True)
    connection.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("serve")
    command.set_defaults(run=serve)
    command.add_argument("--port", type=int, default=8000)
    command.add_argument("--unix", metavar="PATH", help="listen on a unix socket instead")
    command.add_argument("--slow-start", type=float, default=0, metavar="SECONDS")
    command = commands.add_parser("migrate")
    command.set_defaults(run=migrate)
    command.add_argument("--delay", type=float, default=0, metavar="SECONDS")
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()

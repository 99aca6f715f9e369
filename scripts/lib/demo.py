"""Plays the original incident: see scripts/demo. Every step checks the truth; the first that is wrong ends it."""

import asyncio
import contextlib
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import threading
import time

import websockets

ROOT = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

# pylint: disable=wrong-import-position
from support.backends import LoopThread
from support.chat import Chat
from support.postgres import TABLES, Postgres
from support.probegate import Probegate
from support.raw import Raw, upgrade_request
from support.redis import Redis
from support.waiting import PATIENCE, wait_for, wait_until


class Screen:
    """One aligned line a step: when, what, and what was seen."""

    WIDTH = 62

    def __init__(self):
        self._colours = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self._start = None  # the first act's: making a database is no part of the story
        self.steps = 0

    def _paint(self, code, text):
        return f"\033[{code}m{text}\033[0m" if self._colours else text

    def title(self, text):
        self._start = self._start or time.monotonic()
        print(f"\n{self._paint('1', text)}", flush=True)

    def seconds(self):
        return time.monotonic() - self._start

    @contextlib.contextmanager
    def step(self, text):
        """`with screen.step("...") as seen:` seen(...) says what was seen; an exception makes the step wrong."""
        notes = []
        try:
            yield notes.append
        except Exception as error:
            self._line("31", "✗", text, str(error).strip() or type(error).__name__)
            raise
        self.steps += 1
        self._line("32", "✓", text, ", ".join(notes))

    def _line(self, colour, mark, text, note):
        when = self._paint("2", f"{self.seconds():5.1f} s")
        print(f"  {self._paint(colour, mark)} {when}  {text:<{self.WIDTH}}  {self._paint('2', note)}".rstrip(), flush=True)


class Person:
    """Somebody in the chat, with a well-kept WebSocket client."""

    def __init__(self, loop, name, port):
        self._loop, self.name = loop, name

        async def connect():
            return await websockets.connect(f"ws://127.0.0.1:{port}/ws?name={name}")

        self._socket = loop.run(connect())

    def say(self, text):
        self._loop.run(self._socket.send(text))

    def hear(self, text):
        async def listen():
            async for message in self._socket:
                if text in message:
                    return
            raise AssertionError(f"{self.name}'s socket was closed with {self._socket.close_code}")
        self._loop.run(asyncio.wait_for(listen(), PATIENCE))

    def closed_with(self):
        self._loop.run(asyncio.wait_for(self._socket.wait_closed(), PATIENCE))
        return self._socket.close_code


def talk(text, speaker, *listeners):
    speaker.say(text)
    for person in (speaker, *listeners):
        person.hear(text)


def expect(seen, wanted, what):
    if seen != wanted:
        raise AssertionError(f"{what}: {seen!r}, not {wanted!r}")


def upgrade(sidecar):
    """Knocks with a WebSocket upgrade: (status, reason, Retry-After)."""
    with Raw.connect(sidecar.proxy_port) as client:
        client.send(upgrade_request())
        head = client.read_head()
        return head.status, head.get("probegate-reason"), head.get("retry-after")


def expect_probes(sidecar, **wanted):
    """expect_probes(sidecar, startup=503, ready=503, live=200)"""
    for name, status in wanted.items():
        expect(sidecar.probe(f"/health/{name}").status, status, f"/health/{name}")


class Demo:
    def __init__(self, screen, stack):
        self.screen = screen
        self.directory = tempfile.mkdtemp(prefix="probegate-demo-")
        stack.callback(shutil.rmtree, self.directory, ignore_errors=True)
        keep = lambda server: stack.enter_context(contextlib.closing(server))  # noqa: E731
        self.loop = keep(LoopThread())
        self.postgres, self.redis = keep(Postgres()), keep(Redis())
        self.chat = keep(Chat(self.postgres, self.redis, slow_start=1))
        self.sidecar = Probegate(self.directory, ROOT / "examples" / "chat" / "probegate.yaml", {
            "CHAT_PORT": str(self.chat.port), "DATABASE_URL": self.postgres.url(), "REDIS_URL": self.redis.url()})
        stack.callback(self.sidecar.kill)

    def play(self):
        self.nothing_is_ready()
        self.tables_come_late()
        self.redis_comes_late()
        self.backend_comes_last()
        people = self.people_chat()
        self.redis_dies(*people)
        people = self.backend_dies(*people)
        self.sigterm(*people)

    def nothing_is_ready(self):
        screen, sidecar = self.screen, self.sidecar
        screen.title("Nothing is ready: no PostgreSQL, no Redis, no backend")
        with screen.step("both ports answer") as seen:
            start = time.monotonic()
            sidecar.launch()
            wait_until(lambda: sidecar.running() and sidecar.probe("/health"), "the probe port", every=0.002)
            sidecar.request("/")
            seen(f"{(time.monotonic() - start) * 1000:.0f} ms after exec")
        with screen.step("probes: alive, not started, not ready") as seen:
            expect_probes(sidecar, live=200, startup=503, ready=503)
            document = sidecar.ready()
            expect(document["status"], "not_ready", "status")
            seen("503 not_ready, waiting for " + " ".join(document["waiting_for"]))
        with screen.step("a WebSocket upgrade is refused, with the reason") as seen:
            status, reason, retry_after = upgrade(sidecar)
            expect((status, reason), (503, "gate_closed"), "the upgrade")
            seen(f"{status} {reason}, Retry-After {retry_after}")

    def tables_come_late(self):
        screen, sidecar = self.screen, self.sidecar
        screen.title("The tables are migrated seconds late")
        with screen.step("PostgreSQL is up, the missing tables are named") as seen:
            self.postgres.start()
            error = sidecar.wait_for_error("database", "missing_tables")
            expect(sorted(error["missing"]), TABLES, "missing")
            seen("missing " + " ".join(error["missing"]))
        with screen.step("each migration is seen, the gate stays shut") as seen:
            migration = threading.Thread(target=self.chat.migrate, args=(2.4,), daemon=True)
            migration.start()
            counts = [len(TABLES)]
            while counts[-1]:
                document = sidecar.ready()
                expect(document["gate"], "starting", "gate")
                left = len((document["checks"]["database"]["error"] or {}).get("missing", []))
                if left != counts[-1]:
                    counts.append(left)
                time.sleep(0.02)
                if screen.seconds() > 60:
                    raise AssertionError(f"still missing: {document['checks']['database']['error']}")
            migration.join(PATIENCE)
            expect(sidecar.ready()["database"], True, "database")
            seen("missing " + " → ".join(map(str, counts)))

    def redis_comes_late(self):
        screen, sidecar = self.screen, self.sidecar
        screen.title("Redis comes late")
        with screen.step("Redis is named as what is missing, upgrades are refused") as seen:
            error = sidecar.wait_for_error("redis", "connect")
            document = sidecar.ready()
            expect(document["checks"]["websocket"]["status"], "waiting", "websocket")
            expect(upgrade(sidecar)[:2], (503, "gate_closed"), "an upgrade")
            seen(f"redis: {error['message']}")
        with screen.step("Redis is up and passes") as seen:
            self.redis.start()
            start = time.monotonic()
            sidecar.wait_for_check("redis", "pass")
            seen(f"seen {(time.monotonic() - start) * 1000:.0f} ms later")

    def backend_comes_last(self):
        screen, sidecar = self.screen, self.sidecar
        screen.title("The backend starts last, and slowly")
        with screen.step("the backend's WebSocket is named, upgrades are refused") as seen:
            self.chat.launch()
            error = sidecar.wait_for_error("websocket", "connect")
            expect(upgrade(sidecar)[:2], (503, "gate_closed"), "an upgrade")
            seen(f"websocket: {error['message']}")
        with screen.step("its WebSocket answers: the gate opens") as seen:
            document = sidecar.wait_for_gate("open")
            expect_probes(sidecar, live=200, startup=200, ready=200)
            seen(f"open after {document['startup_seconds']:.1f} s")
        for name, check in document["checks"].items():
            with screen.step(f"  how long {name} took") as seen:
                seen(f"{check['startup_seconds']:5.2f} s, {check['failures']} of {check['runs']} attempts failed")

    def people_chat(self):
        screen = self.screen
        screen.title("People chat through the proxy")
        with screen.step("Ann and Bob talk over WebSocket") as seen:
            ann, bob = (Person(self.loop, name, self.sidecar.proxy_port) for name in ("ann", "bob"))
            talk("hello Bob", ann, bob)
            talk("hello Ann", bob, ann)
            seen("2 sockets")
        with screen.step("plain HTTP passes, too") as seen:
            lines = wait_for(lambda: self.sidecar.request("/history").json, lambda lines: len(lines) == 2, "the history")
            seen(f"GET /history: {len(lines)} messages, from PostgreSQL")
        return ann, bob

    def redis_dies(self, ann, bob):
        screen, sidecar = self.screen, self.sidecar
        screen.title("Redis is killed")
        with screen.step("readiness says so, startup and liveness do not change") as seen:
            self.redis.kill()
            check = sidecar.wait_for_check("redis", "fail")
            expect_probes(sidecar, live=200, startup=200, ready=503)
            seen(f"503, redis: {check['error']['message']}")
        with screen.step("the gate stays open, the chat goes on, Carol may join") as seen:
            expect(sidecar.ready()["gate"], "open", "gate")
            talk("is Redis gone?", ann, bob)
            carol = Person(self.loop, "carol", sidecar.proxy_port)
            talk("I came in without it", carol, ann, bob)
            seen("3 sockets")
        with screen.step("Redis is back: ready again") as seen:
            self.redis.start()
            sidecar.wait_for_check("redis", "pass")
            expect_probes(sidecar, ready=200)
            seen("200 ready")

    def backend_dies(self, ann, bob):
        screen, sidecar = self.screen, self.sidecar
        screen.title("The backend is killed")
        with screen.step("open sockets get a Close frame, no bare reset") as seen:
            self.chat.kill()
            codes = {ann.closed_with(), bob.closed_with()}
            if not codes <= {1012, 1014}:
                raise AssertionError(f"close codes {codes}, not 1012 or 1014")
            seen(f"close code {' '.join(map(str, codes))}")
        with screen.step("the first refused connection closes the gate") as seen:
            first = upgrade(sidecar)
            second = upgrade(sidecar)
            expect(second[:2], (503, "gate_closed"), "the second upgrade")
            seen(f"{first[0]} {first[1]}, then {second[0]} {second[1]}")
            expect_probes(sidecar, live=200, startup=200, ready=503)
        with screen.step("it is back: the gate opens, they talk, nothing is lost") as seen:
            self.chat.start()
            sidecar.wait_for_gate("open")
            ann, bob = (Person(self.loop, name, sidecar.proxy_port) for name in ("ann", "bob"))
            talk("where were we?", ann, bob)
            wait_for(lambda: sidecar.request("/history").json, lambda lines: len(lines) == 5, "five messages in the history")
            seen("5 messages in the history")
        return ann, bob

    def sigterm(self, ann, bob):
        screen, sidecar = self.screen, self.sidecar
        screen.title("SIGTERM with open sockets")
        with screen.step("readiness says draining") as seen:
            sidecar.send(signal.SIGTERM)
            answer = wait_for(lambda: sidecar.probe("/health/ready"), lambda answer: answer.status == 503, "readiness to fail")
            expect(answer.json["status"], "draining", "status")
            seen("503 draining")
        with screen.step("everybody gets a Close frame, the exit code is 0") as seen:
            start = time.monotonic()
            expect({ann.closed_with(), bob.closed_with()}, {1001}, "close codes")
            expect(sidecar.wait(), 0, "exit code")
            seen(f"close code 1001, exit 0, {time.monotonic() - start:.1f} s")

    def keep(self):
        self.sidecar.start()
        self.sidecar.wait_for_gate("open")
        self.screen.title("Left running; Ctrl-C ends it all")
        for name, address in (
                ("chat", f"http://127.0.0.1:{self.sidecar.proxy_port}/"),
                ("probes", f"http://127.0.0.1:{self.sidecar.probe_port}/    (/health/ready /metrics /status)"),
                ("backend", f"{self.chat.url}/    (pid {self.chat.pid}: kill it, and look at the probes)"),
                ("PostgreSQL", self.postgres.url()), ("Redis", self.redis.url()), ("log", self.sidecar.log)):
            print(f"  {name:<12}{address}", flush=True)
        signal.pause()


def main():
    def interrupted(*_):
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    screen = Screen()
    with contextlib.ExitStack() as stack:
        demo = None
        try:
            demo = Demo(screen, stack)
            demo.play()
            print(f"\n{screen.steps} steps, all as they should be, in {screen.seconds():.0f} s")
            if "--keep" in sys.argv[1:]:
                demo.keep()
            return 0
        except KeyboardInterrupt:
            print("\nstopped", flush=True)
            return 130 if "--keep" not in sys.argv[1:] else 0
        except Exception as error:  # pylint: disable=broad-except
            print(f"\n{error!r}" if demo is None else f"\nwhat probegate said:\n{demo.sidecar.output()[-3000:]}")
            return 1


if __name__ == "__main__":
    sys.exit(main())

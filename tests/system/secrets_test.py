"""No part of a password reaches any output: log, JSON, page, metrics, alerts, --print, check, status, smoke, the list of processes."""

import base64
import json
import pathlib
import random
import socket
import string
import threading
from urllib.parse import quote

import pytest

from support.alert_receivers import Webhook
from support.ports import free_port
from support.probegate import BINARY, command, environment
from support.process import Child
from support.waiting import wait_for, wait_until

LONG = "".join(random.Random(7).choices(string.ascii_letters + string.digits + "!$*", k=300))
PASSWORDS = ["Zq9@Wk7/Xv5#Jh3?Gd1%Bn8&Mt6", "Zq9'Wk7\"Xv5\\Jh3 Gd1;Bn8<Mt6>", "Qz9", "%41%42Zq9Wk7", LONG]


def pieces(secret):
    """What must not be shown: every four characters in a row, as they are and in base64; a short one as a whole."""
    if len(secret) < 4:
        return {secret}
    encoded = {base64.b64encode(b"x" * offset + secret.encode()).decode().rstrip("=")[offset + 1:-2] for offset in range(3)}
    return ({secret[at:at + 4] for at in range(len(secret) - 3)}
            | {text[at:at + 8] for text in encoded for at in range(len(text) - 7)})


def assert_hidden(text, secret, where):
    for piece in pieces(secret):
        assert piece not in text, f"{where} shows {piece!r} of the password:\n" + text[-3000:]


class Parrot:
    """A server that repeats what it is told, as it is, cut off, and in base64; begins with `greeting`."""

    def __init__(self, wrap, greeting=b""):
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._wrap, self._greeting = wrap, greeting
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with client:
            try:
                client.settimeout(10)
                client.sendall(self._greeting)
                if told := client.recv(65536):
                    client.sendall(self._wrap(told))
                    client.shutdown(socket.SHUT_WR)
                    while client.recv(65536):
                        pass
            except OSError:
                pass

    def close(self):
        self._socket.close()


def as_redis(told):
    words = told.split(b"\r\n")
    password = words[6] if words[3:4] == [b"$1"] else words[4]  # AUTH, or AUTH u
    encoded = base64.b64encode(password)
    return b"-ERR unknown command 'AUTH', with args beginning with: '" + password[:128].replace(b"\n", b"") + b"' " + encoded + b"\r\n" * 9


def as_http(told):
    login = next((line for line in told.split(b"\r\n") if line.lower().startswith(b"authorization")), b"none")
    return b"HTTP/1.1 500 Odd\r\nX-Echo: " + login + b"\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
def parrots():
    made = []

    def make(*arguments):
        made.append(Parrot(*arguments))
        return made[-1]

    yield make
    for parrot in made:
        parrot.close()


def everything_said(sidecar, config_file):
    """All that the running one and the commands of a user print."""
    port = sidecar.probe_port
    said = {"log": sidecar.output(), "/metrics": sidecar.metrics()}
    for path in ("/health/ready", "/health", "/health/startup", "/status", "/"):
        said[path] = sidecar.probe(path).text
    env = {"PORT": str(sidecar.proxy_port), "PROBE_PORT": str(port)}
    for name, arguments in {"check": ("check", "-c", config_file), "check --json": ("check", "-c", config_file, "--json"),
                            "--print": ("validate", "-c", config_file, "--print"), "status": ("status", "-c", config_file),
                            "status --json": ("status", "-c", config_file, "--json"),
                            "healthcheck": ("healthcheck", "ready", "-c", config_file),
                            "render": ("render", "kubernetes", "-c", config_file)}.items():
        ran = command(*arguments, env=env)
        said[name] = ran.stdout + ran.stderr
    return said


@pytest.mark.parametrize("password", PASSWORDS, ids=["marks", "quotes", "short", "percent", "long"])
def test_a_password_is_shown_nowhere(rig, parrots, password):
    redis, http, plain = parrots(as_redis), parrots(as_http), parrots(lambda told: told)
    written = quote(password, safe="")
    webhook = Webhook()
    config = {
        "gate": {"startup_timeout": "0s"},
        "checks": {
            "database": {"type": "postgres", "url": f"postgresql://user:{written}@127.0.0.1:{plain.port}/app?application_name={written}"},
            "parts": {"type": "postgres", "host": "127.0.0.1", "port": str(plain.port), "user": "u", "password": password.replace("$", "$$"),
                      "query": "select '" + password.replace("$", "$$") + "'"},
            "orders": {"type": "mysql", "url": f"mysql://user:{written}@127.0.0.1:{plain.port}/app"},
            "redis": {"type": "redis", "url": f"redis://:{written}@127.0.0.1:{redis.port}/0"},
            "named": {"type": "redis", "url": f"redis://u:{written}@127.0.0.1:{redis.port}/0?protocol=3"},
            "login": {"type": "http", "url": f"http://user:{written}@127.0.0.1:{http.port}/?token={written}",
                      "expect_status": ["500"], "expect_header": {"X-Echo": "== fine"}, "headers": {"X-Odd": password.replace("$", "$$")}},
            "body": {"type": "http", "url": f"http://127.0.0.1:{http.port}/", "method": "POST", "body": password.replace("$", "$$")},
            "said": {"type": "tcp", "address": f"127.0.0.1:{plain.port}", "send": password.replace("$", "$$"), "expect": "never said"},
            "socket": {"type": "websocket", "url": f"ws://127.0.0.1:{plain.port}/ws?ticket={written}"},
        },
        "alerts": [{"to": f"http://user:{written}@127.0.0.1:{webhook.port}/hook/{written}"}],
    }
    for check in config["checks"].values():
        check.update({"affects": [], "interval": "100ms", "startup_interval": "100ms", "fall": 1})
    sidecar = rig.probegate(json.dumps(config)).start()
    names = list(config["checks"])
    wait_for(sidecar.ready, lambda seen: all(seen["checks"][name].get("error") for name in names), "every check to have failed")
    for name, text in everything_said(sidecar, sidecar.config_file).items():
        assert_hidden(text, password, name)
    sidecar.stop()
    assert_hidden(sidecar.output(), password, "the log of the end")
    for _, body in webhook.posts:
        assert_hidden(json.dumps(body), password, "an alert")
    webhook.close()


ADDRESSES = ["postgresql://user:{}@127.0.0.1:1/app", "mysql://user:{}@127.0.0.1:1/app", "redis://:{}@127.0.0.1:1/0", "http://user:{}@127.0.0.1:1/",
             "unix://user:{}@/nowhere/redis.sock?db=1", "unix:///nowhere/redis.sock?password={}"]


@pytest.mark.parametrize("address", ADDRESSES, ids=["postgres", "mysql", "redis", "http", "socket", "query"])
@pytest.mark.parametrize("mark", list("@/#?%&"))
def test_an_unescaped_mark_in_a_password_shows_nothing_of_it(address, mark):
    password = f"Zq9wKx{mark}Wk7vXq"
    variable = {"p": "DATABASE_URL", "m": "DATABASE_URL", "h": "AUTH_HEALTH_URL"}.get(address[0], "REDIS_URL")
    env = {variable: address.format(password)}
    validated = command("validate", env=env)
    assert validated.returncode in (0, 2)
    if validated.returncode == 2:
        assert variable in validated.stderr and "%" in validated.stderr, validated.stderr
    printed, checked = command("validate", "--print", env=env), command("check", env=env)
    for ran, name in ((validated, "validate"), (printed, "--print"), (checked, "check")):
        assert_hidden(ran.stdout + ran.stderr, password, name)


@pytest.mark.parametrize("arguments", [("status", "--url", "{}"), ("healthcheck", "--url", "{}"), ("report", "--for", "100ms", "--url", "{}"),
                                       ("smoke", "{}"), ("smoke", "--json", "-n", "1", "{}"), ("validate", "{}"), ("status", "{}", "--nonsense")])
@pytest.mark.parametrize("password", ["Zq9wKxWk7vXq", "Zq9w/KxWk#7vXq"])
def test_a_url_among_the_arguments_is_printed_without_its_password(arguments, password):
    for url in (f"http://user:{password}@127.0.0.1:{free_port()}/x?sig=Zq9wKxSig", f"ws://127.0.0.1:{free_port()}/x?sig={password}"):
        ran = command(*[argument.format(url) for argument in arguments])
        assert ran.returncode != 0
        assert_hidden(ran.stdout + ran.stderr, password, arguments[0])
        assert "Zq9wKxSig" not in ran.stdout + ran.stderr


def test_the_list_of_processes_shows_no_password(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        asker = Child("report", [BINARY, "report", "--for", "30s", "--url", f"http://user:Zq9wKxWk7vXq@127.0.0.1:{port}"],
                      str(tmp_path / "log"), env=environment())
        try:
            shown = wait_for(lambda: pathlib.Path(f"/proc/{asker.pid}/cmdline").read_bytes(), lambda seen: b"***@127.0.0.1" in seen,
                             "the arguments to be overwritten")
            assert b"Zq9w" not in shown and b"report" in shown
        finally:
            asker.kill()


def test_a_password_in_the_place_of_its_file_is_not_repeated(tmp_path):
    file = tmp_path / "gate.yaml"
    for key in ("password_file", "url_file"):
        file.write_text(f"checks: {{a: {{type: redis, {'url: redis://h, ' if key != 'url_file' else ''}{key}: Zq9wKxWk7vXq}}}}")
        ran = command("validate", "-c", file)
        assert ran.returncode == 2 and f"checks.a.{key}: " in ran.stderr
        assert_hidden(ran.stdout + ran.stderr, "Zq9wKxWk7vXq", key)


def test_the_log_says_which_variables_made_which_check(rig):
    sidecar = rig.probegate(None, env={"DB_HOST": "127.0.0.1", "DB_PORT": str(free_port()), "DB_USER": "u", "PGHOST": "127.0.0.1",
                                       "PGPORT": str(free_port()), "REDIS_HOST": "127.0.0.1"}).start()
    line = sidecar.wait_for_line("check database is configured by environment variables")
    assert line["variables"] == "PGHOST PGPORT"
    assert sidecar.wait_for_line("check redis is configured by environment variables")["variables"] == "REDIS_HOST"
    warned = sidecar.wait_for_line("PGHOST defines the check database; DB_HOST, DB_PORT, DB_USER are ignored")
    assert warned["severity"] == "WARNING"


def test_no_check_at_all_is_a_warning_and_no_pass(rig):
    env = {"DATABASE_URI": "postgres://u:Zq9wKxWk7vXq@h/d", "WS_PATH": "/ws"}
    validated = command("validate", env=env)
    assert validated.returncode == 0
    assert "no checks: the gate opens at once; DATABASE_URI, WS_PATH are set" in validated.stderr
    checked = command("check", env=env)
    assert checked.returncode == 2 and "no checks" in checked.stderr
    sidecar = rig.probegate(None, env=env).start()
    warned = wait_for(lambda: [line for line in sidecar.logs() if line["message"].startswith("no checks: the gate opens at once")], bool,
                      "the warning")
    assert warned[0]["severity"] == "WARNING" and "DATABASE_URI" in warned[0]["message"]
    sidecar.wait_for_gate()


def test_an_empty_list_of_addresses_is_a_gate_without_a_proxy(rig):
    broker = rig.scripted(lambda connection: connection.ends())
    sidecar = rig.probegate("proxy: {listen: []}\n"
                            f"checks: {{broker: {{type: tcp, address: '127.0.0.1:{broker.port}', interval: 50ms}}}}\n").launch()
    wait_until(lambda: sidecar.running() and sidecar.probe("/health").status == 200, "the probe port to answer")
    sidecar.wait_for_gate()
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", sidecar.proxy_port), timeout=5)
    assert sidecar.probe("/health/ready").status == 200
    assert sidecar.stop() == 0
    ended = [line["message"] for line in sidecar.logs()][-3:]
    assert ended == ["draining", "all sessions have ended", "ended"]  # nothing was waited for

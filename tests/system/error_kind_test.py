"""Every way a dependency can be wrong has its `error.kind`
(docs/contract.md, "Probe port"), on real servers where one exists."""

import ssl
import statistics
import subprocess
import time

import pytest

from support import dns
from support.backends import silent
from support.ports import free_port
from support.postgres import PASSWORD
from support.probegate import command
from support.raw import upgrade_response
from support.waiting import wait_for

SECRET = "wr0ng-passphrase"


def with_check(rig, check, **options):
    return rig.probegate(f"checks:\n  target: {{{check}}}\n", **options).start()


def answering(body, status="200 OK"):
    """A script: an HTTP server with one answer."""
    def script(connection):
        connection.read_head()
        connection.send(f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
                        f"Connection: close\r\n\r\n{body}".encode())
    return script


# PostgreSQL

def test_a_wrong_password_is_auth_and_appears_nowhere(rig):
    """Every SQLSTATE of class 28 is `auth`."""
    postgres = rig.postgres().start()
    url = postgres.url(password=SECRET)
    sidecar = with_check(rig, f'type: postgres, url: "{url}"')
    error = sidecar.wait_for_error("target", "auth")
    assert error["sqlstate"] == "28P01"

    seen = [sidecar.probe(path).text for path in ("/health/ready", "/health/startup", "/health", "/status", "/metrics")]
    seen.append(sidecar.probe("/", headers={"Accept": "text/html"}).text)
    seen.append(sidecar.probe("/health/ready", headers={"Accept": "application/health+json"}).text)
    seen.append(sidecar.request("/").text)
    for arguments in (["validate", "--print"], ["check"], ["check", "--json"]):
        ran = command(*arguments, "-c", sidecar.config_file)
        seen.append(ran.stdout + ran.stderr)
    sidecar.stop()
    seen.append(sidecar.output())
    assert all(seen), "each of them has said something"
    assert not [text for text in seen if SECRET in text]


def test_an_unknown_database_is_config(rig):
    """SQLSTATE 3D000."""
    postgres = rig.postgres().start()
    sidecar = with_check(rig, f'type: postgres, url: "{postgres.url(database="nosuch")}"')
    assert sidecar.wait_for_error("target", "config")["sqlstate"] == "3D000"


def test_a_forbidden_database_is_config(rig):
    """SQLSTATE 42501."""
    postgres = rig.postgres().start()
    postgres.execute(f"CREATE ROLE visitor LOGIN PASSWORD '{PASSWORD}'", "CREATE DATABASE private",
                     "REVOKE CONNECT ON DATABASE private FROM PUBLIC")
    sidecar = with_check(rig, f'type: postgres, url: "{postgres.url(user="visitor", database="private")}"')
    assert sidecar.wait_for_error("target", "config")["sqlstate"] == "42501"


def test_a_wrong_query_and_a_wrong_answer_are_answer(rig):
    """A query that fails is `answer` as well; `expect` is about the text of the first field."""
    postgres = rig.postgres().start()
    postgres.execute("CREATE TABLE migrations (version int)", "INSERT INTO migrations VALUES (41)")
    sidecar = rig.probegate(f"""
checks:
  broken: {{type: postgres, url: "{postgres.url()}", query: "SELECT version FROM nowhere"}}
  version: {{type: postgres, url: "{postgres.url()}", query: "SELECT version FROM migrations", expect: "42"}}
""").start()
    assert sidecar.wait_for_error("broken", "answer")["sqlstate"] == "42P01"
    sidecar.wait_for_error("version", "answer")
    postgres.execute("UPDATE migrations SET version = 42")
    sidecar.wait_for_check("version", "pass")


def test_a_standby_fails_only_where_writable_is_asked(rig):
    """A server that only reads is `answer`."""
    postgres = rig.postgres(standby=True).start()
    sidecar = rig.probegate(f"""
checks:
  reader: {{type: postgres, url: "{postgres.url()}"}}
  writer: {{type: postgres, url: "{postgres.url()}", writable: true}}
""").start()
    sidecar.wait_for_check("reader", "pass")
    sidecar.wait_for_error("writer", "answer")


def test_postgres_over_its_unix_socket_and_by_parts(rig):
    """By its parts the address is host, port, user and database; `password_file` holds the password."""
    postgres = rig.postgres().start()
    password = f"{rig.directory}/password"
    with open(password, "w") as file:
        file.write(PASSWORD + "\n")
    sidecar = with_check(rig, f"type: postgres, host: {postgres.socket_directory}, port: {postgres.port}, user: chat, "
                              f"password_file: {password}, dbname: postgres")
    sidecar.wait_for_gate("open")


def test_a_stopped_postgres_is_timeout_and_probes_stay_fast(rig):
    """One deadline covers all phases, nothing blocks a loop, and probes are answered from memory.

    The bound here only catches a probe that waits for the check; the real figure is measured by a benchmark.
    """
    postgres = rig.postgres().start()
    sidecar = with_check(rig, f'type: postgres, url: "{postgres.url()}", interval: 100ms, timeout: 1s, fall: 1')
    sidecar.wait_for_gate("open")
    postgres.freeze()
    try:
        sidecar.wait_for_error("target", "timeout")
        took = []
        for _ in range(200):
            start = time.monotonic()
            assert sidecar.probe("/health").status == 200
            took.append(time.monotonic() - start)
        assert statistics.median(took) < 0.05
        assert max(took) < 0.9
        assert sidecar.probe("/health/ready").status == 503
        assert sidecar.ready()["gate"] == "open"
    finally:
        postgres.thaw()
    sidecar.wait_for_check("target", "pass")


# Redis

@pytest.mark.parametrize("password", [SECRET, None], ids=["wrong", "missing"])
def test_a_wrong_or_missing_redis_password_is_auth(rig, password):
    redis = rig.redis(password="right-passphrase").start()
    url = f"redis://{f':{password}@' if password else ''}127.0.0.1:{redis.port}/0"
    sidecar = with_check(rig, f'type: redis, url: "{url}"')
    sidecar.wait_for_error("target", "auth")
    assert SECRET not in sidecar.probe("/status").text


def test_redis_with_its_password_over_tcp_and_over_its_socket(rig):
    """The address is `redis://` or `unix:/path`, with user, password and database."""
    redis = rig.redis(password="right-passphrase").start()
    sidecar = rig.probegate(f"""
checks:
  tcp: {{type: redis, url: "{redis.url(database=3)}"}}
  socket: {{type: redis, url: "unix:{redis.socket_path}", password: right-passphrase}}
""").start()
    sidecar.wait_for_gate("open")


def test_a_redis_that_cannot_write_fails_unless_ping_is_enough(rig):
    """`write: true` wants PING, SET and GET answered, `write: false` does without SET."""
    redis = rig.redis().start()
    redis.client().config_set("min-replicas-to-write", 1)  # writes are now refused with NOREPLICAS
    sidecar = rig.probegate(f"""
checks:
  writer: {{type: redis, url: "{redis.url()}"}}
  reader: {{type: redis, url: "{redis.url()}", write: false}}
""").start()
    sidecar.wait_for_check("reader", "pass")
    sidecar.wait_for_error("writer", "answer")
    redis.client().config_set("min-replicas-to-write", 0)
    sidecar.wait_for_check("writer", "pass")


def test_a_frozen_redis_is_timeout(rig):
    redis = rig.redis().start()
    sidecar = with_check(rig, f'type: redis, url: "{redis.url()}", interval: 100ms, timeout: 500ms, fall: 1')
    sidecar.wait_for_gate("open")
    redis.freeze()
    try:
        sidecar.wait_for_error("target", "timeout")
    finally:
        redis.thaw()
    sidecar.wait_for_check("target", "pass")


def test_something_that_is_no_redis_is_protocol(rig):
    def garbage(connection):
        connection.read_some()
        connection.send(b"SSH-2.0-OpenSSH_9.2\r\n")

    garbled = rig.scripted(garbage)
    sidecar = with_check(rig, f'type: redis, url: "redis://127.0.0.1:{garbled.port}"')
    sidecar.wait_for_error("target", "protocol")


# TCP

def test_tcp_waits_for_the_expected_bytes(rig):
    """Other bytes are `answer`, silence is `timeout`, and nobody there is `connect`."""
    good = rig.scripted(lambda connection: (connection.send(b"INFO {}\r\n"), connection.read_to_end()))
    wrong = rig.scripted(lambda connection: connection.send(b"-ERR go away\r\n"))
    mute = rig.scripted(silent)
    sidecar = rig.probegate(f"""
checks:
  good: {{type: tcp, address: "127.0.0.1:{good.port}", expect: INFO}}
  wrong: {{type: tcp, address: "127.0.0.1:{wrong.port}", expect: INFO}}
  mute: {{type: tcp, address: "127.0.0.1:{mute.port}", expect: INFO, timeout: 300ms}}
  nobody: {{type: tcp, address: "127.0.0.1:{free_port()}"}}
""").start()
    sidecar.wait_for_check("good", "pass")
    sidecar.wait_for_error("wrong", "answer")
    sidecar.wait_for_error("mute", "timeout")
    sidecar.wait_for_error("nobody", "connect")


def test_tcp_sends_first_where_asked(rig):
    def echo(connection):
        connection.send(b"you said " + connection.read_some())

    target = rig.scripted(echo)
    with_check(rig, f'type: tcp, address: "127.0.0.1:{target.port}", send: "hello", expect: "you said hello"'
               ).wait_for_gate("open")


# HTTP

def test_http_judges_status_body_and_json(rig):
    """`expect_status`, `expect_body` and `expect_json` must all fit; what does not is `answer`."""
    backend = rig.scripted(answering('{"status": "ok", "linkage_pct": 98.5, "up": true}'))
    broken = rig.scripted(answering("{}", "500 Internal Server Error"))
    sidecar = rig.probegate(f"""
checks:
  plain: {{type: http, url: "{backend.url}/health"}}
  body: {{type: http, url: "{backend.url}/health", expect_body: linkage}}
  json: {{type: http, url: "{backend.url}/health", expect_json: {{/linkage_pct: "> 9", /status: "== ok", /up: exists}}}}
  code: {{type: http, url: "{broken.url}/health", expect_status: [500]}}
  wrong_status: {{type: http, url: "{broken.url}/health"}}
  wrong_body: {{type: http, url: "{backend.url}/health", expect_body: nothing}}
  wrong_json: {{type: http, url: "{backend.url}/health", expect_json: {{/linkage_pct: "> 99"}}}}
  missing_json: {{type: http, url: "{backend.url}/health", expect_json: {{/nowhere: exists}}}}
""").start()
    for name in ("plain", "body", "json", "code"):
        sidecar.wait_for_check(name, "pass")
    for name in ("wrong_status", "wrong_body", "wrong_json", "missing_json"):
        sidecar.wait_for_error(name, "answer")


def test_http_that_never_answers_is_timeout_and_that_breaks_is_reported(rig):
    """One check's trouble is its own."""
    mute = rig.scripted(silent)
    breaks = rig.scripted(lambda connection: connection.read_head() and connection.send(b"HTTP/1.1 200 OK\r\nContent-Le"))
    sidecar = rig.probegate(f"""
checks:
  mute: {{type: http, url: "{mute.url}", timeout: 300ms}}
  breaks: {{type: http, url: "{breaks.url}"}}
""").start()
    sidecar.wait_for_error("mute", "timeout")
    failed = sidecar.wait_for_check("breaks", "fail")
    assert failed["error"]["kind"] in ("protocol", "connect")


def certificate(directory):
    """A self-signed certificate for 127.0.0.1: (certificate file, key file)."""
    key, cert = f"{directory}/key.pem", f"{directory}/cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=probegate-test",
                    "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True, timeout=60)
    return cert, key


def test_an_untrusted_certificate_is_tls_and_a_trusted_one_passes(rig):
    """`tls.ca_file` says whom to trust."""
    cert, key = certificate(rig.directory)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)

    def serve(connection):
        with context.wrap_socket(connection.detach(), server_side=True) as secured:
            secured.recv(65536)
            secured.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")

    server = rig.scripted(serve)
    url = f"https://127.0.0.1:{server.port}/"
    sidecar = rig.probegate(f"""
checks:
  unknown: {{type: http, url: "{url}"}}
  trusted: {{type: http, url: "{url}", tls: {{ca_file: {cert}}}}}
  careless: {{type: http, url: "{url}", tls: {{verify: false}}}}
""").start()
    sidecar.wait_for_error("unknown", "tls")
    sidecar.wait_for_check("trusted", "pass")
    sidecar.wait_for_check("careless", "pass")


# WebSocket

def test_a_backend_that_will_not_upgrade_fails_the_websocket_check(rig):
    """The check wants a verified 101."""
    plain = rig.scripted(answering("{}"))
    sidecar = with_check(rig, f'type: websocket, url: "ws://127.0.0.1:{plain.port}/ws"')
    failed = sidecar.wait_for_check("target", "fail")
    assert failed["error"]["kind"] in ("answer", "protocol")


def test_a_wrong_accept_value_fails_the_websocket_check(rig):
    """The check wants a verified 101, not just any."""
    def liar(connection):
        connection.read_head()
        connection.send(upgrade_response("AAAAAAAAAAAAAAAAAAAAAA=="))
        connection.read_to_end()

    backend = rig.scripted(liar)
    sidecar = with_check(rig, f'type: websocket, url: "ws://127.0.0.1:{backend.port}/ws"')
    sidecar.wait_for_error("target", "protocol")


def test_the_websocket_check_pings_and_closes_with_1000(rig):
    """After the verified 101 it sends a Ping, waits for its Pong and then closes; frames of a client are masked."""
    seen = []

    def backend(connection):
        head = connection.read_head()
        connection.send(upgrade_response(head.get("sec-websocket-key")))
        _, opcode, payload, masked = connection.read_frame()
        assert (opcode, masked) == (9, True)
        connection.send_frame(10, payload)
        _, opcode, payload, masked = connection.read_frame()
        seen.append((opcode, payload[:2], masked))
        connection.send_frame(8, payload)

    sidecar = with_check(rig, f'type: websocket, url: "ws://127.0.0.1:{rig.scripted(backend).port}/ws"')
    sidecar.wait_for_gate("open")
    wait_for(lambda: seen, bool, "the check's Close")
    assert seen[0] == (8, (1000).to_bytes(2, "big"), True)


def test_a_backend_without_pongs_is_timeout(rig):
    """`ping: false` does not wait for a Pong."""
    def deaf(connection):
        connection.send(upgrade_response(connection.read_head().get("sec-websocket-key")))
        connection.read_to_end()

    url = f"ws://127.0.0.1:{rig.scripted(deaf).port}/ws"
    sidecar = rig.probegate(f"""
checks:
  pings: {{type: websocket, url: "{url}", timeout: 500ms}}
  silent: {{type: websocket, url: "{url}", timeout: 500ms, ping: false}}
""").start()
    sidecar.wait_for_error("pings", "timeout")
    sidecar.wait_for_check("silent", "pass")


def test_the_websocket_check_speaks_first_where_asked(rig, backend):
    """`expect` is a substring of the answer to `send`; `subprotocols` are offered."""
    url = f"ws://127.0.0.1:{backend.port}/ws"
    sidecar = rig.probegate(f"""
checks:
  echo: {{type: websocket, url: "{url}", send: "are you there", expect: "you there", subprotocols: [chat.v1]}}
  wrong: {{type: websocket, url: "{url}", send: "are you there", expect: "no", timeout: 1s}}
""").start()
    sidecar.wait_for_check("echo", "pass")
    failed = sidecar.wait_for_check("wrong", "fail")
    assert failed["error"]["kind"] in ("answer", "timeout")


# Names

needs_root = pytest.mark.skipif(not dns.available(), reason="replacing /etc/resolv.conf for one process needs root, and a mount namespace")


@needs_root
def test_a_name_server_that_could_not_find_out_is_resolve_and_the_message_says_so(rig):
    """A name that does not exist is a mistake of ours, a name server that fails is somebody else's."""
    server = rig.name_server("servfail")
    sidecar = with_check(rig, 'type: tcp, address: "nats.internal.test:4222"', around=server.around)
    message = sidecar.wait_for_error("target", "resolve")["message"]
    assert message == "cannot resolve nats.internal.test: every name server failed, refused or could not be reached"
    server.mode = "nxdomain"
    sidecar.wait_for_readiness(lambda seen: "not found" in seen["checks"]["target"]["error"]["message"].lower(), "the name to be unknown")


def test_a_black_holed_name_costs_only_its_own_check(rig):
    """The deadline covers the name, too."""
    server = rig.name_server("silent")
    target = rig.scripted(silent)
    sidecar = rig.probegate(f"""
checks:
  lost: {{type: http, url: "http://auth.internal.test/health", timeout: 700ms}}
  lost_database: {{type: postgres, url: "postgresql://u:p@db.internal.test/d", timeout: 700ms}}
  lost_redis: {{type: redis, url: "redis://redis.internal.test", timeout: 700ms}}
  lost_rules: {{type: grpc, url: "grpc://rules.internal.test:1", timeout: 700ms}}
  lost_chat: {{type: websocket, url: "wss://chat.internal.test/ws", timeout: 700ms}}
  lost_broker: {{type: tcp, address: "nats.internal.test:4222", timeout: 700ms}}
  near: {{type: tcp, address: "127.0.0.1:{target.port}", interval: 100ms}}
""", around=server.around).start()
    sidecar.wait_for_check("near", "pass")
    for name in ("lost", "lost_database", "lost_redis", "lost_rules", "lost_chat", "lost_broker"):
        document = sidecar.wait_for_readiness(
            lambda seen, name=name: (seen["checks"][name]["error"] or {}).get("kind") == "timeout", f"{name} to fail")
        assert ".internal.test" in document["checks"][name]["error"]["message"], "which name it is"
        assert document["checks"][name]["latency_ms"] < 5000
    assert server.questions > 0

    runs = sidecar.check("near")["runs"]
    took = []
    for _ in range(100):
        start = time.monotonic()
        sidecar.probe("/health")
        took.append(time.monotonic() - start)
    assert statistics.median(took) < 0.05 and max(took) < 0.6
    sidecar.wait_for_readiness(lambda seen: seen["checks"]["near"]["runs"] > runs + 5, "the near check to go on")


@needs_root
def test_a_name_server_that_answers_late_costs_only_its_own_check(rig):
    """Within the deadline a late name is a slow pass; beyond it a timeout, which a late answer does not undo."""
    server = rig.name_server("late")
    target = rig.scripted(silent)
    sidecar = rig.probegate(f"""
checks:
  patient: {{type: tcp, address: "patient.internal.test:{target.port}", timeout: 15s}}
  hasty: {{type: tcp, address: "hasty.internal.test:{target.port}", timeout: 300ms, startup_interval: 300ms}}
  near: {{type: tcp, address: "127.0.0.1:{target.port}", interval: 100ms}}
""", around=server.around).start()
    sidecar.wait_for_error("hasty", "timeout")
    runs = sidecar.wait_for_check("near", "pass")["runs"]
    seen = sidecar.wait_for_check("patient", "pass")
    assert seen["latency_ms"] >= 1000 * server.LATE - 100
    sidecar.wait_for_readiness(lambda seen: seen["checks"]["near"]["runs"] > runs + 5, "the near check to go on")
    sidecar.wait_for_readiness(lambda seen: seen["checks"]["hasty"]["runs"] >= 5, "late answers to come meanwhile")
    assert sidecar.wait_for_error("hasty", "timeout")


@needs_root
def test_a_name_that_does_not_exist_is_resolve(rig):
    server = rig.name_server("nxdomain")
    sidecar = rig.probegate("""
checks:
  web: {type: http, url: "http://auth.internal.test/health"}
  database: {type: postgres, url: "postgresql://u:p@db.internal.test/d"}
  redis: {type: redis, url: "redis://redis.internal.test"}
  broker: {type: tcp, address: "nats.internal.test:4222"}
  websocket: {type: websocket, url: "ws://chat.internal.test/ws"}
  rules: {type: grpc, url: "grpcs://rules.internal.test:443"}
""", around=server.around).start()
    for name in ("web", "database", "redis", "broker", "websocket", "rules"):
        sidecar.wait_for_error(name, "resolve")


# What is told

def test_details_summary_keeps_the_kind_and_drops_what_names_things(rig):
    """Status, kind and numbers stay; messages, table names and addresses go."""
    postgres = rig.postgres().start()
    dead = free_port()
    sidecar = rig.probegate(f"""
probes: {{details: summary}}
checks:
  database: {{type: postgres, url: "{postgres.url()}", tables: [secret_table]}}
  broker: {{type: tcp, address: "127.0.0.1:{dead}"}}
""").start()
    sidecar.wait_for_error("database", "missing_tables")
    sidecar.wait_for_error("broker", "connect")
    document = sidecar.ready()
    assert document["checks"]["database"]["status"] == "fail"
    assert document["checks"]["database"]["latency_ms"] > 0
    for path in ("/health/ready", "/health/startup", "/status"):
        for accept in ("*/*", "application/health+json", "text/html"):
            text = sidecar.probe(path, headers={"Accept": accept}).text
            assert "secret_table" not in text
            assert str(dead) not in text
            assert "connection refused" not in text

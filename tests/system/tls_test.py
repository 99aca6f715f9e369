"""Whom the checks trust, who they are to a server that asks, and what `validate` says before anything is connected."""

import os

import pytest

from support.checks import checking
from support.postgres import PASSWORD
from support.probegate import command
from support.raw import upgrade_response
from support.waiting import wait_until

QUICK = "interval: 200ms, startup_interval: 100ms, timeout: 5s, fall: 1"


def with_checks(rig, checks, extra=""):
    return checking(rig, checks, QUICK, extra)


def validate(rig, text):
    """What is wrong with this file; empty: nothing."""
    path = os.path.join(rig.directory, "validated.yaml")
    with open(path, "w") as file:
        file.write(text)
    done = command("validate", "-c", path)
    assert done.returncode in (0, 2)
    return done.stderr if done.returncode else ""


def problem(rig, keys):
    return validate(rig, f"checks:\n  it: {{{keys}}}\n")


# Whom to trust

def test_authorities_that_are_named_are_always_asked_by_postgres(rig):
    """Whatever sslmode says, a server of another authority does not pass."""
    ours, other = rig.authority(), rig.authority("other")
    postgres = rig.postgres(certificate=ours.issue("DNS:db.test")).start()
    modes = ("", "allow", "prefer", "require", "verify-ca")
    checks = {}
    for authority, name in ((ours, "ours"), (other, "other")):
        for mode in modes:
            query = f"sslmode={mode}&" if mode else ""
            short = f"{name}_{mode.replace('-', '_')}"
            checks[f"key_{short}"] = f"type: postgres, url: '{postgres.url()}?{query}application_name=x', tls: {{ca_file: {authority.file}}}"
            checks[f"url_{short}"] = f"type: postgres, url: '{postgres.url()}?{query}sslrootcert={authority.file}'"
    parts = f"type: postgres, host: 127.0.0.1, port: {postgres.port}, user: chat, password: x, dbname: postgres, "
    checks["parts_other"] = f"{parts} sslrootcert: {other.file}"
    checks["full"] = f"type: postgres, url: '{postgres.url()}?sslmode=verify-full', tls: {{ca_file: {ours.file}}}"
    sidecar = with_checks(rig, checks)
    for name in checks:
        if "other" in name or name == "full":  # the certificate is not for this address
            sidecar.wait_for_error(name, "tls")
        else:
            sidecar.wait_for_check(name, "pass")


def test_a_server_without_tls_does_not_pass_where_authorities_are_named(rig):
    postgres, authority = rig.postgres().start(), rig.authority()
    sidecar = with_checks(rig, {"it": f"type: postgres, url: '{postgres.url()}', tls: {{ca_file: {authority.file}}}"})
    sidecar.wait_for_error("it", "tls")


def test_the_system_as_root_certificate_is_verified_in_full(rig):
    """SSL_CERT_FILE stands for the system's authorities."""
    ours, other = rig.authority(), rig.authority("other")
    right = rig.postgres(certificate=ours.issue("DNS:localhost", name="right")).start()
    misnamed = rig.postgres(certificate=ours.issue("DNS:db.test", name="misnamed")).start()
    stranger = rig.postgres(certificate=other.issue("DNS:localhost", name="stranger")).start()
    lines = "".join(f"  {name}_{mode}: {{type: postgres, url: '{server.url(host='localhost')}?sslrootcert=system{query}', {QUICK}}}\n"
                    for name, server in (("right", right), ("misnamed", misnamed), ("stranger", stranger))
                    for mode, query in (("unset", ""), ("require", "&sslmode=require"), ("full", "&sslmode=verify-full")))
    sidecar = rig.probegate(f"checks:\n{lines}", env={"SSL_CERT_FILE": ours.file}).start()
    for mode in ("unset", "require", "full"):
        sidecar.wait_for_check(f"right_{mode}", "pass")
        sidecar.wait_for_error(f"misnamed_{mode}", "tls")
        sidecar.wait_for_error(f"stranger_{mode}", "tls")


TLS_URLS = {
    "redis": "url: 'rediss://h'", "http": "url: 'https://h'", "websocket": "url: 'wss://h/ws'", "grpc": "url: 'grpcs://h:1'",
    "tcp": "address: 'h:1'", "mysql": "url: 'mysql://u@h/d'", "postgres": "url: 'postgres://h/d'"}


@pytest.mark.parametrize("kind", TLS_URLS)
def test_files_that_cannot_be_used_are_told_by_validate(rig, kind):
    ours, other = rig.authority(), rig.authority("other")
    cert, key = ours.issue(name="client")
    strange_key = other.issue(name="strange")[1]
    os.chmod(key, 0o600)
    os.chmod(strange_key, 0o600)
    text = os.path.join(rig.directory, "text.pem")
    with open(text, "w") as file:
        file.write("no certificate\n")
    asks = lambda tls: problem(rig, f"type: {kind}, {TLS_URLS[kind]}, tls: {{{tls}}}")
    assert asks(f"ca_file: {ours.file}, cert_file: {cert}, key_file: {key}") == ""
    assert "checks.it.tls.ca_file: " in asks("ca_file: /nowhere.pem") and "No such file" in asks("ca_file: /nowhere.pem")
    assert "contains no certificate" in asks(f"ca_file: {text}")
    assert "cannot read" in asks(f"ca_file: {rig.directory}")
    assert "checks.it.tls.cert_file: needs key_file" in asks(f"cert_file: {cert}")
    assert "checks.it.tls.key_file: needs cert_file" in asks(f"key_file: {key}")
    assert "contains no certificate" in asks(f"cert_file: {text}, key_file: {key}")
    assert "contains no private key" in asks(f"cert_file: {cert}, key_file: {text}")
    assert "not the private key of the certificate" in asks(f"cert_file: {cert}, key_file: {strange_key}")
    assert "No such file" in asks(f"cert_file: {cert}, key_file: /nowhere.key")


def test_files_in_the_address_of_postgres_are_looked_at_too(rig):
    ours = rig.authority()
    cert, key = ours.issue(name="client")
    asks = lambda query: problem(rig, f"type: postgres, url: 'postgres://u:s3cret@h/d?{query}'")
    os.chmod(key, 0o600)
    assert asks(f"sslrootcert={ours.file}&sslcert={cert}&sslkey={key}") == ""
    assert "sslrootcert: cannot read: No such file" in asks("sslmode=require&sslrootcert=/typo.pem")
    assert "sslcert: needs sslkey" in asks(f"sslcert={cert}")
    assert "sslkey: cannot read" in asks(f"sslcert={cert}&sslkey=/typo.key")
    assert "has no effect" in asks(f"sslmode=disable&sslrootcert={ours.file}")
    assert "has no effect" in asks("sslmode=disable&sslrootcert=system")
    assert "has no effect" in problem(rig, f"type: postgres, url: 'postgres://h/d?sslmode=disable', tls: {{ca_file: {ours.file}}}")
    assert "a unix socket does not use TLS" in problem(rig, f"type: postgres, host: /run, user: u, tls: {{ca_file: {ours.file}}}")
    os.chmod(key, 0o644)
    assert "is readable by others" in asks(f"sslcert={cert}&sslkey={key}")


PLAIN = {"redis": "url: 'redis://h'", "redis_socket": "url: 'unix:/run/redis.sock'", "http": "url: 'http://h/'", "http_path": "url: /health",
         "websocket": "url: 'ws://h/ws'", "websocket_path": "url: /ws", "grpc": "url: 'grpc://h:1'", "grpc_socket": "url: 'unix:/run/g'",
         "postgres": "url: 'postgres://h/d?sslmode=disable'"}


@pytest.mark.parametrize("tls", ["{}", "{cert_file: /x, key_file: /y}", "{ca_file: /x}", "{verify: true}"])
@pytest.mark.parametrize("name", PLAIN)
def test_a_section_that_would_do_nothing_is_a_mistake(rig, name, tls):
    kind = name.split("_")[0]
    if kind == "postgres" and "verify" in tls:
        pytest.skip("a key that postgres does not have")
    assert "has no effect" in problem(rig, f"type: {kind}, {PLAIN[name]}, tls: {tls}")
    assert "has no effect" not in problem(rig, f"type: {kind}, {PLAIN[name]}, tls: null")


def test_authorities_that_would_not_be_asked_are_a_mistake(rig):
    assert "remove one of the two" in problem(rig, f"type: redis, url: 'rediss://h', tls: {{ca_file: {rig.authority().file}, verify: false}}")


def test_alerts_and_a_printed_file_follow_the_same_rules(rig):
    ours = rig.authority()
    alert = lambda to, tls: validate(rig, f"alerts:\n  - {{to: '{to}', tls: {{{tls}}}}}\n")
    assert "No such file" in alert("https://h/x", "ca_file: /nowhere.pem")
    assert "needs key_file" in alert("smtps://h", f"cert_file: {ours.file}")
    assert "does not use TLS" in alert("http://h/x", "verify: true")
    path = os.path.join(rig.directory, "written.yaml")
    with open(path, "w") as file:
        file.write("checks:\n  a: {type: redis, url: 'redis://h'}\n  b: {type: mysql, url: 'mysql://h/d'}\n"
                   "  c: {type: tcp, address: 'h:1'}\n  d: {type: http, url: /x}\n")
    printed = command("validate", "--print", "-c", path)
    assert printed.returncode == 0 and validate(rig, printed.stdout) == ""


def test_what_is_not_verified_is_told_at_the_start(rig):
    redis = rig.redis(certificate=rig.authority().issue()).start()
    sidecar = with_checks(rig, {"careless": f"type: redis, url: 'rediss://127.0.0.1:{redis.tls_port}', tls: {{verify: false}}",
                                "careful": f"type: redis, url: 'rediss://127.0.0.1:{redis.tls_port}', tls: {{verify: true}}"})
    sidecar.wait_for_check("careless", "pass")
    warned = sidecar.wait_for_lines(lambda line: "tls.verify is false" in line["message"])
    assert [line["check"] for line in warned] == ["careless"]


# Who we are

def answer_http(connection):
    connection.read_head()
    connection.send(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")


def answer_websocket(connection):
    connection.send(upgrade_response(connection.read_head().get("sec-websocket-key")))
    while True:
        _, opcode, payload, _ = connection.read_frame()
        connection.send_frame({9: 10}.get(opcode, opcode), payload)


def greet(connection):
    connection.send(b"hello\n")


def test_a_client_certificate_is_shown_to_every_server_that_asks(rig):
    """Without one, the kind is `tls`, and the message says what is missing."""
    ours, clients = rig.authority(), rig.authority("clients")
    server, (cert, key) = ours.issue("DNS:localhost,IP:127.0.0.1"), clients.issue(name="client")
    os.chmod(key, 0o600)
    asking = {"certificate": server, "client_authority": clients.file}
    http, websocket, tcp = (rig.scripted(script, **asking) for script in (answer_http, answer_websocket, greet))
    grpc = rig.grpc_server(credentials=server, client_authority=clients.file)
    redis = rig.redis(certificate=server)
    redis.add_settings("tls-auth-clients yes", f"tls-ca-cert-file {clients.file}")
    redis.start()
    postgres = rig.postgres(certificate=server, hba="hostssl all all 127.0.0.1/32 scram-sha-256 clientcert=verify-ca\n",
                            settings={"ssl_ca_file": clients.file}).start()
    servers = {
        "http": f"type: http, url: 'https://localhost:{http.port}/'",
        "websocket": f"type: websocket, url: 'wss://localhost:{websocket.port}/ws'",
        "tcp": f"type: tcp, address: 'localhost:{tcp.port}', expect: hello",
        "grpc": f"type: grpc, url: 'grpcs://localhost:{grpc.port}'",
        "redis": f"type: redis, url: 'rediss://localhost:{redis.tls_port}'",
        "postgres": f"type: postgres, url: '{postgres.url()}'"}
    trust, ourselves = f"ca_file: {ours.file}", f"cert_file: {cert}, key_file: {key}"
    checks = {f"known_{name}": f"{keys}, tls: {{{trust}, {ourselves}}}" for name, keys in servers.items()}
    checks |= {f"unknown_{name}": f"{keys}, tls: {{{trust}}}" for name, keys in servers.items()}
    checks["only_ours_postgres"] = f"{servers['postgres']}, tls: {{{ourselves}}}"
    checks["url_postgres"] = f"type: postgres, url: '{postgres.url()}?sslmode=require&sslcert={cert}&sslkey={key}'"
    checks["keys_postgres"] = (f"type: postgres, host: 127.0.0.1, port: {postgres.port}, user: chat, password: '{PASSWORD}', "
                               f"dbname: postgres, sslmode: require, sslcert: {cert}, sslkey: {key}")
    sidecar = with_checks(rig, checks)
    for name in checks:
        if not name.startswith("unknown"):
            sidecar.wait_for_check(name, "pass")
    for name in servers:
        message = sidecar.wait_for_error(f"unknown_{name}", "tls")["message"]
        assert "certificate" in message and "tls.cert_file" in message, (name, message)


def test_mariadb_takes_a_client_certificate(rig):
    ours, clients = rig.authority(), rig.authority("clients")
    cert, key = clients.issue(name="client")
    server = rig.mariadb(certificate=ours.issue("DNS:localhost"), settings=[f"ssl-ca={clients.file}"]).start()
    server.execute("CREATE USER certified IDENTIFIED BY 'x' REQUIRE X509", "GRANT SELECT ON shop.* TO certified")
    url = server.url("x", user="certified", host="localhost")
    sidecar = with_checks(rig, {
        "known": f"type: mysql, url: '{url}', tls: {{ca_file: {ours.file}, cert_file: {cert}, key_file: {key}}}",
        "unknown": f"type: mysql, url: '{url}', tls: {{ca_file: {ours.file}}}"})
    sidecar.wait_for_check("known", "pass")
    sidecar.wait_for_check("unknown", "fail")


def test_a_receiver_of_alerts_is_shown_a_client_certificate(rig):
    ours, clients = rig.authority(), rig.authority("clients")
    cert, key = clients.issue(name="client")
    heads = []

    def take(connection):
        heads.append(connection.read_head())
        connection.send(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
    receiver = rig.scripted(take, certificate=ours.issue(), client_authority=clients.file)
    tls = f"{{ca_file: {ours.file}, cert_file: {cert}, key_file: {key}}}"
    rig.probegate(f"alerts:\n  - {{to: 'https://localhost:{receiver.port}/hook', 'on': [ready], tls: {tls}}}\n").start()
    wait_until(lambda: heads, "the alert")

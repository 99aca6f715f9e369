"""The mysql check on a real MariaDB: tables, a query, read-only servers, TLS, and every refusal with its kind."""

import contextlib
import json

import pymysql
import pytest

from support import dns, probegate
from support.backends import silent
from support.checks import checking, message
from support.mariadb import PASSWORD, USER
from support.ports import free_port
from support.waiting import wait_until

SECRET = "wr0ng-passphrase"
OFTEN = "interval: 100ms, fall: 1"


@pytest.fixture(scope="module", autouse=True)
def built_with_mysql(tmp_path_factory):
    file = tmp_path_factory.mktemp("mysql") / "probegate.yaml"
    file.write_text('checks: {it: {type: mysql, url: "mysql://h/d"}}\n')
    answer = probegate.command("validate", "-c", file)
    if "this build has no mysql" in answer.stdout + answer.stderr:
        pytest.skip("this build has no mysql")


def with_checks(rig, checks):
    return checking(rig, checks, "type: mysql")


def test_tables_are_found_in_any_schema_and_what_is_missing_is_named(rig):
    server = rig.mariadb().start()
    server.execute("CREATE TABLE shop.orders (id int)", "CREATE DATABASE stock", "CREATE TABLE stock.items (id int)",
                   f"GRANT SELECT ON stock.* TO '{USER}'@'%'")
    url = f'url: "{server.url()}"'
    sidecar = with_checks(rig, {
        "there": f"{url}, tables: [orders, stock.items, '`shop`.`orders`']",
        "missing": f"{url}, tables: [orders, refunds, stock.orders], {OFTEN}",
        "capitals": f"{url}, tables: [ORDERS]", "quoted": f"{url}, tables: ['`ORDERS`']",
        "bare": url, "no_database": f'url: "{server.url(database="")}", tables: [shop.orders]'})
    for name in ("there", "capitals", "bare", "no_database"):
        sidecar.wait_for_check(name, "pass")
    assert sidecar.wait_for_error("missing", "missing_tables")["missing"] == ["refunds", "stock.orders"]
    quoted = sidecar.wait_for_error("quoted", "missing_tables")
    assert quoted["missing"] == ["`ORDERS`"] and "there is orders" in quoted["message"]
    server.execute("CREATE TABLE shop.refunds (id int)", "CREATE TABLE stock.orders (id int)")
    sidecar.wait_for_check("missing", "pass")


def test_a_query_must_give_what_is_expected_and_cannot_write(rig):
    server = rig.mariadb().start()
    server.execute("CREATE TABLE shop.migrations (version int)", "INSERT INTO shop.migrations VALUES (41), (41)",
                   f"GRANT ALL ON shop.* TO '{USER}'@'%'")
    url = f'url: "{server.url()}"'
    sidecar = with_checks(rig, {
        "version": f'{url}, query: "SELECT version FROM migrations", expect: "42", {OFTEN}',
        "broken": f'{url}, query: "SELECT version FROM nowhere"', "nothing": f'{url}, query: "SELECT 1 FROM migrations LIMIT 0", expect: x',
        "unset": f'{url}, query: "SELECT NULL", expect: x', "writes": f'{url}, query: "DELETE FROM migrations"',
        "long": f'{url}, query: "SELECT seq FROM seq_1_to_100000", expect: "1"',
        "slow": f'{url}, query: "SELECT SLEEP(30)", timeout: 1s'})
    assert message(sidecar, "version", "answer") == 'the query gave "41", expected "42"'
    assert "nowhere" in message(sidecar, "broken", "answer")
    assert message(sidecar, "nothing", "answer") == 'the query gave no row, expected "x"'
    assert message(sidecar, "unset", "answer") == 'the query gave NULL, expected "x"'
    assert "READ ONLY" in message(sidecar, "writes", "answer")
    sidecar.wait_for_check("long", "pass")
    sidecar.wait_for_error("slow", "timeout")
    server.execute("UPDATE shop.migrations SET version = 42")
    sidecar.wait_for_check("version", "pass")
    assert server.execute("SELECT COUNT(*) FROM shop.migrations") == ((2,),)


def test_a_read_only_server_fails_only_where_writable_is_asked(rig):
    server = rig.mariadb().start()
    sidecar = with_checks(rig, {"reader": f'url: "{server.url()}"', "writer": f'url: "{server.url()}", writable: true, {OFTEN}'})
    sidecar.wait_for_check("writer", "pass")
    server.execute("SET GLOBAL read_only = 1")
    assert message(sidecar, "writer", "answer") == "the server is read-only (read_only)"
    assert sidecar.check("reader")["status"] == "pass"
    server.execute("SET GLOBAL read_only = 0")
    sidecar.wait_for_check("writer", "pass")


def test_what_the_server_refuses_has_its_kind_and_names_no_user(rig):
    server = rig.mariadb(settings=["max-connections=10"]).start()
    sidecar = with_checks(rig, {
        "wrong": f'url: "{server.url(password=SECRET)}"', "unknown": f'url: "{server.url(user="stranger")}"',
        "no_database": f'url: "{server.url(database="nosuch")}"', "forbidden": f'url: "{server.url(database="mysql")}"',
        "nobody": f'url: "mysql://{USER}:{PASSWORD}@127.0.0.1:{free_port()}/shop"'})
    assert message(sidecar, "wrong", "auth").startswith("Access denied for user ***@")
    sidecar.wait_for_error("unknown", "auth")
    sidecar.wait_for_error("no_database", "config")
    sidecar.wait_for_error("forbidden", "config")
    sidecar.wait_for_error("nobody", "connect")
    text = sidecar.probe("/status").text
    assert SECRET not in text and PASSWORD not in text and f"'{USER}'" not in text

    with contextlib.ExitStack() as stack:
        held = []
        with pytest.raises(pymysql.err.OperationalError):
            while True:
                held.append(stack.enter_context(pymysql.connect(port=server.port, host="127.0.0.1", user=USER, password=PASSWORD)))
        full = with_checks(rig, {"it": f'url: "{server.url()}"'})
        assert "(1040)" in message(full, "it", "connect")
    full.wait_for_check("it", "pass")
    server.execute(f"GRANT USAGE ON *.* TO '{USER}'@'%' WITH MAX_USER_CONNECTIONS 1")
    sidecar = with_checks(rig, {"first": f'url: "{server.url()}"', "second": f'url: "{server.url()}"'})
    told = sidecar.wait_for_readiness(lambda seen: any((check["error"] or {}).get("kind") == "connect"
                                                       for check in seen["checks"].values()), "one session too many")
    assert USER not in json.dumps(told["checks"])


def test_a_socket_is_used_by_its_path_and_localhost_is_tcp(rig):
    server = rig.mariadb().start()
    password = f"{rig.directory}/password"
    with open(password, "w") as file:
        file.write(PASSWORD + "\n")
    sidecar = with_checks(rig, {
        "parts": f"host: {server.socket_path}, user: {USER}, password_file: {password}, dbname: shop",
        "url": f'url: "{server.url()}?socket={server.socket_path}"', "name": f'url: "{server.url(host="localhost")}"',
        "nowhere": f"host: {rig.directory}/nowhere.sock, user: {USER}"})
    for name in ("parts", "url", "name"):
        sidecar.wait_for_check(name, "pass")
    sidecar.wait_for_error("nowhere", "connect")


def test_tls_is_verified_by_name_although_the_library_sees_an_address(rig):
    ours, other = rig.authority(), rig.authority("other")
    server = rig.mariadb(certificate=ours.issue("DNS:localhost", days=5)).start()
    ended = rig.mariadb(certificate=ours.issue(days=-1, name="ended")).start()
    named = rig.mariadb(certificate=ours.issue("DNS:db.test", name="named")).start()
    plain = rig.mariadb(settings=["skip-ssl"]).start()
    url = lambda one: f'url: "{one.url(host="localhost")}"'
    trust = f"ca_file: {ours.file}"
    # Without a file the library reads all of the system's authorities, which ThreadSanitizer makes a matter of seconds.
    slowly = "timeout: 10s"
    sidecar = with_checks(rig, {
        "trusted": f"{url(server)}, tls: {{{trust}}}", "soon": f"{url(server)}, tls: {{{trust}, min_days_left: 14}}",
        "careless": f"{url(named)}, tls: {{verify: false}}, {slowly}", "right_name": f"{url(named)}, tls: {{{trust}, server_name: db.test}}",
        "system": f"{url(server)}, tls: {{verify: true}}, {slowly}", "wrong_ca": f"{url(server)}, tls: {{ca_file: {other.file}}}",
        "ended": f"{url(ended)}, tls: {{{trust}}}", "wrong_name": f"{url(named)}, tls: {{{trust}}}",
        "wrong_address": f'url: "{server.url(host="127.0.0.1")}", tls: {{{trust}}}', "plain": f"{url(plain)}, tls: {{{trust}}}", "careless_plain": f"{url(plain)}, tls: {{verify: false}}, {slowly}"})
    for name in ("trusted", "careless", "right_name"):
        sidecar.wait_for_check(name, "pass")
    assert "days, limit 14" in sidecar.wait_for_check("soon", "warn")["error"]["message"]
    for name in ("system", "wrong_ca", "ended", "wrong_name", "wrong_address", "plain", "careless_plain"):
        sidecar.wait_for_error(name, "tls")
    assert "not for localhost" in sidecar.check("wrong_name")["error"]["message"]


def greeting(plugin):
    """What a MySQL server without TLS says first, asking for this login method."""
    capabilities = 0x0001 | 0x0200 | 0x8000 | 0x80000  # long password, protocol 4.1, secure, plugins; not SSL
    body = (b"\x0a5.7.0\0" + (7).to_bytes(4, "little") + b"saltsalt\0" + (capabilities & 0xFFFF).to_bytes(2, "little") + b"\x21"
            + b"\x02\0" + (capabilities >> 16).to_bytes(2, "little") + b"\x15" + b"\0" * 10 + b"saltsaltsalt\0" + plugin + b"\0")
    return len(body).to_bytes(3, "little") + b"\0" + body


def test_a_server_that_is_not_verified_never_sees_the_password(rig):
    """Whoever sits in between and leaves TLS out may ask for the password in clear, at once or later."""
    heard = []

    def at_once(connection):
        connection.send(greeting(b"mysql_clear_password"))
        heard.append(connection.read_to_end())

    def later(connection):
        connection.send(greeting(b"mysql_native_password"))
        heard.append(connection.read_some())
        switch = b"\xfemysql_clear_password\0"
        connection.send(len(switch).to_bytes(3, "little") + b"\x02" + switch)
        heard.append(connection.read_to_end())

    first, second = rig.scripted(at_once), rig.scripted(later)
    sidecar = with_checks(rig, {name: f'url: "mysql://{USER}:{PASSWORD}@localhost:{server.port}/shop", tls: {{}}'
                                for name, server in (("at_once", first), ("later", second))})
    for name in ("at_once", "later"):
        assert sidecar.wait_for_check(name, "fail")["error"]["kind"] in ("tls", "auth")
    wait_until(lambda: len(heard) >= 3, "both to be told something")
    assert PASSWORD.encode() not in b"".join(heard)


def test_a_login_method_that_is_a_plugin_of_its_own_is_loaded(rig):
    ours = rig.authority()
    server = rig.mariadb(certificate=ours.issue()).start()
    server.execute("INSTALL SONAME 'auth_ed25519'",
                   f"CREATE USER ed@'%' IDENTIFIED VIA ed25519 USING PASSWORD('{PASSWORD}')", "GRANT SELECT ON shop.* TO ed@'%'")
    url = f'url: "{server.url(user="ed", host="localhost")}"'
    sidecar = with_checks(rig, {"plain": url, "tls": f"{url}, tls: {{ca_file: {ours.file}}}"})
    sidecar.wait_for_check("plain", "pass")
    sidecar.wait_for_check("tls", "pass")


def test_one_session_is_kept_and_said_goodbye_to(rig):
    server = rig.mariadb().start()
    sidecar = with_checks(rig, {"it": f'url: "{server.url()}", tables: [orders], interval: 20ms, timeout: 5s'})
    sidecar.wait_for_readiness(lambda seen: seen["checks"]["it"]["runs"] > 20, "twenty runs")
    names = server.execute("SELECT DISTINCT ATTR_VALUE FROM performance_schema.session_connect_attrs "
                           "WHERE ATTR_NAME = 'program_name' AND ATTR_VALUE = 'probegate'")
    sessions = server.execute(f"SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = '{USER}'")
    assert sessions == ((1,),) and names in ((), (("probegate",),))
    sidecar.stop()
    wait_until(lambda: server.execute(f"SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = '{USER}'") == ((0,),),
               "the session to end")
    assert "Aborted connection" not in server.output()
    assert server.execute("SHOW GLOBAL STATUS LIKE 'Aborted_clients'") == (("Aborted_clients", "0"),)


def test_a_server_that_restarts_freezes_or_is_none(rig):
    server = rig.mariadb().start()
    mute = rig.scripted(silent)
    http = rig.scripted(lambda connection: connection.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"))
    sidecar = with_checks(rig, {
        "it": f'url: "{server.url()}", {OFTEN}, timeout: 1s', "mute": f'url: "mysql://u@127.0.0.1:{mute.port}/", timeout: 300ms',
        "http": f'url: "mysql://u@127.0.0.1:{http.port}/"'})
    sidecar.wait_for_check("it", "pass")
    sidecar.wait_for_error("mute", "timeout")
    assert sidecar.wait_for_check("http", "fail")["error"]["kind"] in ("connect", "protocol")
    server.freeze()
    sidecar.wait_for_error("it", "timeout")
    server.thaw()
    sidecar.wait_for_check("it", "pass")
    server.stop()
    sidecar.wait_for_error("it", "connect")
    server.start()
    sidecar.wait_for_check("it", "pass")
    server.kill()
    sidecar.wait_for_error("it", "connect")


@pytest.mark.skipif(not dns.available(), reason="replacing /etc/resolv.conf for one process needs root, and a mount namespace")
@pytest.mark.parametrize("mode, kind", [("silent", "timeout"), ("nxdomain", "resolve")])
def test_names_are_resolved_without_the_library_and_without_blocking(rig, mode, kind):
    """libmariadb itself would stand in getaddrinfo() for ten seconds, and the whole control loop with it."""
    server = rig.name_server(mode)
    target = rig.scripted(silent)
    sidecar = rig.probegate(f"""
checks:
  lost: {{type: mysql, url: "mysql://u:p@db.internal.test/d", timeout: 700ms}}
  near: {{type: tcp, address: "127.0.0.1:{target.port}", interval: 100ms}}
""", around=server.around).start()
    sidecar.wait_for_error("lost", kind)
    runs = sidecar.check("near")["runs"]
    sidecar.wait_for_readiness(lambda seen: seen["checks"]["near"]["runs"] > runs + 5, "the near check to go on")
    assert sidecar.check("lost")["latency_ms"] < 5000

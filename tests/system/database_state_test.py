"""What state a database is in for its clients: roles, read-only servers and sessions, cluster nodes, tables, and answers."""

import contextlib

import pymysql
import pytest

from support.checks import checking, message
from support.mariadb import PASSWORD as MARIADB_PASSWORD, USER as MARIADB_USER
from support.postgres import PASSWORD
from support.waiting import wait_for

QUICK = "interval: 100ms, startup_interval: 100ms, timeout: 5s, fall: 1"


def with_checks(rig, checks):
    return checking(rig, checks, QUICK)


# PostgreSQL's roles

CHANGES = {  # in the database or the role that is named like it
    "by_database": "ALTER DATABASE by_database SET default_transaction_read_only = {}",
    "by_role": "ALTER ROLE by_role SET default_transaction_read_only = {}",
    "by_both": "ALTER ROLE by_both IN DATABASE by_both SET default_transaction_read_only = {}"}


@pytest.mark.parametrize("asked", ["writable: true", "target_session_attrs"])
def test_what_a_new_session_may_not_write_fails_though_the_kept_one_might(rig, asked):
    """With sessions that are never renewed: judged at every poll."""
    postgres = rig.postgres().start()
    checks = {}
    for name in CHANGES:
        postgres.execute(f"CREATE DATABASE {name}", f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'")
        url = postgres.url(database=name, user=name)
        checks[name] = (f"type: postgres, url: '{url}?target_session_attrs=read-write', max_session: 0" if asked != "writable: true"
                        else f"type: postgres, url: '{url}', {asked}, max_session: 0")
    sidecar = with_checks(rig, checks)
    for name in checks:
        sidecar.wait_for_check(name, "pass")
    postgres.execute(*(change.format("on") for change in CHANGES.values()))
    for name in checks:
        assert "read-only" in message(sidecar, name, "answer")
    postgres.execute(*(change.format("off") for change in CHANGES.values()))
    for name in checks:
        sidecar.wait_for_check(name, "pass")


def test_a_server_that_turns_read_only_fails_where_read_write_is_asked(rig):
    postgres = rig.postgres().start()
    sidecar = with_checks(rig, {
        "writer": f"type: postgres, url: '{postgres.url()}?target_session_attrs=read-write'",
        "any": f"type: postgres, url: '{postgres.url()}'"})
    sidecar.wait_for_check("writer", "pass")
    postgres.execute("ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
    assert "read-only" in message(sidecar, "writer", "answer")
    assert sidecar.check("any")["status"] == "pass"
    postgres.execute("SET default_transaction_read_only = off", "ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()")
    sidecar.wait_for_check("writer", "pass")


def test_a_standby_that_is_promoted_is_seen_on_a_kept_session(rig):
    primary = rig.postgres(settings={"wal_level": "replica"}).start()
    standby = rig.postgres(follows=primary).start()
    url = standby.url()
    sidecar = with_checks(rig, {
        "standby": f"type: postgres, url: '{url}?target_session_attrs=standby', max_session: 0",
        "reader": f"type: postgres, url: '{url}?target_session_attrs=read-only', max_session: 0",
        "primary": f"type: postgres, url: '{url}?target_session_attrs=primary', max_session: 0",
        "writer": f"type: postgres, url: '{url}', writable: true, max_session: 0"})
    for name in ("standby", "reader"):
        sidecar.wait_for_check(name, "pass")
    for name in ("primary", "writer"):
        sidecar.wait_for_error(name, "answer")
    standby.execute("SELECT pg_promote()")
    for name in ("primary", "writer"):
        sidecar.wait_for_check(name, "pass")
    for name in ("standby", "reader"):
        sidecar.wait_for_error(name, "answer")


# MariaDB: roles, Galera

def test_a_session_that_mariadb_makes_read_only_is_not_writable(rig):
    """By init_connect, or by the server's default for transactions."""
    server = rig.mariadb().start()
    sidecar = with_checks(rig, {"writer": f"type: mysql, url: '{server.url()}', writable: true, max_session: 200ms",
                                "reader": f"type: mysql, url: '{server.url()}', max_session: 200ms"})
    sidecar.wait_for_check("writer", "pass")
    server.execute("SET GLOBAL tx_read_only = 1")
    assert "read-only (tx_read_only)" in message(sidecar, "writer", "answer")
    server.execute("SET GLOBAL tx_read_only = 0")
    sidecar.wait_for_check("writer", "pass")
    server.execute("SET GLOBAL init_connect = 'SET SESSION tx_read_only = 1'")
    assert message(sidecar, "writer", "answer") == "the session is read-only (tx_read_only)"
    failed = sidecar.check("writer")["failures"]
    wait_for(lambda: sidecar.check("writer")["failures"], lambda now: now >= failed + 5, "five more failures")
    server.execute("SET GLOBAL init_connect = ''")
    sidecar.wait_for_check("writer", "pass")
    assert sidecar.check("reader")["failures"] == 0


def test_a_galera_node_that_serves_nobody_fails(rig):
    server = rig.mariadb(galera=True).start()
    server.execute("CREATE TABLE shop.users (id int PRIMARY KEY)")
    url = f"type: mysql, url: '{server.url()}'"
    checks = {"plain": url, "tables": f"{url}, tables: [users], writable: true", "query": f"{url}, query: SELECT count(*) FROM users"}
    sidecar = with_checks(rig, checks)
    for name in checks:
        sidecar.wait_for_check(name, "pass")
    server.execute("SET GLOBAL wsrep_reject_queries = 'ALL'")
    for name in checks:
        assert message(sidecar, name, "answer") == "the Galera node rejects queries (wsrep_reject_queries=ALL)"
    server.execute("SET GLOBAL wsrep_reject_queries = 'NONE'")
    for name in checks:
        sidecar.wait_for_check(name, "pass")
    # It looks for a cluster that is not there. The statement comes back when it has given up.
    with contextlib.suppress(pymysql.err.OperationalError):
        with contextlib.closing(pymysql.connect(unix_socket=server.socket_path, user="admin", password=MARIADB_PASSWORD, read_timeout=1)) as connection:
            connection.cursor().execute("SET GLOBAL wsrep_cluster_address = 'gcomm://127.0.0.1:1'")
    for name in checks:
        assert "wsrep_ready=OFF" in message(sidecar, name, "answer")


# Tables

def test_a_postgres_table_with_capitals_is_found_as_written_and_folded(rig):
    postgres = rig.postgres().start()
    postgres.execute('CREATE TABLE "User" (id int)', "CREATE TABLE orders (id int)", 'CREATE SCHEMA "Shop"',
                     'CREATE TABLE "Shop"."Item" (id int)', "CREATE SCHEMA app", 'CREATE TABLE app."Session" (id int)')
    it = f"type: postgres, url: '{postgres.url()}'"
    sidecar = with_checks(rig, {
        "found": f"{it}, tables: [User, '\"User\"', Orders, ORDERS, orders, Shop.Item, '\"Shop\".Item', app.Session, App.Session]",
        "missing": f"{it}, tables: [user, '\"Orders\"', Session, shop.item, nowhere]"})
    sidecar.wait_for_check("found", "pass")
    error = sidecar.wait_for_error("missing", "missing_tables")
    assert error["missing"] == ["user", '"Orders"', "Session", "shop.item", "nowhere"]
    assert error["message"] == ('missing tables: user (there is "User"), "Orders" (there is orders), Session (there is app."Session"), '
                                'shop.item (there is "Shop"."Item"), nowhere')


def test_a_postgres_table_that_may_not_be_read_is_config(rig):
    postgres = rig.postgres().start()
    postgres.execute(f"CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}'", "CREATE TABLE hidden (id int)", "CREATE TABLE partly (id int, name text)",
                     "GRANT SELECT (id) ON partly TO reader", "CREATE SCHEMA closed", "CREATE TABLE closed.things (id int)",
                     "GRANT SELECT ON closed.things TO reader", "CREATE TABLE open (id int)", "GRANT SELECT ON open TO reader")
    it = f"type: postgres, url: '{postgres.url(user='reader')}'"
    sidecar = with_checks(rig, {"readable": f"{it}, tables: [open, partly]", "unreadable": f"{it}, tables: [open, hidden, closed.things]",
                                "both": f"{it}, tables: [closed.things, nowhere, closed.nothing]"})
    sidecar.wait_for_check("readable", "pass")
    error = sidecar.wait_for_error("unreadable", "config")
    assert error["message"] == "not readable by this user: hidden, closed.things" and error["sqlstate"] == "42501"
    error = sidecar.wait_for_error("both", "missing_tables")
    assert error["missing"] == ["nowhere", "closed.nothing"]
    assert error["message"].endswith("; not readable: closed.things")
    postgres.execute("REVOKE SELECT ON open FROM reader")
    sidecar.wait_for_error("readable", "config")


def test_a_mariadb_table_with_capitals_is_found_as_written_and_folded(rig):
    server = rig.mariadb().start()
    server.execute("CREATE TABLE shop.`User` (id int)", "CREATE TABLE shop.orders (id int)")
    it = f"type: mysql, url: '{server.url()}'"
    sidecar = with_checks(rig, {"found": f"{it}, tables: [User, orders, Orders, shop.ORDERS]", "missing": f"{it}, tables: [user, '`Orders`', nowhere]"})
    sidecar.wait_for_check("found", "pass")
    error = sidecar.wait_for_error("missing", "missing_tables")
    assert error["missing"] == ["user", "`Orders`", "nowhere"]
    assert error["message"] == "missing tables: user (there is User), `Orders` (there is orders), nowhere"


def test_a_mariadb_table_that_may_not_be_read_is_config(rig):
    """Its server says the same of one that is not there to a user who might not read it."""
    server = rig.mariadb().start()
    server.execute("CREATE TABLE shop.hidden (id int)", "CREATE TABLE shop.written (id int)", "CREATE TABLE shop.partly (id int, name text)",
                   "CREATE TABLE shop.open (id int)", "CREATE USER narrow IDENTIFIED BY 'x'", "GRANT SELECT ON shop.open TO narrow",
                   "GRANT INSERT ON shop.written TO narrow", "GRANT SELECT (id) ON shop.partly TO narrow")
    narrow = f"type: mysql, url: '{server.url('x', user='narrow')}'"
    sidecar = with_checks(rig, {"open": f"{narrow}, tables: [open, partly]", "hidden": f"{narrow}, tables: [open, hidden]",
                                "written": f"{narrow}, tables: [written]", "nowhere": f"{narrow}, tables: [nowhere]",
                                "wide": f"type: mysql, url: '{server.url()}', tables: [hidden, written]",
                                "revoked": f"{narrow}, tables: [open], max_session: 300ms"})
    for name in ("open", "wide", "revoked"):
        sidecar.wait_for_check(name, "pass")
    for name in ("hidden", "written", "nowhere"):
        assert message(sidecar, name, "config") == f"missing or not readable by this user: {name}"
    asked = sidecar.check("written")["runs"]
    sidecar.wait_for_readiness(lambda seen: seen["checks"]["written"]["runs"] > asked + 2, "the kept session to be asked again")
    assert sidecar.check("written")["consecutive_failures"] == sidecar.check("written")["runs"]
    server.execute("REVOKE SELECT ON shop.open FROM narrow", "GRANT INSERT ON shop.open TO narrow")
    sidecar.wait_for_error("revoked", "config")


# Answers

def test_expect_takes_conditions_on_both_databases(rig):
    postgres, mariadb = rig.postgres().start(), rig.mariadb().start()
    servers = {"postgres": f"type: postgres, url: '{postgres.url()}'", "mysql": f"type: mysql, url: '{mariadb.url()}'"}
    checks = {}
    for name, server in servers.items():
        checks[f"{name}_newer"] = f"{server}, query: SELECT 100, expect: '>= 42'"
        checks[f"{name}_older"] = f"{server}, query: SELECT 9, expect: '>= 42'"
        checks[f"{name}_text"] = f"{server}, query: \"SELECT 'nearly ready'\", expect: contains ready"
        checks[f"{name}_other"] = f"{server}, query: SELECT 7, expect: '!= 7'"
    checks["boolean"] = f"{servers['postgres']}, query: SELECT true, expect: 'true'"
    sidecar = with_checks(rig, checks)
    for name in servers:
        sidecar.wait_for_check(f"{name}_newer", "pass")
        sidecar.wait_for_check(f"{name}_text", "pass")
        assert message(sidecar, f"{name}_older", "answer") == 'the query gave "9", expected >= 42'
        assert message(sidecar, f"{name}_other", "answer") == 'the query gave "7", expected != 7'
    assert message(sidecar, "boolean", "answer") == 'the query gave "t", expected "true"; the database writes true as t'


def test_postgres_by_parts_says_what_is_wrong_with_them(rig):
    postgres = rig.postgres().start()
    postgres.execute("CREATE SCHEMA app", "CREATE TABLE app.users (id int)", f"CREATE ROLE lonely LOGIN PASSWORD '{PASSWORD}'")
    parts = f"type: postgres, host: 127.0.0.1, port: {postgres.port}, password: '{PASSWORD}'"
    bouncer = rig.pgbouncer(postgres).start()
    sidecar = with_checks(rig, {
        "options": f"{parts}, user: chat, dbname: postgres, options: '-csearch_path=app', tables: [users]",
        "unnamed": f"{parts}, user: lonely",
        "unnamed_url": f"type: postgres, url: '{postgres.url(user='lonely', database='')}'",
        "pooled": f"type: postgres, url: '{bouncer.url()}?options=-csearch_path%3Dapp'"})
    sidecar.wait_for_check("options", "pass")
    assert message(sidecar, "unnamed", "config") == "there is no database 'lonely', which is the default (the user name); set dbname"
    assert message(sidecar, "unnamed_url", "config") == "there is no database with the user name, the default; add /dbname to the URL"
    assert "unsupported startup parameter: options (a pooler" in message(sidecar, "pooled", "config")


# Passwords in plain text

def test_a_server_that_wants_the_password_itself_without_tls_does_not_get_it(rig):
    """As a rogue server would, with a greeting of MariaDB's and a switch of the login method."""
    heard = []

    def ask_for_the_password(connection):
        greeting = (b"\x0a5.5.5-10.11.6-MariaDB\0" + b"\x01\0\0\0" + b"12345678\0" + b"\xfe\xf7" + b"\x2d\x02\0" + b"\xff\x81" + b"\x15"
                    + b"\0" * 6 + b"\x1d\0\0\0" + b"123456789012\0" + b"mysql_native_password\0")
        connection.send(len(greeting).to_bytes(3, "little") + b"\0" + greeting)
        size = int.from_bytes(connection.read_exactly(4)[:3], "little")
        heard.append(connection.read_exactly(size))
        switch = b"\xfemysql_clear_password\0"
        connection.send(len(switch).to_bytes(3, "little") + b"\x02" + switch)
        heard.append(connection.read_to_end())
    rogue = rig.scripted(ask_for_the_password)
    sidecar = with_checks(rig, {"it": f"type: mysql, url: 'mysql://{MARIADB_USER}:{MARIADB_PASSWORD}@127.0.0.1:{rogue.port}/shop'"})
    assert "plain text" in message(sidecar, "it", "auth")
    assert heard and MARIADB_PASSWORD.encode() not in b"".join(heard)

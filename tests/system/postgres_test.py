"""PostgreSQL as it is met in the wild: every login, TLS, standbys, poolers, several hosts, and a quiet server log."""

import os
import shutil
import tempfile

import pytest

from support import chaos
from support.backends import silent
from support.certificates import Authority
from support.checks import checking
from support.postgres import PASSWORD
from support.probegate import command, is_thread_sanitized
from support.waiting import wait_for

QUICK = "interval: 200ms, startup_interval: 100ms, timeout: 2s, fall: 1"


def with_checks(rig, *, env=None, **postgres_checks):
    """A running sidecar with these checks: name="url: ..."."""
    return checking(rig, postgres_checks, f"type: postgres, {QUICK}", env=env)


# Logins

LOGINS = {"scram": "scram-sha-256", "md5": "md5", "password": "password", "trust": "trust"}


def test_every_login_method_passes_with_the_right_password_and_is_auth_with_a_wrong_one(rig):
    """SCRAM, and what older servers ask for."""
    postgres = rig.postgres(hba="".join(f"host all {name} 127.0.0.1/32 {method}\n" for name, method in LOGINS.items())
                            + "host all nobody_may 127.0.0.1/32 reject\n").start()
    postgres.execute("SET password_encryption = 'md5'", f"CREATE ROLE md5 LOGIN PASSWORD '{PASSWORD}'",
                     "SET password_encryption = 'scram-sha-256'",
                     *(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'" for name in ("scram", "password", "trust")))
    checks = {name: f"url: '{postgres.url(user=name)}'" for name in LOGINS}
    checks |= {f"wrong_{name}": f"url: '{postgres.url(user=name, password='wrong')}'" for name in LOGINS if name != "trust"}
    checks["rejected"] = f"url: '{postgres.url(user='nobody_may')}'"
    sidecar = with_checks(rig, **checks)
    for name in LOGINS:
        sidecar.wait_for_check(name, "pass")
    for name in LOGINS:
        if name != "trust":
            assert sidecar.wait_for_error(f"wrong_{name}", "auth")["sqlstate"] == "28P01"
    assert sidecar.wait_for_error("rejected", "auth")["sqlstate"] == "28000"


def test_a_wrong_password_is_tried_ever_more_slowly(rig):
    """A wrong password must not lock an account: seven attempts take longer than 100 ms times 64."""
    postgres = rig.postgres(settings={"log_connections": "on"}).start()
    sidecar = with_checks(rig, target=f"url: '{postgres.url(password='wrong')}'")
    sidecar.wait_for_error("target", "auth")
    moments = [sidecar.check("target")["last_run"]]

    def another_attempt():
        seen = sidecar.check("target")["last_run"]
        if seen != moments[-1]:
            moments.append(seen)
        return len(moments)
    wait_for(another_attempt, lambda count: count >= 4, "three more attempts", every=0.005)
    from datetime import datetime
    times = [datetime.fromisoformat(moment.replace("Z", "+00:00")) for moment in moments]
    pauses = [(after - before).total_seconds() for before, after in zip(times, times[1:])]
    assert pauses == sorted(pauses)
    assert pauses[-1] >= 0.6  # 0.8 less its jitter of a tenth, and less what the attempt before took longer


def test_a_server_that_asks_for_kerberos_blocks_no_loop(rig):
    """libpq would look for tickets, and ask name servers for where."""
    postgres = rig.postgres(hba="host all chat 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 gss\n").start()
    sidecar = with_checks(rig, target=f"url: '{postgres.url(user='ticket_holder')}'")
    assert sidecar.wait_for_error("target", "auth")["message"].startswith("connection to server")
    kerberos = [line for line in open(f"/proc/{sidecar.pid}/maps") if "krb5.conf" in line]
    assert not kerberos


# Tables

def test_required_tables_are_found_in_every_schema_and_kind(rig):
    """Quoted names, the role's search_path, views and partitions count; an index, a sequence or a type is no table."""
    postgres = rig.postgres().start()
    postgres.execute(
        'CREATE SCHEMA "Odd Schema"', 'CREATE TABLE "Odd Schema"."a.b" (id int)', "CREATE SCHEMA app",
        "CREATE TABLE app.users (id int PRIMARY KEY)", "CREATE VIEW app.active AS SELECT * FROM app.users",
        "CREATE MATERIALIZED VIEW app.counted AS SELECT count(*) FROM app.users",
        "CREATE TABLE app.events (at date) PARTITION BY RANGE (at)", "CREATE SEQUENCE app.numbers",
        "CREATE TYPE app.pair AS (a int, b int)",
        f"CREATE ROLE app_user LOGIN PASSWORD '{PASSWORD}'", "GRANT USAGE ON SCHEMA app TO app_user",
        "GRANT SELECT ON ALL TABLES IN SCHEMA app TO app_user", "ALTER ROLE app_user SET search_path = app", "CREATE SCHEMA closed", "CREATE TABLE closed.things (id int)")
    user = postgres.url(user="app_user")
    sidecar = with_checks(
        rig,
        qualified=f"""url: '{postgres.url()}', tables: [app.users, app.active, app.counted, app.events, '"Odd Schema"."a.b"']""",
        by_path=f"url: '{user}', tables: [users, USERS, active, events]",
        by_option=f"url: '{postgres.url()}?options=-csearch_path%3Dapp', tables: [users]",
        off_the_path=f"url: '{postgres.url()}', tables: [users]",
        no_tables=f"url: '{postgres.url()}', tables: [app.users_pkey, app.numbers, app.pair, nowhere.users]",
        closed=f"url: '{user}', tables: [closed.things]")
    for name in ("qualified", "by_path", "by_option"):
        sidecar.wait_for_check(name, "pass")
    assert sidecar.wait_for_error("off_the_path", "missing_tables")["missing"] == ["users"]
    assert sidecar.wait_for_error("no_tables", "missing_tables")["missing"] == [
        "app.users_pkey", "app.numbers", "app.pair", "nowhere.users"]
    assert sidecar.wait_for_error("closed", "config")["sqlstate"] == "42501"


# Roles

def test_a_real_standby_and_several_hosts(rig):
    """`writable: true` wants the primary; several hosts in one URL have `target_session_attrs`."""
    primary = rig.postgres(settings={"wal_level": "replica"}).start()
    standby = rig.postgres(follows=primary).start()
    primary.execute("CREATE TABLE users (id int)", "CREATE DATABASE frozen",
                    "ALTER DATABASE frozen SET default_transaction_read_only = on")
    hosts = f"127.0.0.1:{standby.port},127.0.0.1:{primary.port}"
    both = f"postgresql://chat:{PASSWORD}@{hosts}/postgres"
    asks = "query: 'SELECT pg_is_in_recovery()', expect"
    sidecar = with_checks(
        rig,
        reader=f"url: '{standby.url()}', tables: [users]",
        writer=f"url: '{standby.url()}', writable: true",
        frozen=f"url: '{primary.url(database='frozen')}', writable: true",
        any_host=f"url: '{both}', {asks}: t",
        read_write=f"url: '{both}?target_session_attrs=read-write', writable: true, {asks}: f",
        only_primary=f"url: '{both}?target_session_attrs=primary', {asks}: f",
        only_standby=f"url: '{both}?target_session_attrs=standby', {asks}: t",
        rather_standby=f"url: '{primary.url()}?target_session_attrs=prefer-standby', {asks}: f",
        no_standby=f"url: '{primary.url()}?target_session_attrs=standby'")
    for name in ("reader", "any_host", "read_write", "only_primary", "only_standby", "rather_standby"):
        sidecar.wait_for_check(name, "pass")
    assert "standby" in sidecar.wait_for_error("writer", "answer")["message"]
    assert "read-only" in sidecar.wait_for_error("frozen", "answer")["message"]
    sidecar.wait_for_error("no_standby", "answer")

    standby.kill()
    sidecar.wait_for_readiness(lambda seen: not seen["only_standby"], "the standby's loss to show")
    sidecar.wait_for_error("any_host", "answer")  # it has gone over to the primary
    assert sidecar.check("read_write")["status"] == "pass"


def test_a_black_holed_first_host_leaves_time_for_the_second(rig):
    """The deadline covers all addresses, and each has its share."""
    postgres = rig.postgres().start()
    gate = rig.chaos(postgres.port)
    gate.inflict(chaos.drop())
    sidecar = with_checks(rig, target=f"url: 'postgresql://chat:{PASSWORD}@127.0.0.1:{gate.port},127.0.0.1:{postgres.port}/postgres'",
                          alone=f"url: 'postgresql://chat:{PASSWORD}@127.0.0.1:{gate.port}/postgres'")
    assert sidecar.wait_for_check("target", "pass")["latency_ms"] < 2000
    assert "while connecting" in sidecar.wait_for_error("alone", "timeout")["message"]


# Places

def test_a_unix_socket_in_a_directory_with_colons(rig):
    """Cloud SQL's sockets are in /cloudsql/PROJECT:REGION:INSTANCE."""
    home = tempfile.mkdtemp(prefix="probegate-cloudsql-")
    try:
        directory = f"{home}/my-project:europe-west1:chat"
        os.mkdir(directory)
        for path in (home, directory):
            os.chmod(path, 0o777)
        postgres = rig.postgres(settings={"unix_socket_directories": directory}).start()
        encoded = directory.replace("/", "%2F").replace(":", "%3A")
        sidecar = with_checks(
            rig,
            as_parameter=f"url: 'postgresql://chat:{PASSWORD}@/postgres?host={directory}&port={postgres.port}'",
            as_host=f"url: 'postgresql://chat:{PASSWORD}@{encoded}:{postgres.port}/postgres'",
            by_key=f"host: '{directory}', port: {postgres.port}, user: chat, password: {PASSWORD}, dbname: postgres")
        for name in ("as_parameter", "as_host", "by_key"):
            sidecar.wait_for_check(name, "pass")
    finally:
        shutil.rmtree(home)


@pytest.mark.parametrize("pool_mode", ["transaction", "statement", "session"])
def test_pgbouncer_in_every_pool_mode(rig, pool_mode):
    """pgbouncer refuses startup parameters it does not know, and hands a session on after each transaction."""
    postgres = rig.postgres().start()
    postgres.execute("CREATE TABLE users (id int)")
    pooler = rig.pgbouncer(postgres, pool_mode=pool_mode).start()
    sidecar = with_checks(
        rig,
        good=f"url: '{pooler.url()}', tables: [users], writable: true, query: 'SELECT 1', expect: '1'",
        tables=f"url: '{pooler.url()}', tables: [nowhere]",
        slow=f"url: '{pooler.url()}', query: 'SELECT pg_sleep(60)', timeout: 500ms",
        password=f"url: '{pooler.url(password='wrong')}'",
        user=f"url: '{pooler.url(user='stranger')}'",
        database=f"url: '{pooler.url(database='unheard_of')}'",
        no_server=f"url: '{pooler.url(database='nobody_there')}'")
    sidecar.wait_for_check("good", "pass")
    sidecar.wait_for_error("tables", "missing_tables")
    sidecar.wait_for_error("slow", "timeout")
    sidecar.wait_for_error("password", "auth")
    sidecar.wait_for_error("user", "auth")
    sidecar.wait_for_error("database", "config")
    sidecar.wait_for_readiness(lambda seen: (seen["checks"]["no_server"]["error"] or {}).get("kind") in ("connect", "timeout"),
                               "the pooler's silence to be told as one of the two")
    settings = postgres.execute("SHOW statement_timeout", "SHOW default_transaction_read_only")
    assert settings == [("off",)]


# TLS

def test_tls_is_verified_against_the_name_though_the_address_was_resolved_before(rig):
    """With `sslmode=verify-full`, every way the certificate can be wrong is `tls`."""
    ours, other = Authority(rig.directory), Authority(rig.directory, "stranger")
    good = rig.postgres(certificate=ours.issue("DNS:localhost")).start()
    expired = rig.postgres(certificate=ours.issue("DNS:localhost", days=-1)).start()
    misnamed = rig.postgres(certificate=ours.issue("DNS:db.internal.test")).start()
    plain = rig.postgres().start()

    def url(server, ca, mode="verify-full", host="localhost"):
        return f"url: '{server.url(host=host)}?sslmode={mode}&sslrootcert={ca.file}'"
    sidecar = with_checks(
        rig,
        good=url(good, ours),
        ca_key=f"url: '{good.url(host='localhost')}?sslmode=verify-full', tls: {{ca_file: {ours.file}}}",
        ca_only=url(misnamed, ours, "verify-ca"),
        required=f"url: '{expired.url()}?sslmode=require'",
        wrong_name=url(misnamed, ours), wrong_address=url(good, ours, host="127.0.0.1"),
        wrong_authority=url(good, other),
        expired=url(expired, ours), plain=url(plain, ours))
    for name in ("good", "ca_key", "ca_only", "required"):
        sidecar.wait_for_check(name, "pass")
    for name in ("wrong_name", "wrong_address", "wrong_authority", "expired", "plain"):
        sidecar.wait_for_error(name, "tls")


@pytest.mark.skipif(is_thread_sanitized(), reason="reading all of the system's authorities takes longer than a check may hold up others")
def test_where_no_authority_is_named_those_of_the_system_judge(rig):
    """And ours is none of them."""
    postgres = rig.postgres(certificate=Authority(rig.directory).issue("DNS:localhost")).start()
    sidecar = with_checks(rig, target=f"url: '{postgres.url(host='localhost')}?sslmode=verify-full'")
    sidecar.wait_for_error("target", "tls")


# What the server is doing

def test_a_server_that_is_full_is_connect_with_its_sqlstate(rig):
    """SQLSTATE 53300 is about a resource, not a wrong configuration."""
    import psycopg2
    postgres = rig.postgres(settings={"max_connections": "6", "superuser_reserved_connections": "2",
                                      "max_wal_senders": "0"}).start()
    postgres.execute(f"CREATE ROLE visitor LOGIN PASSWORD '{PASSWORD}'")
    taken = [psycopg2.connect(postgres.url(user="visitor")) for _ in range(4)]
    sidecar = with_checks(rig, target=f"url: '{postgres.url(user='visitor')}'")
    assert sidecar.wait_for_error("target", "connect")["sqlstate"] == "53300"
    for connection in taken:
        connection.close()
    sidecar.wait_for_check("target", "pass")


def test_a_server_in_recovery_that_takes_nobody_yet_is_connect(rig):
    """SQLSTATE 57P03 is `connect`; a backup that waits for its log to be fetched says so to everybody."""
    postgres = rig.postgres(standby=True, settings={"hot_standby": "off"})
    postgres.launch()
    sidecar = with_checks(rig, target=f"url: '{postgres.url()}'")
    error = wait_for(lambda: sidecar.check("target").get("error") or {}, lambda error: error.get("sqlstate"), "a SQLSTATE")
    assert (error["kind"], error["sqlstate"]) == ("connect", "57P03")


# Manners

def test_the_servers_log_stays_empty_and_one_named_session_is_kept(rig):
    """`application_name` is probegate. The log stays empty over a thousand cycles, and after our end."""
    postgres = rig.postgres().start()
    postgres.create_tables()
    before = postgres.output()
    sidecar = rig.probegate(f"""
checks:
  database: {{type: postgres, url: "{postgres.url()}", tables: [subscriptions], query: SELECT 1, expect: "1", writable: true,
             interval: 10ms, startup_interval: 10ms}}
""").start()
    sidecar.wait_for_readiness(lambda seen: seen["checks"]["database"]["runs"] >= 1000, "1,000 cycles", timeout=90)
    sessions = postgres.execute("SELECT count(*), min(application_name) FROM pg_stat_activity WHERE backend_type = "
                                "'client backend' AND pid <> pg_backend_pid()")
    assert sessions == [(1, "probegate")]
    assert sidecar.check("database")["failures"] == 0
    assert sidecar.stop() == 0
    wait_for(lambda: postgres.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'probegate'"),
             lambda rows: rows == [(0,)], "the session to be gone")
    assert postgres.output() == before


def test_the_environment_and_the_files_of_libpq_change_nothing(rig):
    """PG* variables, ~/.pgpass, ~/.pg_service.conf and ~/.postgresql are not ours; ${PGPASSWORD} in the file is."""
    postgres = rig.postgres(certificate=Authority(rig.directory).issue("DNS:localhost")).start()
    home = os.path.join(rig.directory, "home")
    os.makedirs(f"{home}/.postgresql")
    for name, text in ((".pgpass", "*:*:*:*:wrong\n"), (".postgresql/root.crt", "no certificate\n"),
                       (".postgresql/postgresql.crt", "no certificate\n"), (".pg_service.conf", "[other]\nhost=nowhere\n")):
        with open(os.path.join(home, name), "w") as file:
            file.write(text)
        os.chmod(os.path.join(home, name), 0o600)
    env = {"HOME": home, "PGHOST": "nowhere.test", "PGHOSTADDR": "192.0.2.1", "PGPORT": "1", "PGUSER": "nobody",
           "PGSERVICE": "unheard_of", "PGOPTIONS": "-c nonsense=on", "PGSSLMODE": "verify-full", "PGTZ": "Nowhere/Atall",
           "PGDATESTYLE": "nonsense", "PGREQUIREPEER": "nobody", "PGTARGETSESSIONATTRS": "standby", "PGPASSWORD": PASSWORD}
    sidecar = with_checks(rig, env=env,
                          tcp=f"url: '{postgres.url()}?sslmode=require'",
                          parts=f"host: {postgres.home}, port: {postgres.port}, user: chat, dbname: postgres, password: '${{PGPASSWORD}}'",
                          none=f"host: 127.0.0.1, port: {postgres.port}, user: chat, dbname: postgres")
    for name in ("tcp", "parts"):
        sidecar.wait_for_check(name, "pass")
    assert "no password supplied" in sidecar.wait_for_error("none", "auth")["message"]


@pytest.mark.parametrize("parameter, says", [("service=other", "service files are not supported"),
                                             ("passfile=/tmp/x", "use password_file")])
def test_what_would_be_ignored_is_refused(rig, parameter, says):
    """What a file says and the program would not do is an error."""
    path = os.path.join(rig.directory, "config.yaml")
    with open(path, "w") as file:
        file.write(f"checks:\n  database: {{type: postgres, url: 'postgresql://u@h/d?{parameter}'}}\n")
    ran = command("validate", "-c", path)
    assert ran.returncode == 2
    assert says in ran.stderr


def test_the_connect_timeout_of_an_address_ends_an_attempt_before_the_checks_own(rig):
    nobody = rig.scripted(silent)
    ran = command("check", "-c", _file(rig, f"checks: {{a: {{type: postgres, timeout: 30s, url: 'postgres://u@127.0.0.1:{nobody.port}/d?connect_timeout=1'}}}}"))
    assert ran.returncode == 1 and "no answer within 2s" in ran.stdout, ran.stdout


def test_the_schema_of_an_address_is_where_tables_are_looked_for(rig):
    postgres = rig.postgres().start()
    postgres.execute("CREATE SCHEMA app", "CREATE TABLE app.orders (id int)")
    config = "checks: {{a: {{type: postgres, url: '{}', tables: [orders]}}}}"
    plain = command("check", "-c", _file(rig, config.format(postgres.url())))
    assert plain.returncode == 1 and "missing tables: orders" in plain.stdout
    for parameter in ("schema=app", "currentSchema=app", "search_path=public,app"):
        separator = "&" if "?" in postgres.url() else "?"
        ran = command("check", "-c", _file(rig, config.format(postgres.url() + separator + parameter)))
        assert ran.returncode == 0, ran.stdout + ran.stderr


def _file(rig, text):
    path = os.path.join(rig.directory, "checks.yaml")
    with open(path, "w") as file:
        file.write(text)
    return path

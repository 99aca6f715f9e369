"""What only a new login sees: kept sessions are renewed, and secrets in files are read again."""

import json

from support.checks import checking
from support.mariadb import USER as MARIADB_USER
from support.postgres import PASSWORD
from support.waiting import wait_for

QUICK = "interval: 100ms, startup_interval: 100ms, timeout: 5s, fall: 1"
SHORT = f"{QUICK}, max_session: 300ms"
OLD, NEW = "the-0ld-passphrase", "the-n3w-passphrase"


def more_runs(sidecar, name, count):
    before = sidecar.check(name)["runs"]
    wait_for(lambda: sidecar.check(name)["runs"], lambda now: now >= before + count, f"{count} more runs of {name}")


def write(path, text):
    with open(path, "w") as file:
        file.write(text)
    return path


def test_a_postgres_session_that_would_not_be_let_in_again_fails_within_max_session(rig):
    postgres = rig.postgres().start()
    # One role for each thing that is about to change.
    changes = {"rotated": f"ALTER ROLE rotated PASSWORD '{NEW}'", "locked": "ALTER ROLE locked NOLOGIN",
               "revoked": "REVOKE CONNECT ON DATABASE app FROM PUBLIC", "kept": "ALTER ROLE kept NOLOGIN"}
    postgres.execute("CREATE DATABASE app", *(f"CREATE ROLE {name} LOGIN PASSWORD '{OLD}'" for name in changes))
    checks = {name: f"type: postgres, url: '{postgres.url(OLD, 'app' if name == 'revoked' else 'postgres', name)}', {SHORT}"
              for name in changes}
    checks["kept"] = checks["kept"].replace("max_session: 300ms", "max_session: 0")
    sidecar = checking(rig, checks)
    for name in changes:
        sidecar.wait_for_check(name, "pass")
    postgres.execute(*changes.values())
    assert sidecar.wait_for_error("rotated", "auth")["sqlstate"] == "28P01"
    assert sidecar.wait_for_error("locked", "auth")["sqlstate"] == "28000"
    assert sidecar.wait_for_error("revoked", "config")["sqlstate"] == "42501"
    more_runs(sidecar, "kept", 10)
    assert sidecar.check("kept")["failures"] == 0


def test_a_user_who_may_have_one_session_is_renewed_without_a_failure(rig):
    """The old session has to be over before the new one begins."""
    postgres, mariadb = rig.postgres().start(), rig.mariadb().start()
    postgres.execute(f"CREATE ROLE single LOGIN CONNECTION LIMIT 1 PASSWORD '{OLD}'")
    mariadb.execute(f"GRANT USAGE ON *.* TO '{MARIADB_USER}'@'%' WITH MAX_USER_CONNECTIONS 1")
    pace = "interval: 20ms, startup_interval: 20ms, timeout: 10s, fall: 1, max_session: 1ms"
    sidecar = checking(rig, {"postgres": f"type: postgres, url: '{postgres.url(OLD, user='single')}', {pace}",
                             "mariadb": f"type: mysql, url: '{mariadb.url()}', {pace}"})
    for name in ("postgres", "mariadb"):
        sidecar.wait_for_check(name, "pass")
        before = sidecar.check(name)["failures"]
        more_runs(sidecar, name, 30)
        assert sidecar.check(name)["failures"] == before, sidecar.check(name)


def test_a_session_is_kept_until_it_is_old(rig):
    postgres = rig.postgres().start()
    ages = {"never": "0", "usual": "60s", "often": "1ms"}
    postgres.execute(*(f"CREATE ROLE {name} LOGIN PASSWORD '{OLD}'" for name in ages))
    checks = {name: f"type: postgres, url: '{postgres.url(OLD, user=name)}', {QUICK}, max_session: {age}" for name, age in ages.items()}
    sidecar = checking(rig, checks)

    def sessions(name):
        return postgres.execute(f"SELECT pid FROM pg_stat_activity WHERE usename = '{name}'")
    for name in checks:
        sidecar.wait_for_check(name, "pass")
    before = {name: sessions(name) for name in checks}
    for name in checks:
        more_runs(sidecar, name, 5)
    assert before["never"] and sessions("never") == before["never"]
    assert before["usual"] and sessions("usual") == before["usual"]
    assert len(sessions("often")) <= 1
    wait_for(lambda: sessions("often"), lambda seen: seen and seen != before["often"], "another session")


def test_a_mariadb_session_that_would_not_be_let_in_again_fails_within_max_session(rig):
    server = rig.mariadb().start()
    server.execute(*(f"CREATE USER {name} IDENTIFIED BY '{OLD}'" for name in ("rotated", "locked")),
                   *(f"GRANT SELECT ON shop.* TO {name}" for name in ("rotated", "locked")))
    sidecar = checking(rig, {name: f"type: mysql, url: '{server.url(OLD, user=name)}', {SHORT}" for name in ("rotated", "locked")})
    for name in ("rotated", "locked"):
        sidecar.wait_for_check(name, "pass")
    server.execute(f"ALTER USER rotated IDENTIFIED BY '{NEW}'", "ALTER USER locked ACCOUNT LOCK")
    assert "(1045)" in sidecar.wait_for_error("rotated", "auth")["message"]
    sidecar.wait_for_error("locked", "auth")


def test_a_redis_session_that_would_not_be_let_in_again_fails_within_max_session(rig):
    redis = rig.redis(password=OLD).start()
    sidecar = checking(rig, {"it": f"type: redis, url: '{redis.url()}', {SHORT}"})
    sidecar.wait_for_check("it", "pass")
    redis.client().config_set("requirepass", NEW)
    sidecar.wait_for_error("it", "auth")


def test_a_rotated_password_file_is_read_before_the_next_login(rig):
    """Changed on the server and in the file, in this order, as tools do it; nobody sends a signal."""
    postgres, mariadb, redis = rig.postgres().start(), rig.mariadb().start(), rig.redis(password=OLD).start()
    postgres.execute(f"CREATE ROLE rotated LOGIN PASSWORD '{OLD}'")
    mariadb.execute(f"CREATE USER rotated IDENTIFIED BY '{OLD}'", "GRANT SELECT ON shop.* TO rotated")
    passwords = {name: write(f"{rig.directory}/{name}", OLD + "\n") for name in ("postgres", "mariadb", "redis")}
    url = write(f"{rig.directory}/url", postgres.url(OLD, user="rotated"))
    sidecar = checking(rig, {
        "postgres": f"type: postgres, host: 127.0.0.1, port: {postgres.port}, user: rotated, dbname: postgres, "
                    f"password_file: {passwords['postgres']}, {SHORT}",
        "whole_url": f"type: postgres, url_file: {url}, {SHORT}",
        "mariadb": f"type: mysql, host: 127.0.0.1, port: {mariadb.port}, user: rotated, dbname: shop, "
                   f"password_file: {passwords['mariadb']}, {SHORT}",
        "redis": f"type: redis, url: 'redis://127.0.0.1:{redis.port}', password_file: {passwords['redis']}, {SHORT}"})
    names = ("postgres", "whole_url", "mariadb", "redis")
    for name in names:
        sidecar.wait_for_check(name, "pass")
    postgres.execute(f"ALTER ROLE rotated PASSWORD '{NEW}'")
    mariadb.execute(f"ALTER USER rotated IDENTIFIED BY '{NEW}'")
    redis.client().config_set("requirepass", NEW)
    for name in names:
        sidecar.wait_for_error(name, "auth")
    write(url, postgres.url(NEW, user="rotated"))
    for path in passwords.values():
        write(path, NEW + "\n")
    for name in names:
        sidecar.wait_for_check(name, "pass")
    text = sidecar.probe("/status").text + json.dumps(sidecar.logs())
    assert OLD not in text and NEW not in text


def test_a_refused_password_with_blanks_in_its_file_names_the_file_and_nothing_of_it(rig):
    """A blank behind a password is a part of it, and hard to see; the line end behind that is not."""
    postgres, redis = rig.postgres().start(), rig.redis(password=OLD).start()
    postgres.execute(f"CREATE ROLE rotated LOGIN PASSWORD '{OLD}'")
    files = {"behind": OLD + " \n", "before": "\t" + OLD, "redis": OLD + " ", "wrong": NEW + "\n\n"}
    paths = {name: write(f"{rig.directory}/{name}", content) for name, content in files.items()}
    url = write(f"{rig.directory}/url", f" {postgres.url(NEW, user='rotated')} \n")
    checks = {name: f"type: postgres, host: 127.0.0.1, port: {postgres.port}, user: rotated, dbname: postgres, "
                    f"password_file: {paths[name]}, {SHORT}" for name in ("behind", "before", "wrong")}
    checks["redis"] = f"type: redis, url: 'redis://127.0.0.1:{redis.port}', password_file: {paths['redis']}, {SHORT}"
    checks["address"] = f"type: postgres, url_file: {url}, {SHORT}"
    sidecar = checking(rig, checks)
    messages = {name: sidecar.wait_for_error(name, "auth")["message"] for name in checks}
    for name, place in {"behind": "ends with whitespace", "before": "begins with whitespace or an empty line", "redis": "ends with whitespace"}.items():
        assert messages[name].endswith(f"; the secret in {paths[name]} {place}, which is sent too"), messages[name]
    for name in ("wrong", "address"):
        assert "the secret in" not in messages[name]
    for name in ("behind", "before", "redis", "wrong"):
        write(paths[name], OLD + "\n\n")
        sidecar.wait_for_check(name, "pass")
    text = sidecar.probe("/status").text + json.dumps(sidecar.logs())
    assert OLD not in text and NEW not in text


def test_a_file_that_changes_before_the_server_ends_the_session_costs_no_failure(rig):
    postgres = rig.postgres().start()
    postgres.execute(f"CREATE ROLE rotated LOGIN PASSWORD '{OLD}'")
    password = write(f"{rig.directory}/password", OLD)
    sidecar = checking(rig, {"it": f"type: postgres, host: 127.0.0.1, port: {postgres.port}, user: rotated, dbname: postgres, "
                                   f"password_file: {password}, {QUICK}"})
    sidecar.wait_for_check("it", "pass")
    failures = sidecar.check("it")["failures"]
    postgres.execute(f"ALTER ROLE rotated PASSWORD '{NEW}'")
    write(password, NEW)
    postgres.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'rotated'")
    more_runs(sidecar, "it", 5)
    assert sidecar.check("it")["failures"] == failures and sidecar.check("it")["status"] == "pass"


def test_a_changed_file_ends_the_back_off_of_a_refused_login(rig):
    """Which is longer here than this test waits."""
    postgres, redis = rig.postgres().start(), rig.redis(password=NEW).start()
    password = write(f"{rig.directory}/password", OLD)
    pace = "interval: 60s, startup_interval: 60s"
    postgres.execute(f"CREATE ROLE rotated LOGIN PASSWORD '{NEW}'")
    sidecar = checking(rig, {
        "postgres": f"type: postgres, host: 127.0.0.1, port: {postgres.port}, user: rotated, dbname: postgres, password_file: {password}, {pace}",
        "redis": f"type: redis, url: 'redis://127.0.0.1:{redis.port}', password_file: {password}, {pace}"})
    for name in ("postgres", "redis"):
        sidecar.wait_for_error(name, "auth")
    write(password, NEW)
    for name in ("postgres", "redis"):
        sidecar.wait_for_check(name, "pass")


def test_an_emptied_or_missing_file_leaves_the_password_as_it_was(rig):
    postgres = rig.postgres().start()
    password = write(f"{rig.directory}/password", PASSWORD)
    sidecar = checking(rig, {"it": f"type: postgres, host: 127.0.0.1, port: {postgres.port}, user: chat, dbname: postgres, "
                                   f"password_file: {password}, {QUICK}, max_session: 1ms"})
    sidecar.wait_for_check("it", "pass")
    failures = sidecar.check("it")["failures"]
    write(password, "")
    more_runs(sidecar, "it", 5)
    assert sidecar.check("it")["failures"] == failures


def test_a_header_from_a_file_is_read_again_for_each_request(rig):
    token = write(f"{rig.directory}/token", OLD)

    def judge(connection):
        status = "200 OK" if connection.read_head().get("authorization") == NEW else "403 Forbidden"
        connection.send(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
    server = rig.scripted(judge)
    sidecar = checking(rig, {"it": f"type: http, url: {server.url}, headers: {{authorization_file: {token}}}, {QUICK}"})
    sidecar.wait_for_check("it", "fail")
    write(token, NEW)
    sidecar.wait_for_check("it", "pass")

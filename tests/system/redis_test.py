"""The redis check on real servers: who may do what, over which transport, in which role, and what is left behind."""

import os
import threading

import pytest
import redis as redis_py

from support.checks import message
from support.redis_checks import OFTEN, PASSWORD, SECRET, with_checks
from support.waiting import wait_for, wait_until

def wait_for_message(sidecar, name, *parts):
    sidecar.wait_for_readiness(
        lambda seen: all(part in (seen["checks"][name]["error"] or {"message": ""})["message"] for part in parts), parts)


# Who may do what

def test_an_acl_user_in_the_url_needs_no_more_than_ping_set_and_get_under_our_prefix(rig):
    redis = rig.redis(settings=[
        "user default off", f"user gate on >{PASSWORD} ~probegate:* +ping +set +get",
        f"user reader on >{PASSWORD} ~probegate:* +ping +get", f"user elsewhere on >{PASSWORD} ~app:* +ping +set +get",
        f"user mute on >{PASSWORD} ~* +set +get"]).start()
    url = lambda user, password=PASSWORD: f'url: "redis://{user}:{password}@127.0.0.1:{redis.port}"'
    sidecar = with_checks(rig, {
        "fits": url("gate"), "wrong": url("gate", SECRET), "unknown": url("nobody"), "reader": url("reader"),
        "elsewhere": url("elsewhere"), "only_pings": f"{url('reader')}, write: false", "mute": url("mute"),
        "anonymous": f'url: "redis://127.0.0.1:{redis.port}"'})
    sidecar.wait_for_check("fits", "pass")
    sidecar.wait_for_check("only_pings", "pass")
    for name in ("wrong", "unknown"):
        assert message(sidecar, name, "auth").startswith("AUTH: WRONGPASS")
    for name in ("reader", "elsewhere"):
        told = message(sidecar, name, "auth")
        assert told.startswith("SET: NOPERM") and "+set +get ~probegate:*" in told
    assert "the user needs +ping" in message(sidecar, "mute", "auth")
    assert "NOAUTH" in message(sidecar, "anonymous", "auth")
    assert SECRET not in sidecar.probe("/status").text and PASSWORD not in sidecar.probe("/status").text


def test_a_password_for_a_server_without_one_is_auth(rig):
    redis = rig.redis().start()
    sidecar = with_checks(rig, {"it": f'url: "{redis.url(password=SECRET)}"'})
    assert message(sidecar, "it", "auth").startswith("AUTH: ")


def test_a_database_number_is_used_and_one_that_does_not_exist_is_config(rig):
    redis = rig.redis().start()
    sidecar = with_checks(rig, {"third": f'url: "{redis.url(database=3)}"', "none": f'url: "{redis.url(database=99)}"'})
    sidecar.wait_for_check("third", "pass")
    assert message(sidecar, "none", "config").startswith("SELECT: ")
    assert "db3" in redis.client().info("keyspace")


# TLS

def test_rediss_trusts_a_private_authority_and_nobody_else(rig):
    ours, other = rig.authority(), rig.authority("other")
    redis = rig.redis(password=PASSWORD, certificate=ours.issue(days=5)).start()
    ended = rig.redis(certificate=ours.issue(days=-1, name="ended")).start()
    named = rig.redis(certificate=ours.issue("DNS:cache.test", name="named")).start()
    url = lambda server: f'url: "rediss://{f":{PASSWORD}@" if server.password else ""}localhost:{server.tls_port}"'
    trust = f"ca_file: {ours.file}"
    sidecar = with_checks(rig, {
        "trusted": f"{url(redis)}, tls: {{{trust}}}", "soon": f"{url(redis)}, tls: {{{trust}, min_days_left: 14}}",
        "system": url(redis), "wrong_ca": f"{url(redis)}, tls: {{ca_file: {other.file}}}",
        "careless": f"{url(redis)}, tls: {{verify: false}}", "ended": f"{url(ended)}, tls: {{{trust}}}",
        "wrong_name": f"{url(named)}, tls: {{{trust}}}", "right_name": f"{url(named)}, tls: {{{trust}, server_name: cache.test}}"})
    for name in ("trusted", "careless", "right_name"):
        sidecar.wait_for_check(name, "pass")
    assert "days, limit 14" in sidecar.wait_for_check("soon", "warn")["error"]["message"]
    for name, words in (("system", "unable to get local issuer"), ("wrong_ca", "unable to get local issuer"),
                        ("ended", "expired"), ("wrong_name", "not for localhost")):
        assert words in message(sidecar, name, "tls")


def test_tls_where_none_is_spoken_and_none_where_it_is_both_fail_in_time(rig):
    redis = rig.redis(certificate=rig.authority().issue()).start()
    sidecar = with_checks(rig, {"tls_to_plain": f'url: "rediss://127.0.0.1:{redis.port}", timeout: 500ms',
                                "plain_to_tls": f'url: "redis://127.0.0.1:{redis.tls_port}"'})
    assert "in the TLS handshake" in message(sidecar, "tls_to_plain", "timeout")
    error = sidecar.wait_for_check("plain_to_tls", "fail")["error"]
    assert error["kind"] == "connect" and "rediss://" in error["message"]


# States of the server

def test_a_replica_is_told_apart_by_its_role_and_by_its_link(rig):
    master = rig.redis().start()
    replica = rig.redis(settings=[f"replicaof 127.0.0.1 {master.port}"]).start()
    wait_for(lambda: replica.client().info("replication"), lambda info: info["master_link_status"] == "up", "the link")
    sidecar = with_checks(rig, {
        "writes": f'url: "{replica.url()}"', "pings": f'url: "{replica.url()}", write: false, {OFTEN}',
        "replica": f'url: "{replica.url()}", write: false, role: replica, {OFTEN}',
        "no_master": f'url: "{replica.url()}", write: false, role: master',
        "master": f'url: "{master.url()}", role: master, {OFTEN}', "no_replica": f'url: "{master.url()}", role: replica, write: false'})
    for name in ("pings", "replica", "master"):
        sidecar.wait_for_check(name, "pass")
    told = message(sidecar, "writes", "answer")
    assert told.startswith("SET: READONLY") and "write: false" in told
    assert message(sidecar, "no_master", "answer") == "the server is a replica, expected a master"
    assert message(sidecar, "no_replica", "answer") == "the server is a master, expected a replica"

    master.kill()
    assert "link to its master is down" in message(sidecar, "replica", "answer")
    assert sidecar.check("pings")["status"] == "pass"
    replica.client().config_set("replica-serve-stale-data", "no")
    assert message(sidecar, "pings", "answer").startswith("PING: MASTERDOWN")
    replica.client().execute_command("REPLICAOF", "NO", "ONE")
    sidecar.wait_for_check("writes", "pass")
    wait_for_message(sidecar, "replica", "the server is a master, expected a replica")


def test_a_server_that_still_loads_is_told_and_passes_once_it_has(rig):
    redis = rig.redis(settings=["enable-debug-command yes"]).start()
    redis.client().execute_command("DEBUG", "POPULATE", 300)
    redis.client().save()
    redis.stop()
    redis.add_settings("key-load-delay 10000", "loading-process-events-interval-bytes 1024")  # 10 ms for each key
    redis.start()
    sidecar = with_checks(rig, {"it": f'url: "{redis.url()}"'})
    assert "LOADING" in message(sidecar, "it", "answer")
    redis.client().config_set("key-load-delay", 0)
    sidecar.wait_for_check("it", "pass")


def test_a_server_that_cannot_save_cannot_remember_or_is_busy_says_so_itself(rig):
    unsaved, full, busy = rig.redis(settings=["save 3600 1"]).start(), rig.redis().start(), rig.redis(
        settings=["busy-reply-threshold 1"]).start()
    sidecar = with_checks(rig, {name: f'url: "{server.url()}", {OFTEN}' for name, server in
                                (("unsaved", unsaved), ("full", full), ("busy", busy))})
    for name in ("unsaved", "full", "busy"):
        sidecar.wait_for_check(name, "pass")

    os.mkdir(f"{unsaved.home}/dump.rdb")  # where a file should go
    unsaved.client().bgsave()
    assert message(sidecar, "unsaved", "answer").startswith("PING: MISCONF")
    os.rmdir(f"{unsaved.home}/dump.rdb")
    unsaved.client().bgsave()
    sidecar.wait_for_check("unsaved", "pass")

    full.client().config_set("maxmemory", 1)
    assert message(sidecar, "full", "answer").startswith("SET: OOM")
    full.client().config_set("maxmemory", 0)
    sidecar.wait_for_check("full", "pass")

    def loop_for_ever():
        with pytest.raises(redis_py.ResponseError):  # killed
            busy.client(timeout=None).eval("while true do end", 0)

    script = threading.Thread(target=loop_for_ever)
    script.start()
    assert message(sidecar, "busy", "answer").startswith("PING: BUSY")
    busy.client().execute_command("SCRIPT", "KILL")
    script.join()
    sidecar.wait_for_check("busy", "pass")


def test_too_many_clients_are_connect(rig):
    redis = rig.redis(settings=["maxclients 1"]).start()
    held = redis.client()
    wait_until(held.ping, "the only place")
    sidecar = with_checks(rig, {"it": f'url: "{redis.url()}"'})
    assert "max number of clients" in message(sidecar, "it", "connect")
    held.close()
    held.connection_pool.disconnect()
    sidecar.wait_for_check("it", "pass")


# What is left behind

def test_nothing_is_written_but_one_key_under_our_prefix_and_it_expires(rig):
    redis = rig.redis().start()
    seen = []
    watcher = redis.client(timeout=None)
    with watcher.monitor() as monitor:
        sidecar = with_checks(rig, {"it": f'url: "{redis.url(database=2)}", role: master, interval: 20ms'})
        while len(seen) < 40:
            command = monitor.next_command()
            if command["client_port"] and "PING" in command["command"]:
                sidecar_port = command["client_port"]
            seen.append((command["client_port"], command["command"]))
    words = [text.split() for port, text in seen if port == sidecar_port]
    assert {word[0] for word in words} <= {"HELLO", "SELECT", "PING", "INFO", "SET", "GET"}
    assert [word for word in words if word[0] == "SELECT"] == [["SELECT", "2"]], "one kept connection"
    sets = [word for word in words if word[0] == "SET"]
    assert len({word[1] for word in sets}) == 1 and sets[0][1].startswith("probegate:")
    assert all(word[3:] == ["EX", "5"] for word in sets)
    assert redis.client(database=2).keys() == [sets[0][1].encode()]
    assert 0 < redis.client(database=2).ttl(sets[0][1]) <= 5
    sidecar.stop()
    wait_for(lambda: redis.client().info("keyspace"), lambda databases: databases == {}, "the key to expire")


# Sessions that are renewed

RENEWED = "interval: 50ms, fall: 1, max_session: 200ms"


def test_what_only_a_new_login_sees_is_seen_when_the_session_is_renewed(rig):
    authority, other = rig.authority(), rig.authority("other")
    servers = {name: rig.redis(settings=[f"user gate on >{PASSWORD} ~* +@all"]).start() for name in ("password", "disabled", "full")}
    certified = rig.redis(certificate=authority.issue()).start()
    url = lambda server: f'url: "redis://gate:{PASSWORD}@127.0.0.1:{server.port}", {RENEWED}'
    sidecar = with_checks(rig, {**{name: url(server) for name, server in servers.items()}, "certificate":
                                f'url: "rediss://localhost:{certified.tls_port}", tls: {{ca_file: {authority.file}}}, {RENEWED}'})
    for name in (*servers, "certificate"):
        sidecar.wait_for_check(name, "pass")
    servers["password"].client().execute_command("ACL", "SETUSER", "gate", "resetpass", f">{SECRET}")
    servers["disabled"].client().execute_command("ACL", "SETUSER", "gate", "off")
    # One that nobody will take again: we have a place, and others take all the rest.
    held = [servers["full"].client() for _ in range(2)]
    for client in held:
        client.ping()
    held[0].config_set("maxclients", 2)
    files = other.issue(name="untrusted")
    certified.client().config_set("tls-cert-file", files[0], "tls-key-file", files[1])
    assert "WRONGPASS" in message(sidecar, "password", "auth")
    assert "WRONGPASS" in message(sidecar, "disabled", "auth")
    assert "max number of clients" in message(sidecar, "full", "connect")
    assert "unable to get local issuer" in message(sidecar, "certificate", "tls")


def test_a_session_that_is_renewed_leaves_before_it_comes_again(rig):
    redis = rig.redis(settings=["maxclients 1"]).start()
    sidecar = with_checks(rig, {"it": f'url: "{redis.url()}", interval: 20ms, fall: 1, max_session: 1ms'})
    sidecar.wait_for_check("it", "pass")
    before = sidecar.check("it")
    wait_until(lambda: sidecar.check("it")["runs"] > before["runs"] + 30, "thirty logins")
    assert sidecar.check("it")["failures"] == before["failures"]

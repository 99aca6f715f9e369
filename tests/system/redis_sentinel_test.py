"""The redis check through real Sentinels: the master they name is asked, and followed."""

import pytest
import redis as redis_py

from support.checks import message
from support.ports import free_port
from support.waiting import wait_for, wait_until
from support.redis_checks import OFTEN, PASSWORD, SECRET, with_checks

SENTINEL_PASSWORD = "wtc-9Qx7Zk-pp"  # shares no part with a word of the messages
KEY = "probegate:*"


def url(sentinels, user_info="", name="mymaster", rest=""):
    hosts = ",".join(f"127.0.0.1:{getattr(one, 'port', one)}" for one in sentinels)
    return f'url: "redis+sentinel://{user_info}{hosts}/{name}{rest}"'


def replicated(rig, password=None):
    """A master and a replica, and they know each other."""
    settings = [f"masterauth {password}"] if password else []
    master = rig.redis(password=password, settings=settings).start()
    replica = rig.redis(password=password, settings=[f"replicaof 127.0.0.1 {master.port}", *settings]).start()
    wait_for(lambda: replica.client().info("replication"), lambda info: info["master_link_status"] == "up", "the link")
    return master, replica


def watched(rig, master, **options):
    sentinel = rig.sentinel({"mymaster": master}, **options).start()
    wait_until(lambda: sentinel.client().sentinel_slaves("mymaster"), "the Sentinel to know the replica")
    return sentinel


def planned_failover(sentinel):
    """False while the Sentinel does not know the replica well enough."""
    try:
        return sentinel.client().sentinel_failover("mymaster")
    except redis_py.ResponseError:
        return False


def role(server):
    """None while it cuts its clients off, as it does when its role changes."""
    try:
        return server.client().info("replication")["role"]
    except redis_py.ConnectionError:
        return None


@pytest.mark.parametrize("keys", ["", ", write: false"])
def test_a_failover_is_followed(rig, keys):
    master, replica = replicated(rig)
    sentinel = watched(rig, master)
    sidecar = with_checks(rig, {"it": f"{url([sentinel])}, {OFTEN}{keys}"})
    sidecar.wait_for_check("it", "pass")
    master.kill()
    sidecar.wait_for_check("it", "fail")
    wait_until(lambda: sentinel.master("mymaster") == replica.port, "the replica to be promoted")
    sidecar.wait_for_check("it", "pass")
    if not keys:
        wait_until(lambda: replica.client().keys(KEY), "the key on the new master")


def test_a_planned_failover_costs_at_most_polls_while_there_is_no_master(rig):
    master, replica = replicated(rig)
    sentinel = watched(rig, master)
    sidecar = with_checks(rig, {"it": f"{url([sentinel])}, interval: 100ms, fall: 20"})
    sidecar.wait_for_check("it", "pass")
    wait_until(lambda: planned_failover(sentinel), "the Sentinel to begin")
    wait_until(lambda: role(replica) == "master" and replica.client().keys(KEY),
               "the key on the new master")
    wait_until(lambda: role(master) == "slave", "the old master to be a replica")
    sidecar.wait_for_check("it", "pass")


def test_sentinels_are_asked_in_turn_within_one_deadline(rig):
    master, _ = replicated(rig)
    sentinel, hangs = watched(rig, master), watched(rig, master)
    hangs.freeze()
    try:
        sidecar = with_checks(rig, {"dead_first": url([free_port(), sentinel]), "hanging_first": url([hangs, sentinel]),
                                    "none": url([free_port(), free_port()]), "all_hang": f"{url([hangs])}, timeout: 500ms"})
        sidecar.wait_for_check("dead_first", "pass")
        sidecar.wait_for_check("hanging_first", "pass")
        assert message(sidecar, "none", "connect").startswith("Sentinel 127.0.0.1:")
        sidecar.wait_for_error("all_hang", "timeout")
    finally:
        hangs.thaw()


def test_a_sentinel_that_names_a_dead_master_is_not_the_last_one_asked(rig):
    master, _ = replicated(rig)
    knows = watched(rig, master)
    dead = rig.redis()
    stale = rig.sentinel({"mymaster": dead}, quorum=5).start()
    sidecar = with_checks(rig, {"it": url([stale, knows]), "stale": url([stale])})
    sidecar.wait_for_check("it", "pass")
    assert f"the master that Sentinel 127.0.0.1:{stale.port} names" in message(sidecar, "stale", "connect")


def test_sentinels_have_a_login_of_their_own_and_the_urls_is_the_masters(rig):
    master = rig.redis(password=PASSWORD, settings=[f"user gate on >{PASSWORD} ~* +@all"]).start()
    sentinel = rig.sentinel({"mymaster": master}, password=SENTINEL_PASSWORD,
                            settings=[f"user asker on >{SENTINEL_PASSWORD} +auth +sentinel|get-master-addr-by-name",
                                      f"user idle on >{SENTINEL_PASSWORD} nocommands"]).start()
    secret_file = f"{rig.directory}/sentinel"
    with open(secret_file, "w") as file:
        file.write(SENTINEL_PASSWORD + "\n")
    ours, theirs = f":{PASSWORD}@", f"sentinel_password: {SENTINEL_PASSWORD}"
    sidecar = with_checks(rig, {
        "both": f"{url([sentinel], ours)}, {theirs}", "by_file": f"{url([sentinel], ours)}, sentinel_password_file: {secret_file}",
        "user": f"{url([sentinel], f'gate:{PASSWORD}@', rest='/3')}, sentinel_user: asker, {theirs}",
        "none": url([sentinel], ours), "wrong": f"{url([sentinel], ours)}, sentinel_password: {SECRET}",
        "idle": f"{url([sentinel], ours)}, sentinel_user: idle, {theirs}",
        "masters": f"{url([sentinel], f':{SECRET}@')}, {theirs}"})
    for name in ("both", "by_file", "user"):
        sidecar.wait_for_check(name, "pass")
    assert master.client(database=3).keys(KEY)
    assert "sentinel_password" in message(sidecar, "none", "auth")
    assert "WRONGPASS" in message(sidecar, "wrong", "auth") and "Sentinel 127.0.0.1" in message(sidecar, "wrong", "auth")
    assert "+sentinel" in message(sidecar, "idle", "auth")
    assert "WRONGPASS" in message(sidecar, "masters", "auth")
    seen = sidecar.probe("/status").text + sidecar.output()
    assert not any(secret in seen for secret in (PASSWORD, SECRET, SENTINEL_PASSWORD))


def test_a_sentinel_asked_as_a_plain_redis_is_config_and_a_redis_asked_as_a_sentinel_too(rig):
    master = rig.redis().start()
    sentinel = rig.sentinel({"mymaster": master}).start()
    locked = rig.sentinel({"mymaster": master}, password=PASSWORD).start()
    plain = f'url: "redis://127.0.0.1:{sentinel.port}'
    sidecar = with_checks(rig, {
        "writes": f'{plain}"', "reads": f'{plain}", write: false', "database": f'{plain}/2"', "single": f'{plain}", mode: single',
        "single_reads": f'{plain}", mode: single, write: false',
        "login": f'url: "redis://:{SECRET}@127.0.0.1:{sentinel.port}"', "user": f'url: "redis://gate:{SECRET}@127.0.0.1:{sentinel.port}"',
        "right": f'url: "redis://:{PASSWORD}@127.0.0.1:{locked.port}"',
        "unknown": url([sentinel], name="other"), "redis": url([master])})
    for name in ("writes", "reads", "database", "single", "single_reads", "login", "user", "right"):
        assert "redis+sentinel://" in message(sidecar, name, "config"), name
    assert 'knows no master named "other"' in message(sidecar, "unknown", "config")
    assert "is not a Sentinel" in message(sidecar, "redis", "config")


def test_mode_sentinel_says_the_same_as_the_scheme(rig):
    master = rig.redis().start()
    sentinel = rig.sentinel({"mymaster": master}).start()
    sidecar = with_checks(rig, {"it": f'url: "redis://127.0.0.1:{sentinel.port}/mymaster/1", mode: sentinel'})
    sidecar.wait_for_check("it", "pass")
    assert master.client(database=1).keys(KEY)

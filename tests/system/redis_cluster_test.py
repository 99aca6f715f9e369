"""The redis check on a real Redis Cluster: whatever node is asked, one answer, and the cluster's own."""

from support.checks import message
from support.ports import free_port
from support.waiting import wait_for, wait_until
from support.redis_checks import OFTEN, PASSWORD, with_checks


def keys(node):
    return [key.decode() for key in node.client().keys("probegate:*")]


def pollings(sidecar, name):
    """Waits for three more polls, and how many of all have failed."""
    before = sidecar.check(name)["runs"]
    wait_until(lambda: sidecar.check(name)["runs"] > before + 2, "three polls")
    return sidecar.check(name)["failures"]


def test_a_healthy_cluster_passes_whichever_node_is_asked_and_the_key_lies_on_that_node(rig):
    cluster = rig.redis_cluster().start()
    sidecar = with_checks(rig, {f"node{number}{turn}": f'url: "{node.url()}"' for number, node in enumerate(cluster.nodes)
                                for turn in "abcd"})
    for number, node in enumerate(cluster.nodes):
        for turn in "abcd":
            sidecar.wait_for_check(f"node{number}{turn}", "pass")
        assert len(keys(node)) == 4
        assert sidecar.check(f"node{number}a")["failures"] == 0


def test_a_cluster_that_is_down_fails_with_and_without_writing(rig):
    cluster = rig.redis_cluster().start()
    node = cluster.nodes[0]
    sidecar = with_checks(rig, {"writes": f'url: "{node.url()}", {OFTEN}', "reads": f'url: "{node.url()}", write: false, {OFTEN}',
                                "named": f'url: "{node.url().replace("redis:", "redis+cluster:")}", {OFTEN}'})
    for name in ("writes", "reads", "named"):
        sidecar.wait_for_check(name, "pass")
    for other in cluster.nodes[1:]:
        other.kill()
    for name in ("writes", "reads", "named"):
        assert 'cluster_state is "fail"' in message(sidecar, name, "answer")
    for other in cluster.nodes[1:]:
        other.start()
    for name in ("writes", "reads", "named"):
        sidecar.wait_for_check(name, "pass")


def test_a_node_without_slots_sends_elsewhere_and_is_followed(rig):
    cluster = rig.redis_cluster(nodes=3).start()
    empty = rig.redis(settings=["cluster-enabled yes", f"cluster-port {free_port()}"]).start()
    cluster.meet(empty)
    wait_until(lambda: cluster.state(empty) == "ok", "the new node to know the cluster")
    sidecar = with_checks(rig, {"writes": f'url: "{empty.url()}", {OFTEN}', "reads": f'url: "{empty.url()}", write: false, {OFTEN}'})
    sidecar.wait_for_check("writes", "pass")
    sidecar.wait_for_check("reads", "pass")
    assert pollings(sidecar, "writes") == 0
    assert any(keys(node) for node in cluster.nodes)


def test_slots_that_move_are_followed_by_ask_and_by_moved_without_a_failure(rig):
    cluster = rig.redis_cluster(nodes=2).start()
    source, target = cluster.nodes
    sidecar = with_checks(rig, {"it": f'url: "{source.url()}", interval: 50ms, fall: 1'})
    sidecar.wait_for_check("it", "pass")
    [key] = keys(source)
    slot = source.client().cluster("KEYSLOT", key)
    ids = {node: cluster.identity(node) for node in (source, target)}
    target.client().execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source])
    source.client().execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target])
    source.client().delete(key)
    # By ASK the key is set over there; then another one of this node's is chosen.
    wait_until(lambda: target.client().cluster("COUNTKEYSINSLOT", slot) == 1, "the key to be set on the other node")
    assert pollings(sidecar, "it") == 0
    for node in (target, source):
        node.client().execute_command("CLUSTER", "SETSLOT", slot, "NODE", ids[target])
    assert pollings(sidecar, "it") == 0

    # All of this node's slots go: MOVED.
    target.client().flushall()
    slots = [number for number in range(8192) if number != slot]
    for node in (target, source):
        pipeline = node.client().pipeline(transaction=False)
        for number in slots:
            pipeline.execute_command("CLUSTER", "SETSLOT", number, "NODE", ids[target])
        pipeline.execute(raise_on_error=False)  # a node that has lost all becomes a replica
    wait_until(lambda: keys(target), "the key to be set on the other node")
    assert pollings(sidecar, "it") == 0


def test_a_user_needs_no_more_rights_on_a_cluster_than_elsewhere(rig):
    cluster = rig.redis_cluster(settings=[f"user gate on >{PASSWORD} ~probegate:* +ping +set +get",
                                          f"user pinger on >{PASSWORD} nocommands +ping"]).start()
    url = lambda user, node: f'url: "redis://{user}:{PASSWORD}@127.0.0.1:{node.port}", {OFTEN}'
    sidecar = with_checks(rig, {**{f"gate{number}": url("gate", node) for number, node in enumerate(cluster.nodes)},
                                "pinger": f'{url("pinger", cluster.nodes[0])}, write: false'})
    for name in ("gate0", "gate1", "gate2", "pinger"):
        sidecar.wait_for_check(name, "pass")
    assert [pollings(sidecar, f"gate{number}") for number in range(3)] == [0, 0, 0]
    for other in cluster.nodes[1:]:
        other.kill()
    assert "CLUSTERDOWN" in message(sidecar, "gate0", "answer")


def test_any_of_several_nodes_is_a_way_into_the_cluster(rig):
    cluster = rig.redis_cluster(password=PASSWORD).start()
    hosts = lambda *ports: ",".join(f"127.0.0.1:{port}" for port in ports)
    url = lambda hosts, password=PASSWORD: f'url: "redis+cluster://:{password}@{hosts}", {OFTEN}'
    first = cluster.nodes[0].port
    sidecar = with_checks(rig, {"second": url(hosts(free_port(), first)), "none": url(hosts(free_port(), free_port())),
                                "wrong": url(hosts(first, free_port()), "wr0ng-passphrase")})
    sidecar.wait_for_check("second", "pass")
    assert "refused" in message(sidecar, "none", "connect")
    assert "WRONGPASS" in message(sidecar, "wrong", "auth")


def test_the_mode_that_is_written_must_be_the_servers(rig):
    cluster = rig.redis_cluster(nodes=2).start()
    plain = rig.redis().start()
    sidecar = with_checks(rig, {
        "no_cluster": f'url: "{plain.url()}", mode: cluster', "database": f'url: "{cluster.nodes[0].url(database=2)}"',
        **{f"single{number}": f'url: "{node.url()}", mode: single, write: false' for number, node in enumerate(cluster.nodes)},
        "plain": f'url: "{plain.url()}", mode: single'})
    assert "not a cluster node" in message(sidecar, "no_cluster", "config")
    assert message(sidecar, "database", "config").startswith("SELECT: ")
    sidecar.wait_for_check("plain", "pass")
    # One key, asked of both: one of them has it, the other one says where it is.
    seen = wait_for(lambda: [sidecar.check(f"single{number}") for number in range(2)],
                    lambda checks: all(check["runs"] > 0 for check in checks), "both to be asked")
    for check in seen:
        if check["status"] == "fail":
            assert check["error"]["kind"] == "answer" and "MOVED" in check["error"]["message"]
            assert "mode: cluster" in check["error"]["message"]

"""Few descriptors, or none: the probe port, open tunnels and the drain go on, and nothing spins
(docs/contract.md, "Process" and "Proxy")."""

import os
import resource
import time

from support import metrics
from support.ports import keep_alive_timers
from support.raw import TEXT, Raw
from support.waiting import wait_until


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def echoes(client):
    client.send_frame(TEXT, b"still here", mask=True)
    return client.read_frame()[2] == b"still here"


def status_of(client, path="/mirror"):
    """What a request on this connection is answered; None when there is no answer."""
    try:
        client.send(f"GET {path} HTTP/1.1\r\nHost: proxy.test\r\n\r\n".encode())
        return client.read_head().status
    except (EOFError, OSError):
        return None


def test_traffic_leaves_descriptors_to_probes_and_the_surplus_is_told(rig, backend):
    """`connection_limit` is an answer, at whatever number the descriptors of the process set the limit."""
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}', workers: 2}}",
                            around=lambda argv: ["prlimit", "--nofile=160:160", *argv]).start()
    sidecar.wait_for_lines(lambda line: line["message"].startswith("the limit of open files"))
    tunnels = [Raw.tunnel(sidecar.proxy_port) for _ in range(10)]
    crowd, statuses = [], []
    for _ in range(200):
        crowd.append(Raw.connect(sidecar.proxy_port))
        statuses.append(status_of(crowd[-1], "/events"))  # an answer without end: none of them is idle
    assert statuses.count(200) >= 10
    assert statuses.count(503) >= 10
    assert set(statuses) == {200, 503}

    before, start = cpu_seconds(sidecar.pid), time.monotonic()
    while time.monotonic() - start < 2:
        assert sidecar.probe("/health").status == 200
        time.sleep(0.1)
    assert cpu_seconds(sidecar.pid) - before < 1
    assert all(map(echoes, tunnels))
    assert metrics.parse(sidecar.metrics())["probegate_refused_total"].value(reason="connection_limit") > 0

    for client in crowd:
        client.close()
    wait_until(lambda: sidecar.request("/mirror").status == 200, "new clients to be served again")
    assert sidecar.stop() == 0


def test_a_limit_that_descriptors_lower_by_little_is_no_warning(rig, backend):
    def told(limits):
        sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}', limits: {limits}}}",
                                around=lambda argv: ["prlimit", "--nofile=400:400", *argv]).start()
        [line] = sidecar.wait_for_lines(lambda line: line["message"].startswith("the limit of open files"))
        assert sidecar.stop() == 0
        return line
    far = told("{connections: 5000}")
    assert far["severity"] == "WARNING" and far["limit"] == 5000 and 0 < far["in_force"] < 400
    near = told(f"{{connections: {far['in_force'] + 1}}}")
    assert near["severity"] == "INFO" and near["in_force"] == far["in_force"]


def test_without_a_single_descriptor_tunnels_and_the_drain_go_on_and_nothing_spins(rig, backend):
    """The limit is lowered under what is open: accepting fails on both ports until there are descriptors again."""
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}', workers: 2}}").start()
    client = Raw.tunnel(sidecar.proxy_port)
    assert echoes(client)
    # The first deadline of a tunnel is behind it: UBSan needs a pipe to look at a type that it has not met before.
    wait_until(lambda: keep_alive_timers(backend.port), "the tunnel's keep-alive")
    _, hard = resource.prlimit(sidecar.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(sidecar.pid, resource.RLIMIT_NOFILE, (3, hard))
    waiting = [Raw.connect(sidecar.proxy_port) for _ in range(20)]
    probe = Raw.connect(sidecar.probe_port)
    before = cpu_seconds(sidecar.pid)
    time.sleep(2)
    assert cpu_seconds(sidecar.pid) - before < 1
    assert echoes(client)
    wait_until(lambda: [line for line in sidecar.logs() if line["message"] == "connection limit reached"
                        and line["why"].startswith("connections cannot be accepted: Too many open files; ")],
               "the log to say why nobody is let in")

    resource.prlimit(sidecar.pid, resource.RLIMIT_NOFILE, (hard, hard))
    probe.send(b"GET /health HTTP/1.1\r\nHost: proxy.test\r\n\r\n")
    assert probe.read_head().status == 200
    assert all(status_of(one) == 200 for one in waiting)

    # Two more than are open: for the same pipe.
    most = max(map(int, os.listdir(f"/proc/{sidecar.pid}/fd")))
    resource.prlimit(sidecar.pid, resource.RLIMIT_NOFILE, (most + 3, hard))
    assert sidecar.stop() == 0

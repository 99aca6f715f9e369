"""From exec to an open gate: docs/contract.md, "Process" (listening comes first), "Configuration" (environment alone) and "Gate".

The servers are real ones, and late.
"""

import os
import time

import pytest

from support.backends import failing, silent
from support.expect import problem_on
from support.http import request
from support.ports import free_port
from support.postgres import TABLES
from support.raw import Raw, upgrade_request
from support.waiting import wait_for, wait_until

# As in the incident: tables, then Redis, then the backend's own WebSocket.
CHAIN = """
proxy: {{backend: "{backend}"}}
checks:
  database: {{type: postgres, url: "{database}", tables: [agent_executions, credit_transactions, subscriptions]}}
  redis: {{type: redis, url: "{redis}", needs: [database]}}
  websocket: {{type: websocket, url: /ws, needs: [redis]}}
"""


def unreachable(affects="startup, readiness", extra=""):
    """A check that cannot pass."""
    return f"""
proxy: {{backend: "http://127.0.0.1:{free_port()}"}}
checks:
  nats: {{type: tcp, address: "127.0.0.1:{free_port()}", affects: [{affects}]}}
{extra}
"""


def test_probes_say_not_ready_and_traffic_is_refused_from_the_first_moment(rig):
    """Both ports answer from the first moment: probes with the reason, traffic with a refusal."""
    sidecar = rig.probegate(unreachable()).launch()
    first = wait_until(lambda: sidecar.running() and sidecar.probe("/health/ready"), "the first probe's answer")
    assert first.status == 503
    document = first.json
    assert document["status"] == "not_ready"
    assert document["gate"] == "starting"
    assert document["waiting_for"] == ["nats"]
    assert document["nats"] is False
    assert document["startup_seconds"] is None
    assert document["uptime_seconds"] < 10
    assert int(first.headers["Retry-After"]) >= 1

    # No moment lies between the two ports: one probe was answered, so traffic is.
    with Raw.connect(sidecar.proxy_port) as client:
        client.send(b"GET /history HTTP/1.1\r\nHost: proxy.test\r\n\r\n")
        problem_on(client, "gate_closed", waiting_for=["nats"])
    with Raw.connect(sidecar.proxy_port) as client:
        client.send(upgrade_request())
        problem_on(client, "gate_closed", waiting_for=["nats"])


def test_a_refused_head_request_gets_the_headers_and_no_body(rig):
    sidecar = rig.probegate(unreachable()).start()
    with Raw.connect(sidecar.proxy_port) as client:
        client.send(b"HEAD / HTTP/1.1\r\nHost: proxy.test\r\n\r\n")
        head = client.read_head()
        assert head.status == 503
        assert head.get("probegate-reason") == "gate_closed"
        assert client.ends()


def test_a_refused_upload_is_answered_without_reading_its_body(rig):
    """A refusal is sent within 50 ms of the end of the head, whatever the body does."""
    sidecar = rig.probegate(unreachable()).start()
    with Raw.connect(sidecar.proxy_port) as client:
        client.send(b"POST /upload HTTP/1.1\r\nHost: proxy.test\r\nContent-Length: 1000000\r\n\r\n")
        head = client.read_head()
        assert head.status == 503
        assert client.read_body(head)


def test_a_refusal_leaves_within_50_ms_of_the_end_of_the_head(rig):
    """The quickest of twenty counts, so that a busy machine does not fail the test and a timer in the path does."""
    sidecar = rig.probegate(unreachable()).start()
    quickest = 1.0
    for _ in range(20):
        with Raw.connect(sidecar.proxy_port) as client:
            start = time.monotonic()
            client.send(upgrade_request())
            assert client.read_head().status == 503
            quickest = min(quickest, time.monotonic() - start)
    assert quickest < 0.05


def test_retry_after_is_spread(rig):
    """Clients that were refused together do not come back as one."""
    sidecar = rig.probegate(unreachable()).start()
    seen = {sidecar.request("/").headers["Retry-After"] for _ in range(60)}
    assert len(seen) > 1


def test_tables_created_late_open_the_gate_and_the_missing_ones_are_named(rig):
    """The kind is `missing_tables`; the gate opens soon after the last table exists."""
    postgres = rig.postgres().start()
    backend = rig.http_backend()
    sidecar = rig.probegate(f"""
proxy: {{backend: "{backend.url}"}}
checks:
  database: {{type: postgres, url: "{postgres.url()}", tables: [agent_executions, credit_transactions, subscriptions]}}
""").start()
    error = sidecar.wait_for_error("database", "missing_tables")
    assert sorted(error["missing"]) == TABLES
    assert sidecar.request("/mirror").headers["Probegate-Reason"] == "gate_closed"

    postgres.create_tables(TABLES[:2])
    sidecar.wait_for_readiness(lambda seen: seen["checks"]["database"]["error"]["missing"] == ["subscriptions"],
                               "only one table to be missing")
    assert sidecar.request("/mirror").status == 503

    postgres.create_tables(TABLES[2:])
    document = sidecar.wait_for_gate("open")
    assert document["status"] == "ready"
    assert document["database"] is True
    assert document["waiting_for"] == []
    assert document["checks"]["database"]["error"] is None
    assert document["checks"]["database"]["startup_seconds"] > 0
    assert document["startup_seconds"] > 0
    assert sidecar.request("/mirror").status == 200


def test_tables_may_be_qualified_by_their_schema(rig):
    postgres = rig.postgres().start()
    sidecar = rig.probegate(f"""
checks:
  database: {{type: postgres, url: "{postgres.url()}", tables: [billing.invoices]}}
""").start()
    postgres.execute("CREATE TABLE invoices (id int)")
    error = sidecar.wait_for_error("database", "missing_tables")
    assert error["missing"] == ["billing.invoices"]
    postgres.execute("CREATE SCHEMA billing", "CREATE TABLE billing.invoices (id int)")
    sidecar.wait_for_gate("open")


def test_the_incident_replayed_with_everything_late(rig):
    """Each check waits for what it needs, the gate for all of them; and then people can chat."""
    postgres, redis = rig.postgres(), rig.redis()
    chat = rig.chat(postgres, redis)
    sidecar = rig.probegate(CHAIN.format(backend=chat.url, database=postgres.url(), redis=redis.url())).start()

    document = sidecar.wait_for_readiness(lambda seen: seen["checks"]["database"]["status"] == "fail", "the first failure")
    assert document["checks"]["database"]["error"]["kind"] == "connect"
    assert document["checks"]["redis"]["status"] == "waiting"
    assert document["checks"]["redis"]["waiting_for"] == ["database"]
    assert document["checks"]["websocket"]["waiting_for"] == ["redis"]
    assert [document[name] for name in ("database", "redis", "websocket")] == [False, False, False]

    postgres.start()
    sidecar.wait_for_error("database", "missing_tables")
    assert sidecar.check("redis")["status"] == "waiting"
    chat.migrate()
    sidecar.wait_for_check("database", "pass")

    assert sidecar.wait_for_error("redis", "connect")
    document = sidecar.ready()
    assert document["checks"]["websocket"]["status"] == "waiting"
    assert document["database"] is True and document["redis"] is False
    assert document["gate"] == "starting"
    assert "redis" in document["waiting_for"]

    redis.start()
    sidecar.wait_for_check("redis", "pass")
    assert sidecar.wait_for_error("websocket", "connect")
    assert sidecar.request("/history").headers["Probegate-Reason"] == "gate_closed"

    chat.start()
    document = sidecar.wait_for_gate("open")
    assert [document[name] for name in ("database", "redis", "websocket")] == [True, True, True]
    taken = [document["checks"][name]["startup_seconds"] for name in ("database", "redis", "websocket")]
    assert taken == sorted(taken)
    assert document["startup_seconds"] == pytest.approx(taken[-1], abs=0.5)
    assert sidecar.request("/history").json == []


def test_a_check_is_not_polled_before_what_it_needs_has_passed(rig):
    """Seen from the server that is not to be asked."""
    asked = rig.scripted(silent)
    closed = free_port()
    sidecar = rig.probegate(f"""
checks:
  first: {{type: tcp, address: "127.0.0.1:{closed}", startup_interval: 20ms}}
  second: {{type: tcp, address: "127.0.0.1:{asked.port}", startup_interval: 20ms, needs: [first]}}
""").start()
    sidecar.wait_for_readiness(lambda seen: seen["checks"]["first"]["runs"] >= 20, "twenty attempts")
    assert asked.connections == 0
    assert sidecar.check("second")["runs"] == 0
    rig.scripted(silent, port=closed)
    sidecar.wait_for_gate("open")
    wait_until(lambda: asked.connections > 0, "the second check to be asked")


def test_the_gate_opens_at_once_when_nothing_has_to_pass_first(rig):
    """A failing check that affects nothing is reported only."""
    backend = rig.http_backend()
    sidecar = rig.probegate(f"""
proxy: {{backend: "{backend.url}"}}
checks:
  broker: {{type: tcp, address: "127.0.0.1:{free_port()}", affects: []}}
""").start()
    document = sidecar.wait_for_gate("open")
    assert document["status"] == "ready"
    assert sidecar.request("/mirror").status == 200
    document = sidecar.wait_for_readiness(lambda seen: seen["checks"]["broker"]["status"] == "fail", "the failing broker")
    assert document["status"] == "ready"
    assert document["broker"] is False
    assert sidecar.probe("/health/ready").status == 200


def test_rise_is_how_often_a_check_must_pass(rig):
    """The gate opens when every check with `startup` has passed that often."""
    target = rig.scripted(silent)
    sidecar = rig.probegate(f"""
checks:
  target: {{type: tcp, address: "127.0.0.1:{target.port}", rise: 4, startup_interval: 300ms}}
""").start()
    document = sidecar.ready()
    assert document["gate"] == "starting"
    assert document["checks"]["target"]["runs"] < 4
    document = sidecar.wait_for_gate("open")
    assert document["checks"]["target"]["runs"] >= 4


def test_redis_must_be_stable_for_a_while(rig):
    """`stable_for` is how long PING, SET and GET must succeed without a miss."""
    redis = rig.redis().start()
    sidecar = rig.probegate(f"""
checks:
  redis: {{type: redis, url: "{redis.url()}", stable_for: 1500ms, startup_interval: 100ms}}
""").start()
    document = sidecar.wait_for_gate("open")
    assert document["checks"]["redis"]["startup_seconds"] >= 1.5
    assert document["checks"]["redis"]["runs"] > 3


def test_the_gate_opens_within_a_startup_interval_of_the_last_dependency(rig):
    """To the interval comes the duration of the check; half a second on top is for a busy machine."""
    target_port = free_port()
    sidecar = rig.probegate(f"""
checks:
  target: {{type: tcp, address: "127.0.0.1:{target_port}", startup_interval: 500ms}}
""").start()
    sidecar.wait_for_readiness(lambda seen: seen["checks"]["target"]["failures"] >= 2, "two failures")
    rig.scripted(silent, port=target_port)
    start = time.monotonic()
    sidecar.wait_for_gate("open")
    assert time.monotonic() - start < 0.5 + 0.5


def test_startup_timeout_with_fail_fails_liveness_until_a_late_pass(rig):
    """The gate is `failed`, the status "error", and liveness 503."""
    postgres = rig.postgres()
    backend = rig.http_backend()
    sidecar = rig.probegate(f"""
proxy: {{backend: "{backend.url}"}}
gate: {{startup_timeout: 3s, on_startup_timeout: fail}}
checks:
  database: {{type: postgres, url: "{postgres.url()}"}}
""").start()
    assert sidecar.probe("/health").status == 200
    assert sidecar.probe("/health").json["status"] == "ok"
    document = sidecar.wait_for_gate("failed")
    assert document["status"] == "error"
    for path in ("/health/startup", "/health/ready"):
        assert sidecar.probe(path).status == 503
        assert sidecar.probe(path).json["status"] == "error"
    assert sidecar.probe("/health").status == 503
    assert sidecar.probe("/health").json["status"] == "error"
    assert sidecar.request("/mirror").headers["Probegate-Reason"] == "gate_closed"

    postgres.start()
    document = sidecar.wait_for_gate("open")
    assert document["status"] == "ready"
    for path in ("/health", "/health/startup", "/health/ready"):
        assert sidecar.probe(path).status == 200
    assert sidecar.request("/mirror").status == 200


def test_startup_timeout_with_exit_ends_the_process_with_1(rig):
    sidecar = rig.probegate(unreachable(extra="gate: {startup_timeout: 3s, on_startup_timeout: exit}")).start()
    assert sidecar.wait() == 1


def test_startup_timeout_with_wait_changes_nothing_a_probe_can_see(rig):
    """The status stays `not_ready` and the gate `starting`; a late pass opens it."""
    postgres = rig.postgres()
    sidecar = rig.probegate(f"""
gate: {{startup_timeout: 500ms, on_startup_timeout: wait}}
checks:
  database: {{type: postgres, url: "{postgres.url()}"}}
""").start()
    document = sidecar.wait_for_readiness(lambda seen: seen["uptime_seconds"] > 1.5, "three times the timeout")
    assert document["status"] == "not_ready"
    assert document["gate"] == "starting"
    assert sidecar.probe("/health").status == 200
    assert sidecar.probe("/health/startup").json["status"] == "not_ready"
    postgres.start()
    sidecar.wait_for_gate("open")


def test_startup_timeout_of_zero_waits_for_ever(rig):
    sidecar = rig.probegate(unreachable(extra="gate: {startup_timeout: 0}")).start()
    document = sidecar.wait_for_readiness(lambda seen: seen["uptime_seconds"] > 1, "a second")
    assert document["gate"] == "starting"
    assert sidecar.probe("/health").status == 200


@pytest.mark.skipif(os.path.exists("/etc/probegate/probegate.yaml"), reason="this machine has a configuration of its own")
def test_the_environment_alone_configures_the_incident(rig):
    """Each variable makes the check of that name; database, redis and websocket each need the one before."""
    postgres, redis = rig.postgres(), rig.redis()
    chat = rig.chat(postgres, redis)
    auth = rig.scripted(failing)
    sidecar = rig.probegate(env={
        "BACKEND_URL": chat.url, "DATABASE_URL": postgres.url(), "DATABASE_TABLES": ",".join(TABLES),
        "REDIS_URL": redis.url(), "WEBSOCKET_PATH": "/ws", "AUTH_HEALTH_URL": f"{auth.url}/health",
        "LOG_LEVEL": "debug"}).start()
    document = sidecar.ready()
    assert set(document["checks"]) == {"database", "redis", "websocket", "auth"}
    assert document["checks"]["redis"]["waiting_for"] == ["database"]
    assert document["checks"]["websocket"]["waiting_for"] == ["redis"]
    assert document["checks"]["auth"]["affects"] == []

    postgres.start()
    assert sorted(sidecar.wait_for_error("database", "missing_tables")["missing"]) == TABLES
    chat.migrate()
    redis.start()
    chat.start()
    document = sidecar.wait_for_gate("open")
    assert document["checks"]["websocket"]["affects"] == ["startup", "readiness", "traffic"]
    assert document["auth"] is False, "a check that affects nothing does not hold the gate"
    assert sidecar.request("/history").status == 200


@pytest.mark.skipif(os.path.exists("/etc/probegate/probegate.yaml"), reason="this machine has a configuration of its own")
def test_the_environment_makes_only_the_checks_that_are_set(rig):
    """With none of them the gate is open."""
    backend = rig.http_backend()
    sidecar = rig.probegate(env={"BACKEND_URL": backend.url}).start()
    assert sidecar.ready()["checks"] == {}
    assert request(sidecar.proxy_port, "/mirror").status == 200


def test_both_ports_answer_soon_after_exec(rig):
    """Listening comes first. The figure is measured elsewhere; here it only must not wait for any dependency."""
    dead = rig.scripted(silent)
    start = time.monotonic()
    sidecar = rig.probegate(f"""
checks:
  database: {{type: postgres, url: "postgresql://u:p@127.0.0.1:{dead.port}/d", timeout: 30s}}
  redis: {{type: redis, url: "redis://127.0.0.1:{dead.port}", timeout: 30s}}
""").start()
    assert time.monotonic() - start < 5
    wait_for(lambda: dead.connections, lambda count: count >= 2, "both checks to hang")
    assert sidecar.probe("/health/ready").status == 503

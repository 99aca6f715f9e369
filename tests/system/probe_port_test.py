"""The probe port as an orchestrator, a person and Prometheus meet it
(docs/contract.md, "Probe port" and "Logs, metrics, events")."""

import collections
import re
import socket
import threading
import time

import pytest

from support import metrics
from support.ports import free_port
from support.raw import Raw

STARTUP = ("/health/startup", "/startup")
READY = ("/health/ready", "/readyz")
LIVE = ("/health", "/health/live", "/livez", "/healthz")

FAMILIES = {
    "probegate_gate_open": "gauge", "probegate_gate_state": "gauge", "probegate_startup_seconds": "gauge",
    "probegate_check_status": "gauge", "probegate_check_duration_seconds": "histogram",
    "probegate_check_runs_total": "counter", "probegate_check_failures_total": "counter",
    "probegate_requests_total": "counter", "probegate_request_duration_seconds": "histogram",
    "probegate_refused_total": "counter", "probegate_build_info": "gauge",
    "process_cpu_seconds_total": "counter", "process_resident_memory_bytes": "gauge",
    "process_start_time_seconds": "gauge", "process_open_fds": "gauge", "process_max_fds": "gauge",
}


@pytest.fixture
def starting(rig):
    """A sidecar whose one check cannot pass."""
    return rig.probegate(f"checks: {{broker: {{type: tcp, address: '127.0.0.1:{free_port()}'}}}}").start()


@pytest.fixture
def opened(rig, backend):
    """A sidecar with one passing check and an open gate."""
    sidecar = rig.probegate(f"""
proxy: {{backend: "{backend.url}"}}
checks: {{web: {{type: http, url: "{backend.url}/mirror"}}}}
""").start()
    sidecar.wait_for_gate("open")
    return sidecar


def test_every_path_and_alias_while_starting(starting):
    """Startup and ready are 503 with `Retry-After`, liveness is 200; nothing may be cached."""
    for path in STARTUP + READY:
        answer = starting.probe(path)
        assert answer.status == 503, path
        assert answer.json["status"] == "not_ready"
        assert int(answer.headers["Retry-After"]) >= 1
        assert answer.headers["Cache-Control"] == "no-store"
    for path in LIVE:
        answer = starting.probe(path)
        assert answer.status == 200, path
        assert answer.json["status"] == "ok"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Retry-After"] is None


def test_every_path_and_alias_while_open(opened):
    """All are 200."""
    for path in STARTUP + READY:
        answer = opened.probe(path)
        assert (answer.status, answer.json["status"]) == (200, "ready"), path
        assert answer.headers["Content-Type"].startswith("application/json")
        assert answer.headers["Retry-After"] is None
    for path in LIVE:
        assert (opened.probe(path).status, opened.probe(path).json["status"]) == (200, "ok"), path


def test_head_is_answered_like_get_without_a_body(starting):
    for path, status in (("/health/startup", 503), ("/readyz", 503), ("/health", 200), ("/metrics", 200), ("/status", 200)):
        with Raw.connect(starting.probe_port) as client:
            client.send(f"HEAD {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            head = client.read_head()
            assert head.status == status, path
            assert int(head.get("content-length")) > 0
            assert client.ends()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_other_methods_are_405_with_allow(starting, method):
    """The answer is JSON."""
    for path in ("/health", "/health/ready", "/metrics", "/status"):
        answer = starting.probe(path, method=method)
        assert answer.status == 405
        assert {part.strip() for part in answer.headers["Allow"].split(",")} == {"GET", "HEAD"}
        assert answer.json


def test_other_paths_are_404_as_json(starting):
    for path in ("/nowhere", "/health/", "/healthx", "/metrics/x", "/../etc/passwd", "/%00"):
        answer = starting.probe(path)
        assert answer.status == 404, path
        assert answer.json
        for there in ("/health/startup", "/health/ready", "/health/live", "/status", "/metrics", "/ ", "/events"):
            assert there in answer.json["detail"], "it says what there is"
            assert starting.probe(there.strip(), "HEAD").status in (200, 503)
        assert "application/" in answer.headers["Content-Type"] and "json" in answer.headers["Content-Type"]


def test_one_connection_carries_many_probes(starting):
    """A scraper keeps its connection; pipelined probes are answered in order."""
    with Raw.connect(starting.probe_port) as client:
        client.send(b"GET /health HTTP/1.1\r\nHost: p\r\n\r\nGET /readyz HTTP/1.1\r\nHost: p\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: p\r\n\r\n")
        for status in (200, 503, 404):
            head = client.read_head()
            assert head.status == status
            client.read_body(head)


def test_the_document_has_every_field_of_the_contract(opened):
    """The document has status, gate, a boolean for each check, and the checks with status, times and error."""
    document = opened.ready()
    assert document["status"] == "ready"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", document["timestamp"])
    assert document["web"] is True
    assert document["gate"] == "open"
    assert document["waiting_for"] == []
    assert 0 <= document["startup_seconds"] <= document["uptime_seconds"]
    check = document["checks"]["web"]
    assert check["status"] == "pass"
    assert check["type"] == "http"
    assert check["affects"] == ["startup", "readiness"]
    assert check["latency_ms"] > 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT.*Z", check["since"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT.*Z", check["last_run"])
    assert check["runs"] >= 1
    assert check["failures"] >= 0
    assert check["startup_seconds"] > 0
    assert check["error"] is None


def test_the_timestamp_and_uptime_move(opened):
    """The answer comes from memory, and is of now all the same."""
    first = opened.ready()
    time.sleep(0.02)  # longer than the clock's step of a millisecond
    second = opened.ready()
    assert second["timestamp"] > first["timestamp"]
    assert second["uptime_seconds"] > first["uptime_seconds"]


def test_status_is_everything_and_the_root_is_a_page(opened):
    """`/status` is one JSON document, and the page shows the same to people."""
    document = opened.probe("/status").json
    assert document["checks"]["web"]["status"] == "pass"
    assert document["gate"] == "open"
    page = opened.probe("/", headers={"Accept": "text/html"})
    assert page.status == 200
    assert page.headers["Content-Type"].startswith("text/html")
    assert "<html" in page.text.lower()


def test_health_json_has_the_shape_of_the_draft(starting, opened):
    """`Accept: application/health+json` gets the shape of the IETF's draft."""
    answer = opened.probe("/health/ready", headers={"Accept": "application/health+json"})
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("application/health+json")
    assert answer.json["status"] == "pass"
    (observations,) = answer.json["checks"].values()
    assert observations[0]["status"] == "pass"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT.*Z", observations[0]["time"])

    starting.wait_for_error("broker", "connect")
    answer = starting.probe("/health/ready", headers={"Accept": "application/health+json"})
    assert answer.status == 503
    assert answer.json["status"] == "fail"
    (observations,) = answer.json["checks"].values()
    assert observations[0]["status"] == "fail"
    assert observations[0]["output"]


def test_metrics_are_prometheus_text_with_the_families_of_the_contract(opened):
    """Each family has HELP and TYPE, samples or not; gauges of state and status are one-hot."""
    assert opened.request("/mirror").status == 200
    answer = opened.probe("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    families = metrics.parse(answer.text)
    for name, kind in FAMILIES.items():
        assert name in families, f"{name} is missing"
        assert families[name].type == kind, name
        assert families[name].help, name
    assert families["probegate_gate_open"].value() == 1
    states = {dict(labels)["state"]: value for (_, labels), value in families["probegate_gate_state"].samples.items()}
    assert states == {"starting": 0, "open": 1, "closed": 0, "paused": 0, "draining": 0, "failed": 0}
    statuses = {dict(labels)["status"]: value for (_, labels), value in families["probegate_check_status"].samples.items()
                if dict(labels)["check"] == "web"}
    assert statuses == {"pass": 1, "warn": 0, "fail": 0, "waiting": 0, "unknown": 0}
    assert families["probegate_check_runs_total"].value(check="web", result="pass") >= 1
    assert families["probegate_requests_total"].value(code="200") >= 1
    assert families["probegate_startup_seconds"].value() > 0
    assert families["process_resident_memory_bytes"].value() > 1e6


def test_metrics_count_refusals_and_failures(starting):
    """`probegate_refused_total` counts by reason, `probegate_check_failures_total` by check and kind."""
    starting.wait_for_error("broker", "connect")
    before = metrics.parse(starting.metrics())
    for _ in range(3):
        starting.request("/")
    after = metrics.parse(starting.metrics())
    refused = [families["probegate_refused_total"].value(reason="gate_closed") for families in (before, after)]
    assert refused[1] - refused[0] == 3
    assert after["probegate_check_failures_total"].value(check="broker", kind="connect") >= 1
    assert after["probegate_gate_open"].value() == 0


def test_metrics_come_as_openmetrics_to_who_asks(opened):
    """`Accept` decides between OpenMetrics and the Prometheus text format 0.0.4."""
    answer = opened.probe("/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"})
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")
    assert "# TYPE probegate_requests counter" in answer.text
    plain = opened.probe("/metrics", headers={"Accept": "text/plain"})
    assert plain.headers["Content-Type"].startswith("text/plain")
    assert "# EOF" not in plain.text


def test_probes_are_answered_while_the_proxy_is_busy(rig, backend):
    """The bound is generous: the figure is a benchmark's."""
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}'}}").start()
    with Raw.connect(sidecar.proxy_port) as busy:
        busy.send(b"GET /bytes?n=100000000 HTTP/1.1\r\nHost: proxy.test\r\nConnection: close\r\n\r\n")
        assert busy.read_head().status == 200
        took, read = [], 0
        while chunk := busy.read_some():
            read += len(chunk)
            if len(took) < 50:
                start = time.monotonic()
                assert sidecar.probe("/health").status == 200
                took.append(time.monotonic() - start)
        assert read == 100_000_000
    assert len(took) == 50
    assert max(took) < 1


def test_a_flood_of_silent_connections_costs_no_probe(proxy):
    """Whoever says something wins over who does not."""
    stop = threading.Event()

    def flood():
        kept = collections.deque()
        while not stop.is_set():
            try:
                kept.append(socket.create_connection(("127.0.0.1", proxy.probe_port), timeout=5))
            except OSError:
                continue
            if len(kept) > 700:
                kept.popleft().close()
        for one in kept:
            one.close()

    flooders = [threading.Thread(target=flood) for _ in range(2)]
    for one in flooders:
        one.start()
    try:
        for _ in range(300):
            assert proxy.probe("/health/live").status == 200
    finally:
        stop.set()
        for one in flooders:
            one.join()

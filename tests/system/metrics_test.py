"""The metrics as Prometheus sees them, and what ships to be built on them: the dashboard and the alert rules
(docs/contract.md, "Logs, metrics, events")."""

import json
import pathlib
import re
import sys

import pytest
import yaml

from support.ports import free_port
from support.prometheus import promtool
from support.raw import Raw, upgrade_request

ROOT = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts" / "lib"))
import metrics_page  # pylint: disable=wrong-import-position
RULES = ROOT / "configs" / "prometheus-alerts.yaml"
DASHBOARD = json.loads((ROOT / "configs" / "grafana-dashboard.json").read_text())

PROMISED = """
probegate_gate_open probegate_gate_state probegate_startup_seconds probegate_check_status probegate_check_duration_seconds
probegate_check_runs_total probegate_check_failures_total probegate_requests_total probegate_request_duration_seconds
probegate_refused_total probegate_upgrades_total probegate_upgrade_duration_seconds probegate_tunnels
probegate_tunnel_messages_total probegate_tunnel_bytes_total probegate_tunnel_ends_total probegate_held probegate_hold_seconds
probegate_auth_requests_total probegate_auth_duration_seconds probegate_auth_breaker_open
probegate_auth_prevented_seconds_total probegate_backend_restarts_total probegate_starts_total probegate_loop_lag_seconds
probegate_build_info process_cpu_seconds_total process_resident_memory_bytes process_start_time_seconds process_open_fds
process_max_fds process_virtual_memory_bytes
""".split()


def dashboard_expressions():
    """(panel, expression) as Grafana would ask."""
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            expression = target["expr"].replace("$__rate_interval", "1m").replace("$job", ".+").replace("$instance", ".+")
            assert "$" not in expression, expression
            yield panel["title"], expression


def rule_expressions():
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        for rule in group["rules"]:
            yield rule.get("alert") or rule["record"], rule["expr"]


@pytest.fixture
def scraped(rig, backend):
    """A sidecar that has had some of everything: good and bad checks, requests, refusals, a tunnel with messages."""
    redis = rig.redis()
    sidecar = rig.probegate(f"""
state_file: {rig.directory}/state
proxy: {{backend: "{backend.url}"}}
checks:
  redis: {{type: redis, url: "{redis.url()}", interval: 100ms, startup_interval: 100ms}}
  websocket: {{type: websocket, url: /ws, needs: [redis], interval: 100ms}}
  broker: {{type: tcp, address: "127.0.0.1:{free_port()}", affects: [], interval: 100ms}}
""").start()
    sidecar.wait_for_error("redis", "connect")
    prometheus = rig.prometheus(sidecar, rules=[RULES])
    prometheus.wait_for("probegate_gate_open == 0")
    assert sidecar.request("/").status == 503
    with Raw.connect(sidecar.proxy_port) as client:
        client.send(upgrade_request())
        assert client.read_head().status == 503
    redis.start()
    sidecar.wait_for_gate("open")
    assert sidecar.request("/mirror").status == 200
    with Raw.tunnel(sidecar.proxy_port) as client:
        client.send_frame(1, b"hello", mask=True)
        client.read_frame()
        prometheus.wait_for("probegate_tunnels == 1")
        prometheus.wait_for('probegate_tunnel_messages_total{direction="client_to_backend"} == 1')
    prometheus.wait_for("sum(probegate_tunnel_ends_total) == 1")
    sidecar.prometheus = prometheus
    return sidecar


def test_promtool_has_nothing_to_say_about_the_exposition(scraped):
    assert promtool("check", "metrics", text=scraped.metrics()) == (0, "")


def test_prometheus_scrapes_every_family_of_the_contract(scraped):
    """By OpenMetrics, which a Prometheus of today asks for; types and help texts arrive with them."""
    target = scraped.prometheus.target()
    assert (target["health"], target["lastError"]) == ("up", "")
    described = scraped.prometheus.metadata()
    for family in PROMISED:
        known = described.get(family) or described.get(re.sub(r"_(total|info)$", "", family))
        assert known and known[0]["help"], family
    for name in ("probegate_request_duration_seconds_bucket", "probegate_check_duration_seconds_sum", "probegate_starts_total"):
        assert scraped.prometheus.query(name), name


def test_every_panel_of_the_dashboard_shows_something(scraped):
    """Each expression is asked of a Prometheus that has scraped a process to which everything happened."""
    # Recording rules and rates need a second look.
    scraped.prometheus.wait_for("probegate:first_session_seconds")
    scraped.prometheus.wait_for('rate(probegate_upgrade_duration_seconds_count[1m]) > 0')
    silent = [(title, expression) for title, expression in dashboard_expressions() if not scraped.prometheus.query(expression)]
    assert silent == []


def test_the_rules_run_and_the_alert_of_a_failing_check_is_on_its_way(scraped):
    prometheus = scraped.prometheus
    prometheus.wait_for('ALERTS{alertname="ProbegateCheckFailureRate", check="broker"}')
    unhealthy = [(rule["name"], rule.get("lastError")) for rule in prometheus.rules() if rule["health"] == "err"]
    assert unhealthy == []
    (session,) = prometheus.wait_for("probegate:first_session_seconds")
    (gate,) = prometheus.query("probegate_startup_seconds")
    assert float(session["value"][1]) >= float(gate["value"][1]) - 0.1  # the start time has hundredths of a second


def test_no_expression_names_a_metric_or_a_label_that_is_not_exposed(scraped):
    exposed = scraped.metrics()
    recorded = {name for name, _ in rule_expressions() if ":" in name}
    for name, expression in [*dashboard_expressions(), *rule_expressions()]:
        for metric in re.findall(r"\b(?:probegate|process)[_:][a-z_]+", expression):
            assert metric in recorded or re.search(rf"^{metric}[ {{]", exposed, re.M), f"{name}: {metric}"
        for label, words in re.findall(r'(result|state|status|cause|direction)=~?"([^"]+)"', expression):
            for word in words.split("|"):
                assert f'{label}="{word}"' in exposed, f"{name}: {label}={word}"


def test_promtool_takes_the_rules_and_their_unit_test():
    assert promtool("check", "rules", RULES)[0] == 0
    code, said = promtool("test", "rules", ROOT / "tests" / "system" / "alert_rules_test.yaml")
    assert code == 0, said


def test_every_alert_has_a_unit_test_a_severity_and_words():
    tried = (ROOT / "tests" / "system" / "alert_rules_test.yaml").read_text()
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        for rule in group["rules"]:
            assert (rule.get("alert") or rule["record"]) in tried
            if "alert" in rule:
                assert rule["labels"]["severity"] in ("warning", "critical")
                assert rule["annotations"]["summary"] and rule["annotations"]["description"]


def test_the_dashboard_is_one_that_grafana_imports():
    """Unique ids, no panel over another, and no data source of ours baked in."""
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [(x, y) for panel in panels for p in [panel["gridPos"]]
              for x in range(p["x"], p["x"] + p["w"]) for y in range(p["y"], p["y"] + p["h"])]
    assert len(places) == len(set(places))
    assert max(x for x, _ in places) == 23
    assert all(panel["datasource"]["uid"] == "${datasource}" and panel["description"] for panel in panels)
    variables = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    assert variables == {"datasource", "job", "instance"}


def test_the_page_of_metrics_lists_every_family_as_the_program_exposes_it(scraped):
    """docs/metrics.md is what `scripts/metrics-doc` makes of a running program."""
    assert metrics_page.page(scraped.metrics()) == (ROOT / "docs" / "metrics.md").read_text(), "run scripts/metrics-doc"

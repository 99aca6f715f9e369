"""`probegate report`: what happened while it watched, minute by minute, and a verdict (docs/contract.md, "Command line")."""

import json
import os
import signal

import pytest

from support.ports import free_port
from support.probegate import BINARY, command, environment
from support.process import Child
from support.waiting import wait_until

FAILING = "checks: {{broker: {{type: tcp, address: '127.0.0.1:{port}', interval: 50ms, startup_interval: 50ms}}}}\n"


def url(proxy):
    return f"http://127.0.0.1:{proxy.probe_port}"


def watch(rig, proxy, *arguments):
    """A report that has begun."""
    child = Child("report", [BINARY, "report", "--url", url(proxy), *arguments], os.path.join(rig.directory, "report.log"),
                  environment())
    wait_until(lambda: "minute |" in child.output(), "the head of the table")
    return child


def cells(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def test_a_short_window_is_one_row_with_the_numbers_of_that_time(rig, proxy):
    child = watch(rig, proxy, "--for", "4s")
    assert command("smoke", f"ws://127.0.0.1:{proxy.proxy_port}/ws", "-n", "5").returncode == 0
    assert child.wait() == 0
    lines = child.output().splitlines()
    assert lines[0].startswith(f"# probegate report: {url(proxy)}, 4s from 20")
    head, rule, row = (line for line in lines if line.startswith("|"))
    assert len(head) == len(rule) == len(row), "columns line up"
    seen = dict(zip(cells(head), cells(row)))
    assert (seen["minute"], seen["state"], seen["upgrades ok"], seen["refused"]) == ("1", "ready", "5", "0")
    assert (seen["check failures"], seen["lost"], seen["restarts"]) == ("0", "0", "0")
    assert seen["memory"].endswith(" MiB")
    assert lines[-1] == "Verdict: pass (no conditions given with --fail-on)"


def test_json_has_the_rows_and_scales_rates_honestly(proxy):
    ran = command("report", "--url", url(proxy), "--for", "3s", "--json", "--fail-on", "tunnel_lost>0")
    assert ran.returncode == 0, ran.stderr
    said = json.loads(ran.stdout)
    assert (said["verdict"], said["interrupted"], said["notes"]) == ("pass", False, [])
    [row] = said["rows"]
    assert row["seconds"] >= 3 and row["rss_bytes"] > 2**20
    assert row["messages_per_minute"] == pytest.approx(row["messages"] * 60 / row["seconds"])
    assert said["conditions"] == [{"condition": "tunnel_lost>0", "held_in": [], "worst": None},
                                  {"condition": "unreachable_seconds>0", "held_in": [], "worst": None}]
    assert list(said) == ["url", "from", "seconds", "interrupted", "rows", "notes", "conditions", "verdict"]
    assert list(row) == ["minute", "from", "seconds", "state", "messages", "messages_per_minute", "requests", "upgrades",
                         "refused", "refused_ratio", "check_failures", "check_failures_by_check", "rss_bytes", "tunnels",
                         "tunnel_lost", "restarts", "backend_restarts", "unreachable_seconds"]


def test_refusals_and_failed_checks_are_told_by_reason_and_fail_the_report(rig, backend):
    proxy = rig.probegate(f"proxy: {{backend: '{backend.url}'}}\n" + FAILING.format(port=free_port())).start()
    child = watch(rig, proxy, "--for", "4s", "--fail-on", "refused_ratio>0.01,check_failures>0,rss_bytes>100GiB")
    assert command("smoke", f"ws://127.0.0.1:{proxy.proxy_port}/ws", "-n", "3").returncode == 1
    assert child.wait() == 1
    text = child.output()
    assert "- requests: 3; refused: gate_closed 3 (1.0000)" in text
    assert "- check failures: broker " in text
    assert "- refused_ratio>0.01 held in minute 1, at worst 1" in text
    assert "- check_failures>0 held in minute 1" in text and "rss_bytes>100GiB held" not in text
    assert text.splitlines()[-1] == "Verdict: fail"


@pytest.mark.parametrize("condition, code", [("messages_per_minute<1000", 1), ("rss_bytes>1MiB", 1), ("restarts>0", 0)])
def test_the_exit_code_is_that_of_the_conditions(proxy, condition, code):
    ran = command("report", "--url", url(proxy), "--for", "500ms", "--fail-on", condition)
    assert ran.returncode == code, ran.stdout


def test_a_restart_and_a_time_without_anybody_are_told_and_watched_on(rig, backend):
    proxy = rig.probegate(f"proxy: {{backend: '{backend.url}'}}").start()
    wait_until(lambda: proxy.probe("/status").json["uptime_seconds"] > 1.5, "it to be up for a while")
    child = watch(rig, proxy, "--for", "10m", "--fail-on", "restarts>0")
    assert proxy.stop() == 0
    # The note is written at the end, so what tells of the look is the next process's being found anew.
    proxy.start()
    wait_until(lambda: proxy.probe("/metrics").text.count("probegate_gate_open 1"), "the new one to be open")
    looks = proxy.probe("/status").json["uptime_seconds"]
    wait_until(lambda: proxy.probe("/status").json["uptime_seconds"] > looks + 6, "more than one look at it")
    assert child.stop(signal.SIGINT) == 1
    text = child.output()
    assert "restarted: a new process answers" in text and "- interrupted after " in text
    assert "- restarts>0 held in minute 1" in text and text.splitlines()[-1] == "Verdict: fail"


def test_somebody_who_is_gone_for_good_is_told(rig, proxy):
    child = watch(rig, proxy, "--for", "3s")
    assert proxy.stop() == 0
    assert child.wait() == 1, "whoever could not be seen has not passed"
    text = child.output()
    assert "- minute 1, 20" in text and "not reachable: " in text
    assert "| unreachable |" in text and "- unreachable_seconds>0 held in minute 1" in text


def test_an_interrupt_writes_what_there_is(rig, proxy):
    child = watch(rig, proxy)
    assert child.stop(signal.SIGINT) == 0
    text = child.output()
    assert "- interrupted after " in text and "Verdict: pass" in text


def test_nobody_there_from_the_start_is_1_at_once():
    port = free_port()
    ran = command("report", "--url", f"http://127.0.0.1:{port}")
    assert ran.returncode == 1 and f"cannot be reached at http://127.0.0.1:{port}" in ran.stderr


def test_somebody_else_there_is_1_with_a_sentence(backend):
    ran = command("report", "--url", backend.url)
    assert ran.returncode == 1 and "not the probe port of probegate" in ran.stderr


@pytest.mark.parametrize("condition", ["memory>1", "rss_bytes", "rss_bytes>lots", "check_failures>0,"])
def test_a_wrong_condition_is_2_and_lists_the_names(condition):
    ran = command("report", "--fail-on", condition, "--for", "1s")
    assert ran.returncode == 2
    assert "--fail-on" in ran.stderr and "probegate report --help" in ran.stderr
    if "lots" not in condition:
        assert "refused_ratio, check_failures, rss_bytes, messages_per_minute, tunnel_lost" in ran.stderr


@pytest.mark.parametrize("window", ["0", "-3s", "soon"])
def test_a_wrong_window_is_2_with_a_hint(window):
    ran = command("report", f"--for={window}")
    assert ran.returncode == 2 and "probegate report --help" in ran.stderr

"""Alerts: what happened reaches a webhook, Slack or a mailbox, and no receiver is ever in anybody's way."""

import contextlib
import json
import os
import signal
import ssl
import threading
import time

import pytest

from support import metrics
from support.alert_receivers import MailServer, Webhook
from support.backends import silent
from support.ports import free_port
from support.raw import CLOSE, PING, TEXT, Raw, close_payload, upgrade_response
from support.waiting import wait_for, wait_until


@pytest.fixture
def receivers():
    made = []

    def keep(receiver):
        made.append(receiver)
        return receiver

    yield keep
    for receiver in made:
        receiver.close()


@pytest.fixture
def webhook(receivers):
    return receivers(Webhook())


def watched(rig, alerts, port=None, more=""):
    """A gate with one check that the test may break: a TCP port that somebody listens on or not."""
    port = port or free_port()
    config = f"""
{more}
checks: {{broker: {{type: tcp, address: "127.0.0.1:{port}", affects: [], interval: 30ms, startup_interval: 30ms, fall: 1}}}}
alerts: {json.dumps(alerts)}
"""
    return rig.probegate(config), port


def delivered(sidecar, result="delivered"):
    return metrics.parse(sidecar.metrics())["probegate_alerts_total"].value(result=result)


def told(receiver, *events):
    return wait_for(lambda: receiver.events, lambda seen: seen == list(events), f"the receiver to be told {events}")


def test_a_webhook_is_told_ready_down_and_up(rig, webhook):
    broker = rig.scripted(silent)
    sidecar, _ = watched(rig, [{"to": webhook.url + "/hook/s3cret-token"}], port=broker.port)
    sidecar.start()
    told(webhook, "ready")
    sidecar.wait_for_check("broker", "pass")
    broker.close()
    told(webhook, "ready", "check_down")
    broker = rig.scripted(silent, port=broker.port)
    told(webhook, "ready", "check_down", "check_up")
    ready, down, up = webhook.bodies
    assert (ready["version"], ready["phase"], ready["subject"]) == (1, "event", "startup")
    assert (down["phase"], down["check"]) == ("firing", "broker")
    assert "connection refused" in down["message"]
    assert (up["phase"], up["check"], up["since"]) == ("resolved", "broker", down["since"])
    assert {path for path, _ in webhook.posts} == {"/hook/s3cret-token"}
    wait_for(lambda: delivered(sidecar), lambda count: count == 3, "three alerts to be counted")
    everything = sidecar.output() + sidecar.metrics() + sidecar.probe("/status").text + sidecar.probe("/").text
    assert "s3cret" not in everything
    line = sidecar.wait_for_line("alert delivered")
    assert line["to"] == f"http://127.0.0.1:{webhook.port}/***"


def test_slack_gets_its_shape(rig, webhook):
    sidecar, _ = watched(rig, [{"to": webhook.url, "format": "slack", "on": ["ready"]}])
    sidecar.start()
    body = wait_until(lambda: webhook.bodies, "the alert")[0]
    assert list(body) == ["text"]
    assert "ready: the gate opened" in body["text"]


def test_only_what_is_asked_for_is_told(rig, webhook):
    sidecar, _ = watched(rig, [{"to": webhook.url, "on": ["check_down"]}])
    sidecar.start()
    told(webhook, "check_down")


def test_a_mail_reaches_a_real_server(rig, receivers):
    server = receivers(MailServer())
    sidecar, _ = watched(rig, [{"to": server.url, "on": ["ready"], "from": "gate@example.com",
                                "recipients": ["ops@example.com", "dev@example.com"]}])
    sidecar.start()
    envelope, mail = wait_until(lambda: server.mails, "the mail")[0]
    assert (envelope.mail_from, envelope.rcpt_tos) == ("gate@example.com", ["ops@example.com", "dev@example.com"])
    assert "ready: the gate opened" in mail["Subject"]
    assert mail["From"] == "probegate <gate@example.com>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert "event:    ready event" in mail.get_payload()


def test_a_mail_without_any_address_goes_to_the_postmaster(rig, receivers):
    server = receivers(MailServer())
    sidecar, _ = watched(rig, [{"to": server.url, "on": ["ready"]}])
    sidecar.start()
    envelope, _ = wait_until(lambda: server.mails, "the mail")[0]
    assert envelope.rcpt_tos == ["postmaster"]


def served_with(authority, **issued):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue(**issued))
    return context


def test_a_login_is_given_over_tls_to_a_server_that_is_verified(rig, receivers):
    authority = rig.authority()
    server = receivers(MailServer(login=("gate", "mail-s3cret"), tls=served_with(authority)))
    secret = os.path.join(rig.directory, "password")
    with open(secret, "w") as file:
        file.write("mail-s3cret\n")
    alert = {"to": server.url, "on": ["ready"], "user": "gate", "password_file": secret}
    trusting, _ = watched(rig, [{**alert, "tls": {"ca_file": authority.file}}])
    trusting.start()
    wait_until(lambda: server.mails, "the mail")
    assert "mail-s3cret" not in trusting.output()


def test_a_mail_goes_over_smtps_to_a_server_that_is_verified(rig, receivers):
    authority = rig.authority()
    server = receivers(MailServer(tls=served_with(authority), smtps=True))
    sidecar, _ = watched(rig, [{"to": server.url, "on": ["ready"], "tls": {"ca_file": authority.file}}])
    sidecar.start()
    envelope, mail = wait_until(lambda: server.mails, "the mail")[0]
    assert server.url.startswith("smtps://") and "ready: the gate opened" in mail["Subject"]
    assert envelope.rcpt_tos == ["postmaster"]


@pytest.mark.parametrize("smtps", [True, False], ids=["smtps", "starttls"])
@pytest.mark.parametrize("issued, trusted, why", [
    ({}, False, "unable to get local issuer certificate"),
    ({"names": "DNS:elsewhere.example"}, True, "no alternative certificate subject name matches target"),
    ({"days": -1}, True, "certificate has expired"),
], ids=["untrusted", "another name", "expired"])
def test_a_mail_server_with_a_wrong_certificate_gets_no_mail_and_the_log_says_what_is_wrong(rig, receivers, smtps, issued, trusted, why):
    authority = rig.authority()
    server = receivers(MailServer(tls=served_with(authority, **issued), smtps=smtps))
    tls = {"ca_file": authority.file} if trusted else {}
    sidecar, _ = watched(rig, [{"to": server.url, "on": ["ready"], "tls": tls}])
    sidecar.start()
    line = wait_until(lambda: [line for line in sidecar.logs() if line["message"] == "alert not delivered"], "the line")[0]
    assert why in line["why"] and line["attempts"] == 1, "trying again does not make it right"
    assert not server.mails


def test_a_wrong_password_is_told_once_and_not_tried_again(rig, receivers):
    server = receivers(MailServer(login=("gate", "right")))
    sidecar, _ = watched(rig, [{"to": server.url, "on": ["ready"], "user": "gate", "password": "wr0ng-s3cret"}])
    sidecar.start()
    line = wait_until(lambda: [line for line in sidecar.logs() if line["message"] == "alert not delivered"], "the line")[0]
    assert (line["attempts"], line["alert"]) == (1, "ready startup")
    assert "s3cret" not in sidecar.output()
    assert not server.mails


def test_a_receiver_that_fails_is_tried_again_ever_more_slowly(rig, receivers):
    webhook = receivers(Webhook(statuses=(500, 503, 200)))
    sidecar, _ = watched(rig, [{"to": webhook.url, "on": ["ready"]}])
    sidecar.start()
    told(webhook, "ready", "ready", "ready")
    line = wait_until(lambda: [line for line in sidecar.logs() if line["message"] == "alert delivered"], "the line")[0]
    assert line["attempts"] == 3
    assert webhook.bodies[0] == webhook.bodies[1] == webhook.bodies[2]
    first, second, third = webhook.times
    assert second - first > 0.9
    assert third - second > 3.9


def test_a_receiver_that_says_no_is_not_asked_again(rig, receivers):
    webhook = receivers(Webhook(statuses=(404,)))
    sidecar, _ = watched(rig, [{"to": webhook.url, "on": ["ready"]}])
    sidecar.start()
    wait_for(lambda: delivered(sidecar, "failed"), lambda count: count == 1, "the alert to be given up")
    assert len(webhook.posts) == 1


def test_receivers_that_hang_refuse_or_fail_are_in_nobodys_way(rig, receivers, webhook, backend):
    """Three bad receivers before a good one: it is told, probes and traffic are served, the drain is on time."""
    hanging, failing = receivers(Webhook()), receivers(Webhook(statuses=(500,)))
    hanging.hang = True
    bad = [hanging.url, failing.url, f"http://127.0.0.1:{free_port()}", f"smtp://127.0.0.1:{free_port()}"]
    sidecar, _ = watched(rig, [*({"to": url, "timeout": "60s"} for url in bad), {"to": webhook.url}],
                         more=f"proxy: {{backend: '{backend.url}'}}\ndrain: {{timeout: 3s}}")
    sidecar.start()
    told(webhook, "ready", "check_down")
    wait_until(lambda: hanging.posts and failing.posts, "the bad receivers to be asked")
    for _ in range(20):
        assert sidecar.probe("/health/ready").status == 200
        assert sidecar.request("/mirror").status == 200
    begin = time.monotonic()
    assert sidecar.stop() == 0
    assert time.monotonic() - begin < 15  # the hanging one alone would take a minute


def test_a_queue_that_is_full_loses_its_oldest_counts_and_logs_them_and_blocks_nothing(rig, receivers, webhook, backend):
    """40 checks fail at once; the receiver that hangs has one under way and 31 waiting."""
    hanging = receivers(Webhook())
    hanging.hang = True
    broker = rig.scripted(silent)
    names = [f"check_{i:02}" for i in range(40)]
    check = f"{{type: tcp, address: '127.0.0.1:{broker.port}', affects: [], interval: 30ms, startup_interval: 30ms, fall: 1}}"
    alerts = [{"to": hanging.url, "on": ["check_down"], "timeout": "60s"}, {"to": webhook.url, "on": ["check_down"]}]
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}'}}\ndrain: {{timeout: 3s}}\nalerts: {json.dumps(alerts)}\nchecks:\n"
                            + "".join(f"  {name}: {check}\n" for name in names)).start()
    for name in names:
        sidecar.wait_for_check(name, "pass")
    broker.close()
    wait_for(lambda: delivered(sidecar, "dropped"), lambda count: count >= 8, "what does not fit to be dropped")
    for name in names:
        sidecar.wait_for_check(name, "fail")
    lost = sidecar.wait_for_lines(lambda line: line["message"] == "alert dropped; the receiver is too slow")
    assert len({line["alert"] for line in lost if line["to"].startswith(hanging.url)}) == 8
    assert hanging.bodies and hanging.bodies[0]["check"] not in {line["alert"].split()[1] for line in lost}, "not the one under way"
    for _ in range(20):
        assert sidecar.probe("/health/ready").status == 200
        assert sidecar.request("/mirror").status == 200
    wait_for(lambda: len(webhook.posts), lambda count: count >= 32, "the other receiver to be told")
    begin = time.monotonic()
    assert sidecar.stop() == 0
    assert time.monotonic() - begin < 15


def test_a_threshold_is_told_once_reminded_of_and_resolved_by_webhook_slack_and_mail(rig, receivers, webhook, backend):
    slack, mails = receivers(Webhook()), receivers(MailServer())
    rule = {"on": ["threshold"], "thresholds": ["tunnels>0", "rss_bytes>1000GiB"], "window": "1s", "reminder": "2s"}
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}'}}\nalerts: "
                            + json.dumps([{"to": webhook.url, **rule}, {"to": slack.url, "format": "slack", **rule},
                                          {"to": mails.url, **rule}])).start()
    with Raw.tunnel(sidecar.proxy_port) as client:
        wait_until(lambda: len(webhook.posts) >= 3 and len(slack.posts) >= 2 and len(mails.mails) >= 2, "a reminder or two")
    bodies = wait_for(lambda: webhook.bodies, lambda seen: seen[-1]["phase"] == "resolved", "the end of it")
    phases = [body["phase"] for body in bodies]
    assert phases == ["firing", *["reminder"] * (len(phases) - 2), "resolved"], "once, reminded, and resolved once"
    first, reminder, last = bodies[0], bodies[1], bodies[-1]
    assert {(body["event"], body["subject"]) for body in bodies} == {("threshold", "tunnels>0")}
    assert first["message"] == "tunnels was 1 in the last 1s, which is >0"
    assert reminder["message"].startswith("tunnels was 1 in the last 1s, which is >0, for ")
    assert last["message"] == "tunnels was 0 in the last 1s, which is no longer >0" and last["since"] == first["since"]
    texts = wait_for(lambda: [body["text"] for body in slack.bodies], lambda seen: "resolved" in seen[-1], "Slack to be told")
    assert texts[0].startswith("[firing] *") and texts[0].endswith("tunnels was 1 in the last 1s, which is &gt;0")
    subjects = wait_for(lambda: mails.subjects, lambda seen: seen[-1].startswith("[resolved]"), "the mail")
    assert subjects[0].startswith("[firing] ") and subjects[1].startswith("[reminder] ")


def test_refusals_that_cross_a_threshold_are_told_and_a_reload_forgets_it(rig, webhook):
    alert = {"to": webhook.url, "on": ["threshold"], "thresholds": ["refused_ratio>0.5"], "window": "1s", "reminder": "1s"}
    sidecar = rig.probegate(f"proxy: {{backend: 'http://127.0.0.1:{free_port()}', timeouts: {{connect: 50ms}}}}\n"
                            f"alerts: {json.dumps([alert])}").start()

    def refused():
        assert sidecar.request("/").status == 502
        return webhook.bodies

    told_first = wait_until(refused, "refusals to be told")[0]
    assert (told_first["subject"], told_first["phase"]) == ("refused_ratio>0.5", "firing")
    assert told_first["message"] == "refused_ratio was 1 in the last 1s, which is >0.5"
    sidecar.write_config(f"alerts: {json.dumps([{**alert, 'thresholds': ['tunnels>5']}])}")
    sidecar.send(signal.SIGHUP)
    wait_for(sidecar.output, lambda text: "configuration reloaded" in text, "the reload")
    known = len(webhook.posts)
    wait_for(lambda: sidecar.probe("/status").json["uptime_seconds"], lambda up, end=sidecar.probe("/status").json["uptime_seconds"] + 3:
             up > end, "the time of two reminders")
    assert all(body["phase"] != "resolved" for body in webhook.bodies) and len(webhook.posts) <= known + 1


def test_thresholds_that_a_reload_brings_are_judged_from_the_reload_on(rig, webhook):
    """What happened in the hours before is no part of the first window."""
    rule = {"to": webhook.url, "on": ["threshold"], "thresholds": ["rss_bytes>1"], "window": "1s"}
    sidecar = rig.probegate(f"proxy: {{backend: 'http://127.0.0.1:{free_port()}', timeouts: {{connect: 50ms}}}}\n"
                            f"alerts: {json.dumps([rule])}").start()
    for _ in range(5):
        assert sidecar.request("/").status == 502
    told(webhook, "threshold")
    sidecar.write_config(f"alerts: {json.dumps([{**rule, 'thresholds': ['refused_ratio>0.5', 'rss_bytes>2']}])}")
    sidecar.send(signal.SIGHUP)
    subjects = wait_for(lambda: [body["subject"] for body in webhook.bodies], lambda seen: "rss_bytes>2" in seen, "the first window to be judged")
    assert subjects == ["rss_bytes>1", "rss_bytes>2"]


def test_nothing_is_told_once_a_drain_has_begun(rig, webhook):
    broker = rig.scripted(silent)
    sidecar, _ = watched(rig, [{"to": webhook.url}], port=broker.port, more="drain: {delay: 1s}")
    sidecar.start()
    sidecar.wait_for_check("broker", "pass")
    told(webhook, "ready")
    sidecar.send(signal.SIGTERM)
    wait_for(sidecar.output, lambda text: "draining" in text, "the drain")
    broker.close()
    assert sidecar.wait() == 0
    assert '"check broker fail"' in sidecar.output()
    assert webhook.events == ["ready"]


def test_a_start_that_times_out_is_told_before_the_process_ends(rig, webhook):
    sidecar = rig.probegate(f"""
gate: {{startup_timeout: 100ms, on_startup_timeout: exit}}
checks: {{broker: {{type: tcp, address: "127.0.0.1:{free_port()}"}}}}
alerts: [{{to: "{webhook.url}"}}]
""").launch()
    assert sidecar.wait() == 1
    assert webhook.events == ["startup_timeout"]
    assert "still waiting for broker" in webhook.bodies[0]["message"]


def test_a_crash_is_told_by_the_process_that_comes_after(rig, webhook):
    state = os.path.join(rig.directory, "state.json")
    first = rig.probegate(f"state_file: {state}").start()
    wait_for(first.output, lambda text: "start counted" in text, "the start to be counted")
    first.send(signal.SIGKILL)
    first.wait()
    rig.probegate(f"state_file: {state}\nalerts: [{{to: '{webhook.url}', \"on\": [restart]}}]").start()
    told(webhook, "restart")
    assert "killed, crashed or ran out of memory" in webhook.bodies[0]["message"]


def test_a_reload_changes_the_receivers(rig, webhook, receivers):
    broker = rig.scripted(silent)
    other = receivers(Webhook())
    sidecar, port = watched(rig, [{"to": webhook.url}], port=broker.port)
    sidecar.start()
    told(webhook, "ready")
    sidecar.wait_for_check("broker", "pass")
    with open(sidecar.config_file) as file:
        config = file.read()
    sidecar.write_config(config.replace(webhook.url, other.url))
    sidecar.send(signal.SIGHUP)
    wait_for(sidecar.output, lambda text: "configuration reloaded" in text, "the reload")
    broker.close()
    told(other, "check_down")
    assert webhook.events == ["ready"]
    assert port == broker.port


class StoppingBackend:
    """Accepts upgrades, and ends as a server does that is told to: a Close to everybody, then no listener."""

    def __init__(self, rig, port=None):
        self.closes = threading.Event()
        self.code = 1012
        self.server = rig.scripted(self._serve, port=port)
        self.port = self.server.port

    def _serve(self, connection):
        head = connection.read_head()
        connection.send(upgrade_response(head.get("Sec-WebSocket-Key")))
        if "/check" in head.start_line:
            connection.read_to_end()
            return
        self.closes.wait(timeout=60)
        connection.send_frame(CLOSE, close_payload(self.code))
        connection.read_to_end()

    def stop(self, client):
        self.closes.set()
        assert client.read_frame()[1] == CLOSE
        self.server.close()


def guarded(rig, webhook, backend, drain):
    sidecar = rig.probegate(f"""
proxy: {{backend: "http://127.0.0.1:{backend.port}"}}
drain: {{timeout: {drain}}}
checks: {{websocket: {{type: websocket, url: /check, ping: false, interval: 50ms, startup_interval: 50ms, fall: 1}}}}
alerts: [{{to: "{webhook.url}"}}]
""").start()
    sidecar.wait_for_gate("open")
    told(webhook, "ready")
    return sidecar


def test_a_planned_stop_of_the_backend_raises_no_alert(rig, webhook):
    backend = StoppingBackend(rig)
    sidecar = guarded(rig, webhook, backend, "20s")
    with Raw.tunnel(sidecar.proxy_port, "/tunnel") as client:
        backend.stop(client)
    sidecar.wait_for_gate("closed")
    wait_until(lambda: any(line["message"] == "backend stopping" for line in sidecar.logs()), "the stop to be noticed")
    assert metrics.parse(sidecar.metrics())["probegate_backend_stopping"].value() == 1
    wait_for(lambda: metrics.parse(sidecar.metrics())["probegate_tunnel_ends_total"].value(cause="backend_close"),
             lambda count: count == 1, "the end of the tunnel")
    StoppingBackend(rig, port=backend.port)
    sidecar.wait_for_gate("open")
    assert sidecar.stop() == 0
    assert webhook.events == ["ready"]


def test_what_is_still_down_after_a_planned_stop_is_told_with_its_true_time(rig, webhook):
    backend = StoppingBackend(rig)
    sidecar = guarded(rig, webhook, backend, "3s")
    with Raw.tunnel(sidecar.proxy_port, "/tunnel") as client:
        backend.stop(client)
    told(webhook, "ready", "check_down")
    down = webhook.bodies[1]
    failed = sidecar.wait_for_lines(lambda line: line["message"] == "check websocket fail")[-1]
    assert down["timestamp"][:22] == failed["timestamp"][:22] and down["since"] == down["timestamp"]
    assert down["target"] == f"127.0.0.1:{backend.port}/check"


@contextlib.contextmanager
def talking(client):
    """Pings from the client, over and over."""
    enough = threading.Event()

    def talk():
        while not enough.wait(0.05):
            client.send_frame(PING, b"", mask=True)

    talker = threading.Thread(target=talk)
    talker.start()
    try:
        yield
    finally:
        enough.set()
        talker.join()


@pytest.mark.parametrize("by", ["client", "backend", "client lost", "backend lost"])
def test_tunnels_that_end_in_a_drain_are_counted_as_drain_whoever_ends_them(rig, by):
    def serve(connection):
        head = connection.read_head()
        connection.send(upgrade_response(head.get("Sec-WebSocket-Key")))
        opcode = connection.read_frame()[1]
        if by == "backend":
            connection.send_frame(CLOSE, close_payload(1012))
        elif by == "backend lost":
            connection.reset()
        elif opcode == CLOSE:
            connection.send_frame(CLOSE, close_payload(1000))
        connection.read_to_end()

    sidecar = rig.probegate(f"proxy: {{backend: '{rig.scripted(serve).url}'}}\ndrain: {{delay: 60s}}").start()
    with Raw.tunnel(sidecar.proxy_port) as client:
        sidecar.send(signal.SIGTERM)
        wait_until(lambda: sidecar.ready()["status"] == "draining", "the drain")
        if by == "client":
            client.send_frame(CLOSE, close_payload(1000), mask=True)
            client.read_to_end()
        elif by == "client lost":
            client.reset()
        else:
            client.send_frame(TEXT, b"end", mask=True)
            with talking(client):  # a silent client would be told at its turn
                _, opcode, payload, _ = client.read_frame()
            client.send_frame(opcode, payload, mask=True)  # a Close, and its answer
            client.read_to_end()
    ends = wait_for(lambda: metrics.parse(sidecar.metrics())["probegate_tunnel_ends_total"], lambda found: found.total() == 1,
                    "the end of the tunnel")
    assert ends.value(cause="drain") == 1
    sidecar.send(signal.SIGTERM)
    sidecar.wait()

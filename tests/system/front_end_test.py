"""Behind what ends TLS: a platform's front end, an Ingress, nginx or Traefik. What the app learns of its client."""

import json
import pathlib

import yaml

from support.network import in_own_network
from support.nginx import curl, tls_front
from support.node import EXPRESS, NodeServer
from support.waiting import wait_until

CLIENT = "203.0.113.7"
CLOUD_RUN = "169.254.169.126"
INGRESS = "10.8.0.2"
WARNING = " sends X-Forwarded-Proto: https but is not in proxy.forwarded.trust"
SHIPPED = pathlib.Path(__file__).parents[2] / "configs" / "cloud-run.probegate.yaml"


class Stack:
    """A client at 203.0.113.7, nginx that ends TLS, probegate, and an Express app."""

    def __init__(self, rig, front_end, proxy, env=None):
        app = rig.keep(NodeServer(rig.directory, EXPRESS)).start()
        self.gate = rig.probegate(yaml.safe_dump({"proxy": {**proxy, "backend": app.url}}), env=env).start()
        authority = rig.authority()
        self._trust = authority.file
        target = f"127.0.0.1:{self.gate.proxy_port}"
        self._nginx = rig.keep(tls_front(rig.directory, authority.issue(), target, front_end)).start()

    def get(self, path, *options):
        return curl(f"https://localhost:{self._nginx.port}{path}", "--interface", CLIENT, "--cacert", self._trust,
                    "--resolve", f"localhost:{self._nginx.port}:127.0.0.1", *options)

    def seen(self, *options):
        return json.loads(self.get("/seen", *options))

    def remote_ips(self):
        return [line["httpRequest"]["remoteIp"] for line in self.gate.logs() if line["message"] == "GET /seen 200"]

    def warnings(self):
        return [line for line in self.gate.logs() if WARNING in line["message"]]


def test_on_cloud_run_the_app_sees_https_and_the_client_with_the_shipped_configuration(rig):
    """The front end's own address is link-local: it is trusted, and is not added to X-Forwarded-For."""
    def body():
        proxy = yaml.safe_load(SHIPPED.read_text())["proxy"]
        del proxy["listen"]
        stack = Stack(rig, CLOUD_RUN, proxy, env={"K_SERVICE": "chat"})
        seen = stack.seen()
        assert (seen["proto"], seen["secure"]) == ("https", True)
        assert (seen["ip"], seen["forwarded_for"]) == (CLIENT, CLIENT)
        assert stack.get("/account") == "in", "no redirect to where it is already"
        # Who invents an entry is still the last one that the front end wrote.
        assert stack.seen("-H", "X-Forwarded-For: 6.6.6.6")["ip"] == CLIENT
        wait_until(lambda: stack.remote_ips() == [CLIENT, CLIENT], "both lines")
        assert not stack.warnings()
    in_own_network(body, [CLIENT, CLOUD_RUN])


def test_an_ingress_that_is_not_listed_is_named_once_in_a_warning(rig):
    def body():
        stack = Stack(rig, INGRESS, {})
        for _ in range(3):
            seen = stack.seen()
            assert (seen["proto"], seen["ip"], seen["forwarded_for"]) == ("http", INGRESS, INGRESS)
        wait_until(lambda: stack.remote_ips() == [INGRESS] * 3, "the lines")
        (warning,) = stack.warnings()
        assert warning["severity"] == "WARNING"
        assert INGRESS in warning["message"]
        assert (warning["peer"], warning["key"]) == (INGRESS, "proxy.forwarded.trust")
    in_own_network(body, [CLIENT, INGRESS])


def test_an_ingress_that_is_listed_is_believed_and_added(rig):
    def body():
        stack = Stack(rig, INGRESS, {"forwarded": {"trust": ["10.8.0.0/16"]}})
        seen = stack.seen("-H", "X-Forwarded-For: 6.6.6.6")
        assert (seen["proto"], seen["ip"]) == ("https", CLIENT)
        assert seen["forwarded_for"] == f"6.6.6.6, {CLIENT}, {INGRESS}"
        wait_until(lambda: stack.remote_ips() == [CLIENT], "the line")
        assert not stack.warnings()
    in_own_network(body, [CLIENT, INGRESS])


def test_on_cloud_run_further_hops_are_listed(rig):
    """A load balancer in front of Cloud Run is one more entry, which `trust` names."""
    def body():
        stack = Stack(rig, CLOUD_RUN, {"forwarded": {"trust": [f"{CLIENT}/32"]}}, env={"K_SERVICE": "chat"})
        seen = stack.seen("-H", "X-Forwarded-For: 198.51.100.9")
        assert seen["proto"] == "https"
        assert seen["forwarded_for"] == f"198.51.100.9, {CLIENT}"
        wait_until(lambda: stack.remote_ips() == ["198.51.100.9"], "the line")
    in_own_network(body, [CLIENT, CLOUD_RUN])


def test_a_hop_inside_the_machine_that_says_nothing_adds_nothing(proxy):
    seen = dict(proxy.request("/mirror").json["headers"])
    assert "X-Forwarded-For" not in seen
    assert seen["X-Forwarded-Proto"] == "http"
    assert proxy.wait_for_line("GET /mirror 200")["httpRequest"]["remoteIp"] == "127.0.0.1"

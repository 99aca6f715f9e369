"""The grpc check on a real gRPC server, and on peers that are none."""

import grpc

from support.backends import silent
from support.checks import checking
from support.grpc_health import NOT_SERVING
from support.ports import free_port
from support.waiting import wait_until

OFTEN = "interval: 100ms, fall: 1"


def with_checks(rig, checks):
    return checking(rig, checks, "type: grpc")


def test_the_server_and_each_of_its_services_are_told_apart(rig):
    server = rig.grpc_server()
    server.services["chat.Rules"] = NOT_SERVING
    server.services["chat.Later"] = 0
    url = f'url: "grpc://127.0.0.1:{server.port}"'
    sidecar = with_checks(rig, {"whole": f"{url}, {OFTEN}", "rules": f"{url}, service: chat.Rules, {OFTEN}",
                                "later": f"{url}, service: chat.Later", "nowhere": f"{url}, service: chat.Nowhere"})
    sidecar.wait_for_check("whole", "pass")
    assert sidecar.wait_for_error("rules", "answer")["message"] == "the status is NOT_SERVING, expected SERVING"
    assert sidecar.wait_for_error("later", "answer")["message"] == "the status is UNKNOWN, expected SERVING"
    assert sidecar.wait_for_error("nowhere", "config")["message"].startswith("NOT_FOUND: unknown service")
    server.services["chat.Rules"] = 1
    sidecar.wait_for_check("rules", "pass")
    assert {service for service, _ in server.asked} == {"", "chat.Rules", "chat.Later", "chat.Nowhere"}


def test_what_the_server_refuses_has_the_kind_of_its_status(rig):
    server = rig.grpc_server()
    sidecar = with_checks(rig, {"it": f'url: "grpc://127.0.0.1:{server.port}", {OFTEN}'})
    sidecar.wait_for_check("it", "pass")
    for status, kind in ((grpc.StatusCode.UNAVAILABLE, "connect"), (grpc.StatusCode.RESOURCE_EXHAUSTED, "answer"),
                         (grpc.StatusCode.DEADLINE_EXCEEDED, "timeout"), (grpc.StatusCode.UNAUTHENTICATED, "auth")):
        server.refuse = status
        assert sidecar.wait_for_error("it", kind)["message"] == f"{status.name}: no: 100 % refused"
    server.refuse = None
    sidecar.wait_for_check("it", "pass")


def test_a_server_without_the_health_service_is_config(rig):
    server = rig.grpc_server(offers_health=False)
    sidecar = with_checks(rig, {"it": f'url: "grpc://127.0.0.1:{server.port}"'})
    assert sidecar.wait_for_error("it", "config")["message"].startswith("UNIMPLEMENTED")


def test_metadata_is_sent_and_a_unix_socket_will_do(rig):
    server = rig.grpc_server(path=f"{rig.directory}/grpc.sock")
    sidecar = with_checks(rig, {"it": f'url: "unix:{rig.directory}/grpc.sock", headers: {{authorization: Bearer-s3cret}}'})
    sidecar.wait_for_check("it", "pass")
    assert ("authorization", "Bearer-s3cret") in [tuple(pair) for pair in server.metadata]
    assert "Bearer-s3cret" not in sidecar.probe("/status").text


def test_grpcs_trusts_a_private_authority_and_nobody_else(rig):
    ours, other = rig.authority(), rig.authority("other")
    server = rig.grpc_server(credentials=ours.issue(days=5))
    ended = rig.grpc_server(credentials=ours.issue(days=-1, name="ended"))
    named = rig.grpc_server(credentials=ours.issue("DNS:rules.test", name="named"))
    url = lambda one: f'url: "grpcs://localhost:{one.port}"'
    trust = f"ca_file: {ours.file}"
    sidecar = with_checks(rig, {
        "trusted": f"{url(server)}, tls: {{{trust}}}", "soon": f"{url(server)}, tls: {{{trust}, min_days_left: 14}}",
        "careless": f"{url(named)}, tls: {{verify: false}}", "system": url(server),
        "wrong_ca": f"{url(server)}, tls: {{ca_file: {other.file}}}", "ended": f"{url(ended)}, tls: {{{trust}}}",
        "wrong_name": f"{url(named)}, tls: {{{trust}}}", "right_name": f"{url(named)}, tls: {{{trust}, server_name: rules.test}}"})
    for name in ("trusted", "careless", "right_name"):
        sidecar.wait_for_check(name, "pass")
    assert "days, limit 14" in sidecar.wait_for_check("soon", "warn")["error"]["message"]
    for name in ("system", "wrong_ca", "ended", "wrong_name"):
        sidecar.wait_for_error(name, "tls")


def test_peers_that_do_not_speak_grpc_are_told_apart(rig, backend):
    server = rig.grpc_server()
    secured = rig.grpc_server(credentials=rig.authority().issue())
    mute = rig.scripted(silent)
    sidecar = with_checks(rig, {
        "http1": f'url: "grpc://127.0.0.1:{backend.port}"',
        "nobody": f'url: "grpc://127.0.0.1:{free_port()}"', "mute": f'url: "grpc://127.0.0.1:{mute.port}", timeout: 300ms',
        "tls_to_plain": f'url: "grpcs://127.0.0.1:{server.port}", timeout: 1s',
        "plain_to_tls": f'url: "grpc://127.0.0.1:{secured.port}"'})
    sidecar.wait_for_error("http1", "protocol")
    sidecar.wait_for_error("nobody", "connect")
    sidecar.wait_for_error("mute", "timeout")
    assert sidecar.wait_for_check("tls_to_plain", "fail")["error"]["kind"] in ("tls", "timeout")
    assert sidecar.wait_for_check("plain_to_tls", "fail")["error"]["kind"] in ("connect", "protocol")


def test_one_connection_is_kept_over_tls(rig):
    authority = rig.authority()
    server = rig.grpc_server(credentials=authority.issue())
    sidecar = with_checks(rig, {
        "it": f'url: "grpcs://127.0.0.1:{server.port}", interval: 20ms, tls: {{ca_file: {authority.file}}}'})
    wait_until(lambda: len(server.asked) > 20, "twenty questions")
    assert len(server.peers) == 1
    sidecar.wait_for_check("it", "pass")

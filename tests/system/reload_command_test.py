"""`probegate reload` and `reload.watch`: a new configuration without a signal, by whoever is on this machine."""

import json
import os
import socket

import pytest
import yaml

from support.http import request
from support.ports import free_port
from support.probegate import command
from support.waiting import wait_until

ACTION = {"Probegate-Action": "reload", "Host": "localhost"}


class Running:
    """A running probegate, and its configuration as data."""

    def __init__(self, rig, settings):
        self.settings = settings
        self.sidecar = rig.probegate(yaml.safe_dump(settings, sort_keys=False)).start()
        self.file = self.sidecar.config_file

    def write(self):
        self.sidecar.write_config(yaml.safe_dump(self.settings, sort_keys=False))

    def reload(self, *arguments):
        return command("reload", "-c", self.file, *arguments)

    def reloads(self):
        return [line for line in self.sidecar.logs() if line["message"] == "configuration reloaded"]


def tcp(port, **keys):
    return {"type": "tcp", "address": f"127.0.0.1:{port}", **keys}


@pytest.fixture(name="running")
def running_(rig):
    return Running(rig, {"proxy": {"hold": {"max": 1}}, "checks": {"a": tcp(free_port(), affects=[])}})


# The command

def test_reload_says_what_has_changed(running):
    running.settings["proxy"]["hold"]["max"] = 2
    running.settings["checks"] = {"b": tcp(free_port(), affects=[])}
    running.write()
    ran = running.reload()
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "proxy.hold.max" in ran.stdout
    assert "checks added: b" in ran.stdout and "checks removed: a" in ran.stdout
    assert list(running.sidecar.ready()["checks"]) == ["b"], "it is in force when the command ends"
    again = running.reload()
    assert again.returncode == 0 and "nothing changed" in again.stdout


def test_reload_prints_every_mistake_as_validate_does_and_the_old_configuration_stays(running):
    running.settings["proxy"]["hodl"] = {}
    running.settings["checks"]["a"]["rise"] = 0
    running.write()
    ran = running.reload()
    assert ran.returncode == 1
    lines = ran.stderr.splitlines()
    assert set(command("validate", "-c", running.file).stderr.splitlines()[:2]) <= set(lines)
    assert f"{running.file}: 2 mistakes" in lines[-1]
    assert list(running.sidecar.ready()["checks"]) == ["a"]


def test_reload_as_json_is_the_answer_of_the_probe_port(running):
    running.settings["proxy"]["hold"]["max"] = 3
    running.write()
    document = json.loads(running.reload("--json").stdout)
    assert document["result"] == "applied" and document["changed"] == ["proxy.hold.max"]
    assert document["config"] == running.file


def test_reload_without_a_file_and_without_a_running_one_is_1(rig):
    alone = rig.probegate().start()
    ran = command("reload", "--url", f"http://127.0.0.1:{alone.probe_port}")
    assert ran.returncode == 1 and "environment" in ran.stderr
    ran = command("reload", "--url", f"http://127.0.0.1:{free_port()}")
    assert ran.returncode == 1 and "cannot be reached" in ran.stderr
    assert command("reload", "--url", "localhost:9090").returncode == 2


def test_reload_asks_over_a_unix_socket(rig):
    path = os.path.join(rig.directory, "probe.sock")
    sidecar = rig.probegate(f"probes: {{listen: ['unix:{path}', '127.0.0.1:{free_port()}']}}")
    sidecar.launch()
    wait_until(lambda: sidecar.running() and os.path.exists(path) and command("healthcheck", "--url", f"unix:{path}").returncode == 0,
               "the socket to answer")
    assert command("reload", "-c", sidecar.config_file).returncode == 0


# The probe port

def post(running, headers, method="POST", path="/reload"):
    return request(running.sidecar.probe_port, path, method=method, headers=headers)


@pytest.mark.parametrize("host", ["localhost", "localhost:9090", "LOCALHOST", "127.0.0.1", "127.0.0.1:9090", "[::1]:9090", "10.1.2.3"])
def test_an_address_or_localhost_may_ask(running, host):
    assert post(running, {**ACTION, "Host": host}).status == 200


@pytest.mark.parametrize("headers, status", [
    ({"Host": "localhost"}, 400),
    ({**ACTION, "Probegate-Action": "drain"}, 400),
    ({**ACTION, "Probegate-Action": ""}, 400),
    ({**ACTION, "Host": "rebound.example"}, 403),
    ({**ACTION, "Host": "localhost.example"}, 403),
    ({**ACTION, "Host": "127.0.0.1.example:9090"}, 403),
    ({**ACTION, "Origin": "http://localhost"}, 403),
    ({**ACTION, "Origin": "null"}, 403),
    ({"Host": "rebound.example"}, 403),
    ({**ACTION, "X-Forwarded-For": "198.51.100.1"}, 403),
], ids=str)
def test_a_request_that_a_page_or_a_stranger_could_send_is_refused(running, headers, status):
    answer = post(running, headers)
    assert answer.status == status
    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]
    assert not running.reloads()


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_only_post_acts(running, method):
    answer = post(running, ACTION, method=method)
    assert answer.status == 405 and answer.headers["Allow"] == "POST"
    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]
    assert not running.reloads()


def test_a_peer_that_is_not_on_loopback_is_refused(rig):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but loopback")
        own = probe.getsockname()[0]
    if own.startswith("127."):
        pytest.skip("this machine has no address but loopback")
    port = free_port()
    rig.probegate(f"probes: {{listen: '0.0.0.0:{port}'}}").launch()
    wait_until(lambda: command("healthcheck", "--url", f"http://127.0.0.1:{port}").returncode == 0, "the probe port to answer")
    with socket.create_connection((own, port), timeout=10) as peer:
        peer.sendall(b"POST /reload HTTP/1.1\r\nHost: localhost\r\nProbegate-Action: reload\r\nContent-Length: 0\r\n\r\n")
        assert peer.recv(4096).startswith(b"HTTP/1.1 403 ")


def test_many_who_ask_at_once_are_all_answered(running):
    peers = [socket.create_connection(("127.0.0.1", running.sidecar.probe_port), timeout=20) for _ in range(8)]
    for peer in peers:
        peer.sendall(b"POST /reload HTTP/1.1\r\nHost: localhost\r\nProbegate-Action: reload\r\n\r\n")
    for peer in peers:
        assert peer.recv(65536).startswith(b"HTTP/1.1 200 ")
        peer.close()


def test_probes_before_the_action_on_the_same_connection_are_answered_first(running):
    with socket.create_connection(("127.0.0.1", running.sidecar.probe_port), timeout=20) as peer:
        peer.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
                     b"POST /reload HTTP/1.1\r\nHost: localhost\r\nProbegate-Action: reload\r\n\r\n")
        text = b""
        while part := peer.recv(65536):
            text += part
    assert text.count(b"HTTP/1.1 200 OK") == 2 and text.rstrip().endswith(b"}")


# Watching

def watched(rig, **settings):
    return Running(rig, {"reload": {"watch": True}, **settings})


def changed_keys(running):
    return " ".join(line["changed"] for line in running.reloads())


def test_a_file_that_is_written_over_or_renamed_into_place_is_read_again(rig):
    running = watched(rig, proxy={"hold": {"max": 1}})
    running.settings["proxy"]["hold"]["max"] = 2
    running.write()  # a new file, renamed into place as editors do
    wait_until(lambda: len(running.reloads()) == 1, "the renamed file to be read")
    with open(running.file, "a") as file:
        file.write("gate: {startup_timeout: 77s}\n")
    wait_until(lambda: "gate.startup_timeout" in changed_keys(running), "the written file to be read")


def test_a_mounted_folder_whose_link_is_swapped_is_read_again(rig):
    """As the kubelet updates a ConfigMap: the file is a link into `..data`, which is renamed over."""
    folder = os.path.join(rig.directory, "mounted")
    ports = [free_port(), free_port()]

    def version(name, hold):
        os.makedirs(os.path.join(folder, name))
        with open(os.path.join(folder, name, "probegate.yaml"), "w") as file:
            file.write(f"reload: {{watch: true}}\nproxy: {{listen: '127.0.0.1:{ports[0]}', hold: {{max: {hold}}}}}\n"
                       f"probes: {{listen: '127.0.0.1:{ports[1]}'}}\n")
        os.symlink(name, os.path.join(folder, "..data_tmp"))
        os.rename(os.path.join(folder, "..data_tmp"), os.path.join(folder, "..data"))

    version("..1", 1)
    path = os.path.join(folder, "probegate.yaml")
    os.symlink("..data/probegate.yaml", path)
    import pathlib
    sidecar = rig.probegate(pathlib.Path(path))
    sidecar.probe_port = ports[1]
    sidecar.launch()
    wait_until(lambda: sidecar.running() and command("healthcheck", "-c", path).returncode == 0, "the probe port to answer")
    for number in (2, 3):
        version(f"..{number}", number)
        wait_until(lambda: len([line for line in sidecar.logs() if line["message"] == "configuration reloaded"]) == number - 1,
                   "the swapped folder to be read")


def test_a_secret_file_that_changes_is_read_again(rig):
    secret = os.path.join(rig.directory, "password")
    with open(secret, "w") as file:
        file.write("one\n")
    running = watched(rig, checks={"cache": {"type": "redis", "url": f"redis://127.0.0.1:{free_port()}", "password_file": secret,
                                             "affects": []}})
    with open(secret + ".new", "w") as file:
        file.write("two\n")
    os.replace(secret + ".new", secret)
    wait_until(lambda: "checks.cache.password" in changed_keys(running), "the secret to be read")
    assert "two" not in running.sidecar.output()


def test_a_secret_that_is_missing_is_read_when_it_comes_even_where_nothing_can_be_watched_yet(rig):
    """Its folder is not there, so there is nothing for inotify: the file is polled."""
    secret = os.path.join(rig.directory, "later", "password")
    running = watched(rig)
    running.settings["checks"] = {"cache": {"type": "redis", "url": f"redis://127.0.0.1:{free_port()}", "password_file": secret,
                                            "affects": []}}
    running.write()
    wait_until(lambda: [line for line in running.sidecar.logs() if line["message"].startswith("configuration refused")], "the refusal")
    os.mkdir(os.path.dirname(secret))
    with open(secret, "w") as file:
        file.write("one\n")
    wait_until(lambda: len(running.reloads()) == 1, "the secret to be read")


def test_a_broken_file_is_refused_and_its_repair_is_seen(rig):
    running = watched(rig, proxy={"hold": {"max": 1}})
    running.settings["proxy"]["hold"]["max"] = "many"
    running.write()
    wait_until(lambda: [line for line in running.sidecar.logs() if line["message"].startswith("configuration refused")], "the refusal")
    running.settings["proxy"]["hold"]["max"] = 5
    running.write()
    wait_until(lambda: len(running.reloads()) == 1, "the repair")


def test_without_watch_a_change_waits_for_its_reload(running):
    running.settings["proxy"]["hold"]["max"] = 9
    running.write()
    assert "proxy.hold.max" in running.reload().stdout
    assert len(running.reloads()) == 1

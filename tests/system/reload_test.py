"""SIGHUP: a new configuration in force, whole or not at all, and tunnels that never notice
(docs/contract.md, "Configuration" and "Gate")."""

import os
import signal
import threading

import pytest
import yaml

from support import metrics, probegate
from support.expect import problem_in, problem_on
from support.ports import free_port
from support.raw import BINARY, CLOSE, TEXT, Raw, close_code, upgrade_request
from support.waiting import wait_for, wait_until

APPLIED, REFUSED, IGNORED = "configuration reloaded", "configuration refused", "SIGHUP"


class Reloading:
    """A running probegate and its configuration as data, which the test changes and reloads."""

    def __init__(self, rig, settings):
        self.settings = settings
        self.sidecar = rig.probegate(yaml.safe_dump(settings, sort_keys=False)).start()
        self._seen = 0

    def reload(self, word=APPLIED, write=True):
        """Writes the settings, sends SIGHUP and returns the log line that says what became of it."""
        if write:
            self.sidecar.write_config(yaml.safe_dump(self.settings, sort_keys=False))
        self.sidecar.send(signal.SIGHUP)
        return self.told(word)

    def told(self, word):
        lines = wait_for(lambda: self.sidecar.running() and self.sidecar.logs()[self._seen:],
                         lambda lines: any(word in line["message"] for line in lines), f"the word: {word}")
        self._seen += len(lines)
        return next(line for line in lines if word in line["message"])

    def metric(self, name, **labels):
        return metrics.parse(self.sidecar.metrics())[name].value(**labels)


def tcp(port, **keys):
    return {"type": "tcp", "address": f"127.0.0.1:{port}", "interval": "50ms", "startup_interval": "50ms", **keys}


@pytest.fixture(name="port")
def port_(rig):
    """Of somebody who accepts connections."""
    return rig.scripted(lambda connection: connection.read_to_end()).port


def tunnel(sidecar):
    client = Raw.connect(sidecar.proxy_port)
    client.send(upgrade_request())
    assert client.read_head().status == 101
    return client


# Tunnels

def test_a_tunnel_carries_every_byte_across_fifty_reloads(rig, backend, port):
    """Tunnels stay, while everything that may change does."""
    running = Reloading(rig, {"proxy": {"backend": backend.url}, "checks": {"a": tcp(port)}})
    running.sidecar.wait_for_gate()
    with tunnel(running.sidecar) as client:
        stop, errors, sent = threading.Event(), [], []

        def talk():
            try:
                number = 0
                while not stop.is_set() or number < 50:
                    payload = number.to_bytes(4, "big") * (1 + number % 5000)
                    client.send_frame(BINARY, payload, mask=True)
                    assert client.read_frame()[2] == payload, number
                    number += 1
                sent.append(number)
            except Exception as error:  # pylint: disable=broad-except
                errors.append(error)

        talker = threading.Thread(target=talk)
        talker.start()
        for number in range(50):
            running.settings["proxy"].update(
                timeouts={"header": f"{5 + number}s"}, limits={"connections": 100 + number},
                websocket={"max_message": 1 + number, "idle_timeout": "1s", "origins": [f"https://{number}.test"]})
            running.settings["checks"] = {f"c{number}": tcp(port), **({"a": tcp(port)} if number % 2 else {})}
            running.reload()
        stop.set()
        talker.join(60)
        assert not talker.is_alive()
        assert not errors, errors
        assert sent[0] >= 50
    assert running.metric("probegate_config_reloads_total",
                          result="success") == 50


def test_an_open_tunnel_keeps_its_policy_and_a_new_one_gets_the_new(rig, backend):
    """`max_message` of now is for sessions of now."""
    running = Reloading(rig, {"proxy": {"backend": backend.url}})
    with tunnel(running.sidecar) as old:
        running.settings["proxy"]["websocket"] = {"max_message": 10, "origins": ["https://good.test"]}
        running.reload()
        old.send_frame(TEXT, b"x" * 1000, mask=True)
        assert old.read_frame()[2] == b"x" * 1000
        with tunnel(running.sidecar) as new:
            new.send_frame(TEXT, b"x" * 11, mask=True)
            _, opcode, payload, _ = new.read_frame()
            assert (opcode, close_code(payload)) == (CLOSE, 1009)
        with Raw.connect(running.sidecar.proxy_port) as stranger:
            stranger.send(upgrade_request(extra="Origin: https://evil.test\r\n"))
            problem_on(stranger, "origin_denied")


# Checks

def test_unchanged_checks_go_on_changed_ones_begin_anew_and_removed_ones_vanish(rig, backend, port):
    """Checks and policies are swapped whole; a check with the same target keeps its state."""
    running = Reloading(rig, {"proxy": {"backend": backend.url},
                              "checks": {"gone": tcp(port), "same": tcp(port), "changed": tcp(port)}})
    running.sidecar.wait_for_gate()
    before = running.sidecar.wait_for_readiness(
        lambda seen: all(seen["checks"][name]["runs"] >= 5 for name in ("same", "changed")), "five runs")["checks"]
    running.settings["checks"] = {"changed": tcp(port, send="hello", interval="1h"), "new": tcp(port),
                                  "same": tcp(port, fall=7, affects=["readiness"], needs=["changed"])}
    told = running.reload()
    assert told["checks_added"] == "new"
    assert told["checks_removed"] == "gone"
    assert told["checks_restarted"] == "changed"
    assert "checks.same.fall" in told["changed"]
    after = running.sidecar.ready()
    assert list(after["checks"]) == ["changed", "new", "same"]
    assert "gone" not in after
    assert after["checks"]["same"]["runs"] >= before["same"]["runs"]
    assert after["checks"]["same"]["since"] == before["same"]["since"]
    assert after["checks"]["same"]["affects"] == ["readiness"]
    assert after["checks"]["same"]["status"] == "pass"
    assert running.sidecar.wait_for_check("changed", "pass")["runs"] == 1
    exposed = running.sidecar.metrics()
    metrics.parse(exposed)
    assert 'check="gone"' not in exposed
    assert 'check="new"' in exposed
    assert after["gate"] == "open"


def test_a_changed_list_of_tables_is_judged_and_told(rig):
    """The kept connection's check begins anew; readiness fails once the new question has been answered."""
    database = rig.postgres().start()
    database.execute("CREATE TABLE there (id int)")
    check = {"type": "postgres", "url": database.url(), "tables": ["there"], "interval": "100ms"}
    running = Reloading(rig, {"checks": {"database": check}})
    running.sidecar.wait_for_gate()
    assert running.sidecar.ready()["status"] == "ready"
    check["tables"] = ["there", "missing_one"]
    running.reload()
    error = running.sidecar.wait_for_error("database", "missing_tables")
    assert error["missing"] == ["missing_one"]
    seen = running.sidecar.ready()
    assert seen["status"] == "not_ready"
    assert seen["gate"] == "open"  # the startup latch
    assert running.sidecar.probe("/health/startup").status == 200
    check["tables"] = ["there"]
    running.reload()
    running.sidecar.wait_for_check("database", "pass")


def test_a_new_check_closes_nothing_before_it_has_failed(rig, backend):
    """The startup latch never reverts, and a check that nobody has judged takes nothing away."""
    running = Reloading(rig, {"proxy": {"backend": backend.url}})
    silent = rig.scripted(lambda connection: connection.read_to_end()).port
    running.settings["checks"] = {"slow": {"type": "tcp", "address": f"127.0.0.1:{silent}", "expect": "never",
                                           "affects": ["startup", "readiness", "traffic"], "timeout": "3s"}}
    running.reload()
    assert running.sidecar.check("slow")["status"] == "unknown"
    assert running.sidecar.request("/mirror").status == 200
    assert running.sidecar.ready()["status"] == "ready"
    running.sidecar.wait_for_check("slow", "fail")
    problem_in(running.sidecar.request("/mirror"), "gate_closed", waiting_for=["slow"])
    running.settings["checks"] = {}
    running.reload()
    assert running.sidecar.request("/mirror").status == 200


def test_a_reload_opens_no_gate_that_a_changed_check_holds(rig, backend):
    """What was judged failing stays so until the new question has been answered."""
    closed = free_port()
    check = tcp(closed, affects=["traffic"])
    running = Reloading(rig, {"proxy": {"backend": backend.url}, "checks": {"a": check}})
    running.sidecar.wait_for_check("a", "fail")
    check["send"] = "other"
    for number in range(10):
        check["send"] = str(number)
        running.reload()
        problem_in(running.sidecar.request("/mirror"), "gate_closed", waiting_for=["a"])


def test_an_attempt_in_flight_ends_with_its_check(rig, backend):
    """A dependency hangs, and the reload does not wait for it."""
    hung = rig.scripted(lambda connection: connection.read_to_end())
    check = {"type": "redis", "url": f"redis://127.0.0.1:{hung.port}", "timeout": "1h"}
    running = Reloading(rig, {"proxy": {"backend": backend.url}, "checks": {"redis": check}})
    wait_until(lambda: hung.connections == 1, "the first attempt")
    redis = rig.redis().start()
    check["url"] = redis.url()
    running.reload()
    running.sidecar.wait_for_check("redis", "pass")
    running.sidecar.wait_for_gate()


def test_a_replaced_secret_file_is_a_change_and_stays_hidden(rig):
    """Secret files are read again, and no password appears in any output."""
    redis = rig.redis(password="first-s3cret").start()
    secret = os.path.join(rig.directory, "secret")
    with open(secret, "w") as file:
        file.write("second-s3cret")
    running = Reloading(rig, {"checks": {"redis": {"type": "redis", "url": f"redis://127.0.0.1:{redis.port}",
                                                   "password_file": secret, "startup_interval": "50ms"}}})
    running.sidecar.wait_for_error("redis", "auth")
    with open(secret, "w") as file:
        file.write("first-s3cret\n")
    told = running.reload(write=False)
    assert told["checks_restarted"] == "redis"
    assert told["changed"] == "checks.redis.password"
    running.sidecar.wait_for_check("redis", "pass")
    everything = running.sidecar.output() + running.sidecar.metrics() + running.sidecar.probe("/status").text
    assert "s3cret" not in everything


# The rest of the file

def test_the_proxy_serves_by_the_new_configuration(rig):
    """The backend, the limits, who is trusted, the drain and the log are swapped whole."""
    first, second = rig.http_backend(), rig.http_backend()
    running = Reloading(rig, {"proxy": {"backend": first.url}, "log": {"level": "warn"}})
    assert running.sidecar.request("/mirror").json["headers"]
    assert len(first.connections) == 1
    running.settings["proxy"] = {"backend": second.url, "limits": {"body_bytes": 10}, "forward": "all"}
    running.settings["log"] = {"level": "info"}
    running.settings["probes"] = {"details": "summary"}
    running.reload()
    host = dict(running.sidecar.request("/mirror", headers={"Host": "a.test"}).json["headers"])
    assert host["Host"] == "a.test"
    assert len(second.connections) == 1
    assert len(first.connections) == 1  # the kept connection to the old one is not used
    problem_in(running.sidecar.request("/mirror", method="POST", body=b"x" * 11), "body_too_large")
    running.sidecar.wait_for_line("POST /mirror 413 refused: body_too_large")
    assert len([line for line in running.sidecar.logs() if line["message"] == "GET /mirror 200"]) == 1, "not the first"
    running.settings["proxy"]["forward"] = "websocket"
    running.reload()
    problem_in(running.sidecar.request("/mirror"), "not_found")


def test_an_answer_under_way_is_finished_by_the_old_backend_which_is_then_let_go(rig):
    """A connection begun before the reload is never handed to a request after it."""
    first, second = rig.http_backend(), rig.http_backend()
    running = Reloading(rig, {"proxy": {"backend": first.url}})
    with Raw.connect(running.sidecar.proxy_port) as client:
        client.send(b"GET /wait HTTP/1.1\r\nHost: proxy.test\r\n\r\n")
        wait_until(lambda: first.waiting == 1, "the request to arrive")
        running.settings["proxy"]["backend"] = second.url
        running.reload()
        first.release()
        assert client.read_body(client.read_head()) == b"released"
        client.send(b"GET /mirror HTTP/1.1\r\nHost: proxy.test\r\n\r\n")
        client.read_body(client.read_head())
    assert len(second.connections) == 1
    assert not first.connections


def test_a_longer_startup_timeout_revives_a_failed_startup(rig):
    """`gate.startup_timeout` counts from the start of the process."""
    running = Reloading(rig, {"gate": {"startup_timeout": "200ms"}, "checks": {"a": tcp(free_port())}})
    running.sidecar.wait_for_gate("failed")
    assert running.sidecar.probe("/health/live").status == 503
    running.settings["gate"]["startup_timeout"] = "10m"
    running.reload()
    assert running.sidecar.ready()["gate"] == "starting"
    assert running.sidecar.probe("/health/live").status == 200


def test_the_new_drain_settings_hold(rig, backend):
    """The Close of a drain has the new `drain.close_code`."""
    running = Reloading(rig, {"proxy": {"backend": backend.url}})
    with tunnel(running.sidecar) as client:
        running.settings["drain"] = {"close_code": 1012, "timeout": "3s"}
        running.reload()
        running.sidecar.send(signal.SIGTERM)
        _, opcode, payload, _ = client.read_frame()
        assert (opcode, close_code(payload)) == (CLOSE, 1012)
    assert running.sidecar.wait() == 0


# Refused

BAD = """
proxy: {listen: "127.0.0.1:1", workers: many, backend: "https://x"}
checks:
  a: {type: tcp, address: nowhere, fall: 0}
  a: {type: nonsense}
nonsense: true
"""


def test_a_bad_file_is_refused_with_the_lines_of_validate_and_the_old_one_stays(rig, backend, port):
    """Nothing of it is applied."""
    running = Reloading(rig, {"proxy": {"backend": backend.url}, "checks": {"a": tcp(port)}})
    running.sidecar.wait_for_gate()
    with open(running.sidecar.config_file, "w") as file:
        file.write(BAD)
    expected = probegate.command("validate", "-c", running.sidecar.config_file).stderr.splitlines()[:-1]
    assert len(expected) >= 5
    told = running.reload(REFUSED, write=False)
    assert told["severity"] == "ERROR"
    assert told["mistakes"] == len(expected)
    messages = [line["message"] for line in running.sidecar.logs()]
    for line in expected:
        assert messages.count(line) == 1, line
    assert running.sidecar.check("a")["status"] == "pass"
    assert running.sidecar.request("/mirror").status == 200
    assert running.metric("probegate_config_reloads_total",
                          result="failure") == 1
    stamp = running.metric("probegate_config_last_reload_success_timestamp_seconds")
    running.reload()
    assert running.metric("probegate_config_last_reload_success_timestamp_seconds") > stamp


@pytest.mark.parametrize("change", [
    {"proxy": {"listen": "127.0.0.1:0"}}, {"proxy": {"workers": 2}}, {"probes": {"listen": "127.0.0.1:0"}},
    {"probes": {"listen": "127.0.0.1:0"}, "proxy": {"workers": 2}}])
def test_what_needs_a_restart_is_refused_by_name_and_nothing_is_applied(rig, backend, port, change):
    """A changed file is applied as a whole or not at all."""
    running = Reloading(rig, {"proxy": {"backend": backend.url}})
    running.settings["checks"] = {"new": tcp(port)}
    for section, keys in change.items():
        running.settings.setdefault(section, {}).update(keys)
    running.reload(REFUSED)
    messages = [line["message"] for line in running.sidecar.logs()]
    for section, keys in change.items():
        for key in keys:
            assert [line for line in messages if f": {section}.{key}: needs a restart" in line], messages
    assert running.sidecar.ready()["checks"] == {}


def test_a_file_that_is_gone_empty_or_no_file_is_refused(rig, backend, port):
    """A file caught in the middle of being written does not end every check."""
    running = Reloading(rig, {"proxy": {"backend": backend.url}, "checks": {"a": tcp(port)}})
    running.sidecar.wait_for_gate()
    path = running.sidecar.config_file
    with open(path, "w"):
        pass
    running.reload(REFUSED, write=False)
    os.unlink(path)
    running.reload(REFUSED, write=False)
    os.mkdir(path)
    running.reload(REFUSED, write=False)
    os.rmdir(path)
    with open(path, "w") as file:
        file.write("# " + "x" * 3_000_000)
    running.reload(REFUSED, write=False)
    assert running.sidecar.check("a")["status"] == "pass"
    os.unlink(path)
    running.reload()


def test_a_pipe_that_says_nothing_in_place_of_the_file_holds_up_nobody(rig, backend, port):
    """Probes and checks go on while the reading waits."""
    running = Reloading(rig, {"proxy": {"backend": backend.url}, "checks": {"a": tcp(port)}})
    running.sidecar.wait_for_gate()
    path = running.sidecar.config_file
    os.unlink(path)
    os.mkfifo(path)
    silent = os.open(path, os.O_RDWR)  # a writer that never writes
    try:
        running.sidecar.send(signal.SIGHUP)
        wait_until(lambda: any(name == "reload" for name in threads(running.sidecar.pid)), "the reading to begin")
        runs = running.sidecar.check("a")["runs"]
        running.sidecar.wait_for_readiness(lambda seen: seen["checks"]["a"]["runs"] >= runs + 5, "five more runs")
        assert "reload" in threads(running.sidecar.pid)  # all of that while it was still waiting
        running.told(REFUSED)
    finally:
        os.close(silent)
    os.unlink(path)
    running.reload()


def threads(pid):
    names = []
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/comm") as comm:
                names.append(comm.read().strip())
        except OSError:
            pass  # just ended
    return names


def test_without_a_file_and_during_a_drain_sighup_says_so_and_does_nothing(rig, backend):
    alone = rig.probegate(env={"BACKEND_URL": backend.url}).start()
    alone.send(signal.SIGHUP)
    wait_for(alone.output, lambda text: "no configuration file" in text, "a word")
    running = Reloading(rig, {"proxy": {"backend": backend.url}, "drain": {"delay": "1s", "timeout": "2s"}})
    running.sidecar.send(signal.SIGTERM)
    running.told("draining")
    running.reload(IGNORED)
    assert running.sidecar.wait() == 0
    assert not [line for line in running.sidecar.logs() if APPLIED in line["message"]]


def test_a_storm_of_reloads_under_load_loses_no_request(rig, backend, port):
    """Many signals become few reloads; the last file wins."""
    running = Reloading(rig, {"proxy": {"backend": backend.url, "workers": 2}, "checks": {"a": tcp(port)}})
    running.sidecar.wait_for_gate()
    stop, answers, errors = threading.Event(), [], []

    def ask():
        try:
            while not stop.is_set():
                answers.append(running.sidecar.request("/bytes?n=100000").status)
        except Exception as error:  # pylint: disable=broad-except
            errors.append(error)

    askers = [threading.Thread(target=ask) for _ in range(3)]
    for asker in askers:
        asker.start()
    for number in range(200):
        running.settings["checks"] = {"a": tcp(port), f"c{number}": tcp(port, affects=[])}
        running.sidecar.write_config(yaml.safe_dump(running.settings, sort_keys=False))
        running.sidecar.send(signal.SIGHUP)
    running.sidecar.wait_for_readiness(lambda seen: "c199" in seen["checks"] or running.sidecar.send(signal.SIGHUP),
                                       "the last configuration")
    stop.set()
    for asker in askers:
        asker.join(30)
    assert not errors, errors
    assert set(answers) == {200}
    assert running.sidecar.check("a")["status"] == "pass"

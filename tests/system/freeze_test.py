"""A process that is not allowed to run is not a failed dependency (docs/contract.md, "Process"): real SIGSTOP, real servers.

Cloud Run takes the CPU away between requests: clocks go on, deadlines pass, and nobody was there to look.
"""

import time

import pytest

from support import chaos, metrics
from support.chaos import TO_CLIENT
from support.raw import TEXT, Raw, upgrade_request
from support.waiting import TimedOut, wait_for

TIMEOUT = 3
FROZEN = TIMEOUT + 1.5  # longer than any deadline involved


class Dependencies:
    """A server of every kind, each behind a chaos gate, and the checks of them."""

    def __init__(self, rig, pace):
        self.servers = {"database": rig.postgres().start(), "redis": rig.redis().start(), "web": rig.http_backend()}
        broker = rig.scripted(lambda connection: (connection.send(b"INFO {}\r\n"), connection.read_to_end()))
        self.gates = {name: rig.chaos(server.port) for name, server in self.servers.items()}
        self.gates["socket"] = rig.chaos(self.servers["web"].port)
        self.gates["broker"] = rig.chaos(broker.port)
        port = {name: gate.port for name, gate in self.gates.items()}
        self.postgres_url = self.servers["database"].url().replace(f":{self.servers['database'].port}/", f":{port['database']}/")
        every = f"timeout: {TIMEOUT}s, {pace}"
        self.config = f"""
checks:
  database: {{type: postgres, url: "{self.postgres_url}", {every}}}
  redis: {{type: redis, url: "redis://127.0.0.1:{port['redis']}", {every}}}
  web: {{type: http, url: "http://127.0.0.1:{port['web']}/mirror", {every}}}
  socket: {{type: websocket, url: "ws://127.0.0.1:{port['socket']}/ws", {every}}}
  broker: {{type: tcp, address: "127.0.0.1:{port['broker']}", expect: INFO, {every}}}
"""

    def stall(self):
        for gate in self.gates.values():
            gate.inflict(chaos.stall(TO_CLIENT))

    def heal(self):
        for gate in self.gates.values():
            gate.heal()

    def attempts(self):
        """A figure for each that grows when its check says something."""
        return {name: len(gate.connections) + sum(connection.passed[chaos.TO_SERVER] for connection in gate.connections)
                for name, gate in self.gates.items()}

    def stall_all_in_mid_attempt(self):
        """One that was asked just before is not asked again before its timeout: then all go on, and it is tried anew."""
        while True:
            before = self.attempts()
            self.stall()
            try:
                wait_for(self.attempts, lambda now: all(now[name] > before[name] for name in now), "an attempt of every check",
                         timeout=TIMEOUT / 3)
                return
            except TimedOut:
                self.heal()


def freeze(sidecar):
    sidecar.freeze()
    time.sleep(FROZEN)


def count(sidecar, result):
    """How many runs of each check had this result."""
    family = metrics.parse(sidecar.metrics())["probegate_check_runs_total"]
    return {name: family.value(check=name, result=result) for name in sidecar.ready()["checks"]}


def passes_again(sidecar):
    """Every check has passed another time."""
    before = count(sidecar, "pass")
    wait_for(lambda: count(sidecar, "pass"), lambda now: all(now[name] > before[name] for name in now),
             "every check to pass again")


def nothing_was_booked(sidecar):
    assert not any(count(sidecar, "fail").values())
    assert sidecar.probe("/health/ready").status == 200
    assert not [line for line in sidecar.logs() if line["message"].endswith(" fail")]


@pytest.mark.parametrize("answers", ["during the freeze", "after it"])
def test_a_freeze_in_mid_attempt_books_nothing(rig, answers):
    """The interrupted attempts are inconclusive, and are repeated at once."""
    dependencies = Dependencies(rig, "interval: 300ms, fall: 1")
    sidecar = rig.probegate(dependencies.config).start()
    sidecar.wait_for_gate("open")
    dependencies.stall_all_in_mid_attempt()
    sidecar.freeze()
    if answers == "during the freeze":
        dependencies.heal()
    time.sleep(FROZEN)
    sidecar.thaw()
    assert sidecar.probe("/health/ready").status == 200
    assert sidecar.probe("/health").status == 200
    dependencies.heal()
    passes_again(sidecar)
    nothing_was_booked(sidecar)
    assert any(count(sidecar, "inconclusive").values())
    sidecar.wait_for_lines(lambda line: "process was suspended" in line["message"])


def test_a_freeze_between_attempts_books_nothing(rig):
    """Nothing was interrupted, and nothing is inconclusive."""
    dependencies = Dependencies(rig, "interval: 2s, fall: 1")
    sidecar = rig.probegate(dependencies.config).start()
    sidecar.wait_for_gate("open")
    passes_again(sidecar)
    freeze(sidecar)
    sidecar.thaw()
    assert sidecar.probe("/health/ready").status == 200
    passes_again(sidecar)
    nothing_was_booked(sidecar)


def test_what_a_freeze_interrupts_is_repeated_at_once(rig):
    """The next regular attempt is a minute away."""
    dependencies = Dependencies(rig, "interval: 60s, startup_interval: 60s")
    dependencies.stall()
    sidecar = rig.probegate(dependencies.config).start()
    wait_for(dependencies.attempts, lambda seen: all(seen.values()), "the first attempts")
    freeze(sidecar)
    sidecar.thaw()
    dependencies.heal()
    sidecar.wait_for_gate("open")
    nothing_was_booked(sidecar)


def test_a_server_that_died_during_the_freeze_is_found_dead_and_not_slow(rig):
    """What is repeated tells the truth."""
    dependencies = Dependencies(rig, "interval: 300ms, fall: 1")
    sidecar = rig.probegate(dependencies.config).start()
    sidecar.wait_for_gate("open")
    dependencies.stall_all_in_mid_attempt()
    sidecar.freeze()
    for gate in dependencies.gates.values():
        gate.heal()
        gate.cut()
        gate.down()
    time.sleep(FROZEN)
    sidecar.thaw()
    for name in dependencies.gates:
        sidecar.wait_for_error(name, "connect")
    failures = metrics.parse(sidecar.metrics())["probegate_check_failures_total"]
    assert not any(failures.value(check=name, kind="timeout") for name in dependencies.gates)
    for gate in dependencies.gates.values():
        gate.up()
    for name in dependencies.gates:
        sidecar.wait_for_check(name, "pass")


def test_a_frozen_start_does_not_time_out(rig):
    """`startup_timeout` is about the dependencies; a process that was suspended has not waited for them."""
    dependencies = Dependencies(rig, "interval: 60s, startup_interval: 60s")
    dependencies.stall()
    sidecar = rig.probegate(dependencies.config + f"gate: {{startup_timeout: {TIMEOUT}s}}\n").start()
    wait_for(dependencies.attempts, lambda seen: all(seen.values()), "the first attempts")
    freeze(sidecar)
    dependencies.heal()
    sidecar.thaw()
    assert sidecar.probe("/health").status == 200
    sidecar.wait_for_gate("open")
    assert not [line for line in sidecar.logs() if line["message"] == "gate failed"]


def test_nobody_is_to_blame_for_what_a_freeze_kept_from_us(rig):
    """Deadlines of traffic that passed while nobody was there to look begin anew."""
    backend = rig.http_backend()
    sidecar = rig.probegate(f"""
proxy:
  backend: '{backend.url}'
  timeouts: {{header: {TIMEOUT}s, response: {TIMEOUT}s}}
  websocket: {{idle_timeout: {TIMEOUT}s}}
""").start()
    with (Raw.connect(sidecar.proxy_port) as slow, Raw.connect(sidecar.proxy_port) as waiting,
          Raw.connect(sidecar.proxy_port) as tunnel):
        tunnel.send(upgrade_request())
        assert tunnel.read_head().status == 101
        waiting.send(b"GET /wait HTTP/1.1\r\nHost: here\r\n\r\n")
        wait_for(lambda: backend.waiting, bool, "the request at the backend")
        slow.send(b"GET /mirror HTTP/1.1\r\nHost:")
        freeze(sidecar)
        sidecar.thaw()
        assert sidecar.probe("/health").status == 200
        tunnel.send_frame(TEXT, b"still here", mask=True)
        assert tunnel.read_frame()[1:3] == (TEXT, b"still here")
        slow.send(b" here\r\n\r\n")
        assert slow.read_head().status == 200
        backend.release()
        assert waiting.read_head().status == 200

"""The commands, their exit codes and what they print (docs/contract.md, "Configuration" and "Command line")."""

import concurrent.futures
import json
import os
import re
import socket

import pytest
import yaml

from support.ports import free_port
from support.postgres import PASSWORD
from support.probegate import command, environment, on_a_terminal
from support.waiting import PATIENCE


def write(rig, text, name="probegate.yaml"):
    path = os.path.join(rig.directory, name)
    with open(path, "w") as file:
        file.write(text)
    return path


def said(ran):
    return ran.stdout + ran.stderr


# validate

EVERYTHING_WRONG = """\
proxy:
  backend: http://127.0.0.1:8000
  bakend: http://127.0.0.1:8001
  workers: many
  timeouts: {connect: 2 parsecs}
  limits:
    header_bytes: 64 elephants
probes:
  listen: 0.0.0.0:9090
  listen: 0.0.0.0:9091
gate:
  on_startup_timeout: restart
checks:
  Database:
    type: tcp
    address: 127.0.0.1:1
  broker:
    type: nats
  redis:
    type: redis
    url: redis://127.0.0.1:6379
    needs: [nobody]
  status:
    type: tcp
    address: 127.0.0.1:1
"""


def test_validate_reports_every_mistake_at_once_with_file_line_and_column(rig):
    """Lines and columns start at 1 and point at the key, or at the value where the value is wrong."""
    path = write(rig, EVERYTHING_WRONG)
    ran = command("validate", "-c", path)
    assert ran.returncode == 2
    lines = said(ran).splitlines()
    for line, column, word in (
            (3, 3, "bakend"), (4, 12, "workers"), (5, 23, "connect"), (7, 19, "header_bytes"), (10, 3, "listen"),
            (12, 23, "on_startup_timeout"), (14, 3, "Database"), (18, 11, "type"), (22, 13, "needs"), (23, 3, "status")):
        place = f"{path}:{line}:{column}: "
        found = [text for text in lines if text.startswith(place)]
        assert found, f"nothing at {place}\n{said(ran)}"
        assert word in found[0]
    told = "\n".join(lines)
    assert "fail" in told and "exit" in told and "wait" in told, "says what on_startup_timeout may be"


@pytest.mark.parametrize("text, where, word", [
    ("proxy: [1, 2]\n", "1:8", "proxy"),
    ("proxy: {workers: 0}\n", "1:18", "workers"),
    ("proxy: {forward: some}\n", "1:18", "forward"),
    ("checks: {redis: {type: redis}}\n", "1:", "url"),
    ("checks: {web: {type: http, url: 'http://a/', affects: [liveness]}}\n", "", "affects"),
    ("checks: {a: {type: tcp, address: 'h:1', needs: [b]}, b: {type: tcp, address: 'h:1', needs: [a]}}\n", "", "needs"),
    ("probes: {listen: nonsense}\n", "1:18", "listen"),
    ("drain: &anchor {delay: 1s}\n", "1:", ""),
    ("a: 1\n---\nb: 2\n", "", ""),
    ("proxy:\n\tbackend: x\n", "2:", ""),
    ("proxy: {backend: 'https://far.example'}\n", "1:18", "backend"),
    ("gate: {startup_timeout: -5s}\n", "1:25", "startup_timeout"),
], ids=["list for a map", "zero workers", "unknown choice", "missing url", "liveness on a check", "needs in a circle",
        "no address", "anchor", "two documents", "tab", "https backend", "negative duration"])
def test_validate_refuses(rig, text, where, word):
    """Unknown and duplicate keys, wrong types, contradictions, anchors and several documents are errors."""
    path = write(rig, text)
    ran = command("validate", "-c", path)
    assert ran.returncode == 2, said(ran)
    assert re.search(rf"^{re.escape(path)}:{where or '[0-9]+:[0-9]+'}.*{word}", said(ran), re.M), said(ran)


def test_validate_names_an_unset_variable(rig):
    """With `${VAR:?message}` the error is the message."""
    path = write(rig, "checks:\n  db: {type: postgres, url: '${NO_SUCH_URL}'}\n"
                      "  redis: {type: redis, url: '${NO_REDIS:?ask the operators}'}\n")
    ran = command("validate", "-c", path)
    assert ran.returncode == 2
    assert re.search(rf"^{re.escape(path)}:2:\d+: .*NO_SUCH_URL", said(ran), re.M)
    assert re.search(rf"^{re.escape(path)}:3:\d+: .*ask the operators", said(ran), re.M)


def test_validate_names_a_secret_file_that_cannot_be_read(rig):
    """Every secret has a twin with the suffix `_file`; to set both is a contradiction."""
    missing = os.path.join(rig.directory, "nosuch-secret")
    path = write(rig, f"""checks:
  one: {{type: redis, url: 'redis://h', password_file: {missing}}}
  two: {{type: redis, url: 'redis://h', password: a, password_file: {missing}}}
""")
    ran = command("validate", "-c", path)
    assert ran.returncode == 2
    assert re.search(rf"^{re.escape(path)}:2:\d+: .*{re.escape(missing)}", said(ran), re.M), said(ran)
    assert re.search(rf"^{re.escape(path)}:3:\d+: .*password", said(ran), re.M), said(ran)


def test_variables_expand_in_values_only(rig):
    """Variables are expanded after the YAML is parsed, so no value can add keys. `$$` is a dollar sign."""
    path = write(rig, "checks:\n  web: {type: http, url: 'http://${HOST:-fallback.test}/${PATH_PART}', expect_body: '$$5'}\n")
    ran = command("validate", "--print", "-c", path, env={"PATH_PART": "', expect_status: [500], x: '"})
    assert ran.returncode == 2 or yaml.safe_load(ran.stdout)["checks"]["web"]["expect_status"] != [500]
    ran = command("validate", "--print", "-c", path, env={"PATH_PART": "health"})
    assert ran.returncode == 0, said(ran)
    check = yaml.safe_load(ran.stdout)["checks"]["web"]
    assert check["url"] == "http://fallback.test/health"
    assert check["expect_body"] in ("$5", "$$5"), "printed as it is, or as a file has to say it"
    again = command("validate", "--print", "-c", write(rig, ran.stdout, "again.yaml"))
    assert again.stdout == ran.stdout or check["expect_body"] == "$5"


def test_validate_accepts_a_file_with_every_section(rig):
    """Alerts and auth are part of it."""
    path = write(rig, """
platform: auto
proxy:
  listen: 0.0.0.0:${PORT:-8080}
  backend: http://127.0.0.1:8000
  workers: 1
  forward: all
  timeouts: {header: 10s, connect: 2s, upgrade: 10s, response: 60s, idle: 620s}
  limits: {connections: 10000, header_bytes: 64KiB, body_bytes: 0}
  forwarded: {trust: [127.0.0.0/8, "::1/128"]}
  hold: {max: 0, timeout: 10s, per_second: 50}
  websocket: {origins: [], max_message: 0, idle_timeout: 0, ping_interval: 0, max_lifetime: 0}
probes: {listen: "0.0.0.0:9090", details: full}
gate: {startup_timeout: 120s, on_startup_timeout: fail}
checks:
  database:
    type: postgres
    url: ${DATABASE_URL}
    tables: [agent_executions, credit_transactions, subscriptions]
    query: null
    writable: false
  redis: {type: redis, url: "${REDIS_URL}", needs: [database], stable_for: 0s, write: true}
  websocket:
    type: websocket
    url: ws://127.0.0.1:8000/ws
    needs: [redis]
    headers: {}
    subprotocols: []
    ping: true
    send: null
  auth:
    type: http
    url: http://auth.internal/health
    method: GET
    expect_status: [200-299]
    expect_body: null
    expect_json: {}
    affects: []
  broker: {type: tcp, address: "nats:4222", send: null, expect: "INFO", affects: [startup, readiness], interval: 5s,
           startup_interval: 250ms, timeout: 2s, rise: 1, fall: 3, initial_delay: 0s, slow: 0ms,
           tls: {ca_file: null, verify: true, server_name: null, min_days_left: 0}}
drain: {delay: 0s, timeout: 8s, close_code: 1001}
state_file: null
log: {level: info, format: auto}
alerts: []
""")
    ran = command("validate", "-c", path, env={"DATABASE_URL": "postgresql://u:p@db/d", "REDIS_URL": "redis://r"})
    assert ran.returncode == 0, said(ran)


def test_validate_print_shows_the_effective_config_without_secrets(rig):
    """Defaults are part of it."""
    secret_file = write(rig, "file-s3cret\n", "secret")
    path = write(rig, f"""
checks:
  database: {{type: postgres, url: "postgresql://chat:{PASSWORD}@127.0.0.1/chat"}}
  parts: {{type: postgres, host: 127.0.0.1, user: chat, password_file: {secret_file}}}
  redis: {{type: redis, url: "redis://:redis-s3cret@127.0.0.1"}}
  web: {{type: http, url: "http://me:http-s3cret@127.0.0.1/"}}
""")
    ran = command("validate", "--print", "-c", path)
    assert ran.returncode == 0, said(ran)
    for secret in (PASSWORD, "redis-s3cret", "http-s3cret", "file-s3cret"):
        assert secret not in said(ran)
    effective = yaml.safe_load(ran.stdout)
    assert effective["gate"]["on_startup_timeout"] == "fail"
    assert effective["checks"]["redis"]["affects"] == ["startup", "readiness"]
    assert "127.0.0.1" in effective["checks"]["database"]["url"]


@pytest.mark.parametrize("env, delay", [({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "5s"), ({"K_SERVICE": "chat"}, "0s"), ({}, "0s")],
                         ids=["kubernetes", "cloud-run", "none"])
def test_the_platform_presets_the_drain(rig, env, delay):
    """`platform: auto` reads K_SERVICE and KUBERNETES_SERVICE_HOST, and presets drain and log."""
    ran = command("validate", "--print", "-c", write(rig, "platform: auto\n"), env=env)
    assert ran.returncode == 0, said(ran)
    printed = str(yaml.safe_load(ran.stdout)["drain"]["delay"])
    assert printed in ((delay,) if delay != "0s" else ("0s", "0", "0ms"))


def test_a_file_that_is_not_there_is_2_and_named(rig):
    """A configuration that cannot be read is a wrong configuration."""
    path = os.path.join(rig.directory, "nosuch.yaml")
    for arguments in (["validate"], ["run"], ["check"]):
        ran = command(*arguments, "-c", path)
        assert ran.returncode == 2, arguments
        assert path in said(ran)


def test_run_with_a_bad_config_starts_nothing(rig):
    """The exit code is 2, and no port was ever open."""
    probe = free_port()
    path = write(rig, f"probes: {{listen: '127.0.0.1:{probe}'}}\nproxi: {{}}\n")
    ran = command("run", "-c", path)
    assert ran.returncode == 2
    assert f"{path}:2:1: " in said(ran)
    assert "listening" not in said(ran)


# run

@pytest.mark.parametrize("taken", ["proxy.listen", "probes.listen"])
def test_a_taken_port_is_3_and_names_key_address_and_holder(rig, taken):
    """The holder's process id is told where it can be read."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen(1)
        port = holder.getsockname()[1]
        other = "probes.listen" if taken == "proxy.listen" else "proxy.listen"
        settings = {key.split(".")[0]: {"listen": f"127.0.0.1:{number}"} for key, number in ((taken, port), (other, free_port()))}
        ran = command("run", "-c", write(rig, yaml.safe_dump(settings)))
        assert ran.returncode == 3, said(ran)
        for part in (taken, f"127.0.0.1:{port}", str(os.getpid())):
            assert part in said(ran), part


def test_an_address_that_is_not_ours_is_3(rig):
    """The message names the address."""
    path = write(rig, f"proxy: {{listen: '192.0.2.1:{free_port()}'}}\nprobes: {{listen: '127.0.0.1:{free_port()}'}}\n")
    ran = command("run", "-c", path)
    assert ran.returncode == 3
    assert "192.0.2.1" in said(ran) and "proxy.listen" in said(ran)


# check

def test_check_says_0_when_all_pass_and_1_when_not(rig):
    """It runs the checks without serving, those that others need first."""
    postgres, redis = rig.postgres().start(), rig.redis()
    proxy, probe = free_port(), free_port()
    path = write(rig, f"""
proxy: {{listen: "127.0.0.1:{proxy}"}}
probes: {{listen: "127.0.0.1:{probe}"}}
checks:
  database: {{type: postgres, url: "{postgres.url()}"}}
  redis: {{type: redis, url: "{redis.url()}", needs: [database]}}
""")
    ran = command("check", "-c", path)
    assert ran.returncode == 1, said(ran)
    assert "database" in ran.stdout and "redis" in ran.stdout
    assert PASSWORD not in said(ran)

    ran = command("check", "-c", path, "--json")
    assert ran.returncode == 1
    document = json.loads(ran.stdout)
    assert document["checks"]["database"]["status"] == "pass"
    assert document["checks"]["redis"]["status"] == "fail"
    assert document["checks"]["redis"]["error"]["kind"] == "connect"
    assert document["status"] != "ready"

    redis.start()
    assert command("check", "-c", path).returncode == 0
    ran = command("check", "-c", path, "--json")
    assert ran.returncode == 0
    assert {check["status"] for check in json.loads(ran.stdout)["checks"].values()} == {"pass"}
    assert json.loads(ran.stdout)["status"] == "ready"


def test_check_waits_as_long_as_asked(rig):
    """`--wait` passes as soon as the late dependency does, and gives up at the end of the wait."""
    import subprocess
    import time
    from support.probegate import BINARY
    redis = rig.redis()
    path = write(rig, f"checks: {{redis: {{type: redis, url: '{redis.url()}'}}}}\n")
    start = time.monotonic()
    assert command("check", "-c", path, "--wait", "1s").returncode == 1
    assert 0.9 < time.monotonic() - start < 8

    waiting = subprocess.Popen([BINARY, "check", "-c", path, "--wait", "60s"], env=environment(), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        redis.start()
        assert waiting.wait(PATIENCE) == 0
    finally:
        waiting.kill()
        waiting.communicate(timeout=PATIENCE)


def test_check_shows_its_progress_on_a_terminal_and_a_plain_table_in_a_pipe(rig, backend):
    """No command needs a terminal."""
    path = write(rig, f"""
checks:
  web: {{type: http, url: '{backend.url}/mirror'}}
  broker: {{type: tcp, address: '127.0.0.1:{free_port()}', needs: [web]}}
  later: {{type: tcp, address: '127.0.0.1:1', needs: [broker]}}
""")
    ran = command("check", "-c", path)
    assert ran.returncode == 1 and ran.stderr == "" and "\x1b" not in ran.stdout
    web, broker, later = ran.stdout.splitlines()
    assert web.split()[:2] == ["web", "pass"] and web.endswith(" ms")
    assert broker.split()[:2] == ["broker", "fail"] and "connect: " in broker
    assert later.split() == ["later", "waiting", "waits", "for", "broker"]
    assert web.index("pass") == broker.index("fail") == later.index("waiting"), "columns line up"

    shown = on_a_terminal("check", "-c", path)
    assert re.search(r"\d s  \x1b\[0mweb \x1b\[32mpass\x1b\[0m", shown), "progress, with the time that has passed"
    assert "\x1b" not in on_a_terminal("check", "-c", path, env={"NO_COLOR": "1"})


def test_check_with_a_bad_config_is_2(rig):
    assert command("check", "-c", write(rig, "chekcs: {}\n")).returncode == 2


# healthcheck

def test_healthcheck_asks_the_running_one(rig):
    """It asks over loopback, and finds the port by `--url`, `-c FILE` or `PROBE_PORT`."""
    redis = rig.redis()
    sidecar = rig.probegate(f"checks: {{redis: {{type: redis, url: '{redis.url()}'}}}}").start()
    ways = (["-c", sidecar.config_file], ["--url", f"http://127.0.0.1:{sidecar.probe_port}"])
    for way in ways:
        assert command("healthcheck", "live", *way).returncode == 0, way
        assert command("healthcheck", "ready", *way).returncode == 1, way
        assert command("healthcheck", "startup", *way).returncode == 1, way
    redis.start()
    sidecar.wait_for_gate("open")
    for way in ways:
        for what in ("live", "ready", "startup"):
            assert command("healthcheck", what, *way).returncode == 0, (what, way)
        assert command("healthcheck", *way).returncode == 0
    assert command("healthcheck", "ready", env={"PROBE_PORT": str(sidecar.probe_port)}).returncode == 0


def test_healthcheck_says_1_when_nobody_answers():
    """It says so soon, in words."""
    ran = command("healthcheck", "ready", "--url", f"http://127.0.0.1:{free_port()}")
    assert ran.returncode == 1
    assert said(ran).strip()


def test_healthcheck_keeps_a_log_of_failures_that_does_not_grow_for_ever(rig):
    """Docker forgets all outputs of a health check but the last five, so `--log-file` keeps them, up to `--log-max`."""
    log = os.path.join(rig.directory, "health.log")
    arguments = ["healthcheck", "ready", "--url", f"http://127.0.0.1:{free_port()}", "--log-file", log, "--log-max", "1KiB"]
    assert command(*arguments).returncode == 1
    with open(log) as file:
        assert "refused" in file.read()
    for _ in range(25):
        assert command(*arguments).returncode == 1
    written = [name for name in os.listdir(rig.directory) if name.startswith("health.log")]
    assert os.path.getsize(log) <= 2048
    assert sum(os.path.getsize(os.path.join(rig.directory, name)) for name in written) <= 4096

    sidecar = rig.probegate("proxy: {}").start()
    before = os.path.getsize(log)
    assert command("healthcheck", "ready", "-c", sidecar.config_file, "--log-file", log).returncode == 0
    assert os.path.getsize(log) == before, "a success is no news"


def test_many_healthchecks_at_once_lose_no_line_and_tear_none_while_the_log_rotates(rig):
    """Docker may start the next check before a slow one has ended."""
    log = os.path.join(rig.directory, "health.log")
    most = 4096
    before = [f"before {i:02} {'x' * 80}" for i in range(45)]  # nearly full: all of them come to rotate it
    with open(log, "w") as file:
        file.write("".join(line + "\n" for line in before))
    assert most - 200 < os.path.getsize(log) <= most
    ports = [free_port() for _ in range(24)]
    with concurrent.futures.ThreadPoolExecutor(24) as threads:
        runs = [threads.submit(command, "healthcheck", "ready", "--url", f"http://127.0.0.1:{port}", "--log-file", log,
                               "--log-max", str(most)) for port in ports]
        assert [run.result().returncode for run in runs] == [1] * len(ports)
    old, new = f"{log}.1", log
    assert max(os.path.getsize(old), os.path.getsize(new)) <= most
    with open(old) as first, open(new) as second:
        lines = first.read().splitlines() + second.read().splitlines()
    assert lines[:45] == before
    told = [int(re.fullmatch(r"\S+Z ready: http://127\.0\.0\.1:(\d+): cannot connect .*refused", line)[1]) for line in lines[45:]]
    assert sorted(told) == sorted(ports)


def test_healthcheck_does_not_hang_on_a_silent_port(rig):
    """Every wait of a command ends."""
    from support.backends import silent
    assert command("healthcheck", "--url", rig.scripted(silent).url).returncode == 1


def test_healthcheck_finds_a_probe_port_on_all_addresses(rig):
    """It asks over loopback, where the file says 0.0.0.0 or a port of the environment."""
    sidecar = rig.probegate("probes: {listen: '0.0.0.0:${PROBE_PORT}'}").start()
    ran = command("healthcheck", "ready", "-c", sidecar.config_file, env={"PROBE_PORT": str(sidecar.probe_port)})
    assert ran.returncode == 0, said(ran)


# Everything

COMMANDS = ["run", "validate", "check", "wait", "healthcheck", "status", "smoke", "report", "reload", "drain", "pause", "resume", "render"]


@pytest.mark.parametrize("name", COMMANDS)
def test_help_and_version_everywhere(name):
    helped = command(name, "--help")
    assert helped.returncode == 0
    assert name in helped.stdout
    version = command(name, "--version")
    assert version.returncode == 0
    assert re.search(r"\d+\.\d+\.\d+", version.stdout)
    assert version.stdout == command("--version").stdout


def test_help_lists_the_commands():
    ran = command("--help")
    assert ran.returncode == 0
    for name in COMMANDS:
        assert name in ran.stdout


@pytest.mark.parametrize("arguments", [["--nonsense"], ["run", "--confgi", "x"], ["validate", "--pritn"], ["nonsense"],
                                       ["check", "--wait", "long"], []],
                         ids=lambda arguments: " ".join(arguments) or "nothing")
def test_an_unknown_option_is_2_with_a_hint(arguments):
    ran = command(*arguments)
    assert ran.returncode == 2, said(ran)
    assert re.search(r"--help|did you mean|Usage|one of|allowed|startup", said(ran), re.I), said(ran)


def test_a_closed_stdout_is_no_crash(rig):
    """No command needs an output."""
    import subprocess
    from support.probegate import BINARY
    path = write(rig, "proxy: {}\n")
    ran = subprocess.run(["sh", "-c", 'exec "$0" validate --print -c "$1" >&-', BINARY, path], env=environment(),
                         timeout=PATIENCE, capture_output=True, check=False)
    assert ran.returncode in (0, 1, 2), "no signal"

"""The image as a stranger runs it: no rights, a read-only file system, configured by the environment."""

import http.server
import json
import re
import ssl
import subprocess
import threading

import pytest

from conftest import CONFINED, ROOT, podman
from support.http import request
from support.ports import free_port
from support.postgres import TABLES
from support.waiting import wait_for, wait_until

MEGABYTE = 1_000_000
MEBIBYTE = 1024 * 1024


class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"hello from the backend"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def hello():
    """A backend, and its port."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hello)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture
def authority(tmp_path):
    """A certificate for localhost that is its own authority: the paths of certificate and key."""
    tmp_path.chmod(0o755)
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                    "-out", certificate, "-keyout", key], check=True, capture_output=True)
    return certificate, key


@pytest.fixture
def https(authority):
    """An HTTPS server whose certificate only `authority` vouches for, and its port."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hello)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def serves(container, path="/health/ready"):
    assert container.inspect()["State"]["Status"] == "running", container.logs()
    return request(container.probe_port, path).status == 200


def check(image, env, *options):
    """`probegate check --json`: the exit code, and what it found."""
    env = {"BACKEND_URL": "http://127.0.0.1:1", **env}
    run = podman("run", "--rm", "--pull=never", *CONFINED, *options, *(f"--env={name}={value}" for name, value in env.items()),
                 image, "check", "--json")
    return run.returncode, json.loads(run.stdout)["checks"]


def test_the_image_is_small(image):
    size = json.loads(podman("image", "inspect", image).stdout)[0]["Size"]
    assert size < 40 * MEGABYTE
    print(f"image: {size / MEGABYTE:.2f} MB")


def test_the_image_holds_the_program_authorities_and_a_user_and_nothing_else(start):
    container = start(env={"BACKEND_URL": "http://127.0.0.1:1"})
    listing = subprocess.run(f"podman export {container.name} | tar t", shell=True, capture_output=True, text=True, check=True)
    files = {name for name in listing.stdout.splitlines() if not name.endswith("/")}
    mounted = {"etc/hosts", "etc/hostname", "etc/resolv.conf", "run/.containerenv", "etc/mtab"}
    assert files - mounted == {"usr/bin/probegate", "etc/ssl/certs/ca-certificates.crt", "etc/passwd", "etc/group"}


def test_the_image_says_how_it_wants_to_be_run(image):
    inspected = json.loads(podman("image", "inspect", image).stdout)[0]
    config = inspected["Config"]
    assert config["User"] == "65532:65532"
    assert config["Entrypoint"] == ["/usr/bin/probegate"] and config["Cmd"] == ["run"]
    assert inspected["Healthcheck"]["Test"] == ["CMD", "/usr/bin/probegate", "healthcheck", "live"]
    assert set(config["ExposedPorts"]) == {"8080/tcp", "9090/tcp"}


def test_it_says_its_version(image):
    version = re.search(r"version: '([\d.]+)'", (ROOT / "meson.build").read_text())[1]
    run = podman("run", "--rm", "--pull=never", *CONFINED, image, "--version")
    assert run.returncode == 0
    assert version in run.stdout


def test_both_ports_answer_and_sigterm_ends_it_well(start, hello):
    container = start(env={"BACKEND_URL": f"http://127.0.0.1:{hello}"})
    wait_until(lambda: serves(container), "the gate to open")
    assert request(container.proxy_port, "/").body == b"hello from the backend"
    assert podman("healthcheck", "run", container.name).returncode == 0
    assert podman("stop", "--time=20", container.name).returncode == 0
    assert container.wait() == 0, container.logs()


def test_it_rests_in_little_memory(start, hello):
    container = start(env={"BACKEND_URL": f"http://127.0.0.1:{hello}"})
    wait_until(lambda: serves(container), "the gate to open")
    with open(f"/proc/{container.inspect()['State']['Pid']}/status") as status:
        resident = int(re.search(r"VmRSS:\s+(\d+) kB", status.read())[1]) * 1024
    assert resident <= 16 * MEBIBYTE
    print(f"resident at rest: {resident / MEBIBYTE:.1f} MiB")


def test_a_dependency_that_is_down_leaves_the_container_healthy(start, hello):
    container = start(env={"BACKEND_URL": f"http://127.0.0.1:{hello}",
                           "DATABASE_URL": f"postgresql://nobody@127.0.0.1:{free_port()}/none"})
    ready = wait_for(lambda: request(container.probe_port, "/health/ready"),
                     lambda answer: answer.json["checks"]["database"]["status"] == "fail", "the database to be missed")
    assert ready.status == 503
    assert request(container.proxy_port, "/").status == 503
    assert podman("healthcheck", "run", container.name).returncode == 0


def test_a_start_that_has_failed_makes_the_container_unhealthy(start, tmp_path):
    tmp_path.chmod(0o755)
    (tmp_path / "probegate.yaml").write_text(
        "proxy: {listen: '127.0.0.1:${PORT}', backend: 'http://127.0.0.1:1'}\n"
        "probes: {listen: '127.0.0.1:${PROBE_PORT}'}\n"
        "gate: {startup_timeout: 1s}\n"
        f"checks: {{nats: {{type: tcp, address: '127.0.0.1:{free_port()}'}}}}\n")
    container = start(f"--volume={tmp_path}:/etc/probegate:ro")
    wait_until(lambda: request(container.probe_port, "/health/live").status == 503, "the start to fail")
    assert podman("healthcheck", "run", container.name).returncode == 1


def test_its_static_libraries_speak_to_real_servers(image, postgres, redis):
    """SCRAM and the tables in PostgreSQL, AUTH and a write in Redis."""
    postgres.create_tables()
    env = {"DATABASE_URL": postgres.url(), "DATABASE_TABLES": ",".join(TABLES), "REDIS_URL": redis.url()}
    code, checks = check(image, env)
    assert {name: found["status"] for name, found in checks.items()} == {"database": "pass", "redis": "pass"}
    assert code == 0


def test_a_wrong_password_is_told_as_such(image, postgres):
    code, checks = check(image, {"DATABASE_URL": postgres.url(password="wrong")})
    assert code == 1
    assert checks["database"]["error"]["kind"] == "auth"


def test_it_trusts_the_authorities_at_their_usual_place_and_no_others(image, https, authority):
    env = {"AUTH_HEALTH_URL": f"https://localhost:{https}/"}
    code, checks = check(image, env, f"--volume={authority[0]}:/etc/ssl/certs/ca-certificates.crt:ro")
    assert checks["auth"]["status"] == "pass"
    assert code == 0
    code, checks = check(image, env)
    assert checks["auth"]["error"]["kind"] == "tls"


@pytest.mark.parametrize("method", ["mysql_native_password", "ed25519"])
def test_it_logs_in_to_mariadb_by_methods_that_are_built_in(image, mariadb, tmp_path, method):
    """A dynamic libmariadb loads them from files, of which the image has none."""
    mariadb.execute(f"CREATE USER 'by_{method}'@'%' IDENTIFIED VIA {method} USING PASSWORD('s3cret')")
    mariadb.execute(f"GRANT SELECT ON *.* TO 'by_{method}'@'%'")
    tmp_path.chmod(0o755)
    (tmp_path / "probegate.yaml").write_text(
        f"checks: {{orders: {{type: mysql, host: 127.0.0.1, port: {mariadb.port}, user: by_{method}, password: s3cret, tables: [mysql.db]}}}}\n")
    run = podman("run", "--rm", "--pull=never", *CONFINED, f"--volume={tmp_path}:/etc/probegate:ro", image, "check")
    assert run.returncode == 0, run.stdout + run.stderr


def test_a_volume_for_the_state_file_belongs_to_the_user_of_the_image(image):
    """Engines give a new volume the owner of the directory that it covers."""
    with_volume = podman("run", "--rm", "--pull=never", *CONFINED, "--volume=/var/lib/probegate", "--entrypoint=/usr/bin/probegate",
                         image, "run", "--help")
    assert with_volume.returncode == 0
    layers = podman("create", "--pull=never", image)
    container = layers.stdout.strip()
    listing = podman("cp", f"{container}:/var/lib/probegate", "-")
    podman("rm", container)
    assert listing.returncode == 0, listing.stderr
    assert "65532" in subprocess.run(["tar", "--list", "--verbose", "--numeric-owner"], input=listing.stdout, text=True,
                                     capture_output=True, check=True).stdout

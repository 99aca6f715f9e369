"""`probegate wait` and `check --wait D -- CMD`: a command that begins when what it needs is there."""

import http.server
import os
import subprocess
import sys
import threading

import pytest

from support.http import request
from support.ports import free_port
from support.probegate import BINARY, command
from support.waiting import PATIENCE

SHOW = ["sh", "-c", "echo \"$0 $1\"; ls /proc/self/fd | tr '\\n' ' '; exit 7", "two words", "$HOME"]


def act(sidecar, action):
    assert request(sidecar.probe_port, f"/{action}", method="POST",
                   headers={"Probegate-Action": action, "Host": "localhost"}).status == 200


def start(*arguments, **options):
    return subprocess.Popen([BINARY, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def test_it_ends_with_0_once_the_running_one_is_ready(rig):
    sidecar = rig.probegate('log: {level: info}').start()
    ran = command("wait", "-c", sidecar.config_file)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def test_it_says_what_it_waits_for_and_goes_on_when_that_is_over(rig):
    sidecar = rig.probegate('log: {level: info}').start()
    act(sidecar, "pause")
    waiting = start("wait", "-c", sidecar.config_file, "--", "echo", "now")
    assert waiting.stderr.readline() == "waiting: 503 not_ready, gate paused\n"
    act(sidecar, "resume")
    out, _ = waiting.communicate(timeout=PATIENCE)
    assert (waiting.returncode, out) == (0, "now\n")


@pytest.mark.parametrize("probe", ["startup", "ready"])
def test_at_the_timeout_it_names_the_cause(rig, probe):
    sidecar = rig.probegate(f"checks: {{broker: {{type: tcp, address: '127.0.0.1:{free_port()}', interval: 100ms}}}}").start()
    ran = command("wait", "-c", sidecar.config_file, "--for", probe, "--timeout", "300ms", "--", "echo", "never")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert f"probegate: not {probe} within 300ms: 503 not_ready, waiting for broker" in ran.stderr
    assert command("wait", "-c", sidecar.config_file, "--for", "live").returncode == 0


def test_a_process_that_does_not_run_yet_is_waited_for(rig):
    sidecar = rig.probegate('log: {level: info}')
    ran = command("wait", "--url", f"http://127.0.0.1:{free_port()}", "--timeout", "200ms")
    assert ran.returncode == 1 and "refused" in ran.stderr
    waiting = start("wait", "-c", sidecar.config_file, "--", "echo", "now")
    assert "refused" in waiting.stderr.readline()
    sidecar.start()
    assert waiting.communicate(timeout=PATIENCE)[0] == "now\n" and waiting.returncode == 0


def test_the_command_takes_its_place_with_its_arguments_environment_and_exit_code(rig):
    """Also variables that probegate hides from its libraries; and no descriptor of its own is left."""
    sidecar = rig.probegate('log: {level: info}').start()
    ran = start("wait", "-c", sidecar.config_file, "--", *SHOW)
    out, err = ran.communicate(timeout=PATIENCE)
    assert ran.returncode == 7 and err == ""
    words, descriptors = out.splitlines()
    assert words == "two words $HOME"
    assert set(descriptors.split()) <= {"0", "1", "2", "3"}, "3 is the folder that ls reads"
    ran = command("wait", "-c", sidecar.config_file, "--", "sh", "-c", "echo $PGHOST; kill -PIPE $$", env={"PGHOST": "db"})
    assert (ran.returncode, ran.stdout) == (-13, "db\n"), "SIGPIPE has its default action again"


def test_the_command_has_the_pid_of_wait(rig):
    sidecar = rig.probegate('log: {level: info}').start()
    ran = start("wait", "-c", sidecar.config_file, "--", "sh", "-c", "echo $$")
    assert ran.communicate(timeout=PATIENCE)[0].strip() == str(ran.pid)


def test_a_command_that_cannot_be_executed_is_127_or_126(rig):
    sidecar = rig.probegate('log: {level: info}').start()
    ran = command("wait", "-c", sidecar.config_file, "--", "/nonexistent/program")
    assert ran.returncode == 127 and "cannot execute /nonexistent/program: No such file" in ran.stderr
    ran = command("wait", "-c", sidecar.config_file, "--", rig.directory)
    assert ran.returncode == 126 and "Permission denied" in ran.stderr


def test_an_interrupt_ends_the_wait(rig):
    sidecar = rig.probegate('log: {level: info}').start()
    act(sidecar, "pause")
    waiting = start("wait", "-c", sidecar.config_file)
    waiting.stderr.readline()
    waiting.terminate()
    _, err = waiting.communicate(timeout=PATIENCE)
    assert waiting.returncode == 1 and "interrupted" in err


@pytest.mark.parametrize("arguments", [["wait", "--for", "ever"], ["wait", "--timeout", "0s"], ["wait", "extra"],
                                       ["status", "--", "true"], ["check", "extra"]], ids=" ".join)
def test_wrong_usage_is_2(arguments):
    assert command(*arguments).returncode == 2


class NotReadyAtFirst(http.server.BaseHTTPRequestHandler):
    asked = 0

    def do_GET(self):
        type(self).asked += 1
        self.send_response(503 if self.asked < 3 else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def test_check_waits_for_its_dependencies_and_executes_the_command(rig):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), NotReadyAtFirst)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    file = rig.probegate(f"checks: {{api: {{type: http, url: 'http://127.0.0.1:{server.server_port}/', interval: 50ms}}}}").config_file
    ran = command("check", "--wait", "60s", "-c", file, "--", sys.executable, "-c", "print('begun')")
    server.shutdown()
    server.server_close()
    assert (ran.returncode, ran.stdout) == (0, "begun\n"), "stdout belongs to the command"
    assert NotReadyAtFirst.asked >= 3


def test_check_that_fails_executes_nothing(rig):
    file = rig.probegate(f"checks: {{broker: {{type: tcp, address: '127.0.0.1:{free_port()}', interval: 50ms}}}}").config_file
    ran = command("check", "--wait", "300ms", "-c", file, "--", "echo", "never")
    assert ran.returncode == 1 and "never" not in ran.stdout and "broker" in ran.stdout


def test_check_with_a_real_database_and_a_migration(rig):
    """As an entrypoint does it: the migration begins once the database answers."""
    postgres = rig.postgres().start()
    file = rig.probegate(f"checks: {{database: {{type: postgres, url: '{postgres.url()}', interval: 100ms}}}}").config_file
    ran = command("check", "--wait", "60s", "-c", file, "--", "sh", "-c", "echo migrated; exit 3")
    assert (ran.returncode, ran.stdout) == (3, "migrated\n")
    assert os.path.exists(file)

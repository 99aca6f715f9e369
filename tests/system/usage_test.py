"""A wrong command line: what is wrong, what was meant, and the exit code."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.probegate import command

FIGURES = Path(__file__).parents[2] / "bench" / "figures"
CHECK_TYPES = {"grpc", "http", "postgres", "redis", "tcp", "websocket"}


@pytest.mark.parametrize("arguments, said", [
    (["rnu"], "there is no command 'rnu', did you mean run?"),
    (["vaildate"], "did you mean validate?"),
    (["STATUS"], "did you mean status?"),
    (["start"], "did you mean run?"),
    (["health"], "did you mean healthcheck?"),
    (["lint"], "did you mean validate?"),
    (["help", "rnu"], "did you mean run?"),
    (["elephant"], "there is no command 'elephant', there are run, validate, check"),
    (["a.yaml"], "probegate run -c a.yaml"),
    (["run", "a.yaml"], "write probegate run -c a.yaml"),
    (["validate", "conf/a.yml"], "write probegate validate -c conf/a.yml"),
    (["status", "something"], "status takes no argument 'something'"),
    (["run", "--cofnig", "a"], "run has no option --cofnig, did you mean --config?"),
    (["run", "--cofnig=a"], "run has no option --cofnig, did you mean --config?"),
    (["status", "--wathc"], "did you mean --watch?"),
    (["validate", "--file", "a.yaml"], "did you mean --config?"),
    (["-c", "a.yaml"], "the command comes first; write probegate run -c"),
    (["--verison"], "did you mean --version?"),
    (["render"], "platform"),
    (["render", "nomad"], "kubernetes"),
    ([], "the command is missing"),
    (["check", "--wait", "soon"], "duration"),
    (["status", "--url", "localhost:1"], "http://host:port"),
    (["report", "--url", "localhost:1"], "http://host:port"),
    (["reload", "--url", "localhost:1"], "http://host:port"),
    (["status", "-c", "/nonexistent/nope.yaml"], "/nonexistent/nope.yaml"),
    (["reload", "-c", "/nonexistent/nope.yaml"], "/nonexistent/nope.yaml"),
    (["report", "--fail-on", "nonsense"], "nonsense"),
    (["smoke", "ftp://h/"], "ws"),
    (["completion", "tcsh"], "bash"),
], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_every_wrong_usage_exits_2_and_says_what_was_meant(arguments, said):
    ran = command(*arguments)
    assert ran.returncode == 2, ran.stdout + ran.stderr
    assert said in ran.stderr and ran.stdout == ""


@pytest.mark.parametrize("arguments", [["alive"], ["--nonsense"], ["--url", "localhost:19090"], ["-c", "/nonexistent/a.yaml"],
                                       ["ready", "extra"], ["--log-max", "many"]], ids=" ".join)
def test_healthcheck_never_exits_2(arguments):
    """Docker keeps that code for itself."""
    ran = command("healthcheck", *arguments)
    assert ran.returncode == 1 and ran.stderr.startswith("probegate: ")


@pytest.mark.parametrize("words", [["help"], ["--help"], ["-h"]])
def test_help_answers_in_every_form(words):
    ran = command(*words)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == command("--help").stdout


def test_help_of_a_command():
    assert command("help", "render").stdout == command("render", "--help").stdout


@pytest.mark.parametrize("words", [["version"], ["--version"], ["-v"], ["-V"]])
def test_version_tells_commit_linkage_and_check_types(words):
    ran = command(*words)
    assert ran.returncode == 0
    first, types = ran.stdout.splitlines()
    assert re.fullmatch(r"probegate \d+\.\d+\.\d+ \(commit [0-9a-f]{7,40}(-dirty)?, (static|dynamic)\)|"
                        r"probegate \d+\.\d+\.\d+ \(commit \S+, (static|dynamic)\)", first)
    built_in = types.split(";")[0].removeprefix("checks: ").split()
    assert CHECK_TYPES <= set(built_in)
    assert "mysql" in types


@pytest.mark.parametrize("name", ["run", "validate", "check", "wait", "healthcheck", "status", "smoke", "report", "reload", "drain", "pause", "resume", "render", "completion"])
def test_help_describes_every_option_in_words(name):
    text = re.sub(r"\n {10,}", " ", command(name, "--help").stdout)
    lines = [line for line in text.splitlines() if re.match(r"\s+(-|\w+ (TEXT|URL|[A-Z]))", line)]
    assert lines
    for line in lines:
        described = re.split(r"\s{2,}|:\{[^}]*\}|REQUIRED", line.strip(), maxsplit=1)[-1]
        assert len(described.split()) >= 3, line


def test_the_manual_has_the_sections_that_people_look_for():
    page = command("man").stdout
    for section in ("SYNOPSIS", "COMMANDS", "CONFIGURATION", "SIGNALS", "EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES", "SEE ALSO"):
        assert f".SH {section}\n" in page or f'.SH "{section}"\n' in page, section
    for signal in ("SIGTERM", "SIGINT", "SIGHUP"):
        assert signal in page
    for variable in ("PORT", "PROBE_PORT", "BACKEND_URL", "DATABASE_URL", "DATABASE_TABLES", "REDIS_URL", "WEBSOCKET_PATH",
                     "AUTH_HEALTH_URL", "LOG_LEVEL", "GOOGLE_CLOUD_PROJECT", "K_SERVICE", "KUBERNETES_SERVICE_HOST",
                     "PROBEGATE_PLATFORM", "NO_COLOR", "TERM"):
        assert variable in page, variable


def test_the_figures_explain_themselves():
    for arguments, code in ((["--help"], 0), (["nonsense"], 2)):
        ran = subprocess.run([sys.executable, "-B", FIGURES, *arguments], capture_output=True, text=True, timeout=60, check=False)
        assert ran.returncode == code and "Traceback" not in ran.stderr
        assert "start" in ran.stdout + ran.stderr


@pytest.mark.parametrize("count, words", [(0, "0 checks"), (1, "1 check"), (2, "2 checks")])
def test_one_check_is_not_one_checks(tmp_path, count, words):
    path = tmp_path / "probegate.yaml"
    path.write_text("checks: {" + ", ".join(f"c{number}: {{type: tcp, address: 'h:1'}}" for number in range(count)) + "}\n")
    ran = command("validate", "-c", path)
    assert ran.returncode == 0 and ran.stdout.endswith(f": valid, {words}\n")

"""`probegate completion` and `probegate man`: made from the command line itself, and taken by the real bash and man."""

import re
import shutil
import subprocess

import pytest

from support.probegate import command

COMMANDS = ["run", "validate", "check", "wait", "healthcheck", "status", "smoke", "report", "reload", "drain", "resume", "pause", "render", "completion", "man"]


def generated(*arguments):
    ran = command(*arguments)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def options_in_help(*arguments):
    return set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", generated(*arguments, "--help")))


def completed(tmp_path, *words):
    """What a real bash offers for the word at the end of the line."""
    script = tmp_path / "probegate.bash"
    script.write_text(generated("completion", "bash"))
    line = " ".join(f"'{word}'" for word in words)
    asked = f"set -u; source {script}; COMP_WORDS=(probegate {line}); COMP_CWORD={len(words)}; _probegate; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    ran = subprocess.run(["bash", "--norc", "-c", asked], capture_output=True, text=True, check=True, cwd=tmp_path, timeout=20)
    assert ran.stderr == ""
    return ran.stdout.split()


def test_bash_completes_commands_options_and_words(tmp_path):
    assert completed(tmp_path, "") == COMMANDS + ["--help", "--version"] or set(COMMANDS) <= set(completed(tmp_path, ""))
    assert completed(tmp_path, "re") == ["report", "reload", "resume", "render"]
    assert completed(tmp_path, "render", "c") == ["cloud-run", "compose"]
    assert completed(tmp_path, "healthcheck", "--log") == ["--log-file", "--log-max"]
    assert completed(tmp_path, "status", "--w") == ["--watch"]
    assert completed(tmp_path, "report", "--for", "") == [], "a duration is the user's to write"


def test_bash_completes_files_where_a_file_is_meant(tmp_path):
    (tmp_path / "gate.yaml").write_text("")
    assert completed(tmp_path, "run", "-c", "gat") == ["gate.yaml"]


@pytest.mark.parametrize("name", COMMANDS)
def test_bash_knows_every_option_of_every_command(tmp_path, name):
    assert options_in_help(name) <= set(completed(tmp_path, name, "-"))


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_other_shells_know_every_command_and_option(tmp_path, shell):
    text = generated("completion", shell)
    for name in COMMANDS:
        assert re.search(rf"['( ]{name}\b", text), name
        for option in options_in_help(name):
            assert re.search(rf"(-l |['-]){re.escape(option.lstrip('-'))}\b", text) or f"-s {option.lstrip('-')} " in text, option


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_other_shells_take_their_script(tmp_path, shell):
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    script = tmp_path / "script"
    script.write_text(generated("completion", shell))
    ran = subprocess.run([shell, "-n", script], capture_output=True, text=True, check=False, timeout=20)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_man_takes_the_page_without_a_warning_and_shows_all_of_it(tmp_path):
    page = tmp_path / "probegate.1"
    page.write_text(generated("man"))
    ran = subprocess.run(["man", "--warnings", "-l", page], capture_output=True, text=True, check=False, timeout=60,
                         env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANWIDTH": "120", "MAN_KEEP_FORMATTING": "0"})
    assert (ran.returncode, ran.stderr) == (0, "")
    shown = re.sub(".\b", "", ran.stdout)
    for name in COMMANDS:
        assert f"probegate {name}" in shown
        for option in options_in_help(name) - {"-h"}:
            assert option in shown, option
    for part in ("EXIT STATUS", "ENVIRONMENT", "NO_COLOR", "/etc/probegate/probegate.yaml"):
        assert part in shown


def test_mandoc_finds_nothing_to_mend(tmp_path):
    page = tmp_path / "probegate.1"
    page.write_text(generated("man"))
    ran = subprocess.run(["mandoc", "-Tlint", "-Wwarning", page], capture_output=True, text=True, check=False, timeout=20)
    # The version says of when the page is; a date would be one more thing to keep true.
    undated = 'WARNING: missing date, using "": TH'
    assert [line for line in (ran.stdout + ran.stderr).splitlines() if not line.endswith(undated)] == []


@pytest.mark.parametrize("arguments", [["completion"], ["completion", "tcsh"]])
def test_an_unknown_shell_is_2_with_a_hint(arguments):
    ran = command(*arguments)
    assert ran.returncode == 2 and "probegate completion --help" in ran.stderr

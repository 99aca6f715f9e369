"""The systemd unit is one that systemd takes, and confines the program."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = (ROOT / "packaging" / "probegate.service.in").read_text()


def unit(program: str = "/bin/true") -> str:
    places = {"PROGRAM": program, "CONFIG": "/etc/probegate/probegate.yaml", "ENVIRONMENT": "/etc/probegate/environment"}
    return re.sub(r"@([A-Z]+)@", lambda name: places[name[1]], TEMPLATE)


def settings() -> dict[str, str]:
    return dict(line.split("=", 1) for line in unit().splitlines() if re.match(r"\w+=", line))


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not here")
def test_systemd_finds_nothing_to_mend(tmp_path):
    file = tmp_path / "probegate.service"
    file.write_text(unit())
    ran = subprocess.run(["systemd-analyze", "verify", "--man=no", file], capture_output=True, text=True, check=False, timeout=30)
    assert (ran.returncode, ran.stdout + ran.stderr) == (0, "")


def test_the_program_may_write_its_own_folders_alone():
    wanted = {"DynamicUser": "yes", "NoNewPrivileges": "yes", "ProtectSystem": "strict", "CapabilityBoundingSet": "",
              "StateDirectory": "probegate", "RuntimeDirectory": "probegate"}
    assert wanted.items() <= settings().items()


def test_a_stop_leaves_time_for_the_longest_drain_by_default():
    """The defaults of drain on Kubernetes, the longest of all platforms (docs/contract.md, section 9)."""
    text = (ROOT / "configs" / "probegate.yaml").read_text()
    delay, timeout = re.search(r"delay: .*kubernetes: (\d+)s\n  timeout: .*kubernetes: (\d+)s", text).groups()
    assert int(delay) + int(timeout) < int(settings()["TimeoutStopSec"])


def test_a_wrong_configuration_is_not_tried_again():
    code = re.search(r"kUsage = (\d+);", (ROOT / "src" / "base" / "exit_code.h").read_text())[1]
    assert settings()["RestartPreventExitStatus"] == code


def test_the_state_file_that_the_unit_has_room_for_is_the_one_the_documents_name():
    assert "state_file: /var/lib/probegate/state.json" in (ROOT / "docs" / "logging.md").read_text()
    assert f"/var/lib/{settings()['StateDirectory']}/state.json" in TEMPLATE

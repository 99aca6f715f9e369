"""C++ is formatted as .clang-format says, and clang-tidy finds nothing in what changed."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import rules

ROOT = Path(__file__).resolve().parents[2]
FORMATTER = "14"  # Debian 12's; every version formats a little differently
MOST = 12  # files for clang-tidy, so that this suite stays short


def formatter_version() -> str | None:
    if not shutil.which("clang-format"):
        return None
    said = subprocess.run(["clang-format", "--version"], capture_output=True, text=True, check=True).stdout
    return re.search(r"version (\d+)", said)[1]


@pytest.mark.skipif(formatter_version() != FORMATTER, reason=f"clang-format {FORMATTER} is not here")
def test_every_file_is_formatted():
    files = [path for folder in ("src", "tests", "bench", "examples") for path in rules.sources(ROOT / folder)]
    ran = subprocess.run(["clang-format", "--dry-run", "-Werror", *files], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


def test_clang_tidy_finds_nothing_in_what_changed():
    """TIDY=all looks at every file, which takes a quarter of an hour."""
    which = ["--all"] if os.environ.get("TIDY") == "all" else ["--most", str(MOST)]
    ran = subprocess.run([ROOT / "scripts" / "tidy", *which], capture_output=True, text=True, check=False)
    if ran.returncode == 77:
        pytest.skip(ran.stdout.strip())
    assert ran.returncode == 0, ran.stdout + ran.stderr

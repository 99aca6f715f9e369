"""The rules of rules.py hold for this tree, and each of them catches what it is there for."""

import warnings
from pathlib import Path

import pytest

import rules

ROOT = Path(__file__).resolve().parents[2]


def fail_on(findings: list[str]) -> None:
    if findings:
        pytest.fail("\n" + "\n".join(findings), pytrace=False)


def test_includes_go_down_and_libraries_stay_behind_their_fences():
    fail_on(rules.floors(ROOT / "src"))


def test_no_banned_words():
    fail_on(rules.banned_words(ROOT))


def test_no_file_is_too_long():
    for lines, path in rules.line_counts(ROOT / "src"):
        if rules.SOFT_LINES < lines <= rules.MOST_LINES:
            warnings.warn(f"{path.relative_to(ROOT)} has {lines} lines; the soft limit is {rules.SOFT_LINES}")
    fail_on(rules.long_files(ROOT / "src"))


@pytest.fixture
def tree(tmp_path):
    """A small sound tree, and a way to put a line into one of its files."""
    for folder in ("base", "loop", "proto", "metrics", "health", "config", "checks", "probe", "cli"):
        (tmp_path / "src" / folder).mkdir(parents=True)
        (tmp_path / "src" / folder / "a.h").write_text("#pragma once\n")
    (tmp_path / "tests").mkdir()

    def write(name: str, line: str) -> Path:
        (tmp_path / name).write_text("#pragma once\n" + line + "\n")
        return tmp_path

    return write


@pytest.mark.parametrize(
    ("name", "line", "finding"),
    [
        ("src/health/b.cc", '#include "checks/a.h"', "health must not include upward to checks"),
        ("src/base/b.h", '  #  include "loop/a.h"  // why', "base must not include upward to loop"),
        ("src/metrics/b.cc", '#include "health/a.h"', "metrics must not include upward to health"),
        ("src/proto/b.cc", '#include "loop/a.h"', "proto must not include its neighbour loop"),
        ("src/probe/b.cc", '#include "checks/a.h"', "probe must not include its neighbour checks"),
        ("src/cli/b.cc", '#include "gone/a.h"', '"gone/a.h" is not a file of src/'),
        ("src/cli/b.cc", '#include "a.h"', '"a.h" is not a file of src/'),
        ("src/checks/b.cc", "#include <uv.h>", "<uv.h> is fenced to loop/"),
        ("src/checks/http.cc", "#include <curl/curl.h>", "<curl/curl.h> is fenced to loop/"),
        ("src/checks/redis.cc", "#include <libpq-fe.h>", "<libpq-fe.h> is fenced to checks/postgres.cc"),
        ("src/loop/b.cc", "#include <llhttp.h>", "<llhttp.h> is fenced to proto/"),
        ("src/proto/b.cc", "#include <openssl/sha.h>", "<openssl/sha.h> is fenced to loop/, proto/ws_handshake.cc"),
        ("src/cli/b.cc", "#include <boost/asio.hpp>", "<boost/asio.hpp> has no fence"),
        ("src/extra.cc", "", "extra.cc has no floor"),
    ],
)
def test_floors_catches(tree, name, line, finding):
    root = tree(name, line)
    found = rules.floors(root / "src")
    assert len(found) == 1
    assert finding in found[0]
    assert found[0].startswith(f"{root / name}:{2 if line else 1}: ")


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("src/checks/postgres.cc", "#include <libpq-fe.h>"),
        ("src/proto/ws_handshake.cc", "#include <openssl/sha.h>"),
        ("src/cli/b.cc", '#include "checks/a.h"'),
        ("src/checks/b.cc", '#include "config/a.h"'),
        ("src/health/b.cc", '#include "metrics/a.h"'),
        ("src/main.cc", '#include "cli/a.h"'),
        ("src/loop/b.cc", "#include <sys/socket.h>"),
        ("src/health/b.cc", "#include <nlohmann/json.hpp>"),
        ("src/health/b.cc", '// #include "checks/a.h"'),
    ],
)
def test_floors_allows(tree, name, line):
    assert rules.floors(tree(name, line) / "src") == []


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("src/health/b.cc", "auto t = std::chrono::steady_clock::now();"),
        ("src/cli/b.cc", "auto t = system_clock::now();"),
        ("src/loop/b.cc", "std::this_thread::sleep_for(1s);"),
        ("tests/b_test.cc", "usleep(10);"),
        ("src/loop/b.cc", "uv_run(uv_default_loop(), UV_RUN_ONCE);"),
        ("src/base/b.h", "using namespace std;"),
        ("src/base/b.h", "auto f = [=] { return x; };"),
        ("src/base/b.h", "// TO" + "DO: later"),
        ("src/checks/b.h", "std::thread thread_;"),
        ("src/checks/b.cc", "Upstream& up" + "stream_;"),
    ],
)
def test_banned_words_catches(tree, name, line):
    root = tree(name, line)
    found = rules.banned_words(root)
    assert len(found) == 1
    assert found[0].startswith(f"{root / name}:2: ")


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("src/loop/b.cc", "return std::chrono::steady_clock::now();"),
        ("tests/b_test.cc", "const auto start = std::chrono::steady_clock::now();"),
        ("src/health/b.cc", "// steady_clock::now() is for loop/"),
        ("src/health/b.cc", "using namespace std::chrono_literals;"),
        ("src/health/b.cc", "bool no_sleep();"),
        ("src/loop/b.cc", "std::thread thread;"),
        ("src/config/b.cc", "std::thread::hardware_concurrency();"),
    ],
)
def test_banned_words_allows(tree, name, line):
    assert rules.banned_words(tree(name, line)) == []


def test_long_files_catches_the_first_line_too_many(tree):
    at_limit = tree("src/base/b.cc", "\n" * (rules.MOST_LINES - 2))
    assert rules.long_files(at_limit / "src") == []
    beyond = tree("src/base/b.cc", "\n" * (rules.MOST_LINES - 1))
    assert len(rules.long_files(beyond / "src")) == 1

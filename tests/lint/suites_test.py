"""scripts/test loses no failure: whatever way an executable ends badly, it is counted."""

import stat
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts/lib"))
import suites  # noqa: E402

HEAD = '<?xml version="1.0"?><Catch name="x"><Group name="x">'
PASSED = '<TestCase name="Good"><OverallResult success="true"/></TestCase>'
FAILED = (
    '<TestCase name="Bad"><Info> context </Info><Expression success="false" type="CHECK" filename="a_test.cc" line="7">'
    '<Original> a == b </Original><Expanded> 1 == 2 </Expanded></Expression><OverallResult success="false"/></TestCase>'
)
FOOT = '<OverallResultsCases successes="1" failures="0"/></Group></Catch>'


@pytest.fixture
def outcome_of(tmp_path, monkeypatch):
    """Runs a shell script in the place of a Catch2 executable; $5 is the file of its report."""
    monkeypatch.setattr(suites, "ROOT", tmp_path)

    def run(script: str, timeout: float = 20) -> suites.Outcome:
        file = tmp_path / "build-test/unit_x"
        file.parent.mkdir()
        file.write_text("#!/bin/sh\n" + script)
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
        return suites.run_test(suites.Test("unit x", [str(file)], timeout), suites.Tree("build-test"))

    return run


def report(*parts: str) -> str:
    return f"echo '{''.join(parts)}' >$4\n"


def test_a_sound_run_counts_its_cases(outcome_of):
    outcome = outcome_of(report(HEAD, PASSED, PASSED, FOOT))
    assert (outcome.passed, outcome.failures) == (2, [])


def test_a_failed_case_is_told_with_its_place(outcome_of):
    outcome = outcome_of(report(HEAD, PASSED, FAILED, FOOT) + "exit 1")
    assert outcome.passed == 1
    assert outcome.failures == ["Bad\n  context\n  a_test.cc:7: CHECK( a == b ) with 1 == 2"]


@pytest.mark.parametrize(
    ("script", "passed", "says"),
    [
        ("exit 0", 0, "ended early"),
        ("kill -SEGV $$", 0, "exit code -11"),
        (report(HEAD, PASSED) + "echo what the sanitizer says; exit 1", 1, "what the sanitizer says"),
        (report(HEAD, PASSED) + "exit 0", 1, "ended early"),
        (report(HEAD, PASSED, FOOT) + "echo leaked; exit 23", 1, "exit code 23\nleaked"),
        (report(HEAD, FOOT), 0, "has no test case"),
    ],
)
def test_a_bad_end_is_one_failure(outcome_of, script, passed, says):
    outcome = outcome_of(script)
    assert outcome.passed == passed
    assert len(outcome.failures) == 1
    assert says in outcome.failures[0]


def test_a_run_without_end_is_cut_and_counted(outcome_of):
    outcome = outcome_of(report(HEAD, PASSED) + "exec sleep 600", timeout=0.3)
    assert outcome.passed == 1
    assert outcome.failures == ["unit x: no end after 0.3 s\n"]
    assert outcome.seconds < 30


@pytest.mark.parametrize(("code", "passed", "failed"), [(0, 1, 0), (1, 0, 1), (77, 0, 1)])
def test_a_script_is_one_case(tmp_path, monkeypatch, code, passed, failed):
    monkeypatch.setattr(suites, "ROOT", tmp_path)
    (tmp_path / "build-test").mkdir()
    script = suites.Test("unit script", ["/bin/sh", "-c", f"exit {code}"], 20)
    outcome = suites.run_test(script, suites.Tree("build-test"))
    assert (outcome.passed, len(outcome.failures)) == (passed, failed)


@pytest.mark.parametrize(
    ("script", "passed", "failure"),
    [
        ("echo stat::number_of_executed_units: 7 >&2", 1, None),
        ("echo 'broken promise: x'; exit 77", 0, "exit code 77 after 0 inputs\nbroken promise: x"),
        ("exit 0", 0, "exit code 0 after 0 inputs"),
    ],
)
def test_a_fuzzer_passes_when_it_has_tried_and_found_nothing(tmp_path, monkeypatch, script, passed, failure):
    monkeypatch.setattr(suites, "ROOT", tmp_path)
    file = tmp_path / "fuzz_x"
    file.write_text("#!/bin/sh\n" + script)
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    outcome = suites.run_fuzzer(suites.Test("fuzz x", [str(file), "seeds"], 0), suites.Tree("build-fuzz"))
    assert outcome.passed == passed
    assert (failure in outcome.failures[0]) if failure else outcome.failures == []


@pytest.mark.parametrize(
    ("body", "passed", "failures", "skipped"),
    [
        ("def test_a(): pass\ndef test_b(): pass", 2, 0, 0),
        ("def test_a(): pass\ndef test_b(): assert False", 1, 1, 0),
        ("import pytest\n@pytest.mark.skip(reason='because')\ndef test_a(): pass", 0, 0, 1),
        ("import os\ndef test_a(): os._exit(3)", 0, 1, 0),
        ("import nothing_of_this_name", 0, 1, 0),
        ("", 0, 1, 0),
        (
            "import os\ndef test_a():\n"
            "    path = os.environ['ASAN_OPTIONS'].split('log_path=')[1]\n"
            "    open(path + '.123', 'w').write('heap-use-after-free')",
            1, 1, 0,
        ),
    ],
)  # fmt: skip
def test_a_python_suite_is_counted_by_case_and_by_end(tmp_path, monkeypatch, capsys, body, passed, failures, skipped):
    monkeypatch.setattr(suites, "ROOT", tmp_path)
    monkeypatch.setitem(suites.SECONDS_FOR, "some", 60)
    (tmp_path / "tests/some").mkdir(parents=True)
    (tmp_path / "tests/some/test_some.py").write_text(body)
    outcome = suites.run_pytest("some", suites.Tree("build-test"))
    assert (outcome.passed, len(outcome.failures), len(outcome.skipped)) == (passed, failures, skipped)

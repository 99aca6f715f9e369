"""The list of scripts/mutate fits the tree, and a run of it takes no verdict for another."""

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts/lib"))
import mutation  # noqa: E402
from mutants import MUTANTS, Mutant  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]


def names_a_test(mutant: Mutant) -> bool:
    if mutant.suite.startswith("tests/"):
        names = re.findall(r"^def (test_\w+)", (ROOT / mutant.suite).read_text(), re.MULTILINE)
        return any(mutant.only in name for name in names)
    folder = ROOT / "tests" / "/".join(mutant.suite.split()[:2])
    if f"'{mutant.suite}'" not in (folder / "meson.build").read_text():
        return False
    text = "".join(path.read_text() for path in folder.glob("*_test.cc"))
    patterns = [re.escape(pattern).replace(r"\*", ".*") for pattern in mutant.only.split(",")]
    return all(re.search(r'TEST_CASE\(\s*"' + pattern, text, re.IGNORECASE) for pattern in patterns)


def test_every_old_text_is_in_its_file_once():
    assert mutation.out_of_date(MUTANTS, ROOT) == []


def test_every_mutant_has_a_name_of_its_own_and_changes_something():
    names = [mutant.name for mutant in MUTANTS]
    assert sorted(set(names)) == sorted(names)
    assert [mutant.name for mutant in MUTANTS if mutant.old == mutant.new or not mutant.breaks] == []


def test_every_mutant_names_tests_that_are_there():
    assert [mutant.name for mutant in MUTANTS if not names_a_test(mutant)] == []


def test_an_old_text_that_is_gone_or_there_twice_is_told(tmp_path):
    (tmp_path / "a.cc").write_text("one two two")
    found = mutation.out_of_date([Mutant(text, "a.cc", text, "", "x", "unit x") for text in ("one", "two", "three")], tmp_path)
    assert found == ["two: a.cc has its old text 2 times, not once", "three: a.cc has its old text 0 times, not once"]


PASSED = '<TestCase name="Good"><OverallResult success="true"/></TestCase>'
FAILED = '<TestCase name="It&apos;s bad" tags=""><OverallResult success="false"/></TestCase>'
BEGUN = '<TestCase name="Begun">'


@pytest.mark.parametrize(
    ("script", "word", "how"),
    [
        (f"echo '{PASSED}'", "survived", ""),
        (f"echo '{PASSED}{FAILED}'; exit 1", "killed", "fails: It's bad"),
        (f"echo '{PASSED}{BEGUN}'; kill -ABRT $$", "killed", "crashes (SIGABRT): Begun"),
        (f"echo '{PASSED}{BEGUN}'; exec sleep 600", "killed", "hangs for 0.5 s: Begun"),
        (f"echo '{PASSED}'; sleep 600 & exit 0", "survived", ""),
    ],
)
def test_a_verdict_says_how_the_suite_ended(tmp_path, monkeypatch, script, word, how):
    monkeypatch.setattr(mutation, "BUILD", tmp_path)
    monkeypatch.setattr(mutation, "RUNS", tmp_path)
    monkeypatch.setitem(mutation.SECONDS, "meson", 0.5)
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n" + script)
    program.chmod(0o755)
    mutant = Mutant("name", "a.cc", "old", "new", "breaks", "unit x")
    run = mutation.Mutation([mutant], 1, str(tmp_path))
    run.suites = {"unit x": mutation.Suite([str(program)], [])}
    result = run.judge(mutant, run.own_copy(run.suites["unit x"], "name"))
    assert (result.word, result.how) == (word, how)
    assert not (tmp_path / "name").exists()
    assert run.running.processes == set()

"""Builds the trees and runs the suites; each test case counts as one, and so does each crash.

A suite is judged by its report (Catch2's XML, pytest's JUnit XML) and by its exit code: a report that breaks off, an
exit code that the report does not explain and a sanitizer's finding in a child process are failures of their own.
"""

import concurrent.futures
import configparser
import json
import os
import shutil
import subprocess
import sys
import time
import traceback
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TREES = {
    "build-test": {"b_sanitize": "address,undefined", "buildtype": "debug", "tests": "enabled"},
    "build-tsan": {"b_sanitize": "thread", "buildtype": "debug", "tests": "enabled"},
    "build-release": {"buildtype": "release", "tests": "disabled"},
    "build-fuzz": {
        "b_sanitize": "address,undefined", "buildtype": "debugoptimized", "tests": "enabled", "fuzz": "true", "b_lundef": "false",
    },
}  # fmt: skip
OF_ALL_TREES = {"werror": "true"}  # a warning is a failure here; who only builds the program is not stopped by one
COMPILERS = {"build-fuzz": {"CC": "clang", "CXX": "clang++"}}  # GCC has no libFuzzer
SANITIZERS = {
    "ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1:check_initialization_order=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    "TSAN_OPTIONS": f"halt_on_error=1:second_deadlock_stack=1:atexit_sleep_ms=0:suppressions={ROOT}/tests/support/tsan.supp",
}
SUITES = ["lint", "unit", "component", "system", "threads", "release", "fuzz", "container"]
TREE_OF = {
    "unit": "build-test", "component": "build-test", "system": "build-test", "threads": "build-tsan", "release": "build-release",
    "fuzz": "build-fuzz",
}  # fmt: skip
MESON_SUITES = {"unit", "component", "threads", "fuzz"}
PROGRAM_SUITES = {"system", "threads", "release"}  # these run tests/system, each with the program of its own tree
# What of tests/system a sanitizer would spoil: bounds of memory, and how the program that ships was linked.
UNSANITIZED = ["-m", "unsanitized"]
SECONDS_FOR = {"lint": 120, "system": 1800, "release": 600, "container": 1800}
ALL_SKIPPED = 77  # the exit code of a pytest folder that could not run here at all
WORKERS = min(4, os.cpu_count() or 1)
FUZZ_SECONDS = int(os.environ.get("FUZZ_SECONDS", "60"))


@dataclass
class Test:
    name: str
    command: list[str]
    timeout: float


@dataclass
class Tree:
    name: str
    tests: list[Test] = field(default_factory=list)
    built: bool = False
    launcher: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=lambda: dict(SANITIZERS))

    @property
    def program(self) -> str:
        return str(ROOT / self.name / "src/probegate")


@dataclass
class Outcome:
    name: str
    passed: int = 0
    failures: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    seconds: float = 0


def main(wanted: list[str]) -> int:
    if unknown := set(wanted) - set(SUITES):
        print(f"scripts/test: no suite {', '.join(sorted(unknown))}; there are {', '.join(SUITES)}", file=sys.stderr)
        return 2
    suites = [suite for suite in SUITES if not wanted or suite in wanted]
    outcomes = []
    begin = time.monotonic()
    try:
        for step in steps(suites):
            outcomes.append(step)
            show(step)
    except Exception:  # ours; it must not hide what was found so far
        outcomes.append(Outcome("scripts/test", failures=[traceback.format_exc()]))
        show(outcomes[-1])
    passed = sum(outcome.passed for outcome in outcomes)
    failed = sum(len(outcome.failures) for outcome in outcomes)
    print(f"\nin {time.monotonic() - begin:.0f} s\n{passed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


def steps(suites: list[str]):
    """Yields an Outcome for everything done, cheapest first."""
    if "lint" in suites:
        yield run_pytest("lint", Tree("build-test"))
    trees = {name: Tree(name) for name in TREES}
    tests = []
    for tree in trees.values():
        of_tree = [suite for suite in suites if TREE_OF.get(suite) == tree.name]
        if not of_tree:
            continue
        begin = time.monotonic()
        failure = build(tree, of_tree)
        yield Outcome(f"build {tree.name}", failures=[failure] if failure else [], seconds=time.monotonic() - begin)
        tests += [(test, tree) for test in tree.tests if tree.built]
    fuzzers = [job for job in tests if job[1].name == "build-fuzz"]
    others = [job for job in tests if job not in fuzzers]
    yield from run_at_once(WORKERS, run_test, others[::-1])  # the long ones are the last that Meson names
    yield from run_at_once(len(fuzzers), run_fuzzer, fuzzers)  # each for its time, whatever share of a core it gets
    for suite in suites:
        if suite in PROGRAM_SUITES and trees[TREE_OF[suite]].built:
            yield run_pytest("release" if suite == "release" else "system", trees[TREE_OF[suite]])
    if "container" in suites:
        yield run_pytest("container", Tree("build-test"))


def run_at_once(most: int, runner, jobs: list[tuple[Test, Tree]]):
    with concurrent.futures.ThreadPoolExecutor(max(most, 1)) as pool:
        running = [pool.submit(runner, test, tree) for test, tree in jobs]
        for job in concurrent.futures.as_completed(running):
            yield job.result()


def build(tree: Tree, suites: list[str]) -> str | None:
    """Returns what went wrong, if anything."""
    directory = ROOT / tree.name
    options = {**OF_ALL_TREES, **TREES[tree.name]}
    is_there = (directory / "build.ninja").is_file()
    if not is_there:
        shutil.rmtree(directory, ignore_errors=True)
    if not is_there or options.items() - configured(directory).items():
        compilers = {**os.environ, **COMPILERS.get(tree.name, {})}
        command = ["meson", "setup", *(["--reconfigure"] if is_there else []), tree.name]
        command += [f"-D{name}={value}" for name, value in options.items()]
        setup = subprocess.run(command, cwd=ROOT, env=compilers, capture_output=True, text=True)
        if setup.returncode != 0:
            return f"meson setup failed\n{tail(setup.stdout + setup.stderr)}"
    # A changed meson.build is noticed by ninja alone, so that comes before the question for the tests.
    ninja = ["ninja", "-C", tree.name, "--quiet"]
    subprocess.run([*ninja, "build.ninja"], cwd=ROOT, stdout=subprocess.DEVNULL)
    known = {kind: json.loads((directory / f"meson-info/intro-{kind}.json").read_text()) for kind in ("targets", "tests")}
    file_of = {target["id"]: target["filename"][0] for target in known["targets"]}
    files = {tree.program} if PROGRAM_SUITES & set(suites) else set()
    for test in known["tests"]:
        for suite in {name.split(":")[-1] for name in test["suite"]} & set(suites) & MESON_SUITES:
            tree.tests.append(Test(f"{suite} {test['name'].removeprefix(suite + ' ')}", test["cmd"], 2 * test["timeout"]))
            files |= {file_of[target] for target in test["depends"]}
    if subprocess.run([*ninja, *sorted(os.path.relpath(file, directory) for file in files)], cwd=ROOT).returncode != 0:
        return "ninja failed, see above"
    fit_to_sandbox(tree, [min(files), "-runs=0" if tree.name == "build-fuzz" else "--help"])
    tree.built = True
    return None


def configured(directory: Path) -> dict[str, str]:
    """The options that a tree was given, as Meson keeps them."""
    kept = configparser.ConfigParser(interpolation=None)
    kept.read(directory / "meson-private/cmd_line.txt")
    return dict(kept["options"]) if kept.has_section("options") else {}


def fit_to_sandbox(tree: Tree, command: list[str]) -> None:
    """Sanitizers need what some sandboxes withhold: one executable tries, and what had to give way is said."""

    def attempt() -> str:
        return run([*tree.launcher, *command], ROOT, tree.environment, 60)[1]

    if "unexpected memory mapping" in attempt():
        print(f"{tree.name}: this kernel spreads addresses too far for the sanitizer; running without that (setarch -R)")
        tree.launcher = ["setarch", "-R"]
    if "LeakSanitizer has encountered a fatal error" in attempt():
        print(f"{tree.name}: LEAKS ARE NOT DETECTED here: LeakSanitizer may not trace its process; all else is checked")
        tree.environment["ASAN_OPTIONS"] += ":detect_leaks=0"


def reports(tree: str) -> Path:
    directory = ROOT / tree / "reports"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def run(command: list[str], where: Path, environment: dict[str, str], seconds: float) -> tuple[int | str, str]:
    """Returns the exit code, or "timeout", and all that was printed."""
    process = subprocess.Popen(
        command, cwd=where, env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True,
    )  # fmt: skip
    try:
        printed, _ = process.communicate(timeout=seconds)
        return process.returncode, printed
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        printed, _ = process.communicate()
        return "timeout", printed


def run_test(test: Test, tree: Tree) -> Outcome:
    """One of Meson's tests: a Catch2 executable of the tree, or a script that is one case."""
    begin = time.monotonic()
    run_it = run_catch2 if Path(test.command[0]).is_relative_to(ROOT / tree.name) else run_script
    outcome = run_it(test, tree)
    outcome.seconds = time.monotonic() - begin
    return outcome


def run_script(test: Test, tree: Tree) -> Outcome:
    # Meson gives paths of the tree as seen from the tree.
    code, printed = run([*tree.launcher, *test.command], ROOT / tree.name, tree.environment, test.timeout)
    if code == 0:
        return Outcome(test.name, passed=1)
    return Outcome(test.name, failures=[f"{test.name}: exit code {code}\n{tail(printed)}"])


def run_fuzzer(test: Test, tree: Tree) -> Outcome:
    """A libFuzzer program, which ends early when it finds something; what it learns is kept in the tree."""
    begin = time.monotonic()
    directory = reports(tree.name)
    learned = directory / test.name.replace(" ", "-")
    learned.mkdir(exist_ok=True)
    program, *options = test.command  # the seeds come last
    command = [program, f"-max_total_time={FUZZ_SECONDS}", "-timeout=20", f"-artifact_prefix={learned}-"]
    command += ["-verbosity=0", "-print_final_stats=1", str(learned), *options]
    code, printed = run([*tree.launcher, *command], ROOT, tree.environment, FUZZ_SECONDS + 120)
    outcome = Outcome(test.name, seconds=time.monotonic() - begin)
    tried = next((int(line.split()[-1]) for line in printed.splitlines() if "number_of_executed_units" in line), 0)
    if code == 0 and tried > 0:
        outcome.passed = 1
        outcome.name += f" ({tried} inputs)"
    else:
        outcome.failures.append(f"{test.name}: exit code {code} after {tried} inputs\n{tail(printed)}")
    return outcome


def run_catch2(test: Test, tree: Tree) -> Outcome:
    name = test.name
    report = reports(tree.name) / f"{name.replace(' ', '-')}.xml"
    report.unlink(missing_ok=True)
    command = [*tree.launcher, *test.command, "--reporter", "xml", "--out", str(report)]
    code, printed = run(command, ROOT / tree.name, tree.environment, test.timeout)
    outcome = Outcome(name)
    whole = False
    try:
        for _, element in ElementTree.iterparse(report):
            if element.tag == "TestCase":
                if element.find("OverallResult").get("success") == "true":
                    outcome.passed += 1
                else:
                    outcome.failures.append(catch2_failure(element))
            whole = whole or element.tag == "OverallResultsCases"
    except (ElementTree.ParseError, OSError):
        whole = False
    if code == "timeout":
        outcome.failures.append(f"{name}: no end after {test.timeout} s\n{tail(printed)}")
    elif not whole or (code != 0 and not outcome.failures):
        outcome.failures.append(f"{name}: ended early or unclean, exit code {code}\n{tail(printed)}")
    elif outcome.passed + len(outcome.failures) == 0:
        outcome.failures.append(f"{name}: has no test case")
    return outcome


def catch2_failure(case: ElementTree.Element) -> str:
    lines = [f"{case.get('name')}"]
    for part in case.iter():
        place = f"  {part.get('filename')}:{part.get('line')}: "
        if part.tag == "Expression" and part.get("success") != "true":
            original, expanded = (part.findtext(tag, "").strip() for tag in ("Original", "Expanded"))
            lines.append(f"{place}{part.get('type')}( {original} ) with {expanded}")
        elif part.tag in ("Exception", "Failure", "FatalErrorCondition"):
            lines.append(f"{place}{part.tag}: {(part.text or '').strip()}")
        elif part.tag in ("Info", "Warning"):
            lines.append(f"  {(part.text or '').strip()}")
    return "\n".join(lines)


def run_pytest(suite: str, tree: Tree) -> Outcome:
    directory = reports(tree.name)
    report = directory / f"{suite}.xml"
    for old in [report, *directory.glob(f"{suite}-sanitizer.*")]:
        old.unlink(missing_ok=True)
    # The program under test is a child of a child: what its sanitizer finds goes to files, so that no test can miss it.
    log_path = f":log_path={directory / suite}-sanitizer"
    environment = {name: options + log_path for name, options in tree.environment.items()}
    folder = "system" if suite == "release" else suite
    options = ["-n", "4"] if folder == "system" else []  # they mostly wait for servers
    options += UNSANITIZED if suite == "release" else []
    begin = time.monotonic()
    command = [*tree.launcher, "/usr/bin/python3", "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", *options]
    command += [f"--junit-xml={report}", f"tests/{folder}"]
    code, printed = run(command, ROOT, {**environment, "PROBEGATE_BIN": tree.program}, SECONDS_FOR[suite])
    outcome = Outcome("threads system" if tree.name == "build-tsan" else suite, seconds=time.monotonic() - begin)
    try:
        for case in ElementTree.parse(report).iter("testcase"):
            name = f"{case.get('classname')}.{case.get('name')}"
            if case.find("failure") is not None or case.find("error") is not None:
                outcome.failures.append(name)
            elif (skip := case.find("skipped")) is not None:
                outcome.skipped.append(f"{name}: {skip.get('message')}")
            else:
                outcome.passed += 1
    except (ElementTree.ParseError, OSError):
        outcome.failures.append(f"{suite}: left no report, exit code {code}")
    if code not in (0, ALL_SKIPPED) and not outcome.failures:
        outcome.failures.append(f"{suite}: exit code {code}")
    if outcome.failures:
        print(printed, flush=True)
    elif outcome.passed + len(outcome.skipped) == 0:
        outcome.failures.append(f"{suite}: has no test case")
    for finding in sorted(directory.glob(f"{suite}-sanitizer.*")):
        outcome.failures.append(f"{suite}: a sanitizer spoke up in the program\n{tail(finding.read_text())}")
    return outcome


def tail(text: str, lines: int = 60) -> str:
    return "\n".join(text.splitlines()[-lines:])


def show(outcome: Outcome) -> None:
    verdict = "FAILED" if outcome.failures else "skipped" if outcome.skipped and not outcome.passed else "ok"
    count = f"{outcome.passed:5} passed" if outcome.passed else ""
    print(f"{verdict:8}{outcome.name:32}{outcome.seconds:8.1f} s{count:>16}", flush=True)
    for failure in outcome.failures:
        print("    FAILED  " + failure.replace("\n", "\n    "), flush=True)
    for reason in outcome.skipped:
        print("    skipped " + reason, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

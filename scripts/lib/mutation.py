"""Puts the faults of mutants.py into a copy of the tree, one at a time, and runs the suite that must notice each.

The copy and what is built of it stay in build-mutate/, so that a second run builds only what changed. One fault is
built while the suites of those before it run, each with its own copy of the program.
"""

import concurrent.futures
import fcntl
import html
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from mutants import Mutant

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "build-mutate"
SOURCE = WORK / "source"
BUILD = WORK / "build"
RUNS = WORK / "runs"
OPTIONS = ["-Dbuildtype=plain", "-Ddebug=false", "-Doptimization=0", "-Dcommit=mutated"]  # compiled often, run once
PROGRAM = BUILD / "src/probegate"
SECONDS = {"meson": 60, "pytest": 180}  # a suite that takes longer hangs
SECONDS_FOR_ALL = 600  # of a suite without a fault, all cases that any mutant names
SECONDS_TO_BUILD = 1800


class Trouble(Exception):
    """What is wrong with the list, the tree or the machine, and not with the tests."""


@dataclass
class Suite:
    command: list[str]
    files: list[str]  # what ninja has to make for it

    @property
    def is_pytest(self) -> bool:
        return not self.command


@dataclass
class Result:
    mutant: Mutant
    word: str  # killed, survived or error
    how: str = ""
    seconds: float = 0


@dataclass
class Running:
    """All commands under way, so that none outlives us."""

    processes: set = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)
    over: bool = False

    def run(self, command: list[str], where: Path, output: Path, seconds: float, environment: dict[str, str]) -> int | str:
        """Returns the exit code, or "timeout"; what was printed is in `output`."""
        with output.open("wb") as out, self.lock:
            if self.over:
                raise KeyboardInterrupt
            process = subprocess.Popen(
                command, cwd=where, env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
                stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
            self.processes.add(process)
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            return "timeout"
        finally:
            self.end(process)

    def end(self, process: subprocess.Popen) -> None:
        try:
            os.killpg(process.pid, signal.SIGKILL)  # also what it has left behind
        except ProcessLookupError:
            pass
        process.wait()
        with self.lock:
            self.processes.discard(process)

    def end_all(self) -> None:
        with self.lock:
            self.over = True
            processes = list(self.processes)
        for process in processes:
            self.end(process)


class Mutation:
    def __init__(self, mutants: list[Mutant], jobs: int, temporary: str):
        self.mutants = sorted(mutants, key=lambda mutant: (mutant.suite, mutant.file))  # fewest builds
        self.jobs = jobs
        self.environment = {"TMPDIR": temporary}
        self.running = Running()
        self.suites: dict[str, Suite] = {}
        self.changed: Path | None = None  # the file of the copy that holds a fault,
        self.sound = ""  # and its text without it

    def run(self) -> list[Result]:
        WORK.mkdir(exist_ok=True)
        with (WORK / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Trouble(f"another run has {WORK.name}/") from None
            return self.run_alone()

    def run_alone(self) -> list[Result]:
        shutil.rmtree(RUNS, ignore_errors=True)  # of a run that was killed
        RUNS.mkdir()
        try:
            synchronise()
            self.set_up()
            self.suites = {name: self.suite(name) for name in {mutant.suite for mutant in self.mutants}}
            self.prove_without_fault()
            return self.try_all()
        finally:
            self.running.end_all()
            self.restore()
            shutil.rmtree(RUNS, ignore_errors=True)

    # --- the tree

    def set_up(self) -> None:
        log = RUNS / "setup"
        if not (BUILD / "build.ninja").is_file():
            shutil.rmtree(BUILD, ignore_errors=True)
            command = ["meson", "setup", str(BUILD), str(SOURCE), *OPTIONS]
            if self.running.run(command, ROOT, log, SECONDS_TO_BUILD, {}) != 0:
                raise Trouble(f"meson setup failed\n{tail(log)}")
        # A changed meson.build is noticed by ninja alone, so that comes before the question for the tests.
        if self.running.run(["ninja", "-C", str(BUILD), "build.ninja"], ROOT, log, SECONDS_TO_BUILD, {}) != 0:
            raise Trouble(f"meson failed\n{tail(log)}")

    def suite(self, name: str) -> Suite:
        if name.startswith("tests/system/"):
            return Suite([], [str(PROGRAM)])
        targets = json.loads((BUILD / "meson-info/intro-targets.json").read_text())
        tests = json.loads((BUILD / "meson-info/intro-tests.json").read_text())
        file_of = {target["id"]: target["filename"][0] for target in targets}
        for test in tests:
            if test["name"] == name:
                return Suite(test["cmd"], [file_of[target] for target in test["depends"]])
        raise Trouble(f"there is no test {name!r}")

    def build(self, files: set[str]) -> str | None:
        """Returns what the compiler says, if anything went wrong."""
        log = RUNS / "build"
        names = sorted(os.path.relpath(file, BUILD) for file in files)
        code = self.running.run(["ninja", "-C", str(BUILD), "--quiet", *names], ROOT, log, SECONDS_TO_BUILD, {})
        return None if code == 0 else tail(log)

    # --- without a fault

    def prove_without_fault(self) -> None:
        begin = time.monotonic()
        if problem := self.build({file for suite in self.suites.values() for file in suite.files}):
            raise Trouble(f"the tree does not build\n{problem}")
        print(f"built in {time.monotonic() - begin:.0f} s", flush=True)
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            try:
                for problem in pool.map(self.prove, self.suites):
                    if problem:
                        raise Trouble(problem)
            except BaseException:
                self.running.end_all()
                raise
        print(f"{len(self.suites)} suites pass without a fault, after {time.monotonic() - begin:.0f} s", flush=True)

    def prove(self, name: str) -> str | None:
        suite = self.suites[name]
        patterns = {mutant.only for mutant in self.mutants if mutant.suite == name}
        work = self.own_copy(suite, name.replace("/", "-"))
        log = work / "output"
        if not suite.is_pytest:
            for pattern in patterns - {""}:  # each has to choose something
                self.running.run([*self.command(suite, work, pattern), "--list-test-names-only"], BUILD, log, 60, self.environment)
                if not log.read_text().strip():
                    return f"{name}: no test case matches {pattern!r}"
        joined = " or ".join(patterns) if suite.is_pytest else ",".join(patterns)
        code = self.run_suite(name, work, "" if "" in patterns else joined, SECONDS_FOR_ALL)
        printed = log.read_text(errors="replace")
        shutil.rmtree(work)
        if code != 0 or (suite.is_pytest and not re.search(r"\b[1-9]\d* passed", printed)):
            return f"{name} does not pass without a fault (exit code {code}), so it can tell nothing\n{last_lines(printed)}"
        return None

    # --- with one

    def try_all(self) -> list[Result]:
        places = threading.Semaphore(self.jobs + 1)  # copies of programs are large
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            tries = []
            try:
                for mutant in self.mutants:
                    places.acquire()
                    tried = self.begin(mutant, pool)
                    tried.add_done_callback(lambda _: places.release())
                    tries.append(tried)
                    tried.add_done_callback(lambda done, count=len(tries): done.exception() or self.tell(count, done.result()))
                return [tried.result() for tried in tries]
            except BaseException:
                self.running.end_all()
                raise

    def tell(self, count: int, result: Result) -> None:
        print(f"{count:4}/{len(self.mutants)} {result.word:9} {result.mutant.name}", flush=True)

    def begin(self, mutant: Mutant, pool: concurrent.futures.Executor) -> concurrent.futures.Future:
        suite = self.suites[mutant.suite]
        file = SOURCE / mutant.file
        if self.changed != file:
            self.restore()
            self.sound = file.read_text()
        self.changed = file
        file.write_text(self.sound.replace(mutant.old, mutant.new))
        if problem := self.build(set(suite.files)):
            failed = concurrent.futures.Future()
            failed.set_result(Result(mutant, "error", f"does not compile\n{problem}"))
            return failed
        return pool.submit(self.judge, mutant, self.own_copy(suite, mutant.name))

    def restore(self) -> None:
        if self.changed:
            self.changed.write_text(self.sound)
        self.changed = None

    def judge(self, mutant: Mutant, work: Path) -> Result:
        begin = time.monotonic()
        suite = self.suites[mutant.suite]
        limit = SECONDS["pytest" if suite.is_pytest else "meson"]
        code = self.run_suite(mutant.suite, work, mutant.only, limit)
        printed = (work / "output").read_text(errors="replace")
        shutil.rmtree(work)
        result = Result(mutant, "killed", seconds=time.monotonic() - begin)
        if code == "timeout":
            result.how = f"hangs for {limit} s: {first_failure(printed, suite.is_pytest)}"
        elif code == 0:
            result.word = "survived"
        elif code < 0:
            result.how = f"crashes ({signal.Signals(-code).name}): {first_failure(printed, suite.is_pytest)}"
        elif suite.is_pytest and code != 1:
            result.word, result.how = "error", f"pytest ended with {code}\n{last_lines(printed)}"
        else:
            result.how = f"fails: {first_failure(printed, suite.is_pytest)}"
        return result

    # --- suites

    def own_copy(self, suite: Suite, name: str) -> Path:
        """A folder with the program in it: the next fault is built while this one is tried."""
        work = RUNS / name
        work.mkdir()
        program = PROGRAM if suite.is_pytest else suite.command[0]
        shutil.copy2(program, work)
        return work

    def command(self, suite: Suite, work: Path, only: str) -> list[str]:
        program, *options = suite.command
        return [str(work / Path(program).name), *options, *([only] if only else [])]

    def run_suite(self, name: str, work: Path, only: str, seconds: float) -> int | str:
        suite = self.suites[name]
        if suite.is_pytest:
            command = ["/usr/bin/python3", "-B", "-m", "pytest", "-q", "-x", "-rf", "-p", "no:cacheprovider", name]
            command += ["-k", only] if only else []
            environment = {**self.environment, "PROBEGATE_BIN": str(work / PROGRAM.name)}
            return self.running.run(command, SOURCE, work / "output", seconds, environment)
        command = [*self.command(suite, work, only), "--abort", "--reporter", "xml"]
        return self.running.run(command, BUILD, work / "output", seconds, self.environment)


def synchronise() -> None:
    """The copy holds what the tree holds and git does not ignore; what is equal keeps its time, so that it is not built."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    files = {name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()}
    for name in files:
        copy = SOURCE / name
        if copy.is_file() and copy.read_bytes() == (ROOT / name).read_bytes():
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, copy)
        shutil.copymode(ROOT / name, copy)
    for path in SOURCE.rglob("*"):
        if path.is_file() and path.relative_to(SOURCE).as_posix() not in files:
            path.unlink()


def out_of_date(mutants: list[Mutant], root: Path) -> list[str]:
    problems = []
    for mutant in mutants:
        path = root / mutant.file
        count = path.read_text().count(mutant.old) if path.is_file() else 0
        if count != 1:
            problems.append(f"{mutant.name}: {mutant.file} has its old text {count} times, not once")
    return problems


def first_failure(printed: str, is_pytest: bool) -> str:
    """The first case that failed, or was under way at the end."""
    if is_pytest:
        failed = re.search(r"^(?:FAILED|ERROR) \S+::(\S+)", printed, re.MULTILINE)
        return failed[1] if failed else "?"
    for case in printed.split('<TestCase name="')[1:]:
        if '<OverallResult success="true"' not in case:
            return html.unescape(case.split('"')[0])
    return "after the last case"


def tail(log: Path) -> str:
    return last_lines(log.read_text(errors="replace"))


def last_lines(text: str, lines: int = 30) -> str:
    return "\n".join(text.splitlines()[-lines:])


def show_list(mutants: list[Mutant]) -> None:
    for mutant in mutants:
        print(f"{mutant.name:34} {mutant.file:32} {mutant.breaks}")


def show_end(results: list[Result]) -> None:
    print(f"\n{'fault':34} {'verdict':9} {'seconds':>7}  how")
    for result in results:
        print(f"{result.mutant.name:34} {result.word:9} {result.seconds:7.1f}  {result.how.splitlines()[0] if result.how else ''}")
    counts = {word: [result for result in results if result.word == word] for word in ("killed", "survived", "error")}
    for result in counts["survived"]:
        mutant = result.mutant
        print(f"\nSURVIVED {mutant.name}: {mutant.breaks}\n  {mutant.file}; {mutant.suite} {mutant.only!r} passes all the same")
    for result in counts["error"]:
        print(f"\nERROR {result.mutant.name}: {result.how}")
    errors = f", {len(counts['error'])} in error" if counts["error"] else ""
    print(f"\n{len(counts['killed'])} killed, {len(counts['survived'])} survived{errors}", flush=True)


def interrupt(*_) -> None:
    raise KeyboardInterrupt


def main(mutants: list[Mutant], jobs: int) -> int:
    if problems := out_of_date(mutants, ROOT):
        print("scripts/mutate: scripts/lib/mutants.py is out of date:\n  " + "\n  ".join(problems), file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, interrupt)
    begin = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="mutate-") as temporary:
            results = Mutation(mutants, jobs, temporary).run()
    except Trouble as trouble:
        print(f"scripts/mutate: {trouble}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("scripts/mutate: interrupted; the copy is as it was", file=sys.stderr)
        return 130
    show_end(results)
    print(f"in {time.monotonic() - begin:.0f} s")
    words = {result.word for result in results}
    return 2 if "error" in words else 1 if "survived" in words else 0

"""The figures that noise does not move: system calls and user-space instructions per unit."""

import pathlib
import re
import signal
import subprocess

from lib.processes import LOAD_CPU, Failure, Process
from support.waiting import wait_until

VALGRIND_PATIENCE = 60


def calls_per_unit(bench, name, work):
    """strace counts while a known number of units passes through connections that are open already."""
    with bench.proxy(name, work) as proxy, bench.load(work, proxy) as load:
        load.units(work.connections * 4)
        table = pathlib.Path(bench.directory) / f"calls-{name}"
        pids = [argument for pid in proxy.process.tree() for argument in ("-p", str(pid))]
        strace = Process("strace", ["/usr/bin/strace", "-c", "-f", "-o", str(table), *pids], bench.directory, LOAD_CPU)
        try:
            _wait_until_attached(strace, proxy.process)
            load.units(work.units)
        finally:
            strace.stop(signal.SIGINT)
    total = re.search(r"^100\.00 +\S+ +\S+ +(\d+) .*total$", table.read_text(), re.MULTILINE)
    if not total:
        raise Failure(f"strace counted nothing of {name}:\n{table.read_text()}{strace.output()}")
    return int(total[1]) / work.units


def _wait_until_attached(strace, process):
    def traced():
        strace.check()
        return all("TracerPid:\t0" not in status.read_text()
                   for pid in process.tree() for status in pathlib.Path(f"/proc/{pid}/task").glob("*/status"))
    wait_until(traced, "strace to attach; may this machine trace processes?")


def instructions_per_unit(bench, name, work):
    """callgrind counts two runs of different length; the difference has neither start nor opening in it."""
    around = ["/usr/bin/valgrind", "--tool=callgrind", "--callgrind-out-file=callgrind.%p"]
    with bench.proxy(name, work, around, VALGRIND_PATIENCE) as proxy, bench.load(work, proxy) as load:
        pid = proxy.process.pid
        where = proxy.directory
        load.units(work.connections * 4)
        counted = [_dump(pid, where, 1)]
        for dump, units in enumerate((work.units // 2, work.units // 2 * 3), 2):
            load.units(units)
            counted.append(_dump(pid, where, dump))
    return (counted[2] - counted[1]) / (work.units // 2 * 2)


def _dump(pid, directory, number):
    """Instructions since the last dump."""
    control = subprocess.run(["/usr/bin/callgrind_control", "-d", str(pid)], capture_output=True, text=True, timeout=60)
    file = directory / f"callgrind.{pid}.{number}"
    if control.returncode or not file.exists():
        raise Failure(f"callgrind_control made no {file.name}: {control.stdout}{control.stderr}")
    return int(re.search(r"^(?:totals|summary): (\d+)", file.read_text(), re.MULTILINE)[1])

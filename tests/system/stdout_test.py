"""A log that nobody takes costs lines, never the process (docs/contract.md, "Process" and "Logs, metrics, events")."""

import fcntl
import json
import os
import shlex
import subprocess

import pytest

from support.waiting import wait_for, wait_until

F_SETPIPE_SZ = 1031


def into(target):
    """The program with its stdout there; exec keeps the process id."""
    return lambda argv: ["sh", "-c", f'exec "$@" {target}', "sh", *argv]


def serves(sidecar, requests=200):
    """Requests, each of which leaves a log line, and probes: all are answered."""
    for _ in range(requests):
        assert sidecar.request("/", method="OPTIONS", headers={"Max-Forwards": "0"}).status == 204
    assert sidecar.probe("/health/ready").status == 200
    assert sidecar.probe("/metrics").status == 200


CHATTY = "{proxy: {}, log: {format: json}}"


def test_a_reader_that_stops_reading_holds_up_nobody_and_gets_the_rest_later(rig):
    """The pipe is full, and nobody empties it: neither a loop nor the end of the process waits for long."""
    path = os.path.join(rig.directory, "stdout")
    os.mkfifo(path)
    reader = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        fcntl.fcntl(reader, F_SETPIPE_SZ, 4096)
        sidecar = rig.probegate(CHATTY, around=into(f"> {shlex.quote(path)}")).start()
        serves(sidecar)
        # How much of its page is taken depends on where a batch of lines ends; 200 lines are ten times as much.
        wait_until(lambda: _in_pipe(reader) > 0, "the pipe to be full")
        serves(sidecar)
        text = bytearray()

        def read():
            try:
                while True:
                    text.extend(os.read(reader, 65536))
            except BlockingIOError:
                return text.count(b'"httpRequest"')

        wait_for(read, lambda lines: lines >= 400, "all that was queued")
        serves(sidecar)
        wait_until(lambda: _in_pipe(reader) > 0, "the pipe to be full again")
        assert sidecar.stop() == 0
    finally:
        os.close(reader)


def _in_pipe(fd):
    count = bytearray(4)
    fcntl.ioctl(fd, 0x541B, count)  # FIONREAD
    return int.from_bytes(count, "little")


@pytest.mark.parametrize("target", ["> /dev/full", ">&-", ">&- 2>&- <&-"])
def test_a_stdout_that_takes_nothing_costs_the_lines_alone(rig, target):
    """A full disk, and a closed descriptor, whose number no socket may inherit."""
    sidecar = rig.probegate(CHATTY, around=into(target)).start()
    serves(sidecar)
    assert sidecar.stop() == 0


def test_a_reader_that_leaves_costs_the_lines_alone(rig):
    """EPIPE is an error like others, and there is no SIGPIPE."""
    path = os.path.join(rig.directory, "stdout")
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    sidecar = rig.probegate(CHATTY, around=into(f"> {shlex.quote(path)}")).start()
    os.close(reader)
    serves(sidecar)
    assert sidecar.stop() == 0


def test_lines_that_a_full_disk_lost_are_told_when_there_is_space_again(rig):
    place = os.path.join(rig.directory, "disk")
    os.mkdir(place)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place], capture_output=True, check=False).returncode != 0:
        pytest.skip("needs the right to mount")
    try:
        path = os.path.join(place, "log")
        sidecar = rig.probegate(CHATTY, around=into(f">> {shlex.quote(path)}")).start()
        wait_until(lambda: os.statvfs(place).f_bfree == 0 or not serves(sidecar, 50), "the disk to be full")
        serves(sidecar, 400)
        os.truncate(path, 0)

        def lost():
            with open(path, encoding="utf-8", errors="replace") as file:
                return [json.loads(line) for line in file if line.startswith("{") and line.endswith("}\n")
                        and "log lines lost" in line]

        told = wait_until(lost, "the number of lost lines")
        assert told[0]["lines"] > 0 and "No space left" in told[0]["why"]
        assert sidecar.stop() == 0
    finally:
        subprocess.run(["umount", "-l", place], check=True)

"""Signals: what ends the sidecar is heard from its first moment on, and what nobody asked for does not end it."""

import os
import pathlib
import signal

import pytest

from support.waiting import wait_for, wait_until


def test_a_sigterm_that_comes_while_the_configuration_is_read_is_a_drain(rig):
    path = os.path.join(rig.directory, "slow.yaml")
    os.mkfifo(path)
    writer = os.open(path, os.O_RDWR)
    try:
        sidecar = rig.probegate(pathlib.Path(path)).launch()
        wait_until(lambda: reads(sidecar.pid, path), "the configuration to be read")
        sidecar.send(signal.SIGTERM)
        os.write(writer, f"probes: {{listen: '127.0.0.1:{sidecar.probe_port}'}}\ndrain: {{delay: 0s}}\n".encode())
    finally:
        os.close(writer)
    assert sidecar.wait() == 0
    assert "draining" in sidecar.output()


def reads(pid, path):
    names = (os.readlink(entry.path) for entry in os.scandir(f"/proc/{pid}/fd"))
    return path in names


def test_a_signal_that_the_parent_had_blocked_is_heard(rig):
    """Some supervisors start their children with signals blocked, and the mask is inherited."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGHUP])
    try:
        sidecar = rig.probegate("proxy: {}").start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert sidecar.stop() == 0


STRANGERS = [signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF, signal.SIGIO, signal.SIGPWR,
             signal.SIGPIPE, signal.SIGRTMIN, signal.SIGRTMAX]


@pytest.mark.parametrize("stranger", STRANGERS, ids=lambda number: number.name)
def test_a_signal_that_means_nothing_here_is_ignored(rig, stranger):
    sidecar = rig.probegate("proxy: {}").start()
    sidecar.send(stranger)
    if stranger != signal.SIGPIPE:  # comes with every broken pipe, so it is no news
        wait_for(sidecar.output, lambda text: "signal ignored" in text, "the signal to be logged")
    assert sidecar.probe("/health/live").status == 200
    assert sidecar.stop() == 0


def test_a_stray_signal_is_logged_once_with_its_sender(rig):
    sidecar = rig.probegate("proxy: {}").start()
    for _ in range(3):
        sidecar.send(signal.SIGUSR1)
    sidecar.send(signal.SIGUSR2)
    wait_for(sidecar.output, lambda text: "SIGUSR2" in text, "the last signal to be logged")
    told = [(line["signal"], line["sender"]) for line in sidecar.logs() if line["message"] == "signal ignored"]
    assert told == [("SIGUSR1", os.getpid()), ("SIGUSR2", os.getpid())]

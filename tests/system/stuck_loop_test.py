"""Liveness is about this process alone: a data loop that stands still is noticed
(docs/contract.md, "Process" and "Probe port")."""

import sys

import pytest

from support.threads import StoppedThread
from support.waiting import wait_for, wait_until


@pytest.mark.skipif(sys.platform != "linux", reason="ptrace of one thread is Linux's")
def test_a_data_loop_that_stands_still_for_10_s_fails_liveness_until_it_turns_again(rig, backend):
    """Probes are answered all the while."""
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}'}}").start()
    assert sidecar.probe("/health/live").status == 200
    with StoppedThread(sidecar.pid, "data-0"):
        answer = wait_for(lambda: sidecar.probe("/health/live"), lambda seen: seen.status == 503,
                          "liveness to notice the stuck loop", timeout=30)
        assert answer.json["status"] == "error"
        sidecar.wait_for_lines(lambda line: "data loop blocked" in line["message"])
    wait_until(lambda: sidecar.probe("/health/live").status == 200, "liveness to recover")
    assert sidecar.request("/mirror").status == 200


@pytest.mark.skipif(sys.platform != "linux", reason="ptrace of one thread is Linux's")
def test_one_stuck_loop_of_four_is_named_and_the_others_serve_on(rig, backend):
    """The probe says which one is stuck, and every new connection is served."""
    sidecar = rig.probegate(f"proxy: {{backend: '{backend.url}', workers: 4}}").start()
    with StoppedThread(sidecar.pid, "data-2"):
        for _ in range(40):
            assert sidecar.request("/mirror").status == 200
        answer = wait_for(lambda: sidecar.probe("/health/live"), lambda seen: seen.status == 503,
                          "liveness to notice the stuck loop", timeout=30)
        assert "data-2" in answer.json["error"]["message"]
        for healthy in ("data-0", "data-1", "data-3"):
            assert healthy not in answer.json["error"]["message"]
        assert sidecar.request("/mirror").status == 200
    wait_until(lambda: sidecar.probe("/health/live").status == 200, "liveness to recover")
    assert "error" not in sidecar.probe("/health/live").json

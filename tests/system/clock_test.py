"""A wall clock that is set while probegate runs."""

import os

import pytest

from support import probegate
from support.ports import free_port
from support.waiting import wait_for, wait_until

FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"


@pytest.mark.skipif(probegate.is_thread_sanitized(), reason="ThreadSanitizer and a preloaded libfaketime intercept the same calls")
def test_a_jump_of_the_wall_clock_is_told_and_ages_stay_right(rig):
    """Two hours ahead: a warning and an event, and no age on the page or in the document jumps with it."""
    stamp = os.path.join(rig.directory, "faketime")

    def set_clock(by):
        with open(stamp, "w", encoding="ascii") as file:
            file.write(by + "\n")

    set_clock("+0")
    port = free_port()
    sidecar = rig.probegate(f"""
checks: {{broker: {{type: tcp, address: "127.0.0.1:{port}", affects: [], interval: 100ms, startup_interval: 100ms}}}}
""", around=lambda argv: ["env", f"LD_PRELOAD={FAKETIME}",
                          f"ASAN_OPTIONS={probegate.environment()['ASAN_OPTIONS']}:verify_asan_link_order=0",
                          f"FAKETIME_TIMESTAMP_FILE={stamp}", "FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1", *argv]).start()
    sidecar.wait_for_error("broker", "connect")
    set_clock("+2h")
    told = wait_until(lambda: [line for line in sidecar.logs() if line["message"] == "the clock jumped"], "the jump to be noticed")
    assert "ahead of the monotonic clock" in told[0]["why"] and told[0]["severity"] == "WARNING"
    seen = wait_for(lambda: sidecar.probe("/status").json,
                    lambda state: any(event["kind"] == "clock" for event in state["events"]), "the event")
    assert seen["recent_runs"]["broker"]["status_age_seconds"] < 600
    assert "2h" not in sidecar.probe("/").text.partition('id="lately"')[0]

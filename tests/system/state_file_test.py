"""The state file: what is known of a process after it is gone (docs/contract.md, "Logs, metrics, events")."""

import fcntl
import json
import os
import signal
import subprocess

import pytest

from support import metrics
from support.ports import free_port
from support.probegate import command
from support.waiting import wait_for


@pytest.fixture
def path(rig):
    return os.path.join(rig.directory, "state.json")


def state(path):
    with open(path) as file:
        return json.load(file)


def started(rig, path, more=""):
    sidecar = rig.probegate(f"state_file: {path}\n{more}").start()
    wait_for(sidecar.output, lambda text: "start counted" in text, "the start to be counted")
    return sidecar


def line(sidecar, message):
    found = [entry for entry in sidecar.logs() if entry["message"] == message]
    assert len(found) == 1, sidecar.output()
    return found[0]


def test_it_says_running_and_then_how_the_process_ended(rig, path):
    sidecar = started(rig, path)
    assert (state(path)["state"], state(path)["starts"]) == ("running", 1)
    assert sidecar.stop() == 0
    seen = state(path)
    assert (seen["version"], seen["state"], seen["starts"], seen["unclean_ends"]) == (1, "drained", 1, 0)
    assert seen["recent"][0]["ended"] >= seen["recent"][0]["started"]
    assert os.listdir(rig.directory).count("state.json") == 1
    assert not os.path.exists(path + ".tmp")


def test_a_killed_process_is_found_counted_and_told_by_the_next_one(rig, path):
    """Evidence that survives: nobody was there to say that the process was killed, and the next start knows."""
    first = started(rig, path)
    first.send(signal.SIGKILL)
    assert first.wait() == -signal.SIGKILL
    assert state(path)["state"] == "running"
    second = started(rig, path)
    told = line(second, "the previous process was killed, crashed or ran out of memory")
    assert (told["severity"], told["end"], told["unclean_ends"]) == ("WARNING", "unclean", 1)
    assert line(second, "start counted")["last_end"] == "unclean"
    families = metrics.parse(second.metrics())
    assert families["probegate_starts_total"].value() == 2
    assert families["probegate_unclean_ends_total"].value() == 1
    assert (state(path)["last_end"], state(path)["unclean_ends"]) == ("unclean", 1)


def test_a_process_that_is_killed_while_it_drains_is_told_apart(rig, path, backend):
    """The platform's patience was shorter than the drain: another remedy than for a crash."""
    first = started(rig, path, f"proxy: {{backend: '{backend.url}'}}\ndrain: {{delay: 60s}}")
    first.send(signal.SIGTERM)
    wait_for(lambda: state(path)["state"], lambda word: word == "draining", "the state file to say draining")
    first.send(signal.SIGKILL)
    first.wait()
    second = started(rig, path)
    assert line(second, "start counted")["last_end"] == "killed_in_drain"
    assert line(second, "the previous process was killed before its drain ended")["severity"] == "WARNING"
    assert "ran out of memory" not in second.output()


def test_every_end_leaves_its_cause(rig, path):
    nobody = free_port()
    sidecar = rig.probegate(f"""
state_file: {path}
gate: {{startup_timeout: 100ms, on_startup_timeout: exit}}
checks: {{broker: {{type: tcp, address: "127.0.0.1:{nobody}"}}}}
""").launch()
    assert sidecar.wait() == 1
    assert state(path)["state"] == "startup_timeout"

    sidecar = started(rig, path, "drain: {delay: 60s}")
    sidecar.send(signal.SIGTERM)
    wait_for(sidecar.output, lambda text: "draining" in text, "the drain")
    sidecar.send(signal.SIGTERM)
    assert sidecar.wait() == 1
    assert state(path)["state"] == "second_signal"

    running = started(rig, path)
    other = os.path.join(rig.directory, "other.yaml")
    with open(other, "w") as file:
        file.write(f"proxy: {{listen: '127.0.0.1:{running.proxy_port}'}}\nstate_file: {path}\n")
    assert command("run", "-c", other).returncode == 3
    seen = state(path)
    assert [start["end"] for start in seen["recent"]] == ["startup_timeout", "second_signal", "running", "cannot_listen"]
    assert seen["unclean_ends"] == 0


@pytest.fixture
def small_disk(rig):
    """A file system of 64 KiB."""
    place = os.path.join(rig.directory, "disk")
    os.mkdir(place)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place], capture_output=True, check=False).returncode != 0:
        pytest.skip("needs the right to mount")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def fill(place):
    with open(os.path.join(place, "rubbish"), "wb", buffering=0) as file:
        with pytest.raises(OSError):
            while True:
                file.write(b"x" * 512)


@pytest.mark.parametrize("full_at_the_start", [False, True])
def test_a_record_that_does_not_fit_is_told_at_the_end_and_accuses_nobody(rig, small_disk, full_at_the_start):
    path = os.path.join(small_disk, "state.json")
    assert started(rig, path).stop() == 0
    if full_at_the_start:
        fill(small_disk)
    full = started(rig, path)
    if full_at_the_start:
        assert "No space left" in line(full, "state file")["why"]
    else:
        fill(small_disk)
    assert full.stop() == 0
    told = [entry for entry in full.logs() if entry["message"] == "state file: the record could not be written"]
    assert told and all("No space left" in entry["why"] and entry["severity"] == "WARNING" for entry in told)
    os.remove(os.path.join(small_disk, "rubbish"))
    after = started(rig, path)
    assert line(after, "start counted")["last_end"] == "unknown (the record could not be written)"
    assert "killed, crashed" not in after.output()
    starts = after.probe("/status").json["starts"]
    assert (starts["last_end"], starts["unclean_ends"]) == ("unknown (the record could not be written)", 0)
    assert after.stop() == 0
    assert line(started(rig, path), "start counted")["last_end"] == "drained"


def test_a_restart_loop_is_announced_with_its_causes(rig, path):
    for _ in range(2):
        sidecar = started(rig, path)
        assert "restart loop" not in sidecar.output()
        sidecar.send(signal.SIGKILL)
        sidecar.wait()
    looping = started(rig, path)
    told = line(looping, "restart loop")
    assert (told["severity"], told["starts"], told["within"], told["ends"]) == ("WARNING", 3, "10m", "unclean unclean")
    assert looping.probe("/status").json["starts"] == {"total": 3, "unclean_ends": 2, "last_end": "unclean", "recent": 3,
                                                       "recent_seconds": 600.0, "restart_loop": True}
    assert "Restart loop: <strong>3 starts within 10m</strong>" in looping.probe("/").text
    shown = command("status", "--url", f"http://127.0.0.1:{looping.probe_port}").stdout.splitlines()
    assert shown[1] == "restart loop: 3 starts within 10m, the previous run ended as unclean"


def test_a_first_start_is_no_restart_loop_and_without_a_state_file_nothing_is_known(rig, path, proxy):
    first = started(rig, path)
    line(first, "start counted")
    assert first.probe("/status").json["starts"] == {"total": 1, "unclean_ends": 0, "last_end": None, "recent": 1,
                                                     "recent_seconds": 600.0, "restart_loop": False}
    assert proxy.probe("/status").json["starts"] is None
    for sidecar in (first, proxy):
        assert "estart loop" not in sidecar.probe("/").text
        assert "restart loop" not in command("status", "--url", f"http://127.0.0.1:{sidecar.probe_port}").stdout


def test_a_corrupt_file_is_kept_aside_and_stops_nothing(rig, path):
    with open(path, "w") as file:
        file.write('{"version":1,"starts":41,')
    sidecar = started(rig, path)
    assert "it is not a state file; counting starts from zero" in line(sidecar, "state file")["why"]
    assert state(path)["starts"] == 1
    with open(path + ".unreadable") as file:
        assert "41" in file.read()


@pytest.mark.parametrize("place", ["missing/state.json", ".", "huge.json"])
def test_a_file_that_cannot_be_used_costs_a_warning_and_no_start(rig, place):
    with open(os.path.join(rig.directory, "huge.json"), "w") as file:
        file.write("x" * 100_000)
    sidecar = started(rig, os.path.join(rig.directory, place))
    assert line(sidecar, "state file")["severity"] == "WARNING"
    assert sidecar.probe("/health/ready").status == 200
    assert sidecar.stop() == 0


def test_a_file_that_hangs_delays_neither_the_start_nor_the_end(rig, path):
    """Somebody holds the lock of the file for good, as on a volume that hangs."""
    with open(path + ".lock", "w+") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX, 1, 0)
        sidecar = rig.probegate(f"state_file: {path}").start()
        assert sidecar.probe("/health/ready").status == 200
        assert sidecar.stop() == 0


SOMEBODY_ELSES = {"config.json": '{"name": "not ours"}\n', "notes.txt": "starts: 41\n", "later.json": '{"version": 2, "starts": 41}\n'}


@pytest.mark.parametrize("name", SOMEBODY_ELSES)
def test_a_file_that_is_somebody_elses_stays_as_it_is(rig, name):
    path = os.path.join(rig.directory, name)
    with open(path, "w") as file:
        file.write(SOMEBODY_ELSES[name])
    sidecar = started(rig, path)
    assert "nothing is recorded" in line(sidecar, "state file")["why"]
    assert sidecar.stop() == 0
    with open(path) as file:
        assert file.read() == SOMEBODY_ELSES[name]
    assert sorted(entry for entry in os.listdir(rig.directory) if entry.startswith(name)) == [name, name + ".lock"]


@pytest.mark.parametrize("kind", ["device", "directory", "pipe"])
def test_what_is_no_regular_file_stays_where_it_is(rig, kind):
    path = os.path.join(rig.directory, kind)
    if kind == "device":
        path = "/dev/null"  # written to in place it would only swallow; renamed away it would be gone for all
    elif kind == "directory":
        os.mkdir(path)
    else:
        os.mkfifo(path)
    before = os.stat(path)
    sidecar = started(rig, path)
    assert "it is not a regular file; nothing is recorded" in line(sidecar, "state file")["why"]
    assert sidecar.stop() == 0
    assert (os.stat(path).st_ino, os.stat(path).st_mode) == (before.st_ino, before.st_mode)


def test_two_processes_on_one_file_are_both_counted_and_none_is_called_unclean(rig, path):
    """A rollout: the new process starts while the old one drains."""
    old = started(rig, path, "drain: {delay: 60s}")
    old.send(signal.SIGTERM)
    wait_for(lambda: state(path)["recent"][0]["end"], lambda word: word == "draining", "the old one to drain")
    new = started(rig, path)
    assert not [entry for entry in new.logs() if "was killed" in entry["message"]]
    old.send(signal.SIGTERM)
    assert old.wait() == 1
    assert new.stop() == 0
    seen = state(path)
    assert [start["end"] for start in seen["recent"]] == ["second_signal", "drained"]
    assert (seen["starts"], seen["unclean_ends"]) == (2, 0)


def test_the_file_stays_small_however_often_the_process_starts(rig, path):
    starts = [{"started": "2026-11-23T12:00:00.000Z", "ended": None, "end": "unclean"}] * 20
    with open(path, "w") as file:
        json.dump({"version": 1, "starts": 1_000_000, "unclean_ends": 5, "recent": starts}, file)
    sidecar = started(rig, path)
    assert (state(path)["starts"], len(state(path)["recent"])) == (1_000_001, 20)
    assert os.path.getsize(path) < 8192
    assert metrics.parse(sidecar.metrics())["probegate_starts_total"].value() == 1_000_001


def test_the_state_file_is_never_seen_half_written(rig, path):
    """Read as fast as can be while three processes start and end: each look finds a whole record."""
    reader = subprocess.Popen(["/usr/bin/python3", "-c", f"""
import json, sys
looks = 0
while sys.stdin not in __import__("select").select([sys.stdin], [], [], 0)[0]:
    try:
        json.load(open({path!r}))
        looks += 1
    except FileNotFoundError:
        pass
print(looks)
"""], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    for _ in range(3):
        assert started(rig, path).stop() == 0
    looks, _ = reader.communicate("\n")
    assert reader.returncode == 0
    assert int(looks) > 0


def test_without_a_state_file_the_metrics_have_no_sample(proxy):
    families = metrics.parse(proxy.metrics())
    assert not families["probegate_starts_total"].samples
    assert not families["probegate_unclean_ends_total"].samples

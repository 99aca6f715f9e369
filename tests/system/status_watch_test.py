"""`probegate status --watch` on a terminal: one frame takes the place of the other, and Ctrl-C leaves all as it was."""

import pytest

from support.ports import free_port
from support.screen import Screen
from support.waiting import wait_for, wait_until


@pytest.fixture
def proxy(rig, backend):
    """A running one with many checks, of which the first is broken."""
    port = free_port()
    more = "".join(f"  check_{i:02}: {{type: tcp, address: '127.0.0.1:{backend.port}', affects: []}}\n" for i in range(12))
    made = rig.probegate(f"proxy: {{backend: '{backend.url}'}}\nchecks:\n"
                         f"  broker: {{type: tcp, address: '127.0.0.1:{port}', interval: 50ms, startup_interval: 50ms}}\n{more}").start()
    made.wait_for_error("broker", "connect")
    made.broker_port = port
    return made


@pytest.fixture
def screens(proxy):
    made = []

    def watch(**arguments):
        made.append(Screen("status", "--watch", "--url", f"http://127.0.0.1:{proxy.probe_port}", **arguments))
        return made[-1]

    yield watch
    for screen in made:
        screen.close()


def frames(screen):
    return screen.raw.count(b"\x1b[H")


def shown(screen, text):
    return wait_for(lambda: screen.lines, lambda lines: any(text in line for line in lines), f"{text!r} on the screen")


def test_a_frame_takes_the_place_of_the_one_before_it(rig, proxy, screens):
    screen = screens()
    shown(screen, "connect: ")
    wait_until(lambda: frames(screen) >= 3, "three frames")
    lines = screen.lines
    assert lines[0].startswith("not_ready, gate starting, waiting for broker, up ")
    assert [line.split()[0] for line in lines[6:8]] == ["CHECK", "broker"]
    assert sum("CHECK" in line for line in lines) == 1
    assert screen.raw.count(b"\x1b[2J") == 1, "cleared once: what is redrawn does not flicker"
    rig.scripted(lambda connection: connection.read_to_end(), port=proxy.broker_port)
    # A look may fall into the middle of a frame; what stays of the old one stays in the next frames too.
    wait_for(lambda: screen.lines, lambda lines: lines[0].startswith("ready, gate open") and "refused" not in lines[7],
             "a frame that leaves nothing of the one before")


def test_another_size_is_followed(screens):
    screen = screens(columns=120, rows=30)
    shown(screen, "check_11")
    screen.resize(30, 8)
    lines = shown(screen, "more lines")
    assert len(lines) == 7 and lines[0].startswith("not_ready, gate starting") and lines[-1].startswith("... and ")
    assert all(len(line) < 30 for line in lines), "broken before the last column"
    screen.resize(120, 30)
    lines = shown(screen, "check_11")
    assert "waiting for broker, up " in lines[0] and sum("CHECK" in line for line in lines) == 1


def test_ctrl_c_leaves_the_screen_and_the_cursor_to_the_shell(screens):
    screen = screens()
    shown(screen, "check_11")
    last = len(screen.lines)
    screen.press(b"\x03")
    assert screen.wait() == 1, "the exit code of the last look"
    cursor = screen.cursor
    assert not cursor.hidden and cursor.x == 0 and cursor.y >= last
    assert (cursor.attrs.fg, cursor.attrs.bold, cursor.attrs.reverse) == ("default", False, False)
    assert any(line.startswith("broker") for line in screen.lines), "the last frame stays"


def test_no_color_takes_the_colours_and_not_the_place(screens):
    screen = screens(env={"NO_COLOR": "1"})
    wait_until(lambda: frames(screen) >= 2, "two frames")
    assert b"\x1b[3" not in screen.raw and b"\x1b[2m" not in screen.raw and b"\x1b[0m" not in screen.raw
    coloured = screens()
    wait_until(lambda: b"\x1b[33mnot_ready\x1b[0m" in coloured.raw, "a colour")


def test_a_terminal_that_cannot_move_its_cursor_gets_lines(screens):
    screen = screens(env={"TERM": "dumb"})
    shown(screen, "waiting for broker; broker fail")
    assert b"\x1b" not in screen.raw


def test_at_80_columns_a_long_reason_goes_on_in_the_next_line(rig, backend):
    proxy = rig.probegate(f"proxy: {{backend: '{backend.url}'}}\nchecks:\n"
                         f"  broker: {{type: tcp, address: '127.0.0.1:{free_port()}', interval: 50ms, startup_interval: 50ms}}\n").start()
    proxy.wait_for_error("broker", "connect")
    screen = Screen("status", "--watch", "--url", f"http://127.0.0.1:{proxy.probe_port}", columns=80)
    try:
        whole = wait_for(lambda: " ".join(" ".join(screen.lines).split()), lambda text: "in a row)" in text, "the whole reason")
        assert "connect: cannot connect to 127.0.0.1:" in whole and "connection refused (" in whole
    finally:
        screen.close()

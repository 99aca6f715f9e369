"""The chaos gate itself: what it claims to do to two peers, it does."""

import time

import pytest

from support import chaos
from support.chaos import TO_CLIENT, TO_SERVER
from support.raw import Raw
from support.waiting import wait_for


def echo(connection):
    while data := connection.read_some():
        connection.send(data)
    connection.send(b"goodbye")


@pytest.fixture(name="gate")
def gate_to_an_echo(rig):
    return rig.chaos(rig.scripted(echo).port)


def test_without_a_fault_all_bytes_and_both_ends_pass(gate):
    with Raw.connect(gate.port) as client:
        client.send(b"x" * 300_000)
        assert client.read_exactly(300_000) == b"x" * 300_000
        client.shutdown()
        assert client.read_to_end() == b"goodbye"
    assert gate.conversation() == {TO_SERVER: 300_000, TO_CLIENT: 300_007}
    wait_for(lambda: gate.open_connections, lambda still: not still, "the gate to close both sides")


def test_a_reset_comes_after_its_bytes(gate):
    gate.inflict(chaos.reset(TO_CLIENT, after=3))
    with Raw.connect(gate.port) as client:
        client.send(b"hello")
        with pytest.raises((EOFError, ConnectionResetError)):
            client.read_exactly(4)
    assert gate.conversation()[TO_CLIENT] == 3


def test_a_reset_at_byte_zero_never_reaches_the_server(rig):
    server = rig.scripted(echo)
    gate = rig.chaos(server.port)
    gate.inflict(chaos.reset())
    try:
        with Raw.connect(gate.port) as client:
            assert client.ends()
    except ConnectionResetError:
        pass  # it may come before the client has learned that it is connected
    assert server.connections == 0


def test_a_fault_meets_a_connection_that_is_idle(gate):
    with Raw.connect(gate.port) as client:
        client.send(b"hello")
        assert client.read_exactly(5) == b"hello"
        gate.inflict(chaos.close())
        assert client.read_to_end() == b""


def test_cut_resets_what_is_open_and_nothing_later(gate):
    with Raw.connect(gate.port) as client:
        client.send(b"hello")
        client.read_exactly(5)
        gate.cut()
        with pytest.raises(ConnectionResetError):
            client.read_some()
    with Raw.connect(gate.port) as client:
        client.send(b"again")
        assert client.read_exactly(5) == b"again"


def test_dropped_bytes_are_gone(gate):
    gate.inflict(chaos.drop(TO_CLIENT, after=2))
    with Raw.connect(gate.port) as client:
        client.send(b"hello")
        assert client.read_exactly(2) == b"he"
        wait_for(lambda: gate.connections[0].dropped, lambda dropped: dropped[TO_CLIENT] == 3, "three bytes to be dropped")
        gate.heal()
        client.send(b"world")
        assert client.read_exactly(5) == b"world"


def test_stalled_bytes_come_later(gate):
    gate.inflict(chaos.stall(TO_SERVER, after=2))
    with Raw.connect(gate.port) as client:
        client.send(b"hello")
        assert client.read_exactly(2) == b"he"
        gate.heal()
        assert client.read_exactly(3) == b"llo"


def test_corrupted_bytes_are_turned_over(gate):
    gate.inflict(chaos.corrupt(TO_CLIENT, after=1, size=2))
    with Raw.connect(gate.port) as client:
        client.send(b"\x00\x01\x02\x03")
        assert client.read_exactly(4) == b"\x00\xfe\xfd\x03"


def test_slices_and_delays_take_their_time_and_lose_nothing(gate):
    gate.inflict(chaos.slices(2, 0.01, TO_CLIENT), chaos.delay(0.05, TO_SERVER))
    with Raw.connect(gate.port) as client:
        begun = time.monotonic()
        client.send(b"0123456789")
        assert client.read_exactly(10) == b"0123456789"
        assert time.monotonic() - begun >= 0.05 + 4 * 0.01


def test_a_half_close_ends_one_direction_alone(gate):
    gate.inflict(chaos.half_close(TO_SERVER, after=5))
    with Raw.connect(gate.port) as client:
        client.send(b"hello world")
        assert client.read_to_end() == b"hellogoodbye"


def test_a_gate_that_is_down_refuses_and_comes_back(gate):
    gate.down()
    with pytest.raises(ConnectionRefusedError):
        Raw.connect(gate.port)
    gate.up()
    with Raw.connect(gate.port) as client:
        client.send(b"hello")
        assert client.read_exactly(5) == b"hello"

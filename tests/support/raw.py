"""HTTP and WebSocket bytes by hand, for what a well-behaved client or server never sends."""

import base64
import hashlib
import os
import socket
import struct

from support.waiting import PATIENCE

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Head:
    """The start line and the header fields of a message, as they came."""

    def __init__(self, data):
        lines = data.decode("latin-1").split("\r\n")
        self.start_line = lines[0]
        self.fields = [(name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in lines[1:])]

    @property
    def status(self):
        return int(self.start_line.split(" ")[1])

    def all(self, name):
        return [value for field, value in self.fields if field.lower() == name.lower()]

    def get(self, name, default=None):
        return next(iter(self.all(name)), default)

    def __repr__(self):
        return f"{self.start_line!r} {self.fields!r}"


class Raw:
    """One connection with a buffer; every read has a deadline, and an end that comes too soon is an EOFError."""

    def __init__(self, connected):
        self._socket = connected
        self._socket.settimeout(PATIENCE)
        self._buffer = b""

    @classmethod
    def connect(cls, port, receive_buffer=None):
        client = socket.socket()
        if receive_buffer:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        client.settimeout(PATIENCE)
        client.connect(("127.0.0.1", port))
        return cls(client)

    @classmethod
    def tunnel(cls, port, path="/ws", receive_buffer=None):
        """A connection whose upgrade has been accepted."""
        client = cls.connect(port, receive_buffer)
        client.send(upgrade_request(path))
        head = client.read_head()
        assert head.status == 101, head
        return client

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, data):
        self._socket.sendall(data)

    def shutdown(self):
        """Half-close: we have no more to say, and go on listening."""
        self._socket.shutdown(socket.SHUT_WR)

    def reset(self):
        """Closes with RST in place of FIN."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def close(self):
        self._socket.close()

    def detach(self):
        """The bare socket, for whoever wants to speak TLS on it."""
        return self._socket

    def read_some(self):
        """What is there, at least a byte; b"" at the end."""
        if self._buffer:
            data, self._buffer = self._buffer, b""
            return data
        return self._socket.recv(65536)

    def read_until(self, mark):
        while mark not in self._buffer:
            data = self._socket.recv(65536)
            if not data:
                raise EOFError(f"the end came before {mark!r}, after {self._buffer[:500]!r}")
            self._buffer += data
        data, _, self._buffer = self._buffer.partition(mark)
        return data

    def read_exactly(self, count):
        while len(self._buffer) < count:
            data = self._socket.recv(65536)
            if not data:
                raise EOFError(f"the end came after {len(self._buffer)} of {count} bytes")
            self._buffer += data
        data, self._buffer = self._buffer[:count], self._buffer[count:]
        return data

    def read_to_end(self):
        """Everything up to the peer's FIN; a reset is an error."""
        data = b""
        while True:
            more = self.read_some()
            if not more:
                return data
            data += more

    def ends(self):
        """Whether the peer ends the connection without another byte, by FIN or reset."""
        try:
            return self.read_some() == b""
        except ConnectionResetError:
            return True

    def read_head(self):
        return Head(self.read_until(b"\r\n\r\n"))

    def read_body(self, head):
        """The body that this head announces, with its framing taken off."""
        if head.get("transfer-encoding") == "chunked":
            return b"".join(iter(self.read_chunk, b""))
        if head.get("content-length") is not None:
            return self.read_exactly(int(head.get("content-length")))
        return self.read_to_end()

    def read_chunk(self):
        """The content of one chunk; b"" for the last one, whose trailers are read and dropped."""
        size = int(self.read_until(b"\r\n").split(b";")[0], 16)
        if size:
            content = self.read_exactly(size)
            assert self.read_exactly(2) == b"\r\n"
            return content
        while self.read_until(b"\r\n"):
            pass
        return b""

    def send_frame(self, opcode, payload=b"", fin=True, mask=False):
        self.send(frame(opcode, payload, fin, mask))

    def read_frame(self):
        """(fin, opcode, payload, masked)"""
        first, second = self.read_exactly(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", self.read_exactly(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", self.read_exactly(8))
        key = self.read_exactly(4) if second & 0x80 else None
        payload = self.read_exactly(length)
        return bool(first & 0x80), first & 0x0F, _masked(payload, key) if key else payload, bool(key)


def _masked(payload, key):
    return bytes(byte ^ key[index % 4] for index, byte in enumerate(payload))


def frame(opcode, payload=b"", fin=True, mask=False):
    length = len(payload)
    head = bytes([(0x80 if fin else 0) | opcode])
    masked = 0x80 if mask else 0
    if length < 126:
        head += bytes([masked | length])
    elif length < 65536:
        head += bytes([masked | 126]) + struct.pack("!H", length)
    else:
        head += bytes([masked | 127]) + struct.pack("!Q", length)
    if mask:
        key = os.urandom(4)
        return head + key + _masked(payload, key)
    return head + payload


def close_payload(code, reason=b""):
    return struct.pack("!H", code) + reason


def close_code(payload):
    return struct.unpack("!H", payload[:2])[0] if payload else None


KEY = base64.b64encode(b"sixteen byte key").decode()


def upgrade_request(path="/ws", key=KEY, version="13", extra="", host="proxy.test"):
    return (f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            + (f"Sec-WebSocket-Key: {key}\r\n" if key is not None else "")
            + (f"Sec-WebSocket-Version: {version}\r\n" if version is not None else "")
            + extra + "\r\n").encode()


def accept_value(key):
    digest = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
    return base64.b64encode(digest).decode()


def upgrade_response(key, extra=""):
    return ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept_value(key)}\r\n{extra}\r\n").encode()

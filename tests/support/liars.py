"""Servers that lie: scripts for backends.Scripted that speak a protocol well enough to be listened to, and then abuse it."""

import struct

PIECE = 1 << 16


def forever(connection, piece):
    """Sends this again and again, until the peer has had enough."""
    block = piece * max(1, PIECE // len(piece))
    while True:
        connection.send(block)


class Postgres:
    """A PostgreSQL server (protocol 3, no TLS) that lets everybody in, unless it lies before that."""

    @staticmethod
    def message(kind, payload=b""):
        return kind + struct.pack("!i", len(payload) + 4) + payload

    @classmethod
    def welcome(cls, connection):
        connection.read_exactly(struct.unpack("!i", connection.read_exactly(4))[0] - 4)
        connection.send(cls.message(b"R", struct.pack("!i", 0)) + cls.message(b"S", b"server_version\x0015.0\0") +
                        cls.message(b"Z", b"I"))

    @classmethod
    def question(cls, connection):
        kind = connection.read_exactly(1)
        connection.read_exactly(struct.unpack("!i", connection.read_exactly(4))[0] - 4)
        if kind == b"X":
            raise EOFError("it said goodbye")

    @classmethod
    def up_to_the_row(cls, connection):
        """Asked for one value: what comes before it."""
        cls.welcome(connection)
        cls.question(connection)
        column = b"value\0" + struct.pack("!ihihih", 0, 0, 25, -1, -1, 0)
        connection.send(cls.message(b"C", b"SET\0") * 2 + cls.message(b"T", struct.pack("!h", 1) + column))

    @classmethod
    def iterations(cls, count, asked=None):
        """A SCRAM login whose password is to be hashed so often; `asked` is set when it has been asked for."""
        def script(connection):
            connection.read_exactly(struct.unpack("!i", connection.read_exactly(4))[0] - 4)
            connection.send(cls.message(b"R", struct.pack("!i", 10) + b"SCRAM-SHA-256\0\0"))
            kind, size = connection.read_exactly(1), struct.unpack("!i", connection.read_exactly(4))[0]
            assert kind == b"p"
            nonce = connection.read_exactly(size - 4).split(b"r=")[1]
            challenge = b"r=" + nonce + b"more,s=c2FsdHNhbHRzYWx0,i=" + str(count).encode()
            connection.send(cls.message(b"R", struct.pack("!i", 11) + challenge))
            if asked is not None:
                asked.set()
            connection.read_to_end()
        return script

    @classmethod
    def huge_row(cls, connection):
        cls.up_to_the_row(connection)
        connection.send(b"D" + struct.pack("!ihi", 1 << 30, 1, (1 << 30) - 10))
        forever(connection, bytes(PIECE))

    @classmethod
    def row(cls, size):
        """A value of that size, and then a proper end."""
        def script(connection):
            cls.up_to_the_row(connection)
            connection.send(cls.message(b"D", struct.pack("!hi", 1, size) + b"x" * size) + cls.message(b"C", b"SELECT 1\0") +
                            cls.message(b"Z", b"I"))
            connection.read_to_end()
        return script

    @classmethod
    def rows_without_end(cls, connection):
        cls.up_to_the_row(connection)
        forever(connection, cls.message(b"D", struct.pack("!hi", 1, 100) + b"x" * 100))

    @classmethod
    def notifications(cls, connection):
        cls.welcome(connection)
        cls.question(connection)
        forever(connection, cls.message(b"A", struct.pack("!i", 1) + b"c\0\0"))

    @classmethod
    def error(cls, size):
        def script(connection):
            cls.welcome(connection)
            cls.question(connection)
            connection.send(b"E" + struct.pack("!i", size) + b"SERROR\0VERROR\0C42P01\0M")
            forever(connection, b"x" * PIECE)
        return script

    @classmethod
    def parameters(cls, connection, before=b""):
        connection.send(before)
        number = 0
        while True:
            connection.send(b"".join(cls.message(b"S", b"p%d\0x\0" % name) for name in range(number, number + 1000)))
            number += 1000

    @classmethod
    def parameters_during_the_login(cls, connection):
        connection.read_exactly(struct.unpack("!i", connection.read_exactly(4))[0] - 4)
        cls.parameters(connection, cls.message(b"R", struct.pack("!i", 0)))

    @classmethod
    def parameters_for_an_answer(cls, connection):
        cls.welcome(connection)
        cls.question(connection)
        cls.parameters(connection)


class MariaDb:
    """A MariaDB server (no TLS) that lets everybody in; the answer to the first SELECT is a lie."""

    OK = b"\0\0\0\2\0\0\0"

    @staticmethod
    def packet(number, payload):
        return struct.pack("<I", len(payload))[:3] + bytes([number & 255]) + payload

    @classmethod
    def read_packet(cls, connection):
        head = connection.read_exactly(4)
        return connection.read_exactly(head[0] | head[1] << 8 | head[2] << 16)

    @classmethod
    def up_to_the_answer(cls, connection):
        # Protocol 4.1, connection with database, plugin authentication; utf8mb4, autocommit.
        flags = 0x1 | 0x8 | 0x200 | 0x2000 | 0x8000 | 0x80000
        connection.send(cls.packet(0, b"\x0a5.5.5-10.11.0-MariaDB\0" + struct.pack("<I", 1) + b"abcdefgh\0" +
                                   struct.pack("<HBHH", flags & 0xffff, 45, 2, flags >> 16) + b"\x15" + bytes(10) +
                                   b"ijklmnopqrst\0mysql_native_password\0"))
        cls.read_packet(connection)
        connection.send(cls.packet(2, cls.OK))
        while True:
            question = cls.read_packet(connection)
            if question[:1] == b"\1":
                raise EOFError("it said goodbye")
            if b"SELECT" in question:
                return
            connection.send(cls.packet(1, cls.OK))

    @classmethod
    def column(cls, number, name=b"value"):
        texts = b"".join(bytes([len(text)]) + text for text in (b"def", b"", b"", b"", name, b""))
        return cls.packet(number, texts + b"\x0c" + struct.pack("<HIBHBH", 45, 1024, 253, 0, 0, 0))

    @classmethod
    def announcing(cls, announcement):
        """That many columns, each of which then comes."""
        def script(connection):
            cls.up_to_the_answer(connection)
            connection.send(cls.packet(1, announcement))
            forever(connection, cls.column(2))
        return script

    @classmethod
    def columns_without_end(cls, connection):
        cls.announcing(b"\1")(connection)

    @classmethod
    def huge_packet(cls, connection):
        cls.up_to_the_answer(connection)
        connection.send(b"\xff\xff\xff\1")
        forever(connection, bytes(PIECE))

    @classmethod
    def rows_without_end(cls, connection):
        cls.up_to_the_answer(connection)
        end = b"\xfe\0\0\2\0"
        connection.send(cls.packet(1, b"\1") + cls.column(2) + cls.packet(3, end))
        forever(connection, b"".join(cls.packet(number, b"\xfc\xff\xff" + bytes(65535)) for number in range(4, 12)))


class Http:
    HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

    @classmethod
    def chunk_extension(cls, connection):
        connection.read_head()
        connection.send(cls.HEAD + b"5;")
        forever(connection, b"a" * PIECE)

    @classmethod
    def trailers(cls, connection):
        connection.read_head()
        connection.send(cls.HEAD + b"0\r\n")
        forever(connection, b"x-more: of it\r\n")

    @classmethod
    def body(cls, connection):
        connection.read_head()
        connection.send(b"HTTP/1.1 200 OK\r\n\r\n")
        forever(connection, b"a" * PIECE)

    @classmethod
    def header(cls, connection):
        connection.read_head()
        connection.send(b"HTTP/1.1 200 OK\r\nx: ")
        forever(connection, b"a" * PIECE)


def redis_answer(connection):
    connection.send(b"$1000000000\r\n")
    forever(connection, b"a" * PIECE)

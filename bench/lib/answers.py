"""When a port answers for the first time."""

import socket
import time


def first_answer(port, path, deadline):
    """The moment at which the port has answered one HTTP request."""
    wanted = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
    while time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as client:
                client.sendall(wanted)
                if client.recv(5) == b"HTTP/":
                    return time.monotonic()
        except OSError:
            pass
    raise SystemExit(f"port {port} does not answer")

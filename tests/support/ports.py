"""Loopback ports: free ones that stay free until their server starts, and what the kernel tells of those in use."""

import re
import socket
import subprocess


def free_port(host="127.0.0.1"):
    """A TCP port that the kernel hands to nobody else for the next minute.

    Closing a probing socket and hoping is a race between parallel tests. Here the port has carried one connection, and
    our side closed it first: it stays in TIME_WAIT, where the kernel neither gives it to a bind to port 0 nor to an
    outgoing connection, while a server with SO_REUSEADDR (all of ours) may listen on it.
    """
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, 0))
        listener.listen(1)
        port = listener.getsockname()[1]
        with socket.create_connection((host, port)) as client:
            accepted, _ = listener.accept()
            accepted.close()
            client.recv(1)
        return port


def accepts(port, host="127.0.0.1"):
    """True, or the OSError of who finds nobody there."""
    socket.create_connection((host, port), timeout=1).close()
    return True


def keep_alive_timers(port):
    """Seconds until the next keep-alive probe, of the connections of that port."""
    listing = subprocess.run(["ss", "-Htno", "state", "established", f"( sport = :{port} or dport = :{port} )"],
                             capture_output=True, text=True, check=True)
    return [float(seconds) for seconds in re.findall(r"timer:\(keepalive,([\d.]+)sec,", listing.stdout)]

"""Free loopback ports that stay free until their server starts."""

import socket


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

"""Started by pytest-xdist in place of Python: `launcher.py PATH PYTHON'S-ARGUMENTS`.

Asks whoever listens at PATH for a fork, and ends with it. Run as a file, without
site-packages: it is there for milliseconds.
"""

import json
import os
import signal
import socket
import sys

STREAMS = (0, 1, 2)

PATIENCE_S = 30.0
"""How long who listens may take to turn to us; it has its imports to do first."""


def main(path: str, *arguments: str) -> None:
    """Return at the worker's end; without a fork, become the worker."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # its end is the worker's: no trace
    channel = socket.socket(socket.AF_UNIX)
    if not forked(channel, path, arguments):
        channel.close()
        os.execv(sys.executable, [sys.executable, *arguments])
    for stream in STREAMS[:2]:
        os.close(stream)  # or they would not end with the worker
    channel.recv(1)


def forked(channel: socket.socket, path: str, arguments: tuple[str, ...]) -> bool:
    """Ask for one; what is said twice is that it will be, and that it is there."""
    order = json.dumps({"arguments": arguments, "environment": dict(os.environ)})
    channel.settimeout(PATIENCE_S)
    try:
        channel.connect(path)
        socket.send_fds(channel, [b"+"], STREAMS)
        channel.sendall(order.encode() + b"\n")
        if not channel.recv(1):
            return False
        channel.settimeout(None)
        return bool(channel.recv(1))
    except OSError:
        return False


if __name__ == "__main__":
    main(*sys.argv[1:])

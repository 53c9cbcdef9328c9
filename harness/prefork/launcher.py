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


def main(path: str, *arguments: str) -> None:
    """Return at the worker's end; without a fork, become the worker."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # its end is the worker's: no trace
    order = json.dumps({"arguments": arguments, "environment": dict(os.environ)})
    channel = socket.socket(socket.AF_UNIX)
    try:
        channel.connect(path)
        socket.send_fds(channel, [b"+"], STREAMS)
        channel.sendall(order.encode() + b"\n")
        forked = channel.recv(1)
    except OSError:
        forked = b""
    if not forked:
        os.execv(sys.executable, [sys.executable, *arguments])
    for stream in STREAMS[:2]:
        os.close(stream)  # or they would not end with the worker
    channel.recv(1)


if __name__ == "__main__":
    main(*sys.argv[1:])

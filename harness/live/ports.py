"""Free TCP ports on this machine, outside the range of outgoing connections."""

import random
import socket

from harness.core.errors import HarnessError

HOST = "127.0.0.1"
LOW, HIGH = 15_000, 32_000
"""Below Linux's ephemeral range: a port from there may be taken by any connection
between our choosing it and the server's binding it."""

ATTEMPTS = 200


def free_port() -> int:
    """A port that nobody listens on now; raises `HarnessError` when none is found."""
    draw = random.SystemRandom()
    for _ in range(ATTEMPTS):
        port = draw.randrange(LOW, HIGH)
        if is_free(port):
            return port
    raise HarnessError(f"no free port found between {LOW} and {HIGH}")


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    try:
        with socket.create_server((HOST, port)):
            return True
    except OSError:
        return False

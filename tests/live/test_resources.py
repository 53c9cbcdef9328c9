"""What a process group holds, measured from outside."""

import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from harness.live.resources import usage_of

HOLDS = """
import socket, sys, threading
held = [open(sys.executable, "rb") for _ in range(5)]
reached = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
listening = socket.create_server(("127.0.0.1", 0))
clients = [socket.create_connection(listening.getsockname()) for _ in range(2)]
served = [listening.accept()[0] for _ in clients]
threading.Thread(target=threading.Event().wait, daemon=True).start()
memory = bytearray(b"x" * (20 << 20))
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def held() -> Iterator[subprocess.Popen[bytes]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        popen = subprocess.Popen(
            [sys.executable, "-c", HOLDS, port],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        with popen:
            assert popen.stdout is not None
            assert popen.stdout.readline() == b"ready\n"
            yield popen
            popen.kill()


def test_all_of_it_is_counted(held: subprocess.Popen[bytes]) -> None:
    usage = usage_of(held.pid)
    assert usage is not None
    assert usage.connections == 2  # those it served, not those it made
    assert usage.threads == 2
    assert usage.fds is not None
    assert usage.fds >= 3 + 5 + 2 + 4
    assert usage.rss_bytes is not None
    assert usage.rss_bytes > 20 << 20


def test_a_group_that_is_gone(held: subprocess.Popen[bytes]) -> None:
    held.kill()
    held.wait()
    assert usage_of(held.pid) is None

"""Ports: leased once, and never judged when somebody else listens."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness.live import ports
from harness.live.ports import HOST, foreign_listener, lease_port

LEASE = """
from harness.live.ports import lease_port
lease = lease_port()
print(lease.number, flush=True)
input()
"""


def test_two_harnesses_never_lease_one_port(monkeypatch: object) -> None:
    lease = lease_port()
    try:
        monkeypatch.setattr("harness.live.ports.LOW", lease.number)  # type: ignore[attr-defined]
        monkeypatch.setattr("harness.live.ports.HIGH", lease.number + 2)  # type: ignore[attr-defined]
        other = lease_port()
        assert other.number != lease.number
        other.release()
    finally:
        lease.release()


def test_a_lease_holds_across_processes() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", LEASE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    number = int(child.stdout.readline())
    folder = Path(tempfile.gettempdir()) / ports.LEASES
    try:
        assert ports._lease(folder, number) is None
    finally:
        child.communicate("\n")
    lease = ports._lease(folder, number)
    assert lease is not None
    lease.release()


def test_a_listener_that_was_there_before_is_told() -> None:
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]
        later = time.time() + 3_600
        gone = 2**22 + 1  # no process: ours has died of the taken port
        assert str(os.getpid()) in foreign_listener(port, child=gone, since=later)
        assert foreign_listener(port, child=os.getpid(), since=later) == ""
        assert foreign_listener(port, child=gone, since=0) == ""

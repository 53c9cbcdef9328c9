"""TCP ports on this machine: free ones, leased so that no two cases share one."""

import os
import random
import socket
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout

from harness.core.errors import HarnessError

HOST = "127.0.0.1"
LOW, HIGH = 15_000, 32_000
"""Below Linux's ephemeral range: a port from there may be taken by any connection
between our choosing it and the server's binding it."""

ATTEMPTS = 200
BIRTH_S = 2.0
LEASES = "unbroken-ports"

LIST = Path("/proc/net/tcp")
"""What Linux tells of connections; not there elsewhere."""

LISTENING = b"0A"

PART = 1_024
"""Bytes read at once; to fill larger parts the kernel looks through connections."""


class Lease:
    """A port that no other case of any harness on this machine uses meanwhile.

    Two servers on one port would be judged for each other's answers, which no check
    of a single moment prevents: between choosing and binding lies a whole start.
    """

    def __init__(self, number: int, lock: FileLock) -> None:
        self.number = number
        self._lock = lock

    def release(self) -> None:
        """Let others have it; the kernel does so too when the harness dies."""
        self._lock.release()


def lease_port() -> Lease:
    """Lease a port that nobody listens on; raises `HarnessError` when none is found."""
    folder = Path(tempfile.gettempdir()) / LEASES
    folder.mkdir(mode=0o777, exist_ok=True)
    draw = random.SystemRandom()
    for _ in range(ATTEMPTS):
        lease = _lease(folder, draw.randrange(LOW, HIGH))
        if lease is not None:
            return lease
    raise HarnessError(f"no free port found between {LOW} and {HIGH}")


def _lease(folder: Path, port: int) -> Lease | None:
    lock = FileLock(folder / f"{port}.lock", mode=0o666)
    try:
        lock.acquire(blocking=False)
    except (Timeout, OSError):
        return None
    if is_free(port):
        return Lease(port, lock)
    lock.release()
    return None


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    try:
        with socket.create_server((HOST, port)):
            return True
    except OSError:
        return False


def foreign_listener(port: int, *, child: int, since: float) -> str:
    """Who else than our `child` listens there, and ran well before `since`.

    `since` is in seconds since 1970; a process's birth is known to the second only.
    "" when it is ours, when it began later (a target may leave the listening to a
    helper of its own), or when the system does not tell.
    """
    if listens(port, child=child):
        return ""
    try:
        pids = _listens(psutil.net_connections(kind="tcp"), port)
        found = [psutil.Process(pid) for pid in pids if pid]
        older = [one for one in found if one.create_time() < since - BIRTH_S]
        return ", ".join(f"{one.name()} ({one.pid})" for one in older)
    except psutil.Error:
        return ""


def listens(port: int, *, child: int) -> bool:
    """Whether our `child` listens there."""
    with suppress(psutil.Error, OSError):  # it may have died of the taken port already
        held = set(_held(child))
        if any(one in held for one in _listeners(port)):
            return True
        connections = psutil.Process(child).net_connections(kind="tcp")
        return bool(_listens(connections, port))
    return False


def _held(child: int) -> Iterator[str]:
    """What its descriptors stand for; some may be closed meanwhile."""
    with suppress(OSError):
        for descriptor in Path(f"/proc/{child}/fd").iterdir():
            with suppress(OSError):
                yield os.readlink(descriptor)


def _listeners(port: int) -> Iterator[str]:
    """The sockets that listen there, as Linux names open ones; elsewhere none.

    Those that listen come first; psutil reads on, through every connection of the last
    minute.
    """
    if not LIST.exists():
        return
    with LIST.open("rb", buffering=PART) as rows:
        next(rows, None)
        for row in rows:
            _, local, _, state, *_, inode = row.split()[:10]
            if state != LISTENING:
                break
            if int(local.rpartition(b":")[2], 16) == port:
                yield f"socket:[{inode.decode()}]"


def _listens(connections: Iterable[Any], port: int) -> list[int | None]:
    """The processes of those that listen there; None for one of its own list."""
    return [
        getattr(one, "pid", None)
        for one in connections
        if one.status == psutil.CONN_LISTEN and one.laddr[1:] == (port,)
    ]

"""What a process group holds, as the operating system tells (psutil)."""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import psutil

from harness.core.usage import Usage

GONE = (psutil.NoSuchProcess, psutil.ZombieProcess, ProcessLookupError)


class _Held(NamedTuple):
    """What one process holds."""

    rss_bytes: int
    fds: int
    threads: int
    sockets: Sequence[Any]

    @property
    def listening(self) -> set[int]:
        """The ports on which it is reached."""
        listen = psutil.CONN_LISTEN
        return {one.laddr.port for one in self.sockets if one.status == listen}

    def reached_at(self, ports: set[int]) -> int:
        """How many connections others made to these ports."""
        open_ = (one for one in self.sockets if one.status != psutil.CONN_LISTEN)
        return sum(bool(one.laddr) and one.laddr.port in ports for one in open_)


def usage_of(group: int) -> Usage | None:
    """The sums over all processes of a group; None when there is none any more.

    Memory that several share counts for each. Connections are those that clients made:
    a pool of the target's own, to a database, is none. Blocks for some milliseconds.
    """
    found = [one for process in _members(group) if (one := _held(process)) is not None]
    if not found:
        return None
    ports = {port for one in found for port in one.listening}
    return Usage(
        rss_bytes=sum(one.rss_bytes for one in found),
        connections=sum(one.reached_at(ports) for one in found),
        fds=sum(one.fds for one in found),
        threads=sum(one.threads for one in found),
    )


def _members(group: int) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with suppress(*GONE, PermissionError):
            if os.getpgid(process.pid) == group:
                yield process


def _held(process: psutil.Process) -> _Held | None:
    """None for one that has ended meanwhile."""
    try:
        return _Held(
            rss_bytes=process.memory_info().rss,
            fds=process.num_fds(),
            threads=process.num_threads(),
            sockets=process.net_connections(kind="tcp"),
        )
    except GONE:
        return None

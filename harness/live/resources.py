"""What a process group holds, as the operating system tells (psutil)."""

import os
from collections.abc import Iterator
from contextlib import suppress

import psutil

from harness.core.usage import Usage

GONE = (psutil.NoSuchProcess, psutil.ZombieProcess, ProcessLookupError)


def usage_of(group: int) -> Usage | None:
    """The sums over all processes of a group; None when there is none any more.

    Memory that several share counts for each. Blocks for some milliseconds.
    """
    found = [one for process in _members(group) if (one := _held(process)) is not None]
    if not found:
        return None
    return Usage(
        rss_bytes=sum(one.rss_bytes or 0 for one in found),
        connections=sum(one.connections or 0 for one in found),
        fds=sum(one.fds or 0 for one in found),
        threads=sum(one.threads or 0 for one in found),
    )


def _members(group: int) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with suppress(*GONE, PermissionError):
            if os.getpgid(process.pid) == group:
                yield process


def _held(process: psutil.Process) -> Usage | None:
    """None for one that has ended meanwhile."""
    try:
        connections = process.net_connections(kind="tcp")
        return Usage(
            rss_bytes=process.memory_info().rss,
            connections=sum(c.status != psutil.CONN_LISTEN for c in connections),
            fds=process.num_fds(),
            threads=process.num_threads(),
        )
    except GONE:
        return None

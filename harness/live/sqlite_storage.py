"""Faults of an SQLite database from outside the target's process (harness.arm.Storage).

Nothing here needs privileges, and the database stays whole whenever we die.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from harness.core.errors import CouldNotRun
from harness.core.fault import Fault, FaultKind
from harness.live.file_limit import FileLimit, can_limit
from harness.live.sqlite_lock import SqliteLock

POLL_S = 0.002
"""How often a lock that somebody holds is tried for: there is nothing to wait on."""

TAKE_S = 5.0
"""How long that may take; longer means a transaction that does not end."""

GAP_S = 0.15
"""Pause between two locks of a slow database: who waits for one looks at least every
100 ms (SQLite's own busy handler)."""


class SqliteStorage:
    """The file is `path()`, the target's process `pid()`."""

    def __init__(self, path: Callable[[], Path], pid: Callable[[], int | None]) -> None:
        self._path = path
        self._pid = pid
        self._lock: SqliteLock | None = None
        self._slowing: asyncio.Task[None] | None = None
        self._limit = FileLimit()

    @property
    def kinds(self) -> frozenset[FaultKind]:
        """A full disk takes a system that can limit other processes."""
        kinds = {FaultKind.STORAGE_AWAY, FaultKind.STORAGE_SLOW}
        return frozenset(kinds | ({FaultKind.STORAGE_FULL} if can_limit() else set()))

    async def begin(self, fault: Fault, held: Callable[[], object]) -> None:
        """Lock the file, lock it again and again, or take the room away."""
        if fault.kind is FaultKind.STORAGE_FULL:
            pid = self._pid()
            if pid is None:
                raise CouldNotRun("the target does not run, its disk cannot be full")
            self._limit.take(pid)
        else:
            self._lock = lock = self._open()
            await _taken(lock)
            if fault.kind is FaultKind.STORAGE_SLOW:
                slow = self._slow(lock, fault.delay_ms / 1_000)
                self._slowing = asyncio.create_task(slow, name="slow storage")
        held()

    async def end(self, fault: Fault) -> None:
        """Give back whatever was taken; raises what has ended the slowness."""
        del fault
        slowing, self._slowing = self._slowing, None
        try:
            if slowing is not None:
                slowing.cancel()
                with suppress(asyncio.CancelledError):
                    await slowing
        finally:
            self._limit.give_back()
            if self._lock is not None:
                self._lock.close()
                self._lock = None

    def _open(self) -> SqliteLock:
        path = self._path()
        try:
            return SqliteLock(path)
        except (OSError, sqlite3.Error) as error:
            raise CouldNotRun(
                f"[storage] sqlite: {path} cannot be locked: {error}"
            ) from error

    async def _slow(self, lock: SqliteLock, seconds: float) -> None:
        """Held for so long, free for a moment, held again."""
        while True:
            await asyncio.sleep(seconds)
            lock.release()
            await asyncio.sleep(GAP_S)
            await _taken(lock)


async def _taken(lock: SqliteLock) -> None:
    try:
        async with asyncio.timeout(TAKE_S):
            while not lock.take():
                await asyncio.sleep(POLL_S)
    except TimeoutError as error:
        raise CouldNotRun(
            f"the target's database could not be locked within {TAKE_S:g} s: a "
            "transaction stays open, or its write-ahead log is of an unknown kind"
        ) from error

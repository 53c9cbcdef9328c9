"""The disk that a simulated server's database lies on, and what it does when it fails.

A refusal comes after the connection's own busy timeout, in virtual time, with the error
that SQLite has for it. A call is made in one step: what has begun to wait for its lock
is not let in earlier, though the disk may be well again by then.
"""

import os
import re
import sqlite3
import time
from typing import Any
from weakref import WeakSet

from harness.core.fault import Fault, FaultKind

_UNTOUCHING = re.compile(
    r"\s*(begin(\s+deferred)?(\s+transaction)?\s*;?\s*$|rollback|savepoint|release|"
    r"pragma\s+(busy_timeout|synchronous|foreign_keys|cache_size|temp_store)\b)",
    re.IGNORECASE,
)
"""Statements for which SQLite does not look at the file."""

WRITING = re.compile(
    r"\s*(insert|update|delete|replace|create|drop|alter|vacuum|reindex|"
    r"with\b.*\b(insert|update|delete|replace))\b",
    re.IGNORECASE | re.DOTALL,
)
_SCHEMA = re.compile(r"\s*(create|drop|alter|vacuum|reindex)\b", re.IGNORECASE)
_COMMITTING = re.compile(r"\s*(commit|end)\b", re.IGNORECASE)


class Disk:
    """Where the target's database lies: `fault` is what it suffers from now."""

    current: "Disk | None" = None

    def __init__(self) -> None:
        self.path = ""
        self.fault: Fault | None = None
        self._connections: WeakSet[Any] = WeakSet()

    def add(self, connection: Any) -> None:
        """A connection that the target has opened."""
        self._connections.add(connection)

    def busy(self) -> bool:
        """Whether a transaction of a running life is open on the file."""
        return any(one.is_busy() for one in self._connections if self._is_hit(one))

    def before(self, connection: Any, sql: str, *, alone: bool) -> None:
        """Refuse a statement, let it wait, or do nothing to it."""
        if self.fault is None or not self._is_hit(connection):
            return
        match self.fault.kind:
            case FaultKind.STORAGE_AWAY if not _UNTOUCHING.match(sql):
                time.sleep(connection.patience_s())
                raise _error("database is locked", "SQLITE_BUSY")
            case FaultKind.STORAGE_SLOW if not _UNTOUCHING.match(sql):
                _wait(connection, self.fault.delay_ms / 1_000)
            case FaultKind.STORAGE_FULL if _commits(connection, sql, alone):
                connection.give_up()
                raise _error("database or disk is full", "SQLITE_FULL")

    def _is_hit(self, connection: Any) -> bool:
        return bool(connection.file) and connection.file == os.path.realpath(self.path)


def _wait(connection: Any, seconds: float) -> None:
    """A transaction waits for its lock, once; not longer than it has patience for."""
    if connection.in_transaction:
        return
    patience_s = connection.patience_s()
    time.sleep(min(seconds, patience_s))
    if patience_s < seconds:
        raise _error("database is locked", "SQLITE_BUSY")


def _commits(connection: Any, sql: str, alone: bool) -> bool:
    """Whether a statement would bring something new to the disk.

    sqlite3 begins a transaction for a change of rows, unless it has no isolation level.
    """
    if _COMMITTING.match(sql):
        return bool(connection.has_written)
    if not WRITING.match(sql):
        return False
    is_schema = bool(_SCHEMA.match(sql))
    alone = alone or is_schema or connection.isolation_level is None
    return alone and not connection.in_transaction


def _error(text: str, name: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(text)
    error.sqlite_errorname = name
    error.sqlite_errorcode = getattr(sqlite3, name)
    return error

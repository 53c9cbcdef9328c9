"""SQLite as the target's process finds it: as it is, but for a fault of the storage.

`sqlite3.connect` gives the target connections of a class that asks before each
statement whether the storage refuses it or lets it wait. A refusal comes after the
connection's own busy timeout, in virtual time, with the error that SQLite has for it;
the calls are made in one step, so what has begun to wait is not let in earlier.
"""

import contextlib
import os
import re
import sqlite3
import time
from collections.abc import Iterator
from functools import cache
from typing import Any
from unittest.mock import patch
from urllib.parse import unquote, urlsplit
from weakref import WeakSet

from harness.core.fault import Fault, FaultKind
from harness.sim.life import LIFE

_real_connect = sqlite3.connect

_FACTORY = 5
"""Place of `factory` among the arguments of `sqlite3.connect`."""

_UNTOUCHING = re.compile(
    r"\s*(begin(\s+deferred)?(\s+transaction)?\s*;?\s*$|rollback|savepoint|release|"
    r"pragma\s+(busy_timeout|synchronous|foreign_keys|cache_size|temp_store)\b)",
    re.IGNORECASE,
)
"""Statements for which SQLite does not look at the file."""

_WRITING = re.compile(
    r"\s*(insert|update|delete|replace|create|drop|alter|vacuum|reindex|"
    r"with\b.*\b(insert|update|delete|replace))\b",
    re.IGNORECASE | re.DOTALL,
)
_COMMITTING = re.compile(r"\s*(commit|end)\b", re.IGNORECASE)


class Disk:
    """Where the target's database lies: `fault` is what it suffers from now."""

    current: "Disk | None" = None

    def __init__(self) -> None:
        self.path = ""
        self.fault: Fault | None = None
        self._connections: WeakSet[Any] = WeakSet()

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Meanwhile the target's connections are this disk's."""
        Disk.current = self
        with (
            patch.object(sqlite3, "connect", connect),
            patch.object(sqlite3.dbapi2, "connect", connect),
        ):
            try:
                yield
            finally:
                Disk.current = None

    def add(self, connection: Any) -> None:
        """A connection that the target has opened."""
        self._connections.add(connection)

    def busy(self) -> bool:
        """Whether a transaction of a running life is open on the file."""
        return any(one.is_busy() for one in self._connections if self._is_hit(one))

    def before(self, connection: Any, sql: str) -> None:
        """Refuse a statement, let it wait, or do nothing to it."""
        if self.fault is None or not self._is_hit(connection):
            return
        match self.fault.kind:
            case FaultKind.STORAGE_AWAY if not _UNTOUCHING.match(sql):
                time.sleep(connection.patience_s())
                raise _error("database is locked", "SQLITE_BUSY")
            case FaultKind.STORAGE_SLOW if not _UNTOUCHING.match(sql):
                _wait(connection, self.fault.delay_ms / 1_000)
            case FaultKind.STORAGE_FULL if _commits(connection, sql):
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


def _commits(connection: Any, sql: str) -> bool:
    """Whether a statement would bring something new to the disk."""
    if _COMMITTING.match(sql):
        return bool(connection.has_written)
    if not _WRITING.match(sql):
        return False
    is_change = re.match(r"\s*(create|drop|alter|vacuum|reindex)", sql, re.IGNORECASE)
    alone = connection.isolation_level is None or is_change
    return bool(alone) and not connection.in_transaction


def _error(text: str, name: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(text)
    error.sqlite_errorname = name
    error.sqlite_errorcode = getattr(sqlite3, name)
    return error


def connect(database: Any, *args: Any, **options: Any) -> Any:
    """`sqlite3.connect`, by which the target gets connections that can suffer."""
    disk = Disk.current
    life = LIFE.get()
    if disk is None or life is None:
        return _real_connect(database, *args, **options)
    if len(args) >= _FACTORY:
        *first, factory = args[:_FACTORY]
        args = (*first, _suffering(factory), *args[_FACTORY:])
    else:
        factory = options.get("factory", sqlite3.Connection)
        options = options | {"factory": _suffering(factory)}
    connection: Any = _real_connect(database, *args, **options)
    connection.life, connection.file = life, _file_of(database)
    disk.add(connection)
    return connection


def _file_of(database: Any) -> str:
    """The file that is opened; "" for a database in memory."""
    name = os.fsdecode(database)
    if name.startswith("file:"):
        name = unquote(urlsplit(name).path)
    return "" if name in ("", ":memory:") else os.path.realpath(name)


class SufferingCursor(sqlite3.Cursor):
    """Asks the disk before each statement."""

    def execute(self, sql: str, *args: Any) -> Any:
        """One statement."""
        _ask(self.connection, sql)
        return super().execute(sql, *args)

    def executemany(self, sql: str, *args: Any) -> Any:
        """One statement many times."""
        _ask(self.connection, sql)
        return super().executemany(sql, *args)

    def executescript(self, sql: str) -> Any:
        """Many statements; they are asked for as one."""
        _ask(self.connection, sql)
        return super().executescript(sql)


def _ask(connection: Any, sql: str) -> None:
    if Disk.current is not None:
        Disk.current.before(connection, sql)
    connection.has_written = connection.has_written or bool(_WRITING.match(sql))


class SufferingConnection(sqlite3.Connection):
    """`life` opened it, `file` is what it is of.

    `has_written` tells that the open transaction has something to commit.
    """

    life: Any = None
    file = ""
    has_written = False

    def cursor(self, factory: Any = sqlite3.Cursor) -> Any:
        """A cursor that asks the disk."""
        return super().cursor(_suffering_cursor(factory))

    def commit(self) -> None:
        """Ask, then commit."""
        if self.in_transaction:
            _ask(self, "COMMIT")
        super().commit()
        self.has_written = False

    def rollback(self) -> None:
        """Nothing of it needs the disk."""
        super().rollback()
        self.has_written = False

    def __exit__(self, kind: Any, error: Any, trace: Any) -> Any:
        """As sqlite3's own, through the methods above."""
        if kind is None:
            self.commit()
        else:
            self.rollback()
        return False

    def give_up(self) -> None:
        """As SQLite does when it cannot write: the transaction is rolled back."""
        if self.in_transaction:
            self.rollback()

    def is_busy(self) -> bool:
        """Whether it holds what others have to wait for."""
        if self.life is None or self.life.over:
            return False
        try:
            return self.in_transaction
        except sqlite3.ProgrammingError:  # closed
            return False

    def patience_s(self) -> float:
        """Its busy timeout."""
        (found,) = sqlite3.Cursor(self).execute("PRAGMA busy_timeout").fetchone()
        return float(found) / 1_000


@cache
def _suffering(factory: Any) -> Any:
    """The target's own class of connections, made to ask."""
    if issubclass(SufferingConnection, factory):
        return SufferingConnection
    return type(f"Suffering{factory.__name__}", (SufferingConnection, factory), {})


@cache
def _suffering_cursor(factory: Any) -> Any:
    if issubclass(SufferingCursor, factory):
        return SufferingCursor
    return type(f"Suffering{factory.__name__}", (SufferingCursor, factory), {})

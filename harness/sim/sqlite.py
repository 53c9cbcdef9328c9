"""SQLite as the target finds it: as it is, but for what the disk below suffers from.

`sqlite3.connect` gives the target connections of a class that asks the disk before each
statement, and whose cursors do.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from functools import cache
from typing import Any
from unittest.mock import patch
from urllib.parse import unquote, urlsplit

from harness.sim.disk import WRITING, Disk
from harness.sim.life import LIFE

_real_connect = sqlite3.connect

_FACTORY = 5
"""Place of `factory` among the arguments of `sqlite3.connect`."""


@contextlib.contextmanager
def lying_on(disk: Disk) -> Iterator[None]:
    """Meanwhile the databases that the target opens lie on this disk."""
    Disk.current = disk
    with (
        patch.object(sqlite3, "connect", connect),
        patch.object(sqlite3.dbapi2, "connect", connect),
    ):
        try:
            yield
        finally:
            Disk.current = None


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
        """Many statements, each a transaction of its own."""
        for one in filter(str.strip, sql.split(";")):
            _ask(self.connection, one, alone=True)
        return super().executescript(sql)


def _ask(connection: Any, sql: str, *, alone: bool = False) -> None:
    """A statement that is `alone` is no part of a transaction."""
    if Disk.current is not None:
        Disk.current.before(connection, sql, alone=alone)
    connection.has_written = connection.has_written or bool(WRITING.match(sql))


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

    def execute(self, sql: str, *args: Any) -> Any:
        """By such a cursor: sqlite3 itself makes one past the method above."""
        return self.cursor().execute(sql, *args)

    def executemany(self, sql: str, *args: Any) -> Any:
        """As above."""
        return self.cursor().executemany(sql, *args)

    def executescript(self, sql: str) -> Any:
        """As above."""
        return self.cursor().executescript(sql)

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

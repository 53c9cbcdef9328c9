"""What is kept: one SQLite table for the messages of all rooms.

Every statement is a transaction of its own and on the disk when it returns.
"""

import json
import sqlite3
from pathlib import Path
from typing import Any, NamedTuple

from tests.foreign.wire import Json, Refused

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS said (n INTEGER PRIMARY KEY AUTOINCREMENT, "
    "room TEXT NOT NULL, at INTEGER NOT NULL, value TEXT NOT NULL)",
    "CREATE INDEX IF NOT EXISTS by_time ON said (room, at)",
)
BUSY_S = 0.2
LAST = (1 << 62) - 1
"""Above every time and row number."""


class Row(NamedTuple):
    """One stored message."""

    n: int
    value: Json


class Journal:
    """Messages by row number; times within a room always rise."""

    def __init__(self, path: Path) -> None:
        self._sqlite = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
        for statement in _SCHEMA:
            self._run(statement)

    def add(self, room: str, value: Json) -> int:
        """Store a message; gives its row number."""
        text = json.dumps(value)
        sql = "INSERT INTO said (room, at, value) VALUES (?, ?, ?) RETURNING n"
        return int(self._run(sql, room, value["createdAt"], text)[0][0])

    def change(self, n: int, value: Json) -> None:
        """Store another value in the same place."""
        self._run("UPDATE said SET value = ? WHERE n = ?", json.dumps(value), n)

    def drop(self, n: int) -> None:
        """Forget a message."""
        self._run("DELETE FROM said WHERE n = ?", n)

    def count(self, room: str) -> int:
        """How many are stored."""
        return int(self._run("SELECT count(*) FROM said WHERE room = ?", room)[0][0])

    def last(self, room: str, most: int, *, by: str, below: int) -> list[Row]:
        """The newest of those whose time (or row number) is lower; oldest first."""
        order = f"{by} < ? ORDER BY {by} DESC LIMIT ?"
        return self._rows(order, room, below, most)[::-1]

    def after(self, room: str, n: int) -> list[Row]:
        """All that were stored after a row, in order."""
        return self._rows("n > ? ORDER BY n", room, n)

    def _rows(self, what: str, *values: object) -> list[Row]:
        found = self._run(
            f"SELECT n, value FROM said WHERE room = ? AND {what}", *values
        )
        return [Row(n, json.loads(text)) for n, text in found]

    def _run(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            return self._sqlite.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise Refused(503, "not-stored", f"the journal: {error}") from error

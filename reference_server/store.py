"""Messages in the database, by SQLAlchemy Core.

Methods block: callers on the loop go through `asyncio.to_thread`. A commit is on the
disk when it returns (WAL, synchronous=FULL): write/durable.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    MetaData,
    Row,
    Table,
    Text,
    create_engine,
    event,
    func,
    select,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from reference_server.core.message import Value

LOCK_TIMEOUT_S = 2.0


class StoreUnavailableError(Exception):
    """The database refused; nothing was stored."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """The newest rows, oldest first, and how many there are in all."""

    rows: list[tuple[int, Value]]
    stored: int


def messages_table(name: str) -> Table:
    """AUTOINCREMENT: a database id is never used twice, not even a deleted one."""
    return Table(
        name,
        MetaData(),
        Column("id", Integer, primary_key=True),
        Column("author", Text, nullable=False),
        Column("text", Text, nullable=False),
        Column("created_at", BigInteger, nullable=False, unique=True),
        Column("updated_at", BigInteger),
        Column("nonce", Text),
        sqlite_autoincrement=True,
    )


class Store:
    """One table of messages; every method is one transaction."""

    def __init__(self, url: str, table: str) -> None:
        self.table = messages_table(table)
        self._insert = self.table.insert()
        self._path = make_url(url).database or ""
        self._engine = create_engine(url, connect_args={"timeout": LOCK_TIMEOUT_S})
        event.listen(self._engine, "connect", _set_pragmas)

    def open(self) -> None:
        """Make the folder and the table where they are missing."""
        try:
            Path(self._path).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnavailableError(str(error)) from error
        with self.transaction() as connection:
            self.table.metadata.create_all(connection)

    def close(self) -> None:
        """Close every connection; the last one folds the WAL into the file."""
        self._engine.dispose()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Commit at the end, roll back on any error."""
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise StoreUnavailableError(str(error).splitlines()[0]) from error

    def load(self, limit: int) -> Loaded:
        """The last `limit` messages."""
        table = self.table
        newest = select(table).order_by(table.c.created_at.desc()).limit(limit)
        with self.transaction() as connection:
            rows = connection.execute(newest).all()
            stored = connection.execute(
                select(func.count()).select_from(table)
            ).scalar_one()
        return Loaded([(row.id, _value(row)) for row in reversed(rows)], stored)

    def insert(self, value: Value) -> int:
        """Store a new message; returns its database id."""
        with self.transaction() as connection:
            result = connection.execute(self._insert, _columns(value))
        return int(result.lastrowid)

    def update(self, row: int, value: Value) -> None:
        """Replace the message with database id `row`."""
        statement = self.table.update().where(self.table.c.id == row)
        with self.transaction() as connection:
            connection.execute(statement, _columns(value))

    def delete(self, row: int) -> None:
        """Delete the message with database id `row`."""
        with self.transaction() as connection:
            connection.execute(self.table.delete().where(self.table.c.id == row))

    def page(self, before_ms: int, size: int) -> list[Value]:
        """The newest `size` messages created before `before_ms`, oldest first."""
        created_at = self.table.c.created_at
        older = select(self.table).where(created_at < before_ms)
        with self.transaction() as connection:
            rows = connection.execute(
                older.order_by(created_at.desc()).limit(size)
            ).all()
        return [_value(row) for row in reversed(rows)]


def _columns(value: Value) -> dict[str, Any]:
    return {
        "author": value.author,
        "text": value.text,
        "created_at": value.created_at,
        "updated_at": value.updated_at,
        "nonce": value.nonce,
    }


def _value(row: Row[Any]) -> Value:
    return Value(
        author=row.author,
        text=row.text,
        created_at=row.created_at,
        updated_at=row.updated_at,
        nonce=row.nonce,
    )


def _set_pragmas(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")

"""The database behind every profile: one engine, SQLite or PostgreSQL by URL.

Methods block: callers on the loop go through `asyncio.to_thread`. A commit is on the
disk when it returns: write/durable.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, MetaData, Table, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from reference_server import sqlite

# Whoever comes while another call waits for a silent database need not wait as long.
MAKING_TIMEOUT_S = 1.0


class StoreUnavailableError(Exception):
    """The database refused or did not answer.

    A write that met this may have been committed all the same: see `writes`.
    """


class Database:
    """Engine and tables; the tables are made before anything else is done.

    `is_remote`: it may be away now and back later, so that a server starts without it.
    """

    def __init__(self, url: str) -> None:
        self.metadata = MetaData()
        self.is_remote = make_url(url).get_backend_name() == "postgresql"
        if self.is_remote:
            from reference_server import postgres

            self.engine = postgres.engine(url)
        else:
            self.engine = sqlite.engine(url)
        self._is_made = False
        self._making = threading.Lock()

    def probe(self) -> None:
        """Readiness: raises when the database is away."""
        with self.transaction() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        """Close every connection; SQLite's last one folds the WAL into the file."""
        self.engine.dispose()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Commit at the end, roll back on any error."""
        try:
            self._make_tables()
            with self.engine.begin() as connection:
                yield connection
        except (SQLAlchemyError, OSError) as error:
            raise StoreUnavailableError(str(error).splitlines()[0]) from error

    @contextmanager
    def fenced(self, table: Table) -> Iterator[Connection]:
        """A transaction that begins after every write to `table` has ended.

        A COMMIT whose answer never came may still be on its way to PostgreSQL, sent
        by this server or by its killed predecessor; until it arrives its transaction
        holds a lock that this one waits for. SQLite has no such thing.
        """
        with self.transaction() as connection:
            if self.is_remote:
                connection.execute(text(f"LOCK TABLE {table.name} IN SHARE MODE"))
            yield connection

    def _make_tables(self) -> None:
        if self._is_made:
            return
        if not self._making.acquire(timeout=MAKING_TIMEOUT_S):
            raise StoreUnavailableError("its tables are still being made")
        try:
            with self.engine.begin() as connection:
                self.metadata.create_all(connection)
            self._is_made = True
        finally:
            self._making.release()


def without_password(url: str) -> str:
    """The URL, for people."""
    return make_url(url).render_as_string(hide_password=True)


def is_url(url: str) -> bool:
    """Whether it can be read at all."""
    try:
        make_url(url)
    except (ArgumentError, ValueError):
        return False
    return True

"""One table of messages and the changes of a single one, by SQLAlchemy Core.

Every method blocks and is one transaction.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    Row,
    Table,
    Text,
    func,
    select,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from reference_server.core.message import Message, Value
from reference_server.database import Database


class Characters(TypeDecorator[str]):
    """Any text: PostgreSQL's own type has no U+0000, so there it is UTF-8 bytes."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Bytes where text is not enough."""
        is_bytes = dialect.name == "postgresql"
        return dialect.type_descriptor(LargeBinary() if is_bytes else Text())

    def process_bind_param(self, value: str | None, dialect: Dialect) -> Any:
        """On the way in."""
        if value is None or dialect.name != "postgresql":
            return value
        return value.encode("utf-8")

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        """On the way out."""
        if value is None or dialect.name != "postgresql":
            return value  # type: ignore[no-any-return]  # a column's value has no type
        return bytes(value).decode("utf-8")


class MessageTable:
    """`uid` is None where everybody sees everything, else the owner's."""

    def __init__(self, database: Database, name: str) -> None:
        self.database = database
        # AUTOINCREMENT: a database id is never used twice, not even a deleted one.
        self.table = Table(
            name,
            database.metadata,
            Column(
                "id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True
            ),
            Column("uid", Text),
            Column("author", Characters, nullable=False),
            Column("text", Characters, nullable=False),
            Column("created_at", BigInteger, nullable=False, unique=True),
            Column("updated_at", BigInteger),
            Column("nonce", Characters),
            Index(f"{name}_by_uid", "uid", "id"),
            sqlite_autoincrement=True,
        )
        self.columns = self.table.c
        self._insert = self.table.insert()

    def insert(self, value: Value, uid: str | None = None) -> int:
        """Store a new message; returns its database id."""
        with self.database.transaction() as connection:
            return self.insert_in(connection, value, uid)

    def insert_in(self, connection: Connection, value: Value, uid: str | None) -> int:
        """The same within a transaction."""
        row = _columns(value) | {"uid": uid}
        key = connection.execute(self._insert, row).inserted_primary_key
        assert key is not None
        return int(key[0])

    def update(self, row: int, value: Value) -> None:
        """Replace the message with database id `row`."""
        statement = self.table.update().where(self.columns.id == row)
        with self.database.transaction() as connection:
            connection.execute(statement, _columns(value))

    def delete(self, row: int) -> None:
        """Delete the message with database id `row`."""
        statement = self.table.delete().where(self.columns.id == row)
        with self.database.transaction() as connection:
            connection.execute(statement)

    def inserted(self, value: Value) -> int | None:
        """After an insert failed: the database id if it is stored nevertheless.

        createdAt tells it from every other message.
        """
        statement = select(self.columns.id).where(
            self.columns.created_at == value.created_at
        )
        with self.database.fenced(self.table) as connection:
            return connection.execute(statement).scalar_one_or_none()

    def value_of(self, row: int) -> Value | None:
        """After an update or a delete failed: what is stored now."""
        statement = select(self.table).where(self.columns.id == row)
        with self.database.fenced(self.table) as connection:
            found = connection.execute(statement).one_or_none()
        return None if found is None else message(found).value

    def newest_created_at(self) -> int:
        """The latest time that is taken; 0 when the table is empty."""
        statement = select(func.max(self.columns.created_at))
        with self.database.fenced(self.table) as connection:
            return connection.execute(statement).scalar_one() or 0


def message(row: Row[Any]) -> Message:
    """A stored message, under its database id."""
    value = Value(
        author=row.author,
        text=row.text,
        created_at=row.created_at,
        updated_at=row.updated_at,
        nonce=row.nonce,
    )
    return Message(row.id, value)


def _columns(value: Value) -> dict[str, Any]:
    return {
        "author": value.author,
        "text": value.text,
        "created_at": value.created_at,
        "updated_at": value.updated_at,
        "nonce": value.nonce,
    }

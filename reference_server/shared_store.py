"""What a chat that everybody sees reads from its table; every method blocks."""

from dataclasses import dataclass

from sqlalchemy import func, select

from reference_server.core.message import Message, Value
from reference_server.table import MessageTable, message


@dataclass(frozen=True, slots=True)
class Loaded:
    """The newest messages, oldest first, and how many there are in all."""

    messages: list[Message]
    stored: int


class SharedStore:
    """Pages by time: the database ids stay inside."""

    def __init__(self, table: MessageTable) -> None:
        self.messages = table

    def load(self, limit: int) -> Loaded:
        """The last `limit` messages, once no write is under way any more."""
        table, columns = self.messages.table, self.messages.columns
        newest = select(table).order_by(columns.created_at.desc()).limit(limit)
        count = select(func.count()).select_from(table)
        with self.messages.database.fenced(table) as connection:
            rows = connection.execute(newest).all()
            stored = connection.execute(count).scalar_one()
        return Loaded([message(row) for row in reversed(rows)], stored)

    def page(self, before_ms: int, size: int) -> list[Value]:
        """The newest `size` messages created before `before_ms`, oldest first."""
        created_at = self.messages.columns.created_at
        older = select(self.messages.table).where(created_at < before_ms)
        page = older.order_by(created_at.desc()).limit(size)
        with self.messages.database.transaction() as connection:
            rows = connection.execute(page).all()
        return [message(row).value for row in reversed(rows)]

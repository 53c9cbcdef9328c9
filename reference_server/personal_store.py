"""What a personal chat reads from its table; every method blocks.

private/isolation: every query names the uid.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, Select, func, select

from reference_server.core.message import Json, Message
from reference_server.table import MessageTable, message


@dataclass(frozen=True, slots=True)
class Page:
    """Messages, oldest first; `more`: there are older ones."""

    messages: list[Message]
    more: bool

    def wire(self) -> Json:
        """The answer of `GET /history`, but for the cursor."""
        messages = [each.wire() for each in self.messages]
        return {"messages": messages, "more": self.more}


@dataclass(frozen=True, slots=True)
class Later:
    """Messages after a place, oldest first; `head`: the newest id just before."""

    messages: list[Message]
    head: int


class PersonalStore:
    """Pages by database id, which is the message's id here."""

    def __init__(self, table: MessageTable) -> None:
        self.messages = table

    def page(self, uid: str, before: int | None, size: int) -> Page:
        """The newest `size` messages of `uid`, or those before `before`."""
        columns = self.messages.columns
        mine = self.of(uid)
        if before is not None:
            mine = mine.where(columns.id < before)
        newest = mine.order_by(columns.id.desc()).limit(size + 1)
        with self.messages.database.transaction() as connection:
            rows = connection.execute(newest).all()
        page = [message(row) for row in reversed(rows[:size])]
        return Page(page, len(rows) > size)

    def after(self, uid: str, place: int, size: int) -> Later:
        """The oldest `size` messages of `uid` with an id greater than `place`.

        The head comes first: a message that is committed in between is in the page.
        """
        later = self.of(uid).where(self.messages.columns.id > place)
        page = later.order_by(self.messages.columns.id).limit(size)
        with self.messages.database.transaction() as connection:
            head = self.newest(connection, uid)
            rows = connection.execute(page).all()
        return Later([message(row) for row in rows], head)

    def head(self, uid: str) -> int:
        """The newest message's id; 0 stands before the first."""
        with self.messages.database.transaction() as connection:
            return self.newest(connection, uid)

    def find(self, uid: str, message_id: int) -> Message | None:
        """The message, if it is there and of `uid`."""
        one = self.of(uid).where(self.messages.columns.id == message_id)
        with self.messages.database.transaction() as connection:
            found = connection.execute(one).one_or_none()
        return None if found is None else message(found)

    def of(self, uid: str) -> Select[tuple[object, ...]]:
        """Everything of `uid`."""
        return select(self.messages.table).where(self.messages.columns.uid == uid)

    def newest(self, connection: Connection, uid: str) -> int:
        """Their newest id."""
        columns = self.messages.columns
        newest = select(func.max(columns.id)).where(columns.uid == uid)
        return connection.execute(newest).scalar_one() or 0

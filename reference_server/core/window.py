"""The message window: "in-memory cache of the last `message_limit` messages"."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from reference_server.core.message import Json, Message, Value


@dataclass(frozen=True, slots=True)
class Item:
    """A message in the window under its window id.

    `row` is its database id, which stays here.
    """

    id: int
    row: int
    value: Value

    def wire(self) -> Json:
        """The message as the outside sees it."""
        return Message(self.id, self.value).wire()


class Window:
    """Interactive messages by window id; ids start at 1 and are never reused.

    `stored` counts the messages in the database, for the rule of `oldest`.
    """

    def __init__(self, *, limit: int) -> None:
        self.limit = limit
        self.stored = 0
        self.newest_created_at = 0
        self.last_id = 0
        self.by_id: dict[int, Item] = {}

    def fill(self, messages: Iterable[Message], *, stored: int) -> None:
        """Take the last messages of the database, oldest first, at start."""
        for message in messages:
            self.add(message.id, message.value)
        self.stored = stored

    def add(self, row: int, value: Value) -> Item:
        """A new message "pushes the oldest out of a full window"."""
        self.last_id += 1
        item = Item(self.last_id, row, value)
        self.by_id[item.id] = item
        self.stored += 1
        self.newest_created_at = value.created_at
        self.evict()
        return item

    def evict(self) -> None:
        """Section 3: a deleted message's place counts no more, so count, not span."""
        while len(self.by_id) > self.limit:
            del self.by_id[next(iter(self.by_id))]

    def get(self, message_id: int) -> Item | None:
        """The message, while it is interactive."""
        return self.by_id.get(message_id)

    def update(self, message_id: int, value: Value) -> Item:
        """Put `value` in the place of the message's old one."""
        item = replace(self.by_id[message_id], value=value)
        self.by_id[message_id] = item
        return item

    def remove(self, message_id: int) -> None:
        """A delete leaves a gap; "older ones do not come back into it"."""
        del self.by_id[message_id]
        self.stored -= 1

    def items(self) -> list[Item]:
        """Oldest first."""
        return list(self.by_id.values())

    def oldest(self) -> int | None:
        """createdAt of the first message, "exactly when the database holds `limit`".

        A window emptied by deletes has no first message: then the answer is just
        above every stored createdAt, so that paging from it finds all of them.
        """
        if self.stored < self.limit:
            return None
        for item in self.by_id.values():
            return item.value.created_at
        return self.newest_created_at + 1

    def snapshot(self) -> Json:
        """The answer of `GET /init`, but for the cursor."""
        answer: Json = {
            "messages": [item.wire() for item in self.items()],
            "limit": self.limit,
        }
        oldest = self.oldest()
        if oldest is not None:
            answer["oldest"] = oldest
        return answer

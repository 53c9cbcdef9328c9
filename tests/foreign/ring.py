"""The event log: a ring of fixed size, and the marks that name places in it."""

import re
import secrets

from tests.foreign.event import Event
from tests.foreign.wire import Json

_MARK = re.compile(r"v3:([0-9a-f]{6})~(\d{6,9})")


class Ring:
    """The last `size` events; event n lies in slot n modulo size, the first is 1."""

    def __init__(self, size: int) -> None:
        self.boot = secrets.token_hex(3)
        self.head = 0
        self.slots: list[Event | None] = [None] * size

    def mark(self, number: int) -> str:
        """The cursor of who has seen event `number`."""
        return f"v3:{self.boot}~{number:06}"

    def push(self, kind: str, data: Json) -> Event:
        """Keep one more event; the one that lay in its slot is gone."""
        self.head += 1
        event = Event(self.head, self.mark(self.head), kind, data)
        self.slots[self.head % len(self.slots)] = event
        return event

    def since(self, mark: str) -> list[Event] | str:
        """The events after a mark, or the reason why there must be a reset.

        An earlier life is not told from what never was: both are "unknown".
        """
        found = _MARK.fullmatch(mark)
        seen = int(found[2]) if found else -1
        if mark != self.mark(seen) or seen > self.head:
            return "unknown"
        if self.head - seen > len(self.slots):
            return "evicted"
        return self.between(seen + 1, self.head)

    def between(self, first: int, last: int) -> list[Event]:
        """Events by number, both ends included; all of them must still be kept."""
        wanted = (self.slots[n % len(self.slots)] for n in range(first, last + 1))
        return [event for event in wanted if event is not None]

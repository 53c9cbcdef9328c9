"""The event log: "the events that a reconnecting client may still be sent"."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from reference_server.core.cursor import Cursor
from reference_server.core.message import Json


class Kind(StrEnum):
    """Section 1: an event is a create, an update or a delete."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Event:
    """One committed change; `data` is what goes on the wire."""

    kind: Kind
    data: Json


@dataclass(frozen=True, slots=True)
class Entry:
    """A logged event with the bytes that every client gets.

    event/payload: "one event id, one payload, for every client, for ever": the frame
    is rendered once, live streams and replays send the same object.
    """

    seq: int
    event: Event
    frame: bytes


Render = Callable[[str, Event], bytes]


class EventLog:
    """The last `limit` events of one epoch, numbered from 1; None: no limit."""

    def __init__(self, *, epoch: str, limit: int | None, render: Render) -> None:
        self.epoch = epoch
        self.head = 0
        self.entries: deque[Entry] = deque(maxlen=limit)
        self.render = render

    @property
    def oldest(self) -> int:
        """Number of the oldest event kept; `head + 1` while the log is empty."""
        return self.head - len(self.entries) + 1

    @property
    def cursor(self) -> str:
        """The cursor of the head; number 0 stands before the first event."""
        return self.cursor_of(self.head)

    def cursor_of(self, seq: int) -> str:
        """The cursor of event number `seq`."""
        return str(Cursor(self.epoch, seq))

    def append(self, event: Event) -> Entry:
        """Number, render and keep `event`; the oldest goes when the log is full."""
        seq = self.head + 1
        entry = Entry(seq, event, self.render(self.cursor_of(seq), event))
        self.entries.append(entry)
        self.head = seq
        return entry

    def drop_oldest(self) -> None:
        """Forget the oldest event."""
        self.entries.popleft()

    def after(self, seq: int) -> tuple[Entry, ...]:
        """The events after number `seq`; none of them may be gone already."""
        skipped = seq - self.oldest + 1
        return tuple(islice(self.entries, skipped, None))

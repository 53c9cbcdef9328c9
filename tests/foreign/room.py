"""The profile `broadcast`: a room in which everybody hears everything.

Every request is handled in one step of the loop, so nothing comes in between.
"""

from argparse import Namespace
from asyncio import StreamWriter
from dataclasses import dataclass

from tests.foreign.draft import new_text, new_value, now_ms, number_in
from tests.foreign.journal import LAST, Journal
from tests.foreign.listener import Audience, Listener
from tests.foreign.ring import Ring
from tests.foreign.wire import Json, Refused, Request, answer

ROOM = "*"  # nobody's uid
PAGE = 23
FIRST_ID, STEP = 4_000_000_000_000, 11


@dataclass(slots=True)
class Said:
    """A message that can still be changed, and its row in the journal."""

    id: int
    row: int
    value: Json

    def shown(self) -> Json:
        """As it travels; the row does not."""
        return {"value": self.value, "id": self.id}


class Room:
    """Window, ring and audience, and the calls that move them."""

    def __init__(self, limits: Namespace, journal: Journal) -> None:
        self.limits, self.journal = limits, journal
        self.ring = Ring(limits.events)
        self.audience = Audience(limits)
        self.window: dict[int, Said] = {}
        self.next_id = FIRST_ID
        self.clock_ms = 0
        for row in journal.last(ROOM, limits.window, by="at", below=LAST):
            self.clock_ms = self.admit(row.n, row.value).value["createdAt"]
        self.stored = journal.count(ROOM)

    def admit(self, row: int, value: Json) -> Said:
        """A new message pushes the oldest out of a full window."""
        said = Said(self.next_id, row, value)
        self.next_id += STEP
        self.window[said.id] = said
        if len(self.window) > self.limits.window:
            del self.window[min(self.window)]
        return said

    def state(self, _: Request) -> bytes:
        """`/init`, without a cursor: clients open their stream first."""
        messages = [said.shown() for said in self.window.values()]
        oldest = self.oldest(messages)
        found = {} if oldest is None else {"oldest": oldest}
        return answer(200, {**found, "limit": self.limits.window, "messages": messages})

    def oldest(self, messages: list[Json]) -> int | None:
        """`createdAt` of the first message, when a whole window is stored."""
        if self.stored < self.limits.window:
            return None
        first = messages[0]["value"]["createdAt"] if messages else self.clock_ms + 1
        return int(first)

    def older(self, request: Request) -> bytes:
        """A page of history."""
        before = number_in(request.query.get("loadFrom", ""), "time")
        rows = self.journal.last(ROOM, PAGE, by="at", below=before)
        return answer(200, {"messages": [{"value": row.value} for row in rows]})

    def say(self, request: Request) -> bytes:
        """A new message."""
        value = new_value(request, at=max(now_ms(), self.clock_ms + 1))
        said = self.admit(self.journal.add(ROOM, value), value)
        self.clock_ms = value["createdAt"]
        self.stored += 1
        self.tell("create", said.shown())
        return answer(201, said.shown())

    def edit(self, request: Request, ident: str) -> bytes:
        """Another text."""
        text, said = new_text(request), self.interactive(ident)
        value = {**said.value, "text": text, "updatedAt": now_ms()}
        self.journal.change(said.row, value)
        said.value = value
        self.tell("update", said.shown())
        return answer(200, said.shown())

    def erase(self, _: Request, ident: str) -> bytes:
        """One message less; its place stays empty."""
        said = self.interactive(ident)
        self.journal.drop(said.row)
        del self.window[said.id]
        self.stored -= 1
        self.tell("delete", {"id": said.id})
        return answer(204)

    def interactive(self, ident: str) -> Said:
        """Only what is in the window can be changed."""
        said = self.window.get(int(ident)) if ident.isdecimal() else None
        if said is None:
            raise Refused(404, "no-such-message", f"{ident} is not in the window")
        return said

    def tell(self, kind: str, data: Json) -> None:
        """Into the ring, then to everybody."""
        self.audience.tell(self.ring.push(kind, data))

    def stream(self, request: Request, writer: StreamWriter) -> Listener:
        """Greet, then reset, or replay and listen from then on."""
        missed = self.ring.since(request.mark) if request.mark else []
        head = self.ring.head
        listener = self.audience.listen(writer)
        listener.greet("" if request.mark else self.ring.mark(head))
        if isinstance(missed, str):
            listener.reset(missed)
        else:
            listener.replay(missed)
            self.audience.join(listener, head=head)
        return listener

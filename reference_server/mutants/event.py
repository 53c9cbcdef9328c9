"""Mutants of event/* and of converge."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from starlette.requests import Request
from starlette.types import ASGIApp

from reference_server import clock
from reference_server.channel import Channel
from reference_server.components import Components
from reference_server.connections import Connection
from reference_server.core.event_log import Entry, Event, EventLog, Kind, Render
from reference_server.core.frames import Frames
from reference_server.core.message import Json, Value
from reference_server.core.resume import Decision, Resume
from reference_server.core.validation import Refused
from reference_server.core.window import Item, Window
from reference_server.mutants.registry import mutant
from reference_server.shared_chat import SharedCalls, SharedChat
from reference_server.stream import Opening
from reference_server.streams import Streams

LOG_DELAY_S = 0.2
SWAP_TIMEOUT_S = 0.25


@mutant("update-without-id", "event/has-id")
def update_without_id(parts: Components) -> Components:
    """Update events carry no id."""

    class Bare(Frames):
        def event(self, cursor: str | None, event: Event) -> bytes:
            if event.kind is Kind.UPDATE:
                return self.block(event.kind.value, event.data)
            return super().event(cursor, event)

    return replace(parts, frames=Bare)


@mutant("resumed-ping-has-head", "event/has-id")
def resumed_ping_has_head(parts: Components) -> Components:
    """The ping frame of a resumed stream carries the head's id, past the replay."""

    class Hasty(Streams):
        def opening(
            self, connection: Connection, decision: Decision, log: EventLog | None
        ) -> Opening:
            opening = super().opening(connection, decision, log)
            if not isinstance(decision, Resume) or log is None:
                return opening
            return replace(opening, ping=self.ping_frame(connection, log.cursor))

    return replace(parts, streams=Hasty)


@mutant("neighbours-swapped", "event/order")
def neighbours_swapped(parts: Components) -> Components:
    """On the newest connection every seventh event changes places with the next."""

    class Swapping(Channel):
        def __init__(self) -> None:
            super().__init__()
            self.held: dict[str, Entry] = {}

        def deliver(self, connection: Connection, entry: Entry) -> None:
            newest = next(reversed(self.members.values()), None)
            if entry.seq % 7 == 0 and connection is newest:
                self.held[connection.id] = entry
                loop = asyncio.get_running_loop()
                loop.call_later(SWAP_TIMEOUT_S, self.release, connection)
                return
            super().deliver(connection, entry)
            self.release(connection)

        def release(self, connection: Connection) -> None:
            entry = self.held.pop(connection.id, None)
            if entry is not None and not connection.ended:
                connection.offer(entry)

    return replace(parts, channel=Swapping)


@mutant("eleventh-skipped", "event/no-loss")
def eleventh_skipped(parts: Components) -> Components:
    """Every eleventh event is sent live to the oldest connection only."""

    class Skipping(Channel):
        def deliver(self, connection: Connection, entry: Entry) -> None:
            oldest = next(iter(self.members.values()), None)
            if entry.seq % 11 or connection is oldest:
                super().deliver(connection, entry)

    return replace(parts, channel=Skipping)


@mutant("ninth-twice", "event/no-duplicate")
def ninth_twice(parts: Components) -> Components:
    """Every ninth live event is sent twice on the newest connection."""

    class Doubling(Channel):
        def deliver(self, connection: Connection, entry: Entry) -> None:
            super().deliver(connection, entry)
            newest = next(reversed(self.members.values()), None)
            if entry.seq % 9 == 0 and connection is newest:
                super().deliver(connection, entry)

    return replace(parts, channel=Doubling)


@mutant("replay-from-cursor", "event/no-duplicate")
def replay_from_cursor(parts: Components) -> Components:
    """A replay that has events begins with the cursor's own event."""

    class Inclusive(EventLog):
        def after(self, seq: int) -> tuple[Entry, ...]:
            if self.oldest <= seq < self.head:
                return super().after(seq - 1)
            return super().after(seq)

    return replace(parts, event_log=Inclusive)


@mutant("phantom-update", "event/no-phantom")
def phantom_update(parts: Components) -> Components:
    """A PATCH that is refused with 404 sends an update event all the same."""

    class Phantom(SharedChat):
        async def _update(self, message_id: int, text: str) -> Item:
            try:
                return await super()._update(message_id, text)
            except Refused:
                now = clock.now_ms()
                value = {"author": "?", "text": text, "createdAt": now}
                self.announce(Kind.UPDATE, {"id": message_id, "value": value})
                raise

    return replace(parts, shared_chat=Phantom)


@mutant("phantom-create", "event/no-phantom")
def phantom_create(parts: Components) -> Components:
    """A POST that is rejected with 4xx sends a create event all the same."""

    class Phantom(SharedCalls):
        async def create(self, request: Request) -> ASGIApp:
            try:
                return await super().create(request)
            except Refused:
                now = clock.now_ms()
                value = {"author": "?", "text": "?", "createdAt": now}
                next_id = self.chat.window.last_id + 1
                self.chat.announce(Kind.CREATE, {"id": next_id, "value": value})
                raise

    return replace(parts, shared_calls=Phantom)


@mutant("replay-shows-later-text", "event/payload")
def replay_shows_later_text(parts: Components) -> Components:
    """A replayed create shows the text that a later update gave the message."""

    class Referring(EventLog):
        def append(self, event: Event) -> Entry:
            if event.kind is Kind.UPDATE:
                self.rewrite(event)
            return super().append(event)

        def rewrite(self, update: Event) -> None:
            for index, entry in enumerate(self.entries):
                same = entry.event.data["id"] == update.data["id"]
                if same and entry.event.kind is Kind.CREATE:
                    event = replace(entry.event, data=update.data)
                    self.entries[index] = _rendered(self, entry, event)

    return replace(parts, event_log=Referring)


@mutant("replay-without-nonce", "event/payload")
def replay_without_nonce(parts: Components) -> Components:
    """Replayed events lack the nonce."""

    def drop(value: Json) -> Json:
        return {key: value[key] for key in value if key != "nonce"}

    return replace(parts, event_log=_replaying(drop))


@mutant("replay-mangles-text", "event/payload")
def replay_mangles_text(parts: Components) -> Components:
    """Replayed texts have their UTF-8 read as Latin-1."""

    def mangle(value: Json) -> Json:
        return value | {"text": value["text"].encode("utf-8").decode("latin-1")}

    return replace(parts, event_log=_replaying(mangle))


def _rendered(log: EventLog, entry: Entry, event: Event) -> Entry:
    frame = log.render(log.cursor_of(entry.seq), event)
    return Entry(entry.seq, event, frame)


def _replaying(change: Callable[[Json], Json]) -> type[EventLog]:
    class Changed(EventLog):
        def after(self, seq: int) -> tuple[Entry, ...]:
            return tuple(self.changed(entry) for entry in super().after(seq))

        def changed(self, entry: Entry) -> Entry:
            data = entry.event.data
            if "value" not in data:
                return entry
            data = data | {"value": change(data["value"])}
            return _rendered(self, entry, replace(entry.event, data=data))

    return Changed


class LateLog(EventLog):
    """Keeps an event only some time after it was handed out."""

    def __init__(self, *, epoch: str, limit: int | None, render: Render) -> None:
        super().__init__(epoch=epoch, limit=limit, render=render)
        self.pending: deque[Event] = deque()

    def append(self, event: Event) -> Entry:
        """Number it as if it were kept."""
        self.pending.append(event)
        seq = self.head + len(self.pending)
        asyncio.get_running_loop().call_later(LOG_DELAY_S, self.settle)
        return Entry(seq, event, self.render(self.cursor_of(seq), event))

    def settle(self) -> None:
        """Keep the next one."""
        super().append(self.pending.popleft())


@mutant("logged-late", "event/logged-before-sent")
def logged_late(parts: Components) -> Components:
    """An event enters the log 200 ms after it was sent."""
    return replace(parts, event_log=LateLog)


@mutant("delete-lingers", "converge")
def delete_lingers(parts: Components) -> Components:
    """A deleted message stays in /init until the next write."""

    class Lingering(Window):
        deleted: int | None = None

        def settle(self) -> None:
            if self.deleted is not None:
                del self.by_id[self.deleted]
                self.deleted = None

        def add(self, row: int, value: Value) -> Item:
            self.settle()
            return super().add(row, value)

        def get(self, message_id: int) -> Item | None:
            return None if message_id == self.deleted else super().get(message_id)

        def update(self, message_id: int, value: Value) -> Item:
            self.settle()
            return super().update(message_id, value)

        def remove(self, message_id: int) -> None:
            self.settle()
            self.stored -= 1
            self.deleted = message_id

    return replace(parts, window=Lingering)


@mutant("events-stripped", "converge")
def events_stripped(parts: Components) -> Components:
    """Events lose the text's trailing white space, /init keeps it."""

    class Stripping(Frames):
        def event(self, cursor: str | None, event: Event) -> bytes:
            value = event.data.get("value")
            if value is not None:
                value = value | {"text": value["text"].rstrip()}
                event = replace(event, data=event.data | {"value": value})
            return super().event(cursor, event)

    return replace(parts, frames=Stripping)

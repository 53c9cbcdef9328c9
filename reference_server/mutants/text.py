"""Mutants that some texts only bring to light."""

from dataclasses import replace
from typing import Any

from reference_server.channel import Channel
from reference_server.components import Components
from reference_server.core.event_log import Entry, Event, EventLog
from reference_server.core.frames import Frames, to_json
from reference_server.core.message import Value
from reference_server.mutants.registry import mutant
from reference_server.table import MessageTable

BIG_BYTES = 8_000


@mutant("data-split-at-any-line-end", "event/payload")
def data_split_at_any_line_end(parts: Components) -> Components:
    """The JSON is split for `data:` lines at U+2028 and the like, too."""

    class Splitting(Frames):
        def event(self, cursor: str | None, event: Event) -> bytes:
            whole = b"data: " + to_json(event.data)
            split = (f"data: {line}" for line in whole[6:].decode().splitlines())
            frame = super().event(cursor, event)
            return frame.replace(whole, "\n".join(split).encode())

    return replace(parts, frames=Splitting)


@mutant("event-text-stripped", "event/payload")
def event_text_stripped(parts: Components) -> Components:
    """Events carry the text without the blanks around it; snapshots keep them."""

    class Stripping(Frames):
        def event(self, cursor: str | None, event: Event) -> bytes:
            return super().event(cursor, _with_text(event, str.strip))

    return replace(parts, frames=Stripping)


@mutant("event-text-without-mark", "event/payload", "naive")
def event_text_without_mark(parts: Components) -> Components:
    """Events drop a byte order mark before a text; snapshots keep it."""

    class Stripping(Frames):
        def event(self, cursor: str | None, event: Event) -> bytes:
            return super().event(cursor, _with_text(event, _without_mark))

    return replace(parts, frames=Stripping)


def _without_mark(text: str) -> str:
    return text.removeprefix("\ufeff")


@mutant("event-line-ends-normalised", "event/payload", "private")
def event_line_ends_normalised(parts: Components) -> Components:
    """Events turn CRLF and a lone CR into LF; snapshots keep them."""

    class Normalising(Frames):
        def event(self, cursor: str | None, event: Event) -> bytes:
            return super().event(cursor, _with_text(event, _normalised))

    return replace(parts, frames=Normalising)


def _normalised(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _with_text(event: Event, change: Any) -> Event:
    value = event.data.get("value")
    if value is None:
        return event
    changed = {**value, "text": change(value["text"])}
    return replace(event, data={**event.data, "value": changed})


@mutant("large-not-sent", "event/no-loss", "log")
def large_not_sent(parts: Components) -> Components:
    """Frames of over 8 KB are not sent live, as by a bus that bounds its messages."""

    class Bounded(Channel):
        def publish(self, entry: Entry) -> None:
            if len(entry.frame) <= BIG_BYTES:
                super().publish(entry)

    return replace(parts, channel=Bounded)


@mutant("large-not-replayed", "event/no-loss")
def large_not_replayed(parts: Components) -> Components:
    """Frames of over 8 KB are left out of replays."""

    class Bounded(EventLog):
        def after(self, seq: int) -> tuple[Entry, ...]:
            found = super().after(seq)
            return tuple(one for one in found if len(one.frame) <= BIG_BYTES)

    return replace(parts, event_log=Bounded)


@mutant("author-column-too-short", "converge")
def author_column_too_short(parts: Components) -> Components:
    """The column holds 100 characters of an author and cuts the rest off silently."""

    class Short(MessageTable):
        def insert(self, value: Value, uid: str | None = None) -> int:
            return super().insert(replace(value, author=value.author[:100]), uid)

    return replace(parts, table=Short)

"""What a frame of the stream is at a glance, for pictures and not for verdicts."""

from typing import NamedTuple

KINDS = ("create", "update", "delete", "ping", "reset", "comment", "other")
"""The closed set of frame kinds that pictures tell apart."""

_LINES = 64
"""A hostile block may have a million lines; the kind stands in the first few."""


class Glance(NamedTuple):
    """Kind of a frame (one of `KINDS`), its id field, the event name as it came."""

    kind: str
    event_id: str
    name: str


def glance(text: str) -> Glance:
    """Read just enough of a block: last event and id line win, as WHATWG says."""
    name, event_id, has_data = "", "", False
    lines = text.split("\n", _LINES)[:_LINES]
    for line in lines:
        field, _, value = line.rstrip("\r").partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "id":
            event_id = value
        elif field == "data":
            has_data = True
    return Glance(_kind(name, has_data=has_data), event_id, name)


def _kind(name: str, *, has_data: bool) -> str:
    if name in KINDS[:5]:
        return name
    return "other" if has_data or name else "comment"

"""What a frame tells, however it is spelled: two spellings of one event are equal.

A server may spell an event anew for every connection: other line ends, comments, the
order of its lines and of its JSON's keys, escapes.
"""

import json
import re
from functools import lru_cache
from typing import NamedTuple

KINDS = ("create", "update", "delete")
_LINE_END = re.compile("\r\n|\n|\r")


class Event(NamedTuple):
    """A create, update or delete; `text` is that of its message, "" without one."""

    kind: str
    data: str
    text: str


@lru_cache(maxsize=4_096)
def event_of(frame: str) -> Event | None:
    """The event that a frame's text tells of; None for any other frame."""
    lines = [line.partition(":") for line in _LINE_END.split(frame)]
    fields = [(name, value.removeprefix(" ")) for name, _, value in lines]
    kind = next((value for name, value in reversed(fields) if name == "event"), "")
    data = "\n".join(value for name, value in fields if name == "data")
    if kind not in KINDS or not data:
        return None
    try:
        told = json.loads(data)
    except (ValueError, RecursionError):
        return Event(kind, data, "")
    value = told.get("value") if isinstance(told, dict) else None
    text = value.get("text") if isinstance(value, dict) else None
    return Event(
        kind, json.dumps(told, sort_keys=True), text if isinstance(text, str) else ""
    )

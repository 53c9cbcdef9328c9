"""Blocks of an event stream, read as WHATWG says, apart from client and server.

Source: HTML standard, "Interpreting an event stream". A block without data is not
dispatched, yet its id line counts; an id with a NUL is ignored; one space after the
colon is dropped; CR, LF and CRLF all end a line.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import msgspec

EVENT_KINDS = frozenset(("create", "update", "delete"))
RETRY_DIGITS = 18
"""More make a number that nobody waits for, or that cannot be read at all."""

_LINE_END = re.compile("\r\n|\n|\r")
_json = msgspec.json.Decoder()


class _NotJson:
    """Marks a text that is no JSON; distinct from every JSON value."""

    def __repr__(self) -> str:
        return "not JSON"


NOT_JSON: Any = _NotJson()


def read_json(text: str) -> Any:
    """The JSON value of a text, or `NOT_JSON`."""
    try:
        return _json.decode(text)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return NOT_JSON


@dataclass(slots=True, eq=False)
class Block:
    """One block: `kind` is "" when nothing is dispatched; `id` None without a line.

    `places` is a cache of the order module: where this event stands in a life.
    """

    kind: str
    data: str
    id: str | None
    payload: Any = None
    places: dict[int, int | None] = field(default_factory=dict)

    @property
    def message_id(self) -> str:
        """The window id that an event is about, as text; "" when it has none."""
        if not isinstance(self.payload, dict) or "id" not in self.payload:
            return ""
        return str(self.payload["id"])

    @property
    def value(self) -> dict[str, Any]:
        """The message value of an event; empty when it has none."""
        value = self.payload.get("value") if isinstance(self.payload, dict) else None
        return value if isinstance(value, dict) else {}


def retry_of(text: str) -> int | None:
    """The reconnection time in a block, in milliseconds; None when it gives none."""
    found = None
    for line in _LINE_END.split(text.removeprefix("\ufeff")):
        name, _, value = line.partition(":")
        value = value[1:] if value[:1] == " " else value
        if name == "retry" and value.isascii() and value.isdecimal():
            found = int(value[:RETRY_DIGITS])
    return found


def read_block(text: str, *, first: bool = False) -> Block:
    """Read one block; a byte order mark counts as none at the stream's start only."""
    if first:
        text = text.removeprefix("\ufeff")
    kind, event_id, data = "", None, []
    for line in text.split("\n") if "\r" not in text else _LINE_END.split(text):
        name, _, value = line.partition(":")
        value = value[1:] if value[:1] == " " else value
        if name == "data":
            data.append(value)
        elif name == "event":
            kind = value
        elif name == "id" and "\0" not in value:
            event_id = value
    if not data:
        return Block("", "", event_id)
    joined = "\n".join(data)
    return Block(kind or "message", joined, event_id, read_json(joined))


class Reader:
    """Reads each distinct text once: most blocks come to many clients alike."""

    __slots__ = ("_read",)

    def __init__(self) -> None:
        self._read: dict[str, Block] = {}

    def block(self, text: str, *, first: bool = False) -> Block:
        """The block of a frame's text."""
        if text[:1] == "\ufeff":
            return read_block(text, first=first)
        block = self._read.get(text)
        if block is None:
            block = self._read[text] = read_block(text, first=first)
        return block

"""What a client saw of a cell, normalised: equal on both arms, or a difference.

Left out, because a second run on the same arm has others: times, how often an equal
try was repeated, and ids of messages, epochs and connections. A cursor is told by the
message whose event it names.

Told as one: FIN and RST from a proxy behind which no server listens. toxiproxy accepts,
dials in vain and closes; the kernel makes that an RST when the request has come in the
meantime, which is a race of two programs.
"""

import difflib
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields

from harness.core.history import (
    AnyRecord,
    Closed,
    CloseKind,
    F,
    Fail,
    Frame,
    Info,
    Invoke,
    Life,
    LifePhase,
    Message,
    Ok,
    Opened,
    Responded,
)

_DOWN = {LifePhase.EXITED: True, LifePhase.READY: False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """`tries` are the requests for the stream, equal ones in a row told once.

    `held_back` is what the witness had and the client had not when the fault was
    healed; `bit` whether the harness would count the fault as observed.
    """

    tries: tuple[str, ...]
    events: tuple[str, ...]
    writes: tuple[str, ...]
    held_back: tuple[str, ...]
    bit: bool
    resets: int
    view: tuple[str, ...]
    trouble: str = ""

    def lines(self) -> list[str]:
        """One fact a line."""
        others = [one.name for one in fields(self) if one.name != "tries"]
        return [f"try: {one}" for one in self.tries] + [
            f"{name}: {_plain(getattr(self, name))}" for name in others
        ]


def diff(live: Seen, sim: Seen) -> str:
    """Facts of one arm only, "" when there are none."""
    lines = difflib.ndiff(live.lines(), sim.lines())
    kept = [line for line in lines if line[0] in "-+"]
    named = {"-": "live ", "+": "sim  "}
    return "\n".join(named[line[0]] + line[2:] for line in kept)


def tries_of(
    records: Sequence[AnyRecord], name: str, *, exact: bool
) -> tuple[str, ...]:
    """Every request for the stream: cursors, answer, frames, rest, end.

    `exact` tells that the fault defines the last byte.
    """
    cursors = {
        event["id"]: label
        for record in records
        if isinstance(record, Frame)
        for event in (_fields(record.text),)
        if (label := _label(event, name)) and "id" in event
    }
    tries: list[str] = []
    down = True
    for record in records:
        if isinstance(record, Life):
            down = _DOWN.get(record.phase, down)
        elif isinstance(record, Opened) and record.who == name:
            told = _Try(records, record, name).told(exact=exact, down=down)
            line = f"{_asked(record, cursors)} -> {told}"
            if line not in tries[-1:]:
                tries.append(line)
    return tuple(tries)


def writes_of(records: Sequence[AnyRecord], name: str) -> tuple[str, ...]:
    """What became of the messages that the client itself sent."""
    sent = {
        record.n
        for record in records
        if isinstance(record, Invoke) and record.who == name and record.f is F.CREATE
    }
    return tuple(
        f"{type(record).__name__.lower()} {record.answer.status}"
        if record.answer
        else f"{type(record).__name__.lower()} {getattr(record, 'error', '')}"
        for record in records
        if isinstance(record, Ok | Fail | Info) and record.call in sent
    )


def view_of(messages: Sequence[Message], name: str) -> tuple[str, ...]:
    """The cell's own messages on the client's screen."""
    return tuple(
        label for one in messages if (label := _label_in(one.value, name)) is not None
    )


def labels_of(records: Sequence[AnyRecord], name: str, who: str) -> tuple[str, ...]:
    """The cell's messages whose events came to `who`, in the order they came."""
    conns = {r.conn for r in records if isinstance(r, Opened) and r.who == who}
    found = (
        _label(_fields(record.text), name)
        for record in records
        if isinstance(record, Frame) and record.conn in conns
    )
    return tuple(label for label in found if label)


class _Try:
    """One connection's records."""

    def __init__(self, records: Sequence[AnyRecord], opened: Opened, name: str) -> None:
        mine = [r for r in records if getattr(r, "conn", None) == opened.conn]
        self.name = name
        self.status = next((r.status for r in mine if isinstance(r, Responded)), None)
        self.frames = [r for r in mine if isinstance(r, Frame)]
        self.closed = next((r for r in mine if isinstance(r, Closed)), None)

    def told(self, *, exact: bool, down: bool) -> str:
        """What came of it; `down` tells that no server listened when it began."""
        if self.closed is None:
            return "still open"
        kind = self.closed.kind
        end = f"{kind} {self.closed.error}".strip()
        if self.status is None:
            hung_up = down and kind in (CloseKind.FIN, CloseKind.RST)
            return "hung up on" if hung_up else end
        frames = ", ".join(filter(None, map(self._frame, self.frames)))
        return f"{self.status}: {frames}{self._rest(exact)}; {end}"

    def _frame(self, frame: Frame) -> str:
        event = _fields(frame.text)
        kind = event.get("event", "")
        if kind == "create":
            return _label(event, self.name) or ""
        return f"{kind} {event['data']}" if kind == "reset" else kind

    def _rest(self, exact: bool) -> str:
        """What came after the last whole frame."""
        assert self.closed is not None
        last = self.frames[-1] if self.frames else None
        whole = last.offset + len(last.text.encode()) if last else 0
        rest = self.closed.received - whole
        if not rest:
            return ""
        return f", {rest} bytes more" if exact else ", part of a frame"


def _asked(opened: Opened, cursors: dict[str, str]) -> str:
    given = [
        f"{place} {cursors.get(cursor, 'of no event')}"
        for place, cursor in (("header", opened.header), ("query", opened.query))
        if cursor is not None
    ]
    return ", ".join(given) or "no cursor"


def _fields(frame: str) -> dict[str, str]:
    pairs = (line.partition(": ") for line in frame.splitlines())
    return {name: value for name, _, value in pairs if name}


def _label(event: dict[str, str], name: str) -> str | None:
    if event.get("event") != "create":
        return None
    return _label_in(json.loads(event["data"])["value"], name)


def _label_in(value: object, name: str) -> str | None:
    text = value.get("text", "") if isinstance(value, dict) else ""
    cell, _, rest = str(text).partition(" ")
    return rest.split(" ")[0] if cell == name else None


def _plain(value: object) -> object:
    return ", ".join(value) if isinstance(value, tuple) else value

"""Where everything of a timeline goes: connections, the lanes and rows they share."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from harness.core.history import (
    WITNESS,
    AnyRecord,
    Closed,
    CloseKind,
    F,
    Fail,
    Frame,
    History,
    Info,
    Invoke,
    Life,
    Ok,
    Opened,
    Responded,
)
from reports.frames import glance
from reports.records import record_at
from reports.scale import Scale, scale_of

_MANY = 10
_MOST_ROWS = 3


@dataclass(slots=True, kw_only=True)
class Connection:
    """One stream as the picture needs it."""

    conn: int
    who: str
    n: int
    opened_s: float
    until_s: float
    asked: str = ""
    status: int | None = None
    kind: CloseKind | None = None
    closed_n: int = 0
    received: int = 0
    error: str = ""
    row: int = 0
    frames: list[Frame] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Band:
    """A horizontal strip: from `top` to `bottom`."""

    name: str
    top: float
    bottom: float


def scale_for(history: History) -> Scale:
    """From 0 to the last record; pings, comments and harness records are no events."""
    last = max((record.t_s for record in history.records), default=0.0)
    busy = [record.t_s for record in history.records if _is_busy(record, history)]
    return scale_of(busy, last)


def connections_of(history: History, span_s: float) -> list[Connection]:
    """Every connection with its frames; one never closed lasts to the end."""
    found: dict[int, Connection] = {}
    for record in history.records:
        if isinstance(record, Opened):
            found[record.conn] = _opened(record, span_s)
        elif isinstance(record, Responded | Frame | Closed) and record.conn in found:
            _note(found[record.conn], record)
    return list(found.values())


def lanes_of(connections: Iterable[Connection]) -> dict[str, list[Connection]]:
    """Connections by client, the witness first, then as they came.

    Overlapping connections of a client get rows of their own, up to three.
    """
    lanes: dict[str, list[Connection]] = {WITNESS: []}
    for one in connections:
        lanes.setdefault(one.who, []).append(one)
    if not lanes[WITNESS]:
        del lanes[WITNESS]
    for members in lanes.values():
        _place(members)
    return lanes


def band_height(lanes: int) -> float:
    """Thick lanes for a few clients, thin ones for a crowd."""
    return 26.0 if lanes <= _MANY else 17.0


def has_server(history: History) -> bool:
    """Whether the harness ran the server, so that there are lives to show."""
    return any(isinstance(record, Life) for record in history.records)


def _opened(record: Opened, span_s: float) -> Connection:
    parts = [f"Last-Event-ID {record.header!r}"] if record.header is not None else []
    if record.query is not None:
        parts.append(f"lastEventId={record.query!r}")
    return Connection(
        conn=record.conn,
        who=record.who,
        n=record.n,
        opened_s=record.t_s,
        until_s=max(span_s, record.t_s),
        asked=" and ".join(parts) or "no cursor",
    )


def _note(one: Connection, record: Responded | Frame | Closed) -> None:
    if isinstance(record, Frame):
        one.frames.append(record)
    elif isinstance(record, Responded):
        one.status = record.status
    else:
        one.kind = record.kind
        one.closed_n = record.n
        one.until_s = record.t_s
        one.received = record.received
        one.error = record.error


def _place(members: list[Connection]) -> None:
    """First row that is free at the opening; past three rows they overlap."""
    free_s: list[float] = []
    for one in sorted(members, key=lambda conn: conn.opened_s):
        row = next(
            (place for place, at in enumerate(free_s) if at <= one.opened_s), None
        )
        if row is None and len(free_s) < _MOST_ROWS:
            row = len(free_s)
            free_s.append(0.0)
        one.row = row if row is not None else _MOST_ROWS - 1
        free_s[one.row] = max(free_s[one.row], one.until_s)


def _is_busy(record: AnyRecord, history: History) -> bool:
    if isinstance(record, Frame):
        return glance(record.text).kind not in ("ping", "comment")
    if isinstance(record, Invoke):
        return record.f is not F.PING
    if isinstance(record, Ok | Fail | Info):
        call = record_at(history, record.call)
        return isinstance(call, Invoke) and call.f is not F.PING
    return isinstance(record, Opened | Closed | Life)

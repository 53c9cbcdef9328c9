"""Streams: each connection with its frames read, and the faults that held it."""

from dataclasses import dataclass, field
from math import inf

import msgspec

from harness.checkers.kinds import Kinds
from harness.checkers.sse import EVENT_KINDS, Block, Reader
from harness.core.history import (
    Closed,
    CloseKind,
    Frame,
    Opened,
    Responded,
)

SERVER_ENDS = frozenset((CloseKind.END, CloseKind.FIN, CloseKind.RST))


class Sight(msgspec.Struct, gc=False):
    """A frame as one client saw it."""

    frame: Frame
    block: Block

    @property
    def n(self) -> int:
        return self.frame.n

    @property
    def t_s(self) -> float:
        return self.frame.t_s


@dataclass(slots=True, eq=False)
class Conn:
    """One connection; `end_s` is the end of the history while it stays open.

    `events` are creates, updates and deletes, `controls` all other blocks. `era` is
    the number of the commit order that it belongs to, `places` are the positions of
    `events` in it. `holds` are the spans of time in which a fault had hold of it; a
    lossy one never lets go.
    """

    opened: Opened
    end_s: float
    responded: Responded | None = None
    sights: list[Sight] = field(default_factory=list)
    events: list[Sight] = field(default_factory=list)
    controls: list[Sight] = field(default_factory=list)
    closed: Closed | None = None
    life: int | None = None
    era: int | None = None
    places: list[int | None] = field(default_factory=list)
    holds: list[tuple[float, float]] = field(default_factory=list)
    ping: Sight | None = None
    reset: Sight | None = None
    first: Sight | None = None

    @property
    def number(self) -> int:
        return self.opened.conn

    @property
    def who(self) -> str:
        return self.opened.who

    @property
    def cursor(self) -> str | None:
        """What the server has to resume from: the header wins over the query."""
        if self.opened.header is not None:
            return self.opened.header.strip(" \t")
        return self.opened.query

    @property
    def accepted(self) -> bool:
        return self.responded is not None and self.responded.status == 200

    @property
    def server_ended(self) -> bool:
        return self.closed is not None and self.closed.kind in SERVER_ENDS

    @property
    def finished(self) -> bool:
        """Whether the response ended properly; a body without a length or chunks may
        end with its connection.
        """
        if self.closed is None or self.responded is None:
            return False
        framed = {"transfer-encoding", "content-length"} & set(self.responded.headers)
        return self.closed.kind is CloseKind.END or (
            self.closed.kind is CloseKind.FIN and not framed
        )

    @property
    def named(self) -> str:
        return f"connection {self.number} of {self.who}"

    @property
    def connection_id(self) -> str:
        """The id that its ping frame gave, also a number, as text; "" without one."""
        payload = self.ping.block.payload if self.ping else None
        found = payload.get("id") if isinstance(payload, dict) else None
        return str(found) if isinstance(found, str) or type(found) is int else ""

    def calm(self, from_s: float, to_s: float) -> bool:
        """Whether no fault had hold of it between two times."""
        return all(to_s < a or from_s > b for a, b in self.holds)


def read_connections(kinds: Kinds, end_s: float) -> list[Conn]:
    """All connections in the order in which they were opened."""
    read, conns = Reader().block, dict[int, Conn]()
    for opened in kinds.of(Opened):
        conns.setdefault(opened.conn, Conn(opened, end_s))
    for frame in kinds.of(Frame):
        conn = conns.get(frame.conn)
        if conn is not None:
            _see(conn, Sight(frame, read(frame.text, first=not frame.offset)))
    rest: list[Responded | Closed] = [*kinds.of(Responded), *kinds.of(Closed)]
    for record in rest:
        _mark(conns.get(record.conn), record)
    return list(conns.values())


def _see(conn: Conn, sight: Sight) -> None:
    conn.sights.append(sight)
    kind = sight.block.kind
    if kind in EVENT_KINDS:
        conn.events.append(sight)
    else:
        conn.controls.append(sight)
    if not kind:
        return
    conn.first = conn.first or sight
    if kind == "ping":
        conn.ping = conn.ping or sight
    elif kind == "reset":
        conn.reset = conn.reset or sight


def _mark(conn: Conn | None, record: Responded | Closed) -> None:
    if conn is None:
        return
    if isinstance(record, Responded):
        conn.responded = conn.responded or record
    elif isinstance(record, Closed) and conn.closed is None:
        conn.closed, conn.end_s = record, record.t_s


def cut_after(conn: Conn, t_s: float) -> None:
    """Forget frames past a hole in the bytes: what follows proves nothing."""
    if t_s < inf and conn.sights and conn.sights[-1].t_s > t_s:
        conn.sights = [sight for sight in conn.sights if sight.t_s <= t_s]
        conn.events = [sight for sight in conn.events if sight.t_s <= t_s]
        conn.controls = [sight for sight in conn.controls if sight.t_s <= t_s]

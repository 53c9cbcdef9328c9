"""Who is behind a middlebox, and which of their streams it may have ended.

Seen from there, nginx's ends look like the server's: one for silence says nothing of
who was pinged in time or kept alive, so the connection counts as held from then on.
"""

from math import inf

import msgspec

from harness.checkers.connections import Conn
from harness.checkers.faults import Faults
from harness.checkers.kinds import Kinds
from harness.core.history import Behind, CloseKind
from harness.core.nginx import Nginx

BROKEN_OFF = frozenset((CloseKind.FIN, CloseKind.RST))
NEARLY = 0.9
"""Nginx counts from when it read the last byte, a client from when it got that."""


class TimedOut(msgspec.Struct, frozen=True):
    """Nothing came from `since_s` on, until the stream broke off at its read timeout.

    `sure` is false when another end is as likely: the harness was late, or bytes came
    after the last whole block, whose time nobody knows.
    """

    since_s: float
    until_s: float
    sure: bool


class Middleboxes:
    """The middlebox of each client that is behind one, by the client's name."""

    def __init__(self, kinds: Kinds, faults: Faults) -> None:
        self._by_who = {record.who: record.nginx for record in kinds.of(Behind)}
        self._faults = faults

    def before(self, conn: Conn) -> Nginx | None:
        """The one that a connection goes through; None for a direct one."""
        return self._by_who.get(conn.who)

    def hold(self, conns: list[Conn]) -> None:
        """Write into each connection that its end may have been a read timeout."""
        for conn in conns:
            if self.timed_out(conn) is not None:
                conn.holds.append((conn.end_s, inf))

    def timed_out(self, conn: Conn) -> TimedOut | None:
        """The silence that ended a stream; None when it ended otherwise."""
        nginx = self.before(conn)
        if nginx is None or conn.closed is None or conn.responded is None:
            return None
        since_s = conn.sights[-1].t_s if conn.sights else conn.responded.t_s
        silent_s, least_s = conn.end_s - since_s, NEARLY * nginx.read_timeout_s
        late_s = self._faults.lag(since_s, conn.end_s)
        if conn.closed.kind not in BROKEN_OFF or silent_s < least_s - late_s:
            return None
        sure = silent_s >= least_s and not _unfinished(conn)
        return TimedOut(since_s, conn.end_s, sure)


def _unfinished(conn: Conn) -> bool:
    """Whether bytes came after the last whole block."""
    assert conn.closed is not None
    frames = [sight.frame for sight in conn.sights]
    whole = sum(len(f.raw if f.raw is not None else f.text.encode()) for f in frames)
    return bool(conn.closed.tail) or conn.closed.received > whole

"""Cursors: which strings the server issued, in which eras, and where they stand.

Issued are ids of event frames and control frames, and `cursor` in snapshots. A
cursor's position is the number of events at or before it.
"""

from math import inf

from harness.checkers.calls import Snapshot
from harness.checkers.connections import Conn
from harness.checkers.order import Order
from harness.checkers.sse import Block


class Cursors:
    """Every cursor seen by anybody: string -> era -> when first seen."""

    def __init__(
        self,
        by_who: dict[str, list[Conn]],
        snapshots: list[Snapshot],
        orders: dict[int, Order],
        sighted: dict[int, dict[Block, float]],
    ) -> None:
        self._by_who, self._snapshots, self._orders = by_who, snapshots, orders
        self.issued: dict[str, dict[int, float]] = {}
        self._unplaced: dict[str, float] = {}
        self._held: dict[str, dict[str, list[tuple[float, int]]]] = {}
        for era, seen in sighted.items():
            for block, t_s in seen.items():
                if block.id:
                    self._add(block.id, era, t_s)
        for conn in (conn for conns in by_who.values() for conn in conns):
            for cursor, t_s in _control_ids(conn):
                self._add(cursor, conn.era, t_s)
        for snapshot in snapshots:
            if snapshot.cursor:
                call = snapshot.call
                self._add(snapshot.cursor, call.era, call.done_s)
        self._starts = {n: _first_ping_id(order) for n, order in orders.items()}

    def _add(self, cursor: str, era: int | None, t_s: float) -> None:
        if era is None:
            self._unplaced[cursor] = min(t_s, self._unplaced.get(cursor, inf))
            return
        eras = self.issued.setdefault(cursor, {})
        if t_s < eras.get(era, inf):
            eras[era] = t_s

    def ever(self, cursor: str) -> bool:
        """Whether anybody was ever given this string, in whatever era."""
        return cursor in self.issued or cursor in self._unplaced

    def given(self, cursor: str, t_s: float) -> bool:
        """Whether anybody had been given this string before a time."""
        unplaced_s = self._unplaced.get(cursor, inf)
        return unplaced_s <= t_s or bool(self.eras_before(cursor, t_s))

    def eras_before(self, cursor: str, t_s: float) -> list[int]:
        """The eras that had issued it before a time."""
        found = self.issued.get(cursor, {})
        return [era for era, first_s in found.items() if first_s <= t_s]

    def era_of(self, cursor: str, who: str, t_s: float) -> int | None:
        """The era from which a client holds a cursor; None when unsure."""
        if self._unplaced.get(cursor, inf) <= t_s:
            return None
        eras = self.eras_before(cursor, t_s)
        if len(eras) <= 1:
            return eras[0] if eras else None
        got = [x for x in self._holdings(who).get(cursor, ()) if x[0] <= t_s]
        return max(got)[1] if got else None

    def _holdings(self, who: str) -> dict[str, list[tuple[float, int]]]:
        """When and from which era a client got each of its cursors."""
        if who not in self._held:
            held = self._held[who] = {}
            for conn in self._by_who.get(who, ()):
                for cursor, t_s in [*_event_ids(conn), *_control_ids(conn)]:
                    if conn.era is not None:
                        held.setdefault(cursor, []).append((t_s, conn.era))
            for snapshot in self._snapshots:
                era = snapshot.call.era
                if snapshot.who == who and snapshot.cursor and era is not None:
                    got = (snapshot.call.done_s, era)
                    held.setdefault(snapshot.cursor, []).append(got)
        return self._held[who]

    def position(self, cursor: str, era: int) -> int | None:
        """How many events of an era are at or before a cursor; None when unknown."""
        order = self._orders.get(era)
        first_s = self.issued.get(cursor, {}).get(era)
        if order is None or first_s is None:
            return None
        if cursor in order.by_id:
            return order.by_id[cursor] + 1
        if cursor == self._starts[era]:
            return 0
        before_all = first_s < order.begun_s and order.since_s < inf
        return 0 if before_all and not order.early else None


def _event_ids(conn: Conn) -> list[tuple[str, float]]:
    return [(sight.block.id, sight.t_s) for sight in conn.events if sight.block.id]


def _control_ids(conn: Conn) -> list[tuple[str, float]]:
    """A control frame's id that repeats the cursor sent is an echo, no issue."""
    sent = conn.cursor
    return [
        (sight.block.id, sight.t_s)
        for sight in conn.controls
        if sight.block.id and sight.block.id != sent
    ]


def _first_ping_id(order: Order) -> str | None:
    """The id on the witness's first ping frame: where its own order begins."""
    for conn in order.witness:
        if conn.ping is not None and not conn.cursor:
            return conn.ping.block.id or None
        if conn.events:
            return None
    return None

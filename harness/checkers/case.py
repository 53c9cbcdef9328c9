"""The index of one history: everything that rules look things up in, built once."""

from functools import cached_property
from math import inf

from harness.checkers.base import Idents
from harness.checkers.calls import Call, Calls, Snapshot
from harness.checkers.connections import Conn, Sight, read_connections
from harness.checkers.cursors import Cursors
from harness.checkers.faults import Faults
from harness.checkers.kinds import Kinds
from harness.checkers.lives import Lives
from harness.checkers.matching import Matching
from harness.checkers.model import build_models
from harness.checkers.order import Order
from harness.checkers.returns import Return, read_returns
from harness.checkers.shown import LifeModel
from harness.checkers.shown import Look as SnapshotLook
from harness.checkers.sse import Block
from harness.checkers.ties import untied
from harness.core.history import WITNESS, End, F, History, View

ALLOWANCE_S = 0.05
"""Timers and pipes are this coarse even where the harness was not late."""


class Case:
    """One history, indexed."""

    def __init__(self, history: History) -> None:
        history = self.history = untied(history)
        self.header = history.header
        self.limits = history.header.limits
        self.tolerances = history.header.tolerances
        self.settle_s = self.tolerances.settle_ms / 1000
        limits = self.limits
        self.silence_s = (limits.ping_interval_ms + limits.ping_grace_ms) / 1000
        self.end_s = history.records[-1].t_s if history.records else 0.0
        kinds = self.kinds = Kinds(history)
        self.calls = Calls(kinds)
        self.faults = Faults(kinds, self.calls.by_f[F.FAULT])
        self.lives = Lives(kinds, self.faults.falls)
        self.views = kinds.of(View)
        self.complete = bool(history.records) and isinstance(history.records[-1], End)
        self.idents = Idents()
        self.idents.learn(self.calls.writes)
        self._connections()
        self._place_calls()
        self._orders()
        self.cursors = Cursors(
            self.by_who, self.calls.snapshots, self.orders, self.sighted
        )

    def _connections(self) -> None:
        self.conns = read_connections(self.kinds, self.end_s)
        self.by_who: dict[str, list[Conn]] = {}
        for conn in self.conns:
            self.by_who.setdefault(conn.who, []).append(conn)
        self.faults.hold(self.by_who)
        for conn in self.conns:
            seen = conn.responded or (conn.sights[0].frame if conn.sights else None)
            conn.life = self.lives.at(conn.opened.t_s, seen.t_s if seen else None)

    def _place_calls(self) -> None:
        for call in self.calls.all.values():
            call.lives = self.lives.possible(call.invoke.t_s, call.done_s)
            call.life = call.lives[0] if len(call.lives) == 1 else None

    def _orders(self) -> None:
        self.matching = Matching(self.calls.writes)
        witness = self.by_who.get(WITNESS, [])
        self.orders = {
            number: Order(
                number, [c for c in witness if c.life == number], self.matching
            )
            for number in self.lives.by_number
        }
        first_seen: dict[int, dict[Block, float]] = {n: {} for n in self.orders}
        for conn in self.conns:
            if conn.life is not None and conn.life in self.orders:
                self._sight(conn, self.orders[conn.life], first_seen[conn.life])
        for number, order in self.orders.items():
            order.close(first_seen[number], self.calls.writes)
        self.sighted = first_seen

    def _sight(self, conn: Conn, order: Order, seen: dict[Block, float]) -> None:
        life, places = order.life, conn.places
        for sight in conn.events:
            block = sight.block
            found = block.places
            places.append(found[life] if life in found else order.place(block))
            t_s = sight.frame.t_s
            if seen.get(block, inf) > t_s:
                seen[block] = t_s

    def order_of(self, conn: Conn) -> Order | None:
        """The commit order that a connection belongs to; None when unsure."""
        return self.orders.get(conn.life) if conn.life is not None else None

    @cached_property
    def returns(self) -> list[Return]:
        """Every connection that came with a cursor."""
        return read_returns(self)

    @cached_property
    def _returned(self) -> dict[int, Return]:
        return {found.conn.number: found for found in self.returns}

    @cached_property
    def models(self) -> dict[int, LifeModel]:
        """The chat of each life, held against every look at it."""
        return build_models(self)

    @cached_property
    def told(self) -> set[Call]:
        """The writes that an event was seen of, by anybody."""
        matching = self.matching
        found = (
            matching.write_of(block, life)
            for life, seen in self.sighted.items()
            for block in seen
        )
        return {call for call in found if call is not None}

    @cached_property
    def looks(self) -> dict[Call, SnapshotLook]:
        """Every /init answer whose life is known, against the model."""
        found = (look for model in self.models.values() for look in model.looks)
        return {look.snapshot.call: look for look in found}

    def return_of(self, conn: Conn) -> Return | None:
        """What a connection came back with; None for one without a cursor."""
        return self._returned.get(conn.number)

    def undisturbed(self, conn: Conn, from_s: float, to_s: float) -> bool:
        """Whether neither a fault nor the server's end explains what happened."""
        return conn.calm(from_s, to_s) and self.lives.up(from_s, to_s)

    def slack_s(self, from_s: float, to_s: float) -> float:
        """By how much the harness may have been late in a span of time."""
        return self.faults.lag(from_s, to_s)

    def write_of(self, sight: Sight, conn: Conn) -> Call | None:
        """The write that a delivered event tells of."""
        return self.matching.write_of(sight.block, conn.life or 0)

    def snapshots_in(self, life: int) -> list[Snapshot]:
        """The /init answers that surely came from one life."""
        return [s for s in self.calls.snapshots if s.call.life == life]
